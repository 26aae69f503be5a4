// Package store keeps events, requests and verdicts in SQLite.
package store

import (
	"context"
	"iter"

	"gatepost"
)

// Store is an open store.
type Store struct{}

// Open opens or creates the store at path. An empty path makes a private store in a temporary
// file that Close removes.
func Open(ctx context.Context, path string) (*Store, error) { panic("not yet") }
func (s *Store) Close() error                               { panic("not yet") }

// AddSource finds the source that has src's Head (same first HeadSize bytes), or creates it. It
// fills in src.ID and, for a known source, all that is known of it, Position included.
func (s *Store) AddSource(ctx context.Context, src *gatepost.Source) error { panic("not yet") }

// Append stores a batch and the source's new position in one transaction.
func (s *Store) Append(ctx context.Context, src *gatepost.Source, b *gatepost.Batch) error {
	panic("not yet")
}

// SaveSource stores counters, stamps, problem and clock of a source.
func (s *Store) SaveSource(ctx context.Context, src *gatepost.Source) error { panic("not yet") }
func (s *Store) Sources(ctx context.Context) ([]gatepost.Source, error)     { panic("not yet") }

// Events and Requests implement correlate.History: on the common clock, by time, source, offset.
func (s *Store) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	panic("not yet")
}
func (s *Store) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	panic("not yet")
}

// Routes names the routes by their id.
func (s *Store) Routes(ctx context.Context) (map[uint64]string, error) { panic("not yet") }

// Totals counts the requests of the access logs by status, and says from when to when.
func (s *Store) Totals(ctx context.Context) (Totals, error) { panic("not yet") }

// Totals is what the access logs hold in all.
type Totals struct {
	Requests int64
	Statuses map[int]int64
	From, To gatepost.Time
}

func (s *Store) SaveSetup(ctx context.Context, setup gatepost.Setup) error { panic("not yet") }
func (s *Store) Setup(ctx context.Context) (gatepost.Setup, error)         { panic("not yet") }

// SaveVerdicts replaces all failures, incidents, outages and their evidence.
func (s *Store) SaveVerdicts(ctx context.Context, failures []gatepost.Failure, incidents, outages []gatepost.Incident) error {
	panic("not yet")
}
func (s *Store) Failures(ctx context.Context) ([]gatepost.Failure, error) { panic("not yet") }
func (s *Store) Incidents(ctx context.Context) (incidents, outages []gatepost.Incident, err error) {
	panic("not yet")
}

// Rows is the answer to a query of the user's.
type Rows struct {
	Columns []string
	Rows    iter.Seq2[[]any, error]
}

// Query runs one read-only statement; the virtual table "requests" is there.
func (s *Store) Query(ctx context.Context, statement string) (*Rows, error) { panic("not yet") }

package gatepost

import (
	"iter"
	"slices"
	"time"
)

// Model is everything a report draws. Reports compute nothing but layout from it.
type Model struct {
	Version   string
	Made      Time // when the report was made
	Zone      *time.Location
	From, To  Time // first and last stamp of the access logs, on the common clock
	Sources   []Source
	Setup     Setup
	Since     Time          // failures before are not in the report; 0 or NoTime: no bound
	Until     Time          // nor after
	Paths     []string      // what was read, as the user named it; empty when it cannot be read again
	Requests  int64         // access lines in all, within Since and Until
	Statuses  map[int]int64 // of all access lines
	Failures  Ledger        // nil: there is none
	Missed    int64         // access lines that count as failures and have no verdict, so that they are not in Failures
	Unjudged  []Stretch     // times in which there are access lines, and that no analysis has judged
	Incidents []Incident    // of one machine after the other, by the time of their first failure
	Outages   []Incident    // trouble without an entry in the ledger: 404, 302 or 500 waves
	Causes    []CauseDoc    // of all causes, in the order of the registry
	Watched   []int         // the statuses that count as failures
	Unknown   []UnknownLine // what was not understood: of each source the most frequent kinds
	Gaps      []Gap
	Notes     []string // what the reader should know: files not understood, clocks guessed
	Night     *Night   // nil unless a report asked for it
}

// Ledger gives the failures, by time, then by source and line, as often as it is asked to. There may be a
// million, so it does not hold them. What it yields is the caller's.
type Ledger interface {
	// Entries yields the failures without the arguments for their verdicts: evidence, rivals, what is missing.
	Entries() iter.Seq2[Failure, error]
	// Failures yields them whole.
	Failures() iter.Seq2[Failure, error]
	// Failure returns one whole, by its ID, nil when there is none.
	Failure(id string) (*Failure, error)
}

// FailureList is a Ledger of failures that are at hand.
type FailureList []Failure

// Entries implements Ledger.
func (l FailureList) Entries() iter.Seq2[Failure, error] { return l.Failures() }

// Failures implements Ledger.
func (l FailureList) Failures() iter.Seq2[Failure, error] {
	return func(yield func(Failure, error) bool) {
		for i := range l {
			if !yield(l[i], nil) {
				return
			}
		}
	}
}

// Failure implements Ledger.
func (l FailureList) Failure(id string) (*Failure, error) {
	if i := slices.IndexFunc(l, func(f Failure) bool { return f.ID == id }); i >= 0 {
		return &l[i], nil
	}
	return nil, nil
}

// Scope is what an analysis is asked for.
type Scope struct {
	Since, Until Time  // NoTime for no bound
	Watched      []int // the statuses that count as failures
}

// Gap is a time in which a source is silent although it should not be, or a part of it that
// could not be read.
type Gap struct {
	Source   int
	From, To Time
	Why      string
}

// Second counts the requests of a source that ended in one second of the common clock.
type Second struct {
	Source   int
	Time     Time
	Requests int64
	Failed   int64 // with status 499, 500, 502, 503 or 504, of an access log
}

// StatusCount says how many access lines of a source have a status, and when the first and the last of
// them ended, on the common clock.
type StatusCount struct {
	Source      int
	Status      int
	Requests    int64
	First, Last Time
}

// Query selects from the history of a store; zero fields select everything.
type Query struct {
	From, To Time // inclusive, on the common clock; zero for both means all, undated events too
	Kinds    []Kind
	Lanes    []Lane
	Sources  []int
	// Sparse leaves out events whose Key has any of these bits: 3 keeps a quarter of the requests, the
	// same ones in every log, and all that is about no request.
	Sparse uint64
}

// Holds reports whether the query is about a time on the common clock. What has no time is selected only where all times are.
func (q *Query) Holds(t Time) bool {
	from, to := q.From != 0 && q.From.Known(), q.To != 0 && q.To.Known()
	switch {
	case !from && !to:
		return true
	case !t.Known():
		return false
	}
	return (!from || q.From <= t) && (!to || t <= q.To)
}

// Wants reports whether the query is about a source.
func (q *Query) Wants(source int) bool {
	return len(q.Sources) == 0 || slices.Contains(q.Sources, source)
}

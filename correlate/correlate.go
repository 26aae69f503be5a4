// Package correlate finds the one cause of every failure.
//
// It takes events and requests on a common clock, rebuilds from them what the servers did, lets
// every registered Cause argue its case for every failure, and weighs the arguments. It has no
// clock, reads no file and starts no goroutine: the same history always gives the same verdicts,
// in whatever order its sources were read.
//
//	Align          finds the clock of every source            clock.go, vote.go, skew.go
//	Judge          drives the steps below, for each machine    correlate.go, hosts.go
//	  scene        the history, indexed                       scene.go
//	  cases        failures joined with their error lines     case.go, patience.go
//	  servers      lives of processes, times of no service    server.go, downtime.go, death.go
//	  works        what the workers did, and who queued       work.go, queue.go
//	  locks        who waited for whom in PostgreSQL          lock.go, database.go
//	  causes       one file each, weighed by                  cause_*.go, score.go
//	  incidents    failures with one root, and their chain    incident.go, outage.go
package correlate

import (
	"context"
	"iter"
	"time"

	"gatepost"
)

// History is what the correlator reads: events and requests on the common clock, by time, then
// by source and offset. The store implements it.
type History interface {
	Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error]
	Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error]
	// Statuses counts the access lines of every source by status.
	Statuses(ctx context.Context) ([]gatepost.StatusCount, error)
}

// Options are what is known beside the logs.
type Options struct {
	Watched      []int          // statuses that are failures; nil means 502 and 504
	Setup        gatepost.Setup // configuration files
	Zone         *time.Location // of sources that do not say theirs (--tz); nil: find out
	BootTime     gatepost.Time  // of stamps since boot; NoTime: find out
	Since, Until gatepost.Time  // failures outside are not judged; NoTime: no bound
}

// Result is all that the correlator found.
type Result struct {
	Failures  []gatepost.Failure  // by time, then by source and line
	Incidents []gatepost.Incident // by time
	Outages   []gatepost.Incident // trouble without an entry in the ledger
	Notes     []string
}

// Judge gives every failure its verdict. Evidence carries references; the caller fills in the
// text of the lines.
func Judge(ctx context.Context, h History, sources []gatepost.Source, o Options) (*Result, error) {
	if o.Watched == nil {
		o.Watched = []int{502, 504}
	}
	var results []*Result
	for _, p := range parts(h, sources, o) {
		r, err := p.judge(ctx)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return merge(results), nil
}

// judge gives the failures of one machine their verdicts.
func (p *part) judge(ctx context.Context) (*Result, error) {
	s, err := newScene(ctx, p, p.sources, p.opt)
	if err != nil {
		return nil, err
	}
	for _, c := range s.cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.judge(c)
	}
	incidents := s.incidents()
	outages, err := s.outages(ctx, p, incidents)
	if err != nil {
		return nil, err
	}
	for i := range s.failures {
		if f := &s.failures[i]; f.Start.Known() {
			f.Start -= f.Start % gatepost.Time(s.resolution(f.Ref.Source)) // no finer than the stamp it is reckoned from
		}
	}
	return &Result{Failures: s.failures, Incidents: incidents, Outages: outages}, nil
}

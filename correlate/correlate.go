// Package correlate finds the one cause of every failure.
//
// It takes events and requests on a common clock, rebuilds from them what the servers did, lets
// every registered Cause argue its case for every failure, and weighs the arguments. It has no
// clock, reads no file and starts no goroutine: the same history always gives the same verdicts,
// in whatever order its sources were read.
//
//	Align          finds the clock of every source            clock.go, vote.go, skew.go
//	Judge          drives the steps below, for each machine    correlate.go, hosts.go
//	  survey       the whole history once, into a world       survey.go, stretch.go
//	  servers      lives of processes, times of no service    server.go, downtime.go, death.go
//	  scene        one stretch of it, indexed                 scene.go
//	  cases        failures joined with their error lines     case.go, patience.go
//	  works        what the workers did, and who queued       work.go, ghost.go, queue.go
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

	Last   int // the greatest number of an incident or outage that other analyses have found: theirs go on from there
	AtOnce int // failures that are judged at once, for a bound on memory; 0: some thousand
}

// Result is all that the correlator found beside the failures, which it hands over one stretch at a time.
type Result struct {
	Incidents []gatepost.Incident // of one machine after the other, by the time of their first failure
	Outages   []gatepost.Incident // trouble without an entry in the ledger
	Notes     []string
}

// Judge gives every failure its verdict, and hands the failures to take: of one machine by time, then by
// source and line, some thousands at once. They are take's to keep. Evidence carries references; the caller
// fills in the text of the lines.
//
// Memory is bounded by what is rare in the logs (lives of processes, runs of scheduled actions, incidents), not
// by failures nor by requests: see stretch.
func Judge(ctx context.Context, h History, sources []gatepost.Source, o Options, take func([]gatepost.Failure) error) (*Result, error) {
	if o.Watched == nil {
		o.Watched = []int{502, 504}
	}
	all := &Result{}
	for _, p := range parts(h, sources, o) {
		if err := p.judge(ctx, all, take); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// judge gives the failures of one machine their verdicts. Its incidents are numbered on from those of the
// machines before.
func (p *part) judge(ctx context.Context, all *Result, take func([]gatepost.Failure) error) error {
	w, err := survey(ctx, p, p.sources, p.opt)
	if err != nil {
		return err
	}
	groups := grouping{world: w, before: w.opt.Last + len(all.Incidents)}
	err = w.scenes(ctx, whole, w.stretches, func(s *scene) error {
		failures, err := s.verdicts(ctx, &groups)
		if err != nil {
			return err
		}
		return take(failures)
	})
	if err != nil {
		return err
	}
	incidents := groups.incidents()
	outages, err := w.outages(ctx, incidents, w.opt.Last+len(all.Outages))
	if err != nil {
		return err
	}
	all.Incidents, all.Outages = append(all.Incidents, incidents...), append(all.Outages, outages...)
	all.Notes = append(all.Notes, w.unlistedNotes()...)
	return nil
}

// verdicts judges the cases of a scene and returns the failures of its stretch.
func (s *scene) verdicts(ctx context.Context, groups *grouping) ([]gatepost.Failure, error) {
	for _, c := range s.cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.judge(c)
	}
	mine := s.own()
	groups.add(s, mine)
	failures := make([]gatepost.Failure, 0, len(mine))
	for _, c := range mine {
		if c.Start.Known() {
			c.Start -= c.Start % gatepost.Time(s.resolution(c.Ref.Source)) // no finer than the stamp it is reckoned from
		}
		failures = append(failures, *c.Failure)
	}
	return failures, nil
}

package main

import (
	"slices"
	"time"

	"gatepost"
)

// status is what a live analysis knows at a moment, for the people and machines that look at it. It is a copy: who gets it owns it.
type status struct {
	now      gatepost.Time
	began    gatepost.Time // when following began
	requests int64         // access lines read since then
	rate     float64       // of them a second, over the last ten seconds

	failures map[failedAs]int64 // since following began, by the verdicts as they are now
	revised  int64              // verdicts that became others
	workers  int                // HTTP workers of Odoo, 0 when nothing tells how many
	busy     float64            // of them at work on average over the last ten seconds, -1 when nothing tells
	open     []gatepost.Incident
	sources  []sourceStatus
	gaps     int64 // parts of logs that were gone before they were read
	judging  time.Duration
	distress string // what keeps it from going on, "" when nothing does
	tries    int64  // to go on that came to nothing
}

// failedAs is what failures are counted by.
type failedAs struct {
	cause  string
	status int
}

func countedAs(f *gatepost.Failure) failedAs { return failedAs{f.Verdict.Cause, f.Status} }

// sourceStatus is how far a log has been read.
type sourceStatus struct {
	path, strand, format string
	lines, unparsed      int64
	behind               int64         // bytes that are written and not read
	lag                  time.Duration // since when they are waiting, about; 0 when none are
	last                 gatepost.Time // stamp of the last line, on the common clock; NoTime when none has one
}

// listener hears every change of a live analysis, in order. It must not block: what it does with a change it does elsewhere. close waits,
// for a moment, until what was heard is done.
type listener interface {
	hear(gatepost.Change)
	close() error
}

// show makes the status anew, with people hidden where that is asked for.
func (l *live) show() {
	now := l.now()
	l.showed = now
	s := &status{now: gatepost.TimeOf(now), began: l.started, failures: make(map[failedAs]int64), revised: l.revised, gaps: l.gaps, judging: l.cost, distress: l.distress.what, tries: l.distress.failed}
	s.requests = l.pace.requests
	s.rate, s.busy = l.pace.rates(now)
	for as, n := range l.counted {
		s.failures[as] = n
	}
	for _, o := range l.incidents {
		if !o.closed {
			s.open = append(s.open, *o.now())
		}
	}
	if n, ok := l.options.Setup.Number("odoo", "workers"); ok {
		s.workers = int(n)
	}
	sources := slices.Clone(l.known)
	place := make(map[int]int) // of a source among them
	for i := range sources {
		place[sources[i].ID] = i
	}
	for _, f := range l.watch.followers {
		for _, src := range f.sources() {
			if i, ok := place[src.ID]; ok {
				sources[i] = *src
				continue
			}
			place[src.ID] = len(sources)
			sources = append(sources, *src)
		}
	}
	if l.hide != nil {
		s.distress = l.hide.Text(s.distress)
		m := &gatepost.Model{Sources: sources, Setup: l.options.Setup, Paths: l.a.paths}
		if hidden, err := l.hide.Model(m); err == nil { // it has no failures, of which alone one can come
			sources, s.open = hidden.Sources, l.hide.Incidents(s.open)
		}
	}
	paths := make(map[int]string)
	for i := range sources {
		paths[sources[i].ID] = sources[i].Path
	}
	for _, f := range l.watch.followers {
		behind, size := f.behind(), f.following.Size()
		lag := f.backlog.lag(now, size-behind, size)
		for _, src := range f.sources() {
			shown := &sources[place[src.ID]]
			st := sourceStatus{path: shown.Path, strand: shown.Strand, format: src.Format, lines: src.Lines, unparsed: src.Unparsed, last: src.Clock.At(src.Last)}
			if src == f.src {
				st.behind, st.lag = behind, lag
			}
			s.sources = append(s.sources, st)
		}
	}
	l.told = sources
	l.shown.Store(s)
	l.paths.Store(&paths)
}

// status is the last one that was made. It may be asked for by anybody at any time.
func (l *live) status() status { return *l.shown.Load() }

// path is where a log lies, "" when that is not known.
func (l *live) path(source int) string { return (*l.paths.Load())[source] }

package main

import (
	"context"
	"errors"
	"time"

	"gatepost"
)

// teller writes a live analysis a change at a time: reports.Stream for people, reports.Events for programs.
type teller interface {
	Change(*gatepost.Change) error
	Tick(gatepost.Time) error // writes what was held back until now
	Done() error              // writes all that is held back
}

// mostWaiting is how many changes wait for the reader of standard output. Beyond, the analysis waits with them until it is
// told to end, as any program does whose reader stops reading: the logs stay where they are, and nothing is dropped.
const mostWaiting = 10_000

var errStuck = errors.New("standard output takes nothing more")

// lines is a listener that writes lines to standard output, beside the analysis.
type lines struct {
	to     teller
	now    func() gatepost.Time
	ticks  <-chan time.Time
	ctx    context.Context // of the analysis
	failed func(error)

	waiting chan gatepost.Change
	ended   chan struct{}
	done    chan struct{}
	err     error // of writing, once done
}

// newLines makes a listener that writes with a teller. failed is called once when nobody reads any more; it must not wait for close.
func newLines(ctx context.Context, e *env, to teller, failed func(error)) *lines {
	ticker := time.NewTicker(time.Second)
	l := &lines{to: to, now: func() gatepost.Time { return gatepost.TimeOf(e.now()) }, ticks: ticker.C, ctx: ctx, failed: failed}
	l.start(ticker.Stop)
	return l
}

func (l *lines) start(stopped func()) {
	l.waiting, l.ended, l.done = make(chan gatepost.Change, mostWaiting), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.done)
		defer stopped()
		l.write()
	}()
}

func (l *lines) hear(c gatepost.Change) {
	select {
	case l.waiting <- c:
		return
	default:
	}
	select {
	case l.waiting <- c:
	case <-l.ctx.Done():
	}
}

// close waits until all is written, for a moment: what an output does not take by then it never takes.
func (l *lines) close() error {
	close(l.ended)
	select {
	case <-l.done:
		return l.err
	case <-time.After(patienceAtEnd):
		return errStuck
	}
}

func (l *lines) write() {
	for {
		select {
		case c := <-l.waiting:
			l.tell(func() error { return l.to.Change(&c) })
		case <-l.ticks:
			l.tell(func() error { return l.to.Tick(l.now()) })
		case <-l.ended:
			for len(l.waiting) > 0 {
				c := <-l.waiting
				l.tell(func() error { return l.to.Change(&c) })
			}
			l.tell(l.to.Done)
			return
		}
	}
}

// tell writes; after an error nothing is written any more, and what is heard goes nowhere.
func (l *lines) tell(write func() error) {
	if l.err != nil {
		return
	}
	if l.err = write(); l.err != nil {
		l.failed(l.err)
	}
}

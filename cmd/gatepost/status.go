package main

import (
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
}

// failedAs is what failures are counted by.
type failedAs struct {
	cause  string
	status int
}

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

package gatepost

import "time"

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
	Failures  []Failure     // by time, then by source and line
	Incidents []Incident    // by time
	Outages   []Incident    // trouble without an entry in the ledger: 404, 302 or 500 waves
	Causes    []CauseDoc    // of all causes, in the order of the registry
	Watched   []int         // the statuses that count as failures
	Gaps      []Gap
	Notes     []string // what the reader should know: files not understood, clocks guessed
}

// Gap is a time in which a source is silent although it should not be, or a part of it that
// could not be read.
type Gap struct {
	Source   int
	From, To Time
	Why      string
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
	Source   int
	// Sparse leaves out events whose Key has any of these bits: 3 keeps a quarter of the requests, the
	// same ones in every log, and all that is about no request.
	Sparse uint64
}

package main

import (
	"sync"
	"time"
)

// stepLimit is how long a step of the engine may take before it counts as stuck. The longest that is known, judging the heaviest of
// the recorded incidents anew, takes a few seconds.
const stepLimit = 30 * time.Second

// pulse is when the engine took its last step: who waits for an answer of a program cannot tell idle from stuck.
type pulse struct {
	now   func() time.Time
	began chan struct{} // closed by the first step

	mu   sync.Mutex
	last time.Time
}

func newPulse(now func() time.Time) *pulse { return &pulse{now: now, began: make(chan struct{})} }

// beat says that the engine has taken a step.
func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() {
		close(p.began)
	}
	p.last = p.now()
}

// age is how long ago the last step was, and whether there was one.
func (p *pulse) age() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.now().Sub(p.last), 0), !p.last.IsZero()
}

func (p *pulse) alive() bool {
	age, began := p.age()
	return began && age <= stepLimit
}

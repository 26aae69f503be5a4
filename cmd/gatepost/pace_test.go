package main

import (
	"context"
	"sync"
	"testing"
	"time"
)

// moments is a pace for tests: nothing sleeps, and what would have slept is kept.
type moments struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
}

func newMoments() *moments {
	return &moments{at: time.Date(2026, time.November, 22, 14, 0, 0, 0, time.UTC)}
}

func (m *moments) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *moments) sleep(_ context.Context, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
	m.slept = append(m.slept, d)
}

func (m *moments) sleeps() []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.slept
}

// pace lets chance take nothing off.
func (m *moments) pace() pace {
	return pace{now: m.now, sleep: m.sleep, chance: func() float64 { return 1 }}
}

func TestPause(t *testing.T) {
	p := pace{chance: func() float64 { return 0 }}
	for failures, want := range map[int]time.Duration{0: time.Second / 2, 1: time.Second / 2, 2: time.Second, 5: 8 * time.Second, 9: 128 * time.Second, 10: maxPause / 2, 1 << 40: maxPause / 2} {
		if got := p.pause(failures); got != want {
			t.Errorf("after %d failures: %s, want at least %s", failures, got, want)
		}
	}
	p.chance = func() float64 { return 0.5 }
	if got := p.pause(3); got != 3*time.Second {
		t.Errorf("half of the chance makes %s", got)
	}
}

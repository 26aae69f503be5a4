package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// pace is how time passes for what waits and tries again. Tests have one of their own.
type pace struct {
	now    func() time.Time
	sleep  func(context.Context, time.Duration) // ends early when the context does
	chance func() float64                       // at least 0 and below 1
}

func newPace(now func() time.Time) pace {
	return pace{now: now, sleep: sleep, chance: rand.Float64}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

const (
	firstPause = time.Second
	maxPause   = 5 * time.Minute
)

// pause is how long to wait after so many failures in a row: twice as long each time, up to maxPause. Up to half of it is left to
// chance, so that many who failed together do not come back together.
func (p pace) pause(failures int) time.Duration {
	d := min(firstPause<<min(max(failures-1, 0), 16), maxPause)
	return d/2 + time.Duration(p.chance()*float64(d/2))
}

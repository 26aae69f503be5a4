package main

import (
	"math"
	"math/bits"
	"time"
)

// sketch counts durations so that their quantiles can be told without keeping them: in classes of which eight double
// the duration, so that a quantile is wrong by a sixteenth at most.
type sketch struct {
	n         uint32
	least     time.Duration
	most      time.Duration
	durations [sketchClasses]uint32
}

const (
	sketchFinest  = 9  // durations below 2^9 microseconds are all alike
	sketchOctaves = 23 // the last one begins at an hour
	sketchClasses = 8 * sketchOctaves
)

// add takes a duration of a class, which is asked of sketchClass once for all sketches that take it.
func (s *sketch) add(class int, d time.Duration) {
	if s.n == 0 || d < s.least {
		s.least = d
	}
	s.most = max(s.most, d)
	s.n++
	s.durations[class]++
}

func sketchClass(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1<<sketchFinest))
	octave := bits.Len64(us) - 1
	eighth := int(us>>(octave-3)) & 7
	return min((octave-sketchFinest)*8+eighth, sketchClasses-1)
}

// quantile returns the duration that a share q of all do not exceed, -1 when there are none.
func (s *sketch) quantile(q float64) time.Duration {
	if s.n == 0 {
		return -1
	}
	rank := uint32(math.Ceil(q * float64(s.n)))
	seen := uint32(0)
	for class, n := range s.durations {
		if seen += n; seen >= rank {
			octave, eighth := class/8+sketchFinest, uint64(class%8)
			middle := (2*eighth + 17) << (octave - 4)
			return min(max(time.Duration(middle)*time.Microsecond, s.least), s.most)
		}
	}
	return s.most
}

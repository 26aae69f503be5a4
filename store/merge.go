package store

import (
	"context"
	"math"
	"time"

	"gatepost"
)

// endOfTime is the latest instant.
const endOfTime = gatepost.Time(math.MaxInt64)

// window is a range of instants, both ends included.
type window struct{ from, to gatepost.Time }

// windowOf is the range that q asks for. A bound that is zero or unknown is none; a window
// without any bound begins at NoTime and so holds what has no time as well.
func windowOf(q gatepost.Query) window {
	w := window{gatepost.NoTime, endOfTime}
	if q.From != 0 && q.From.Known() {
		w.from = q.From
	}
	if q.To != 0 && q.To.Known() {
		w.to = q.To
	}
	if w.from == gatepost.NoTime && w.to != endOfTime {
		w.from++
	}
	return w
}

func (w window) holds(t gatepost.Time) bool { return w.from <= t && t <= w.to }

// raw returns the range of raw stamps which a shift moves into w.
func (w window) raw(shift time.Duration) window {
	if w.from != gatepost.NoTime {
		w.from = minus(w.from, shift)
	}
	if w.to != endOfTime {
		w.to = minus(w.to, shift)
	}
	return w
}

// minus subtracts and stays within the range of instants that are known.
func minus(t gatepost.Time, d time.Duration) gatepost.Time {
	r := t - gatepost.Time(d)
	switch {
	case d > 0 && (r > t || r == gatepost.NoTime):
		return gatepost.NoTime + 1
	case d < 0 && r < t:
		return endOfTime
	}
	return r
}

// part is a range of raw stamps of one source that have one shift and lie in a window.
type part struct {
	source int
	window
	shift time.Duration
}

// partsOf cuts a window into parts at the steps of a source's clock.
func partsOf(src *gatepost.Source, w window) []part {
	var parts []part
	add := func(from, to gatepost.Time, shift time.Duration) {
		r := w.raw(shift)
		r.from, r.to = max(r.from, from), min(r.to, to)
		if r.from <= r.to {
			parts = append(parts, part{src.ID, r, shift})
		}
	}
	from, shift := gatepost.NoTime, src.Clock.Shift
	for _, s := range src.Clock.Steps {
		if s.From > from {
			add(from, s.From-1, shift)
			from = s.From
		}
		shift = s.Shift
	}
	add(from, endOfTime, shift)
	return parts
}

// parts returns the parts of all sources that q selects and that can hold anything.
func (s *Store) parts(ctx context.Context, q gatepost.Query) ([]part, error) {
	sources, err := s.Sources(ctx)
	if err != nil {
		return nil, err
	}
	w := windowOf(q)
	var parts []part
	for i := range sources {
		src := &sources[i]
		if !q.Wants(src.ID) {
			continue
		}
		for _, p := range partsOf(src, w) {
			undated := p.from == gatepost.NoTime
			dated := src.First.Known() && p.from <= src.Last && src.First <= p.to
			if undated || dated {
				parts = append(parts, p)
			}
		}
	}
	return parts, nil
}

// heap is a binary heap; container/heap would box every item and call through an interface.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
}

func (h *heap[T]) push(x T) {
	h.items = append(h.items, x)
	for i := len(h.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(h.items[i], h.items[up]) {
			return
		}
		h.items[i], h.items[up] = h.items[up], h.items[i]
		i = up
	}
}

// pop drops the first item.
func (h *heap[T]) pop() {
	n := len(h.items) - 1
	h.items[0] = h.items[n]
	var zero T
	h.items[n] = zero
	h.items = h.items[:n]
	h.fix()
}

// fix restores the order after the first item has become greater.
func (h *heap[T]) fix() {
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h.items); c++ {
			if h.less(h.items[c], h.items[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
}

package correlate

import (
	"iter"
	"slices"
	"time"

	"gatepost"
)

// timeline finds what runs at a time among many things that last from start to end. It keeps them
// in slots of ten seconds, so a look-up costs what it finds.
type timeline[T any] struct {
	span  func(T) (start, end gatepost.Time)
	order func(a, b T) int // of what starts at once
	all   []T
	slots map[int64][]T
}

const slot = 10 * time.Second

func newTimeline[T any](span func(T) (start, end gatepost.Time), order func(a, b T) int) *timeline[T] {
	return &timeline[T]{span: span, order: order}
}

// add puts things on the timeline, in any order. The index is made anew at the next look-up.
func (t *timeline[T]) add(items ...T) {
	t.all = append(t.all, items...)
	t.slots = nil
}

// keep removes what f does not want.
func (t *timeline[T]) keep(f func(T) bool) {
	t.all = slices.DeleteFunc(t.all, func(x T) bool { return !f(x) })
	t.slots = nil
}

func slotOf(t gatepost.Time) int64 { return int64(t) / int64(slot) }

func (t *timeline[T]) index() {
	slices.SortStableFunc(t.all, t.order)
	t.slots = make(map[int64][]T)
	for _, x := range t.all {
		start, end := t.span(x)
		for k := slotOf(start); k <= slotOf(end); k++ {
			t.slots[k] = append(t.slots[k], x)
		}
	}
}

// between yields what runs at any moment of [from, to], each thing once, by slot and then in
// order. Nothing may be added while it runs.
func (t *timeline[T]) between(from, to gatepost.Time) iter.Seq[T] {
	return func(yield func(T) bool) {
		if t == nil || to < from || !from.Known() {
			return
		}
		if t.slots == nil {
			t.index()
		}
		first := slotOf(from)
		for k := first; k <= slotOf(to); k++ {
			for _, x := range t.slots[k] {
				start, end := t.span(x)
				if start > to || end < from || max(first, slotOf(start)) != k {
					continue
				}
				if !yield(x) {
					return
				}
			}
		}
	}
}

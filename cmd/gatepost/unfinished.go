package main

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"gatepost"
	"gatepost/store"
)

// The last record of a log that is still written may go on: a traceback has lines that come later, and what a container's log is
// shows only when there is enough of it. A store gets only what cannot change any more, so that a line counts once and as a
// whole; what is left is read again when there is more of it. Verdicts and reports must not wait for that: to them the history is the store with
// these records laid over it.

// history is the store, and over it the unfinished records of its sources.
type history struct {
	*store.Store
	unfinished []*gatepost.Batch // Source says whose each is
	beat       func()            // nil, or what is told that judging goes on, however long it takes
}

// asked is told when the history is asked for something.
func (h *history) asked() {
	if h.beat != nil {
		h.beat()
	}
}

// Sources returns all sources by their ID, with their unfinished records counted.
func (h *history) Sources(ctx context.Context) ([]gatepost.Source, error) {
	sources, err := h.Store.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for i := range sources {
		for _, b := range h.unfinished {
			if b.Source == sources[i].ID {
				sources[i].Count(b)
			}
		}
	}
	return sources, nil
}

// laidOver tells how records of a kind are laid over the store.
type laidOver[T any] struct {
	of     func(*gatepost.Batch) []T
	time   func(*T) *gatepost.Time
	ref    func(*T) gatepost.Ref
	wanted func(*T, *gatepost.Query) bool
}

var (
	eventsOver = laidOver[gatepost.Event]{
		of:   func(b *gatepost.Batch) []gatepost.Event { return b.Events },
		time: func(e *gatepost.Event) *gatepost.Time { return &e.Time },
		ref:  func(e *gatepost.Event) gatepost.Ref { return e.Ref },
		wanted: func(e *gatepost.Event, q *gatepost.Query) bool {
			return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) && e.Key&q.Sparse == 0
		},
	}
	requestsOver = laidOver[gatepost.Request]{
		of:   func(b *gatepost.Batch) []gatepost.Request { return b.Requests },
		time: func(r *gatepost.Request) *gatepost.Time { return &r.End },
		ref:  func(r *gatepost.Request) gatepost.Ref { return r.Ref },
		wanted: func(r *gatepost.Request, q *gatepost.Query) bool {
			return len(q.Lanes) == 0 || slices.Contains(q.Lanes, r.Lane)
		},
	}
)

// Events yields the events of the store and the unfinished ones, in their order.
func (h *history) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	h.asked()
	return eventsOver.merge(ctx, h, q, h.Store.Events(ctx, q))
}

// Requests yields the requests of the store and the unfinished ones, in their order.
func (h *history) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	h.asked()
	return requestsOver.merge(ctx, h, q, h.Store.Requests(ctx, q))
}

// EachChunk hands over the requests of the store and the unfinished ones, in no order.
func (h *history) EachChunk(ctx context.Context, q gatepost.Query, f func([]gatepost.Request) error) error {
	left, err := requestsOver.left(ctx, h, q)
	if err == nil && len(left) > 0 {
		err = f(left)
	}
	if err != nil {
		return err
	}
	return h.Store.EachChunk(ctx, q, f)
}

// Statuses counts the access lines of the store and the unfinished ones.
func (h *history) Statuses(ctx context.Context) ([]gatepost.StatusCount, error) {
	all, err := h.Store.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	left, err := requestsOver.left(ctx, h, gatepost.Query{Lanes: []gatepost.Lane{gatepost.LaneNginx}})
	for _, r := range left {
		i := slices.IndexFunc(all, func(c gatepost.StatusCount) bool { return c.Source == r.Ref.Source && c.Status == int(r.Status) })
		if i < 0 {
			i = len(all)
			all = append(all, gatepost.StatusCount{Source: r.Ref.Source, Status: int(r.Status), First: gatepost.NoTime, Last: gatepost.NoTime})
		}
		c := &all[i]
		c.Requests++
		seen := gatepost.Batch{First: c.First, Last: c.Last}
		seen.See(r.End)
		c.First, c.Last = seen.First, seen.Last
	}
	return all, err
}

// left returns the unfinished records that a query selects, on the common clock and in order.
func (o laidOver[T]) left(ctx context.Context, h *history, q gatepost.Query) (left []T, err error) {
	var sources []gatepost.Source
	for _, b := range h.unfinished {
		if len(o.of(b)) == 0 || !q.Wants(b.Source) {
			continue
		}
		if sources == nil {
			if sources, err = h.Store.Sources(ctx); err != nil {
				return nil, err
			}
		}
		i := slices.IndexFunc(sources, func(s gatepost.Source) bool { return s.ID == b.Source })
		for _, v := range o.of(b) {
			t := o.time(&v)
			*t = sources[i].Clock.At(*t)
			if q.Holds(*t) && o.wanted(&v, &q) {
				left = append(left, v)
			}
		}
	}
	slices.SortStableFunc(left, func(a, b T) int { return o.compare(&a, &b) })
	return left, nil
}

func (o laidOver[T]) compare(a, b *T) int {
	ra, rb := o.ref(a), o.ref(b)
	return cmp.Or(cmp.Compare(*o.time(a), *o.time(b)), cmp.Compare(ra.Source, rb.Source), cmp.Compare(ra.Offset, rb.Offset))
}

// merge yields what the store has of a query, and the unfinished records among it.
func (o laidOver[T]) merge(ctx context.Context, h *history, q gatepost.Query, stored iter.Seq2[T, error]) iter.Seq2[T, error] {
	if len(h.unfinished) == 0 {
		return stored
	}
	return func(yield func(T, error) bool) {
		left, err := o.left(ctx, h, q)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		for v, err := range stored {
			for ; err == nil && len(left) > 0 && o.compare(&left[0], &v) < 0; left = left[1:] {
				if !yield(left[0], nil) {
					return
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
		for _, v := range left {
			if !yield(v, nil) {
				return
			}
		}
	}
}

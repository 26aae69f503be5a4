package main

import (
	"context"
	"iter"
	"slices"
	"time"

	"gatepost"
	"gatepost/correlate"
)

const (
	// shortHistory is up to how many events a history is judged whole, and recently is how much is looked at of a longer one, before the first failure that
	// is judged.
	shortHistory = 20_000
	recently     = 6 * time.Hour
)

// recent is the part of a long history that lies about the failures which are judged.
type recent struct {
	correlate.History
	from    gatepost.Time
	undated []int // sources without stamps, whose lines may belong anywhere
}

// recentOf is what is looked at of a history to judge failures from a time on.
func recentOf(h correlate.History, sources []gatepost.Source, from gatepost.Time) correlate.History {
	r := &recent{History: h, from: from.Add(-recently)}
	events := int64(0)
	for i := range sources {
		events += sources[i].Events
		if sources[i].Stamps == gatepost.StampsNone {
			r.undated = append(r.undated, sources[i].ID)
		}
	}
	if !from.Known() || events <= shortHistory {
		return h
	}
	return r
}

// Events yields the events of that part.
func (r *recent) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	return func(yield func(gatepost.Event, error) bool) {
		if undated := r.mine(q); (q.From == 0 || !q.From.Known()) && len(undated.Sources) > 0 {
			for e, err := range r.History.Events(ctx, undated) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
		q.From = max(q.From, r.from)
		for e, err := range r.History.Events(ctx, q) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// mine restricts a query to the sources without stamps.
func (r *recent) mine(q gatepost.Query) gatepost.Query {
	wanted := q
	wanted.Sources = slices.DeleteFunc(slices.Clone(r.undated), func(id int) bool { return !q.Wants(id) })
	return wanted
}

// Requests yields the requests of that part.
func (r *recent) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	q.From = max(q.From, r.from)
	return r.History.Requests(ctx, q)
}

package correlate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"gatepost"
)

// lines is a Rhythm of requests at hand.
type lines struct {
	memory   // the events
	requests []gatepost.Request
}

func within(q gatepost.Query, source int, t gatepost.Time) bool {
	return q.Wants(source) && (q.From == 0 || t >= q.From) && (q.To == 0 || t <= q.To)
}

func (m *lines) Requests(_ context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	return func(yield func(gatepost.Request, error) bool) {
		for _, r := range m.requests {
			if within(q, r.Ref.Source, r.End) && (q.Lanes == nil || slices.Contains(q.Lanes, r.Lane)) && !yield(r, nil) {
				return
			}
		}
	}
}

func (m *lines) Seconds(_ context.Context, q gatepost.Query) iter.Seq2[gatepost.Second, error] {
	return func(yield func(gatepost.Second, error) bool) {
		var all []gatepost.Second
		for _, r := range m.requests {
			if !within(q, r.Ref.Source, r.End) {
				continue
			}
			n := gatepost.Second{Source: r.Ref.Source, Time: gatepost.Time(r.End.Second() * 1e9), Requests: 1}
			if r.Status >= 499 {
				n.Failed = 1
			}
			all = append(all, n)
		}
		slices.SortStableFunc(all, func(a, b gatepost.Second) int { return cmp.Or(a.Source-b.Source, cmp.Compare(a.Time, b.Time)) })
		for _, n := range all {
			if !yield(n, nil) {
				return
			}
		}
	}
}

// TestSilences: lines that are missing are a gap, and what only looks so is none. In ten minutes 600 requests come through the
// proxy (source 1) to Odoo (2), beside them files that the proxy serves alone and checks that ask Odoo alone.
func TestSilences(t *testing.T) {
	const begin, end = 300, 340 // seconds of what happens
	for _, c := range []struct {
		name string
		// change takes away or changes a request of the time between begin and end: false takes it away.
		change func(r *gatepost.Request) bool
		events []gatepost.Event
		gap    int // source that has one, 0 for none
	}{
		{name: "all is there", change: func(*gatepost.Request) bool { return true }},
		{name: "Odoo's lines are missing", change: func(r *gatepost.Request) bool { return r.Ref.Source != 2 }, gap: 2},
		{name: "the proxy's lines are missing", change: func(r *gatepost.Request) bool { return r.Ref.Source != 1 }, gap: 1},
		{name: "a quiet night", change: func(*gatepost.Request) bool { return false }},
		{name: "nobody asks for more than files", change: func(r *gatepost.Request) bool { return r.Route == 90 }},
		{name: "checks alone", change: func(r *gatepost.Request) bool { return r.Route == 91 }},
		{name: "Odoo is down", change: func(r *gatepost.Request) bool {
			if r.Ref.Source == 1 && r.Route != 90 {
				r.Status = 502
			}
			return r.Ref.Source == 1
		}},
		{name: "a page says that Odoo is being upgraded, with status 200", change: func(r *gatepost.Request) bool { return r.Ref.Source != 2 },
			events: []gatepost.Event{{Kind: gatepost.OdooStart, Ref: gatepost.Ref{Source: 2}, Time: at.Add(338 * time.Second)}}},
		{name: "Odoo logs other things all the time", change: func(r *gatepost.Request) bool { return r.Ref.Source != 2 },
			events: func() (all []gatepost.Event) {
				for s := begin; s < end; s += 3 {
					all = append(all, gatepost.Event{Kind: gatepost.OdooError, Ref: gatepost.Ref{Source: 2}, Time: at.Add(time.Duration(s) * time.Second)})
				}
				return all
			}()},
		{name: "another Odoo takes over", change: func(r *gatepost.Request) bool {
			if r.Ref.Source == 2 {
				r.Ref.Source = 3
			}
			return true
		}},
		{name: "Odoo finishes what the proxy gave up", change: func(r *gatepost.Request) bool { return r.Ref.Source != 1 },
			events: func() (all []gatepost.Event) {
				for key := range uint64(700) {
					all = append(all, gatepost.Event{Kind: gatepost.NginxRequest, Ref: gatepost.Ref{Source: 1}, Status: 504, Key: 1000 + key, Time: at.Add(290 * time.Second)})
				}
				return all
			}()},
	} {
		m := &lines{memory: c.events}
		put := func(s int, source int, lane gatepost.Lane, key, route uint64) {
			r := gatepost.Request{Ref: gatepost.Ref{Source: source}, End: at.Add(time.Duration(s)*time.Second + time.Duration(source)*time.Millisecond),
				Duration: 10 * time.Millisecond, Status: 200, Lane: lane, Key: key, Route: route}
			if s <= begin || s >= end || c.change(&r) {
				m.requests = append(m.requests, r)
			}
		}
		for s := range 600 {
			put(s, 1, gatepost.LaneNginx, 1000+uint64(s), uint64(s%5))
			put(s, 1, gatepost.LaneNginx, 90, 90)
			put(s, 2, gatepost.LaneOdoo, 1000+uint64(s), uint64(s%5))
			put(s, 2, gatepost.LaneOdoo, 91, 91)
		}
		// The second Odoo has lines of its own.
		put(1, 3, gatepost.LaneOdoo, 91, 91)
		put(599, 3, gatepost.LaneOdoo, 91, 91)
		slices.SortStableFunc(m.requests, func(a, b gatepost.Request) int { return cmp.Compare(a.End, b.End) })
		var sources []gatepost.Source
		for i, s := range []gatepost.Source{{Path: "access.log", Format: "nginx_access"}, {Path: "odoo-1.log", Format: "odoo"}, {Path: "odoo-2.log", Format: "odoo"}} {
			s.ID, s.First, s.Last, s.Requests = i+1, at, at.Add(10*time.Minute), 600
			sources = append(sources, s)
		}
		gaps, err := Silences(t.Context(), m, sources, Options{Since: gatepost.NoTime, Until: gatepost.NoTime})
		if err != nil {
			t.Fatal(err)
		}
		got, want := fmt.Sprint(gaps), "[]"
		if c.gap != 0 {
			if len(gaps) == 1 && gaps[0].Source == c.gap && gaps[0].From.Second() == at.Second()+begin && gaps[0].To.Second() == at.Second()+end {
				continue
			}
			want = fmt.Sprintf("one of source %d", c.gap)
		}
		if got != want {
			t.Errorf("%s: gaps %s, want %s", c.name, got, want)
		}
	}
}

package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// recording is a recorded incident as time passes in it.
type recording struct {
	requests []gatepost.Request // by the time at which they were written
	events   []gatepost.Event
	patience time.Duration // of nginx, as its 504s tell it
	outages  []outage
	from, to gatepost.Time
}

// outage is a run of failures.
type outage struct {
	from, to gatepost.Time
	cause    string
}

const (
	// apart is how long nothing fails between two outages.
	apart = 10 * time.Second
	// foresight is how long before an outage a warning of it may come, and calm how long after one a warning is still about it.
	foresight, calm = 2 * time.Minute, 10 * time.Second
	// warned is how long a warning lasts: what comes then is the same one.
	warned = time.Minute
)

// signs say at which times they would have warned, by what stood in the logs then.
var signs = []struct {
	name string
	at   func(*recording) []gatepost.Time
}{
	{"silence of completions", func(r *recording) (all []gatepost.Time) {
		var gaps []time.Duration
		var ends []gatepost.Time
		for _, q := range r.requests {
			if q.Lane != gatepost.LaneOdoo {
				continue
			}
			if n := len(ends); n > 0 {
				gaps = append(gaps, q.End.Sub(ends[n-1]))
			}
			ends = append(ends, q.End)
		}
		if len(gaps) == 0 {
			return nil
		}
		sorted := slices.Clone(gaps)
		slices.Sort(sorted)
		quiet := max(3*time.Second, 20*sorted[len(sorted)/2])
		for i, gap := range gaps {
			if gap > quiet {
				all = append(all, ends[i].Add(quiet))
			}
		}
		return all
	}},
	{"requests older than half the timeout", func(r *recording) (all []gatepost.Time) {
		for _, q := range r.requests {
			if q.Status < 500 && q.Duration != gatepost.Unknown && q.Duration > r.patience/2 && q.Lane != gatepost.LaneGevent && q.Status != 101 {
				all = append(all, q.End) // a request is written when it ends
			}
		}
		return all
	}},
	{"all workers busy", func(r *recording) (all []gatepost.Time) {
		workers := map[int32]bool{}
		var done []gatepost.Request
		for _, q := range r.requests {
			if q.Lane != gatepost.LaneOdoo || q.Duration == gatepost.Unknown {
				continue
			}
			workers[q.PID] = true
			done = append(done, q)
			if len(done) > 50 {
				done = done[1:]
			}
			if q.Duration < time.Second || len(workers) < 2 {
				continue
			}
			middle, busy, recent := q.End.Add(-q.Duration/2), map[int32]bool{}, map[int32]bool{}
			for _, o := range done {
				recent[o.PID] = true
				if o.End >= middle && o.End.Add(-o.Duration) <= middle {
					busy[o.PID] = true
				}
			}
			if len(busy) >= len(recent) {
				all = append(all, q.End)
			}
		}
		return all
	}},
	{"lock waits", ofKind(gatepost.PgLockWait)},
	{"connections refused", func(r *recording) (all []gatepost.Time) {
		all = ofKind(gatepost.PgTooMany)(r)
		for _, e := range r.events {
			if e.Kind == gatepost.NginxError && e.Phase == gatepost.PhaseRefused {
				all = append(all, e.Time)
			}
		}
		slices.Sort(all)
		return all
	}},
	{"rising 499", func(r *recording) (all []gatepost.Time) {
		var left []gatepost.Time
		for _, q := range r.requests {
			if q.Lane != gatepost.LaneNginx || q.Status != 499 {
				continue
			}
			left = append(left, q.End)
			if n := len(left); n >= 3 && left[n-1].Sub(left[n-3]) <= 10*time.Second {
				all = append(all, q.End)
			}
		}
		return all
	}},
	{"memory-limit recycling", ofKind(gatepost.OdooWorkerMemory)},
}

func ofKind(kind gatepost.Kind) func(*recording) []gatepost.Time {
	return func(r *recording) (all []gatepost.Time) {
		for _, e := range r.events {
			if e.Kind == kind {
				all = append(all, e.Time)
			}
		}
		return all
	}
}

// recordingOf reads an incident.
func recordingOf(t *testing.T, in incident) *recording {
	t.Helper()
	p := replay(t, clock(), in.dir)
	p.step(time.Second)
	p.ledger()
	r := &recording{patience: time.Minute}
	for q, err := range p.store.Requests(t.Context(), gatepost.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		r.requests = append(r.requests, q)
	}
	for e, err := range p.store.Events(t.Context(), gatepost.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		r.events = append(r.events, e)
	}
	slices.SortStableFunc(r.requests, func(a, b gatepost.Request) int { return cmp.Compare(a.End, b.End) })
	timeouts := map[time.Duration]int{}
	for f, err := range p.a.model.Failures.Failures() {
		if err != nil {
			t.Fatal(err)
		}
		if f.Status == 504 && f.Duration != gatepost.Unknown {
			timeouts[f.Duration.Round(time.Second)]++
		}
		cause := in.truth[int(f.Ref.Line)].Cause
		if n := len(r.outages); n == 0 || f.Time.Sub(r.outages[n-1].to) > apart {
			r.outages = append(r.outages, outage{f.Time, f.Time, cause})
		}
		r.outages[len(r.outages)-1].to = f.Time
	}
	for d, n := range timeouts {
		if n > timeouts[r.patience] || timeouts[r.patience] == 0 {
			r.patience = d
		}
	}
	r.from, r.to = r.requests[0].End, r.requests[len(r.requests)-1].End
	return r
}

// about is the outage that a warning comes before, and reports whether it comes in or after one instead.
func (r *recording) about(at gatepost.Time) (before *outage, within bool) {
	for i := range r.outages {
		o := &r.outages[i]
		switch {
		case at < o.from:
			if o.from.Sub(at) <= foresight {
				return o, false
			}
			return nil, false
		case at <= o.to.Add(calm):
			return nil, true
		}
	}
	return nil, false
}

// quiet is how long nothing failed or was about to.
func (r *recording) quiet() (d time.Duration) {
	for at := r.from; at < r.to; at = at.Add(time.Second) {
		if before, within := r.about(at); before == nil && !within {
			d += time.Second
		}
	}
	return d
}

// TestEarlyWarning measures, and holds nothing but that it measures something: how long before the first failure of an outage each sign comes that
// stands in the logs, over all recorded incidents, and how often it comes where nothing fails. Run it with -v for the table of docs/early-warning.md.
func TestEarlyWarning(t *testing.T) {
	if os.Getenv("GATEPOST_MEASURE") == "" {
		t.Skip("it measures and holds nothing: GATEPOST_MEASURE=1 runs it")
	}
	if testing.Short() {
		t.Skip("it measures")
	}
	leads := map[string]map[string][]time.Duration{} // by sign and cause
	alarms := map[string]int{}
	outages := map[string]int{}
	var quiet time.Duration
	for _, in := range recorded(t) {
		r := recordingOf(t, in)
		quiet += r.quiet()
		for _, o := range r.outages {
			outages[o.cause]++
		}
		for _, sign := range signs {
			if leads[sign.name] == nil {
				leads[sign.name] = map[string][]time.Duration{}
			}
			seen := map[*outage]bool{}
			last := gatepost.Time(0)
			for _, at := range sign.at(r) {
				o, within := r.about(at)
				switch {
				case within || o != nil && seen[o]:
				case o != nil:
					seen[o] = true
					leads[sign.name][o.cause] = append(leads[sign.name][o.cause], o.from.Sub(at))
				case at.Sub(last) > warned:
					alarms[sign.name]++
					last = at
				}
			}
		}
	}
	if len(outages) == 0 || quiet == 0 {
		t.Fatal("nothing was measured")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| sign | outages with it before | of them >= 10 s | median lead | false alarms | an hour |\n|---|---|---|---|---|---|\n")
	all := 0
	for _, n := range outages {
		all += n
	}
	for _, sign := range signs {
		var ds []time.Duration
		for _, of := range leads[sign.name] {
			ds = append(ds, of...)
		}
		slices.Sort(ds)
		median, long := "-", 0
		if len(ds) > 0 {
			median = fmt.Sprintf("%.1f s", ds[len(ds)/2].Seconds())
		}
		for _, d := range ds {
			if d >= 10*time.Second {
				long++
			}
		}
		fmt.Fprintf(&b, "| %s | %d of %d | %d | %s | %d | %.1f |\n", sign.name, len(ds), all, long, median, alarms[sign.name], float64(alarms[sign.name])/quiet.Hours())
	}
	fmt.Fprintf(&b, "\n%d outages, %.0f minutes without failures\n\n| cause | outages |", all, quiet.Minutes())
	for _, sign := range signs {
		fmt.Fprintf(&b, " %s |", sign.name)
	}
	fmt.Fprintf(&b, "\n|---|---|%s\n", strings.Repeat("---|", len(signs)))
	for _, cause := range slices.Sorted(maps.Keys(outages)) {
		fmt.Fprintf(&b, "| `%s` | %d |", cause, outages[cause])
		for _, sign := range signs {
			ds := leads[sign.name][cause]
			slices.Sort(ds)
			if len(ds) == 0 {
				fmt.Fprintf(&b, " |")
			} else {
				fmt.Fprintf(&b, " %d, %.0f s |", len(ds), ds[len(ds)/2].Seconds())
			}
		}
		fmt.Fprintln(&b)
	}
	t.Logf("\n%s", b.String())
}

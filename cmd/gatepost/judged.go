package main

import (
	"context"
	"slices"
	"strings"

	"gatepost"
)

// A store has verdicts of the times that its analyses were asked for. A report of another time would say that nothing failed where nobody has
// looked: it is refused, and that of a time of which a part was judged says what it does not know.

// judged finds out how far the time of a stored model was judged, and counts anew what its incidents cost in it.
func (a *analysis) judged(ctx context.Context) error {
	all, err := a.store.Judged(ctx)
	if err != nil {
		return err
	}
	if of := loggedIn(a.model); of.From.Known() && of.From <= of.To {
		if err := a.findUnjudged(ctx, all, of); err != nil {
			return err
		}
	}
	return a.countIncidents()
}

// loggedIn is the part of the time of a model in which access lines can be: elsewhere there is nothing to judge.
func loggedIn(m *gatepost.Model) gatepost.Query {
	of := gatepost.Query{From: m.From, To: m.To}
	if m.Since.Known() {
		of.From = max(of.From, m.Since)
	}
	if m.Until.Known() {
		of.To = min(of.To, m.Until)
	}
	return of
}

// watchedIn returns the statuses that counted as failures when the time of a model was judged; when an older gatepost did that, as far as the
// failures tell.
func watchedIn(judged []gatepost.Scope, m *gatepost.Model) ([]int, error) {
	var all []int
	of := loggedIn(m)
	for _, j := range judged {
		if j.Since <= of.To && j.Until >= of.From {
			all = append(all, j.Watched...)
		}
	}
	if len(all) == 0 {
		all = []int{502, 504}
		for f, err := range m.Failures.Entries() {
			if err != nil {
				return nil, err
			}
			if !slices.Contains(all, f.Status) {
				all = append(all, f.Status)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// findUnjudged finds the parts of a time that were not judged, and counts the failures without a verdict: of a time that was judged, too, a line
// may have been read later.
func (a *analysis) findUnjudged(ctx context.Context, judged []gatepost.Scope, of gatepost.Query) error {
	m := a.model
	requests, missed, err := a.store.Count(ctx, of, m.Watched)
	if err != nil {
		return err
	}
	causes, err := a.store.Causes(ctx, of)
	if err != nil {
		return err
	}
	for _, n := range causes {
		missed -= int64(n)
	}
	m.Missed = max(missed, 0)
	unjudged, at := int64(0), of.From
	for _, span := range append(spansOf(judged, of), gatepost.Stretch{From: of.To + 1, To: of.To + 1}) {
		gap := gatepost.Stretch{From: at, To: span.From - 1}
		if at = span.To + 1; gap.From > gap.To {
			continue
		}
		if gap.Requests, gap.Failures, err = a.store.Count(ctx, gatepost.Query{From: gap.From, To: gap.To}, m.Watched); err != nil {
			return err
		}
		if unjudged += gap.Requests; gap.Requests > 0 {
			m.Unjudged = append(m.Unjudged, gap)
		}
	}
	if requests == 0 || unjudged < requests {
		return nil
	}
	const hint = "gatepost analyze --db FILE --since TIME PATH..."
	var known []string
	for _, span := range spansOf(judged, gatepost.Query{From: m.From, To: m.To}) {
		known = append(known, span.From.String()+" to "+span.To.String())
	}
	if len(known) == 0 {
		return failed(hint, "no analysis has judged any of the time that the store holds requests of")
	}
	return failed(hint, "no analysis has judged that time: the store has verdicts of %s", strings.Join(known, ", "))
}

// spansOf are the times that were judged within a time, those that touch as one.
func spansOf(judged []gatepost.Scope, of gatepost.Query) []gatepost.Stretch {
	var all []gatepost.Stretch
	for _, j := range judged {
		span := gatepost.Stretch{From: max(j.Since, of.From), To: min(j.Until, of.To)}
		switch n := len(all); {
		case span.From > span.To:
		case n > 0 && all[n-1].To+1 >= span.From:
			all[n-1].To = span.To
		default:
			all = append(all, span)
		}
	}
	return all
}

// countIncidents counts anew what each incident cost, where a part of one lies beyond the time of the report.
func (a *analysis) countIncidents() error {
	m := a.model
	if !slices.ContainsFunc(m.Incidents, func(i gatepost.Incident) bool {
		return m.Since.Known() && i.From < m.Since || m.Until.Known() && i.To > m.Until
	}) {
		return nil
	}
	type toll struct {
		failures int
		statuses map[int]int
		clients  map[uint64]bool
	}
	tolls := map[string]*toll{}
	for f, err := range m.Failures.Entries() {
		if err != nil {
			return err
		}
		t := tolls[f.Incident]
		if t == nil {
			t = &toll{statuses: map[int]int{}, clients: map[uint64]bool{}}
			tolls[f.Incident] = t
		}
		t.failures++
		t.statuses[f.Status]++
		t.clients[gatepost.HashOf(f.Client)] = true
	}
	for n := range m.Incidents {
		i := &m.Incidents[n]
		if t := tolls[i.ID]; t != nil && t.failures < i.Failures {
			i.Failures, i.Statuses, i.Clients = t.failures, t.statuses, len(t.clients)
		}
	}
	return nil
}

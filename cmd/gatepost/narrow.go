package main

import (
	"context"
	"iter"
	"slices"

	"gatepost"
)

// narrow cuts the model of a stored analysis to the time that is asked for. Verdicts exist for the time of the analysis only, so beyond it
// a report would say that nothing failed where nobody has looked.
func (a *analysis) narrow(ctx context.Context, r *reading) error {
	m := a.model
	if r.zone != nil {
		m.Zone = r.zone
	}
	since, until := m.Since, m.Until
	if r.since.Known() {
		if since.Known() && since != 0 && r.since < since {
			return failed("gatepost analyze --db FILE --since TIME PATH...", "--since: the store has verdicts from %s on only, since its last analysis was asked for these", since)
		}
		since = r.since
	}
	if r.until.Known() && (!until.Known() || until == 0 || r.until < until) {
		until = r.until
	}
	if since == m.Since && until == m.Until {
		return nil
	}
	m.Failures = cutLedger{m.Failures, gatepost.Query{From: since, To: until}}
	if err := a.narrowIncidents(since, until); err != nil {
		return err
	}
	return a.within(ctx, since, until)
}

// narrowIncidents counts anew what each incident cost, and leaves out those without a part in the time.
func (a *analysis) narrowIncidents(since, until gatepost.Time) error {
	type toll struct {
		failures int
		statuses map[int]int
		clients  map[uint64]bool
	}
	tolls := map[string]*toll{}
	for f, err := range a.model.Failures.Entries() {
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
	m := a.model
	m.Incidents = slices.DeleteFunc(m.Incidents, func(i gatepost.Incident) bool { return tolls[i.ID] == nil })
	for n := range m.Incidents {
		i := &m.Incidents[n]
		if t := tolls[i.ID]; t.failures < i.Failures {
			i.Failures, i.Statuses, i.Clients = t.failures, t.statuses, len(t.clients)
		}
	}
	m.Outages = slices.DeleteFunc(m.Outages, func(i gatepost.Incident) bool {
		return since.Known() && i.To.Known() && i.To < since || until.Known() && i.From.Known() && i.From > until
	})
	return nil
}

// cutLedger is the part of a ledger that lies in a time.
type cutLedger struct {
	whole gatepost.Ledger
	query gatepost.Query
}

func (l cutLedger) Entries() iter.Seq2[gatepost.Failure, error]  { return l.cut(l.whole.Entries()) }
func (l cutLedger) Failures() iter.Seq2[gatepost.Failure, error] { return l.cut(l.whole.Failures()) }

func (l cutLedger) Failure(id string) (*gatepost.Failure, error) {
	f, err := l.whole.Failure(id)
	if err != nil || f == nil || !l.query.Holds(f.Time) {
		return nil, err
	}
	return f, nil
}

func (l cutLedger) cut(all iter.Seq2[gatepost.Failure, error]) iter.Seq2[gatepost.Failure, error] {
	return func(yield func(gatepost.Failure, error) bool) {
		for f, err := range all {
			if err == nil && !l.query.Holds(f.Time) {
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

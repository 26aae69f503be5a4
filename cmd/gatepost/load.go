package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"gatepost"
)

var (
	// loadKinds are the events that the tables of a Night are of.
	loadKinds = []gatepost.Kind{gatepost.OdooCronStart, gatepost.OdooCronEnd, gatepost.OdooCronError, gatepost.PgStatement}
	// tellingKinds tell whose a failure was. Of slow requests there may be a hundred thousand, so they are read where a verdict cites some.
	tellingKinds = []gatepost.Kind{gatepost.NginxError, gatepost.OdooRequest, gatepost.PgStatement, gatepost.PgLockWait, gatepost.PgLockAcquired}
)

// loads gathers slow statements and runs of scheduled actions.
type loads struct {
	statements map[statementKey]*gatepost.StatementLoad
	open       map[actionKey]*actionRun
	runs       []*actionRun
	hosts      map[string]int
	databases  map[string]int
}

type statementKey struct{ text, database string }

// actionKey is a run that has begun: a process may run several actions in threads.
type actionKey struct {
	source, pid    int
	name, database string
}

type actionRun struct {
	name, database string
	pid            int
	from, to       gatepost.Time // to is NoTime while its end is not known
	failed         bool
}

// readEvents makes the tables of statements and actions, and finds out whose the listed failures were.
func (k *nightMaker) readEvents(ctx context.Context) error {
	l := &loads{statements: map[statementKey]*gatepost.StatementLoad{}, open: map[actionKey]*actionRun{}, hosts: map[string]int{}, databases: map[string]int{}}
	for e, err := range k.store.Events(ctx, gatepost.Query{From: k.From, To: k.To, Kinds: loadKinds}) {
		if err != nil {
			return err
		}
		addName(l.databases, e.DB)
		switch e.Kind {
		case gatepost.PgStatement:
			l.statement(&e)
		case gatepost.OdooCronStart, gatepost.OdooCronEnd, gatepost.OdooCronError:
			l.action(&e)
		}
	}
	for _, q := range k.citedIn {
		for e, err := range k.store.Events(ctx, q) {
			if err != nil {
				return err
			}
			k.whose(&e)
			if e.Kind == gatepost.NginxError {
				addName(l.hosts, e.Name)
			} else {
				addName(l.databases, e.DB)
			}
		}
	}
	k.Hosts, k.Databases = frequent(l.hosts), frequent(l.databases)
	k.listStatements(l)
	k.listActions(l)
	return nil
}

// addName counts a name; of very many only the first are told apart.
func addName(names map[string]int, name string) {
	if _, known := names[name]; name != "" && name != "_" && (known || len(names) < nightKept) {
		names[name]++
	}
}

// frequent are the most frequent names.
func frequent(names map[string]int) []string {
	all := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(names[b]-names[a], strings.Compare(a, b)) })
	return slices.Clone(first(all, nightNames))
}

// whose notes the host and the database that a line tells for the failures whose verdicts cite it.
func (k *nightMaker) whose(e *gatepost.Event) {
	for _, id := range k.cited[spotOf(e.Ref)] {
		w := k.Whose[id]
		if e.Kind == gatepost.NginxError {
			w.Host = cmp.Or(w.Host, e.Name)
		} else {
			w.Database = cmp.Or(w.Database, e.DB)
		}
		k.Whose[id] = w
	}
}

func (l *loads) statement(e *gatepost.Event) {
	if e.Name == "" || e.Duration < 0 {
		return
	}
	key := statementKey{e.Name, e.DB}
	s := l.statements[key]
	if s == nil {
		if len(l.statements) == nightKept {
			return
		}
		s = &gatepost.StatementLoad{Statement: e.Name, Database: e.DB}
		l.statements[key] = s
	}
	s.Runs++
	s.Total += e.Duration
	if e.Duration > s.Max || s.Runs == 1 {
		s.Max, s.At = e.Duration, e.Time
	}
}

func (l *loads) action(e *gatepost.Event) {
	if e.Kind == gatepost.OdooCronError {
		for key, run := range l.open {
			if key.pid == e.PID && key.source == e.Ref.Source {
				run.failed = true
			}
		}
		return
	}
	if e.Name == "" {
		return
	}
	key := actionKey{e.Ref.Source, e.PID, e.Name, e.DB}
	run := l.open[key]
	if e.Kind == gatepost.OdooCronStart {
		if len(l.runs) < nightKept {
			run = &actionRun{name: e.Name, database: e.DB, pid: e.PID, from: e.Time, to: gatepost.NoTime}
			l.open[key], l.runs = run, append(l.runs, run)
		}
		return
	}
	if run == nil && e.Duration >= 0 && len(l.runs) < nightKept { // it began before
		run = &actionRun{name: e.Name, database: e.DB, pid: e.PID, from: e.Time.Add(-e.Duration)}
		l.runs = append(l.runs, run)
	}
	if run != nil {
		run.to = e.Time
		delete(l.open, key)
	}
}

func (k *nightMaker) listStatements(l *loads) {
	all := slices.SortedFunc(maps.Values(l.statements), func(a, b *gatepost.StatementLoad) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Statement, b.Statement), strings.Compare(a.Database, b.Database))
	})
	for _, s := range first(all, nightRows) {
		k.Statements = append(k.Statements, *s)
	}
}

// listActions adds up the runs of each action, and finds what ran beside them.
func (k *nightMaker) listActions(l *loads) {
	type key struct{ name, database string }
	actions := map[key]*gatepost.ActionLoad{}
	beside := map[key]map[string]int{}
	slices.SortStableFunc(l.runs, func(a, b *actionRun) int { return cmp.Compare(a.from, b.from) })
	var under []*actionRun // way
	for _, run := range l.runs {
		at := key{run.name, run.database}
		a := actions[at]
		if a == nil {
			a = &gatepost.ActionLoad{Name: run.name, Database: run.database}
			actions[at], beside[at] = a, map[string]int{}
		}
		a.Runs++
		if run.failed {
			a.Failed++
		}
		k.addRun(a, run)
		under = slices.DeleteFunc(under, func(other *actionRun) bool { return other.to.Known() && other.to <= run.from || !other.to.Known() })
		for _, other := range under {
			if other.name != run.name {
				beside[at][other.name]++
				beside[key{other.name, other.database}][run.name]++
			}
		}
		under = append(under, run)
	}
	for at, a := range actions {
		a.Beside = frequent(beside[at])
		for _, n := range beside[at] {
			a.BesideRuns += n
		}
	}
	all := slices.SortedFunc(maps.Values(actions), func(a, b *gatepost.ActionLoad) int {
		return cmp.Or(cmp.Compare(b.Max, a.Max), b.Runs-a.Runs, strings.Compare(a.Name, b.Name), strings.Compare(a.Database, b.Database))
	})
	for _, a := range first(all, nightRows) {
		k.Actions = append(k.Actions, *a)
	}
}

func (k *nightMaker) addRun(a *gatepost.ActionLoad, run *actionRun) {
	if !run.to.Known() {
		a.Open++
		if a.Runs == 1 {
			a.At = run.from
		}
	} else if took := max(run.to.Sub(run.from), 0); took > a.Max || a.Runs-a.Open == 1 {
		a.Total, a.Max, a.At = a.Total+took, took, run.from
	} else {
		a.Total += took
	}
	for i := range k.model.Incidents {
		in := &k.model.Incidents[i]
		end := run.to
		if !end.Known() {
			end = run.from
		}
		if run.from <= in.To && end >= in.From && len(a.Incidents) < nightNames && !slices.Contains(a.Incidents, in.ID) {
			a.Incidents = append(a.Incidents, in.ID)
		}
	}
}

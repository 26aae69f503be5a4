package correlate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatepost"
)

// trouble is a stretch of time in which something broke that need not show as a failure of the
// ledger: users saw 404, 302 or 500, or nothing.
type trouble struct {
	cause    string
	title    string
	from, to gatepost.Time
	root     gatepost.Step
	evidence []*gatepost.Event
	count    int
	death    *death // where a process died
}

// outages finds trouble that no incident of the ledger tells of.
func (w *world) outages(ctx context.Context, incidents []gatepost.Incident, before int) ([]gatepost.Incident, error) {
	var all []trouble
	all = append(all, w.databaseTroubles()...)
	for _, k := range []struct {
		kinds []gatepost.Kind
		cause string
		title string
	}{
		{[]gatepost.Kind{gatepost.PgTooMany}, "pg_too_many_connections", "connections to the database were refused: a limit was reached"},
		{[]gatepost.Kind{gatepost.OdooPoolFull}, "pg_too_many_connections", "a process of Odoo used up its own connection pool"},
		{[]gatepost.Kind{gatepost.OdooMemoryError}, "memory_limit", "requests ran into limit_memory_hard"},
		{[]gatepost.Kind{gatepost.PgDiskFull, gatepost.OdooDiskFull}, "disk_full", "no space left"},
		{[]gatepost.Kind{gatepost.OdooLoadError}, "service_down_startup_failure", "a module or registry did not load"},
	} {
		all = append(all, w.clusters(k.cause, k.title, w.events(k.kinds...))...)
	}
	for _, t := range w.limited {
		if n := len(all); n > 0 && all[n-1].cause == t.cause && t.from.Sub(all[n-1].to) <= w.quiet() {
			all[n-1].to, all[n-1].count = t.to, all[n-1].count+t.count
			continue
		}
		all = append(all, t)
	}
	all = append(all, w.quietKills()...)
	all = slices.DeleteFunc(all, func(t trouble) bool {
		if w.opt.Since.Known() && t.to < w.opt.Since || w.opt.Until.Known() && t.from > w.opt.Until {
			return true
		}
		return slices.ContainsFunc(incidents, func(i gatepost.Incident) bool {
			return i.Cause == t.cause && i.From <= t.to.Add(time.Minute) && i.To >= t.from.Add(-time.Minute)
		})
	})
	slices.SortStableFunc(all, func(a, b trouble) int { return sign(a.from < b.from) })
	var out []gatepost.Incident
	for i, t := range all {
		in := w.outage(fmt.Sprintf("o-%02d", before+i+1), t)
		statuses, err := w.statusesIn(ctx, t.from, t.to)
		if err != nil {
			return nil, err
		}
		in.Statuses = statuses
		out = append(out, in)
	}
	return out, nil
}

// databaseTroubles are the times without PostgreSQL.
func (w *world) databaseTroubles() []trouble {
	var all []trouble
	for _, d := range w.database.downs {
		t := trouble{cause: "service_down_db_unreachable", title: "PostgreSQL was down", from: d.from, to: d.to, count: 1,
			root: gatepost.Step{Time: d.from, Says: "PostgreSQL went down", Ref: d.first.Ref}, evidence: []*gatepost.Event{d.first}}
		switch {
		case d.disk != nil:
			t.cause, t.title = "disk_full", "PostgreSQL gave up for want of space"
			t.evidence = append(t.evidence, d.disk)
			t.root = gatepost.Step{Time: d.disk.Time, Says: "PostgreSQL's disk was full", Ref: d.disk.Ref}
		case d.killed != nil:
			t.cause, t.title = "oom_kill", "the kernel killed a PostgreSQL process for memory"
			t.evidence = append(t.evidence, d.killed)
			t.root = gatepost.Step{Time: d.killed.Time, Says: "the kernel killed a PostgreSQL process", Ref: d.killed.Ref}
		}
		if d.ready != nil {
			t.evidence = append(t.evidence, d.ready)
		}
		if !t.to.Known() {
			t.to = t.from
		}
		lost := w.within(gatepost.OdooDBFailed, d.from.Add(-time.Second), t.to.Add(time.Second))
		if len(lost) == 0 && d.disk == nil && d.killed == nil {
			continue // nobody missed it
		}
		if len(lost) > 0 {
			t.evidence = append(t.evidence, lost[0])
		}
		all = append(all, t)
	}
	return all
}

// clusters groups events of one kind of trouble into stretches.
func (w *world) clusters(cause, title string, events []*gatepost.Event) []trouble {
	var all []trouble
	for _, e := range events {
		all = cluster(all, cause, title, e, w.quiet())
	}
	return all
}

// cluster adds an event to the last stretch of trouble, or begins a new one after a quiet time.
func cluster(all []trouble, cause, title string, e *gatepost.Event, quiet time.Duration) []trouble {
	if n := len(all); n > 0 && e.Time.Sub(all[n-1].to) <= quiet {
		t := &all[n-1]
		t.to = e.Time
		t.count++
		if len(t.evidence) < 5 {
			t.evidence = append(t.evidence, e)
		}
		return all
	}
	return append(all, trouble{cause: cause, title: title, from: e.Time, to: e.Time, count: 1,
		root: gatepost.Step{Time: e.Time, Says: title, Ref: e.Ref}, evidence: []*gatepost.Event{e}})
}

// quietKills are processes of Odoo that the kernel killed without a request failing by it.
func (w *world) quietKills() []trouble {
	var all []trouble
	for _, sv := range w.servers {
		for _, d := range sv.deaths {
			if d.how != byOOM || d.hit || slices.ContainsFunc(sv.downtimes, func(o *downtime) bool { return o.felt(d.at) }) {
				continue
			}
			all = append(all, trouble{cause: "oom_kill", title: fmt.Sprintf("the kernel killed %s %d for memory", d.role, d.pid()), from: d.at, to: d.at, count: 1,
				root: gatepost.Step{Time: d.at, Says: fmt.Sprintf("the kernel killed %s %d", d.role, d.pid()), Ref: d.event.Ref}, evidence: []*gatepost.Event{d.event}, death: d})
		}
	}
	return all
}

// felt reports whether a request failed in the downtime within a minute of t.
func (d *downtime) felt(t gatepost.Time) bool {
	return d.firstUntil.Known() && d.firstUntil.Add(-time.Minute) <= t && t <= d.lastUntil.Add(time.Minute)
}

func (w *world) outage(id string, t trouble) gatepost.Incident {
	in := gatepost.Incident{ID: id, From: t.from, To: t.to, Cause: t.cause, Title: t.title, Instance: t.root.Says + " at " + clockTime(t.root.Time),
		Confidence: 0.9, State: gatepost.Final}
	root := t.root
	root.Role = "root cause"
	in.Chain = []gatepost.Step{root}
	for _, e := range t.evidence {
		in.Evidence = append(in.Evidence, cite(gatepost.For, e, 0, "", troubleSays(e)))
	}
	if t.count > 1 {
		in.Instance += fmt.Sprintf(", %d times until %s", t.count, clockTime(t.to))
	}
	g := &group{cause: t.cause, from: t.from, to: t.to, proxy: w.proxy}
	g.winners = []*Hypothesis{{Evidence: in.Evidence, death: t.death}}
	in.Fix = lookup(t.cause).Fix(w, g)
	return in
}

// troubleSays is what an event of trouble says, for people.
func troubleSays(e *gatepost.Event) string {
	switch e.Kind {
	case gatepost.PgTooMany:
		return "a connection is refused: none is free"
	case gatepost.OdooPoolFull:
		return "a process of Odoo has all its connections in use"
	case gatepost.OdooMemoryError:
		return "an allocation fails under limit_memory_hard"
	case gatepost.PgDiskFull, gatepost.OdooDiskFull:
		return "a file cannot grow: no space left on device"
	case gatepost.OdooLoadError:
		return "Odoo cannot load " + orSome(e.Name, "a part of itself")
	case gatepost.KernelOOM:
		return "the kernel kills a process for memory"
	case gatepost.NginxError:
		return "nginx turns a request away"
	case gatepost.PgReady:
		return "PostgreSQL takes connections again"
	case gatepost.OdooDBFailed:
		return "Odoo gets no connection to its database"
	}
	return "PostgreSQL goes down"
}

// statusesIn counts what users saw in a stretch of time, beside plain success, as far as it is more
// than what they see at other times.
func (w *world) statusesIn(ctx context.Context, from, to gatepost.Time) (map[int]int, error) {
	from, to = from.Add(-time.Second), to.Add(2*time.Second)
	seen := make(map[int]int)
	for r, err := range w.history.Requests(ctx, gatepost.Query{From: from, To: to, Lanes: []gatepost.Lane{gatepost.LaneNginx}}) {
		if err != nil {
			return nil, err
		}
		if st := int(r.Status); st >= 400 || st == 302 || st == 303 {
			seen[st]++
		}
	}
	counts, err := w.history.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[int]int64)
	logged := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	for _, c := range counts {
		all[c.Status] += c.Requests
		logged.See(c.First)
		logged.See(c.Last)
	}
	if !logged.First.Known() {
		return seen, nil
	}
	inside := to.Sub(from)
	outside := max(time.Second, logged.Last.Sub(logged.First)-inside)
	for st, n := range seen {
		if usual := all[st] - int64(n); float64(n) < 2*float64(usual)*inside.Seconds()/outside.Seconds() {
			delete(seen, st)
		}
	}
	return seen, nil
}

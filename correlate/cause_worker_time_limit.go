package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "worker_time_limit",
	Title: "Odoo's time limit ended the worker",
	Doc: "limit_time_real or limit_time_cpu ended the worker while it served the request, and the proxy saw the connection close (502). " +
		"It is not this when the 504 came first and the kill later (then the cause is what made it slow), nor a watchdog line about an idle worker.",
	Death: limitDeath,
	Down:  limitDown,
	Work:  limitWork,
	Fix:   limitFix,
})

func limitDeath(s *scene, d *death) []Hypothesis {
	option := "limit_time_real"
	switch d.how {
	case byTimeLimit:
	case byCPULimit:
		option = "limit_time_cpu"
	default:
		return []Hypothesis{{Veto: "no time limit was reached by any worker at that time"}}
	}
	h := Hypothesis{
		Instance: fmt.Sprintf("%s (%s) ended %s %d at %s", option, seconds(d.limit), d.role, d.pid(), clockTime(d.at)),
		Key:      fmt.Sprintf("limit/%d", d.at),
		Via:      fmt.Sprintf("its worker was ended at %s", clockTime(d.at)),
		Root:     gatepost.Step{Time: d.at, Says: fmt.Sprintf("%s %d reached %s", d.role, d.pid(), option), Ref: d.event.Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, d.event, decisive, "time", fmt.Sprintf("the worker was ended by %s just when %s saw the connection close", option, s.proxy.name))},
	}
	if c := d.c; c != nil && c.Start.Known() && d.how == byTimeLimit {
		h.Evidence = append(h.Evidence, cite(gatepost.For, c.event, weak, "time", fmt.Sprintf("the request was %s old, which fits the limit of %s", seconds(d.at.Sub(c.Start)), seconds(d.limit))))
	}
	if p := d.process; p != nil && d.successor != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.For, d.successor, 0, "process", "a new worker takes its place"))
	}
	return []Hypothesis{h}
}

// limitDown is the threaded server: one thread over its time reloads the whole of it.
func limitDown(s *scene, d *downtime) []Hypothesis {
	all := s.within(gatepost.OdooThreadLimit, d.from.Add(-2*time.Minute), d.from.Add(deathSlack))
	if len(all) == 0 || d.server == nil {
		return nil
	}
	e := all[len(all)-1]
	return []Hypothesis{{
		Instance: fmt.Sprintf("a thread ran over limit_time_real (%s), and the server reloaded", seconds(e.Duration)),
		Root:     gatepost.Step{Time: all[0].Time, Says: "a thread ran over its time limit", Ref: all[0].Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, e, decisive, "process", "without workers, one thread over its time makes the whole server reload")},
	}}
}

// limitWork is the look-alike: the kill that follows a 504 is a consequence of what made the
// request slow.
func limitWork(s *scene, w *work) []Hypothesis {
	if w.death == nil || w.death.how != byTimeLimit && w.death.how != byCPULimit {
		return nil
	}
	return []Hypothesis{{
		Instance: fmt.Sprintf("%s %d was killed at %s", w.death.role, w.death.pid(), clockTime(w.death.at)),
		Veto:     s.proxy.name + " had given up before: the kill is a consequence of what made the request slow",
	}}
}

func limitFix(w *world, g *group) []gatepost.Advice {
	limit, option := time.Duration(0), "limit_time_real"
	for _, h := range g.winners {
		if h.death != nil {
			limit = max(limit, h.death.limit)
			if h.death.how == byCPULimit {
				option = "limit_time_cpu"
			}
		}
	}
	line := option + " = 240"
	why := "the work needs more than the limit allows"
	if limit > 0 {
		line = fmt.Sprintf("%s = %d", option, int(2*limit/time.Second))
		why = fmt.Sprintf("%d requests were ended at %s", g.failures, seconds(limit))
	}
	return []gatepost.Advice{
		{Do: "make " + orSome(g.commonPath(), "the request") + " shorter: in batches, or as a background job", Why: why},
		{Do: "or raise " + option, Why: "for work that must run in a request", File: "odoo.conf", Line: line, Price: "a request that hangs holds a worker that much longer; keep proxy_read_timeout above it, or users see 504 instead"},
	}
}

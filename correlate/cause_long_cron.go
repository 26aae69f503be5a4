package correlate

import (
	"fmt"
	"slices"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "long_cron",
	Title: "a scheduled action held what requests needed",
	Doc: "A scheduled action held what the requests needed: a lock, CPU, memory, connections (or a thread, with workers = 0). " +
		"It is not this when it merely ran at the same time.",
	Work: cronWork,
	Fix:  cronFix,
})

func cronWork(s *scene, w *work) []Hypothesis {
	if l, share := w.longestLock(); share >= lockShare && l.cron() != nil {
		return []Hypothesis{cronLock(l, l.cron())}
	}
	if h, ok := s.cronByConflict(w); ok {
		return []Hypothesis{h}
	}
	if h, ok := s.cronInThread(w); ok {
		return []Hypothesis{h}
	}
	if h, ok := s.cronSlowsAll(w); ok {
		return []Hypothesis{h}
	}
	return s.innocentCron(w)
}

func cronLock(l lockSpan, r *cronRun) Hypothesis {
	h := Hypothesis{
		Instance: fmt.Sprintf("«%s» held a lock on %s from %s", r.name, l.wait.object, clockTime(l.wait.hold.from)),
		Key:      fmt.Sprintf("cron/%s/%d", r.name, r.from),
		Via:      fmt.Sprintf("it waited %s for the lock", seconds(l.to.Sub(l.from))),
		Root:     gatepost.Step{Time: r.from, Says: fmt.Sprintf("the scheduled action «%s» began, and took locks", r.name), Ref: r.event().Ref},
		Evidence: []gatepost.Evidence{
			cite(gatepost.For, r.event(), fair+min(strong, bans(l.wait.hold.chance)), "lock", fmt.Sprintf("the run spans the whole wait and the lock was freed when it ended; by accident that happens in %.1f %% of cases", 100*l.wait.hold.chance)),
			cite(gatepost.For, l.wait.first, weak, "time", fmt.Sprintf("PostgreSQL: backend %d waits for a lock that %d holds, inside this request", l.wait.backend, l.wait.hold.backend)),
		},
		hold: l.wait.hold, cron: r,
	}
	if r.end != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.For, r.end, 0, "lock", "the run ends, and with it the lock"))
	}
	if l.wait.acquired != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.For, l.wait.acquired, 0, "lock", fmt.Sprintf("the wait ended after %s", seconds(l.to.Sub(l.from)))))
	}
	return h
}

// cronByConflict recognises the lock without PostgreSQL's log: a request that waited for another
// transaction fails with a conflict in the very moment that one commits, and Odoo tries it again.
// When that moment is the end of a run that began before the request got far, the run was it.
func (s *scene) cronByConflict(w *work) (Hypothesis, bool) {
	if !w.conflicted() {
		return Hypothesis{}, false
	}
	const together = 300 * time.Millisecond
	fits := func(r *cronRun, shift time.Duration) bool {
		return r.to.Known() && r.to.Add(shift).Sub(w.retry.Time).Abs() <= together && r.from.Add(shift) <= w.start.Add(2*time.Second)
	}
	for _, r := range s.crons {
		if !fits(r, 0) {
			continue
		}
		p := s.chance(func(shift time.Duration) bool {
			return slices.ContainsFunc(s.crons, func(r *cronRun) bool { return fits(r, shift) })
		})
		return Hypothesis{
			Instance: fmt.Sprintf("«%s» held what the request needed until %s", r.name, clockTime(r.to)),
			Key:      fmt.Sprintf("cron/%s/%d", r.name, r.from),
			Via:      fmt.Sprintf("it waited %s for the other transaction", seconds(w.retry.Time.Sub(w.start))),
			Root:     gatepost.Step{Time: r.from, Says: fmt.Sprintf("the scheduled action «%s» began", r.name), Ref: r.event().Ref},
			Evidence: []gatepost.Evidence{
				cite(gatepost.For, r.end, leak+min(fair, bans(p)/2), "lock", fmt.Sprintf("the run ended in the moment in which the request ran into a conflict; by accident that happens in %.1f %% of cases", 100*p)),
				cite(gatepost.For, w.retry, weak, "pid", "the request had waited for a transaction that committed then"),
			},
			Missing: []string{"PostgreSQL's log with log_lock_waits = on would name the lock and its holder"},
			cron:    r,
		}, true
	}
	return Hypothesis{}, false
}

// cronInThread is the server without workers: a scheduled action shares one interpreter with the
// requests.
func (s *scene) cronInThread(w *work) (Hypothesis, bool) {
	if r := s.cronBeside(w); r != nil {
		p := s.chance(func(shift time.Duration) bool {
			return slices.ContainsFunc(s.crons, func(r *cronRun) bool {
				return overlap(r.from.Add(shift), r.lastOf().Add(shift), w.start, w.end)*5 >= w.end.Sub(w.start)*4
			})
		})
		return Hypothesis{
			Instance: fmt.Sprintf("«%s» ran in the same process from %s", r.name, clockTime(r.from)),
			Key:      fmt.Sprintf("cron/%s/%d", r.name, r.from),
			Via:      "it shared the interpreter with the run",
			Root:     gatepost.Step{Time: r.from, Says: fmt.Sprintf("the scheduled action «%s» began in the process that serves requests", r.name), Ref: r.event().Ref},
			Evidence: []gatepost.Evidence{cite(gatepost.For, r.event(), leak+min(fair, bans(p)), "time", fmt.Sprintf("without workers, a scheduled action and requests share one process; the run spans the request, which by accident happens in %.1f %% of cases", 100*p))},
			cron:     r,
		}, true
	}
	return Hypothesis{}, false
}

// cronSlowsAll is a scheduled action that takes the processor: what requests compute takes longer while it runs,
// on all workers.
func (s *scene) cronSlowsAll(w *work) (Hypothesis, bool) {
	r := s.slowedBy(w)
	if r == nil {
		return Hypothesis{}, false
	}
	return Hypothesis{
		Instance: fmt.Sprintf("«%s» slowed all requests from %s", r.name, clockTime(r.from)),
		Key:      fmt.Sprintf("cron/%s/%d", r.name, r.from),
		Via:      fmt.Sprintf("it took %s while the run took the processor", seconds(w.duration())),
		Root:     gatepost.Step{Time: r.from, Says: fmt.Sprintf("the scheduled action «%s» began, and took the processor", r.name), Ref: r.event().Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, r.event(), leak+min(fair, bans(r.slows.chance)), "time",
			fmt.Sprintf("while it ran, requests took %.1f times what their routes usually take outside SQL; that as many are so slow by accident happens in %.2g %% of cases", r.slows.times, 100*r.slows.chance))},
		cron: r,
	}, true
}

// cronBeside is the scheduled action that shared the interpreter with most of an execution, nil with
// workers.
func (s *scene) cronBeside(w *work) *cronRun {
	if w.server == nil || !w.server.threaded || !w.start.Known() {
		return nil
	}
	for _, r := range s.crons {
		if r.server == w.server && overlap(r.from, r.lastOf(), w.start, w.end)*5 >= w.end.Sub(w.start)*4 {
			return r
		}
	}
	return nil
}

// innocentCron shows the runs that were merely there, and why that proves nothing.
func (s *scene) innocentCron(w *work) []Hypothesis {
	if !w.start.Known() {
		return nil
	}
	for _, r := range s.crons {
		if r.server == w.server && overlap(r.from, r.lastOf(), w.start, w.end) > 0 {
			return []Hypothesis{{
				Instance: fmt.Sprintf("«%s» ran at %s", r.name, clockTime(r.from)),
				Veto:     "it ran at the same time, but nothing shows that it held what the request needed: no lock of its, and a worker of its own",
			}}
		}
	}
	return nil
}

func cronFix(w *world, g *group) []gatepost.Advice {
	name, took, object := "the scheduled action", time.Duration(0), g.lock.object
	for _, h := range g.winners {
		if h.cron != nil {
			name, took = "«"+h.cron.name+"»", max(took, h.cron.lastOf().Sub(h.cron.from))
		}
	}
	why := fmt.Sprintf("it ran for %s", people(took))
	if object != "" {
		why += " and held row locks on " + object + " to its end"
	}
	return []gatepost.Advice{
		{Do: "run " + name + " outside business hours", Why: why, File: "Settings > Technical > Scheduled Actions"},
		{Do: "let it work in batches and commit after each", Why: "locks then last as long as one batch", Price: "work on the module: it must be able to go on where it stopped"},
		{Do: "give scheduled actions a limit of their own", Why: "a run that never ends holds its locks for ever", File: "odoo.conf", Line: "limit_time_real_cron = 900"},
	}
}

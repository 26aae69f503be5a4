package correlate

import (
	"fmt"
	"strings"

	"gatepost"
)

var _ = register(Cause{
	Name:  "lock_wait",
	Title: "waiting for a database lock",
	Doc: "Most of the request's time was waiting for another transaction's lock, the holder being a request or an outside session. " +
		"It is not this when the holder is a scheduled action (long_cron).",
	Work: lockWork,
	Fix:  lockFix,
})

// lockShare is how much of an execution's time a lock wait must be to explain it.
const lockShare = 0.5

// share is how much of the work's time the wait is.
func (l lockSpan) share(w *work) float64 {
	if !w.start.Known() || w.end <= w.start {
		return 0
	}
	to := l.to
	if !l.wait.to.Known() && !w.finished {
		to = w.end // it waited on, until something ended it
	}
	return float64(overlap(l.from, to, w.start, w.end)) / float64(w.end.Sub(w.start))
}

// longestLock is the wait for a lock that fills most of the execution, and its share; the zero
// span without any.
func (w *work) longestLock() (lockSpan, float64) {
	var longest lockSpan
	most := -1.0
	for _, l := range w.locks {
		if share := l.share(w); share > most {
			longest, most = l, share
		}
	}
	return longest, max(0, most)
}

// cron is the scheduled action that held the lock, or nil.
func (l lockSpan) cron() *cronRun {
	if l.wait.hold == nil {
		return nil
	}
	return l.wait.hold.cron
}

func lockWork(s *scene, w *work) []Hypothesis {
	if l, share := w.longestLock(); l.wait != nil {
		return []Hypothesis{s.lockHypothesis(w, l, share)}
	}
	if l, ok := s.lockedStatement(w); ok {
		return []Hypothesis{s.lockHypothesis(w, l, l.share(w))}
	}
	if w.conflicted() && serialization(w.retry) {
		return []Hypothesis{{
			Instance: "another transaction, until " + clockTime(w.retry.Time),
			Key:      fmt.Sprintf("conflict/%d", w.retry.Time.Second()),
			Via:      fmt.Sprintf("it waited %s for the other transaction", seconds(w.retry.Time.Sub(w.start))),
			Root:     gatepost.Step{Time: w.start, Says: "another transaction held what the request wanted to change", Ref: w.retry.Ref},
			Evidence: []gatepost.Evidence{cite(gatepost.For, w.retry, fair, "pid", "after most of its time the request ran into a conflict with a transaction that had just committed: it had waited for it")},
			Missing:  []string{"PostgreSQL's log with log_lock_waits = on would name the lock and its holder"},
		}}
	}
	return nil
}

// lockedStatement is the wait in the slow statement of an execution: PostgreSQL logs a statement that
// waited for a lock on a table as a slow one.
func (s *scene) lockedStatement(w *work) (lockSpan, bool) {
	e, _ := s.statement(w)
	if e == nil {
		return lockSpan{}, false
	}
	began := e.Time.Add(-e.Duration)
	for _, l := range s.locks {
		if l.backend == e.PID && l.to.Known() && overlap(l.from, l.to, began, e.Time)*2 >= e.Duration {
			return lockSpan{wait: l, from: l.from, to: l.to}, true
		}
	}
	return lockSpan{}, false
}

// lockHypothesis argues that the wait for l explains the execution.
func (s *scene) lockHypothesis(w *work, l lockSpan, share float64) Hypothesis {
	h := Hypothesis{Instance: fmt.Sprintf("a lock on %s, waited for from %s", l.wait.object, clockTime(l.from))}
	if share < lockShare {
		h.Veto = fmt.Sprintf("the wait of %s was the lesser part of its %s", seconds(l.to.Sub(l.from)), seconds(w.duration()))
		return h
	}
	if r := l.cron(); r != nil {
		h.Veto = fmt.Sprintf("the holder was a scheduled action, «%s»", r.name)
		return h
	}
	h.Via = fmt.Sprintf("it waited %s for the lock", seconds(l.to.Sub(l.from)))
	weight, end := decisive, weak
	if !s.covers("odoo", l.from) {
		weight, end = fair, 0
		h.Missing = append(h.Missing, "Odoo's log of that time: a scheduled action may have held the lock")
	}
	h.Evidence = append(h.Evidence, cite(gatepost.For, l.wait.first, weight, "lock", fmt.Sprintf("PostgreSQL: backend %d waited for a lock on %s inside this request", l.wait.backend, l.wait.object)))
	if l.wait.acquired != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.For, l.wait.acquired, end, "lock", fmt.Sprintf("the wait ended after %s", seconds(l.to.Sub(l.from)))))
	}
	h.Root = gatepost.Step{Time: l.from, Says: "another session held a lock on " + l.wait.object, Ref: l.wait.first.Ref}
	h.Key = fmt.Sprintf("lock/%d/%d", l.wait.backend, l.from)
	if hold := l.wait.hold; hold != nil {
		h.Key = fmt.Sprintf("lock/%d/%d", hold.backend, hold.from)
		h.Instance = fmt.Sprintf("backend %d held a lock on %s from %s", hold.backend, l.wait.object, clockTime(hold.from))
		h.Root.Says = fmt.Sprintf("backend %d held a lock on %s", hold.backend, l.wait.object)
		h.hold = hold
		if hold.work != nil {
			h.Evidence = append(h.Evidence, gatepost.Evidence{Role: gatepost.For, Kind: gatepost.OdooRequest, Ref: hold.work.ref, Time: hold.work.end, Join: "lock", Says: "the request that held it: it began before the wait, and ended when the lock was freed"})
		}
	}
	return h
}

func lockFix(w *world, g *group) []gatepost.Advice {
	object, longest := g.lock.object, g.lock.longest
	why := "requests waited for it"
	if longest > 0 {
		why = fmt.Sprintf("requests waited up to %s for it", seconds(longest))
	}
	a := []gatepost.Advice{}
	if g.lock.byRequest {
		a = append(a, gatepost.Advice{Do: "shorten the request that holds the lock on " + orSome(object, "the table"), Why: why, Price: "work on the module: change rows late, commit early"})
	} else {
		a = append(a, gatepost.Advice{Do: "find the session that holds locks on " + orSome(object, "the table") + " and stays idle: SELECT pid, usename, application_name, xact_start, query FROM pg_stat_activity WHERE state = 'idle in transaction'", Why: why})
		a = append(a, gatepost.Advice{Do: "let PostgreSQL end sessions that sit idle in a transaction", Why: "a forgotten psql then frees its locks by itself", File: "postgresql.conf", Line: "idle_in_transaction_session_timeout = 60s", Price: "the forgotten session loses its open work"})
	}
	return a
}

// serialization reports whether a conflict is one with a transaction that committed first.
func serialization(e *gatepost.Event) bool {
	return strings.Contains(strings.ToLower(e.Name+" "+e.Text), "serializ")
}

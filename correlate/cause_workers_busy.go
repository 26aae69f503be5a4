package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "workers_busy",
	Title: "all workers busy",
	Doc: "The request spent the decisive part of its time waiting because every HTTP worker was busy, and what kept them busy is ordinary work (more traffic than capacity). " +
		"It is not this when the workers were held by one of the other causes: then it is that cause, with this as the middle link.",
	Case: busyBacklog,
	Fix:  busyFix,
})

// blame hands the wait of a queued request to those who held the workers: each holder counts with
// the time for which it held one, for the reason that made it slow. A holder that would not have
// failed by itself, and that no lock held up, is ordinary work.
func (s *scene) blame(c *Case) []Hypothesis {
	q := c.queue
	shares := make(map[string]time.Duration)
	best := make(map[string]Hypothesis)
	most := make(map[string]time.Duration)
	surest := make(map[string]int)
	var total, ordinary time.Duration
	for _, h := range q.holders {
		total += h.overlap
		why, ok := s.reasonOf(h.work)
		if !ok {
			ordinary += h.overlap
			continue
		}
		shares[why.Cause] += h.overlap
		surest[why.Cause] = max(surest[why.Cause], why.score)
		if h.overlap > most[why.Cause] {
			most[why.Cause], best[why.Cause] = h.overlap, why
		}
	}
	var hs []Hypothesis
	names := make([]string, 0, len(shares))
	for name := range shares {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		h := best[name]
		share := float64(shares[name]) / float64(total)
		h.Via = fmt.Sprintf("it waited %s for a free worker, held by requests with this cause", seconds(q.length()))
		h.Evidence = append(slices.Clone(h.Evidence), s.waited(c, q, blameBans(share), share))
		if share < 0.5 {
			h.Evidence = append(h.Evidence, absence(gatepost.Against, -fair, fmt.Sprintf("such requests held the workers for only %.0f %% of the wait", 100*share)))
		}
		h.cap(surest[name]-leak, "it is no surer than why the workers were held")
		hs = append(hs, h)
	}
	if total > 0 {
		share := float64(ordinary) / float64(total)
		h := s.ordinaryQueue(c, q, ordinary, share)
		h.Cause = "workers_busy"
		hs = append(hs, h)
	}
	return hs
}

// blameBans weighs the share of a wait that a cause is responsible for.
func blameBans(share float64) int { return int(2000*share) - 1000 }

// reasonOf is why one holder was slow, when that is more than ordinary work.
func (s *scene) reasonOf(w *work) (Hypothesis, bool) {
	_, share := w.longestLock()
	locked := share >= lockShare
	if !locked && w.c == nil && w.death == nil && w.retry == nil && !s.longerThanPatience(w) {
		return Hypothesis{}, false
	}
	if w.c != nil && w.c.queueShare(s) >= 0.5 && !locked {
		return Hypothesis{}, false // it failed for having queued; its own work was ordinary
	}
	hs := s.reasons(w)
	for i := range hs {
		hs[i].score = hs[i].weight()
	}
	hs = slices.DeleteFunc(hs, func(h Hypothesis) bool { return h.Veto != "" || h.score < leak })
	if len(hs) == 0 {
		return Hypothesis{}, false
	}
	h := slices.MaxFunc(hs, func(a, b Hypothesis) int { return cmp.Or(a.score-b.score, cmp.Compare(b.Cause, a.Cause)) })
	return h, true
}

// waited is the evidence that a request queued.
func (s *scene) waited(c *Case, q *queue, weight int, share float64) gatepost.Evidence {
	e := absence(gatepost.For, weight, fmt.Sprintf("for %.0f %% of the %s in which %s waited the workers were held by such requests", 100*share, seconds(q.length()), s.proxyOf(c).name))
	e.Join = "queue"
	if c.work != nil && c.work.ref.Known() {
		e.Kind, e.Ref, e.Time = gatepost.OdooRequest, c.work.ref, c.work.end
		e.Says = fmt.Sprintf("Odoo began it only %s after it had come in; ", seconds(c.work.start.Sub(q.from))) + e.Says
	}
	return e
}

// ordinaryQueue argues that there was simply more work than workers.
func (s *scene) ordinaryQueue(c *Case, q *queue, ordinary time.Duration, share float64) Hypothesis {
	h := Hypothesis{
		Instance: "more requests than workers",
		Key:      "busy",
		Via:      fmt.Sprintf("it waited %s for a free worker", seconds(q.length())),
		Root:     gatepost.Step{Time: q.from, Says: "more requests came in than the workers could serve"},
	}
	if q.workers > 0 {
		h.Instance = fmt.Sprintf("all %d workers busy with ordinary requests", q.workers)
	}
	if len(q.holders) > 0 {
		h.Root.Time, h.Root.Ref = max(q.holders[0].work.start, q.from.Add(-time.Minute)), q.holders[0].work.ref
	}
	if share < 0.5 {
		says := fmt.Sprintf("ordinary requests held the workers for only %.0f %% of the wait", 100*share)
		if ordinary == 0 {
			says = "no ordinary request held a worker during the wait"
		}
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -leak, says))
	} else {
		weight := strong
		if q.workers == 0 {
			weight = leak // how many workers there are is not known, so not whether all were busy
		}
		h.Evidence = append(h.Evidence, s.waited(c, q, weight, share))
		longest := slices.MaxFunc(q.holders, func(a, b holder) int { return int(a.overlap - b.overlap) })
		h.Evidence = append(h.Evidence, gatepost.Evidence{Role: gatepost.For, Kind: gatepost.OdooRequest, Ref: longest.work.ref, Time: longest.work.end, Join: "queue", Weight: weak,
			Says: fmt.Sprintf("%d requests held the workers meanwhile; this one, the longest, took %s", len(q.holders), seconds(longest.work.duration()))})
		if !s.covers("postgresql", q.to) && 2*q.inSQL() >= ordinary {
			h.cap(unsure, "most of that was SQL, and without PostgreSQL's log a lock or a slow statement looks the same")
			h.Missing = append(h.Missing, "PostgreSQL's log with log_lock_waits = on and log_min_duration_statement = 1000")
		}
	}
	return h
}

// inSQL is how much of the wait the workers were held by executions that were mostly SQL.
func (q *queue) inSQL() (sum time.Duration) {
	for _, h := range q.holders {
		if h.work.sqlShare() >= sqlShare {
			sum += h.overlap
		}
	}
	return sum
}

// busyBacklog is the listen queue overflowing: then connections are not even accepted.
func busyBacklog(s *scene, c *Case) []Hypothesis {
	if !c.neverAccepted() || c.down != nil || c.queue != nil && c.queue.believable() {
		return nil // who held the workers is known then, see blame
	}
	h := Hypothesis{
		Instance: "the listen queue of Odoo's port was full",
		Key:      "busy",
		Via:      "its connection was not accepted",
		Root:     gatepost.Step{Time: c.Time, Says: "the listen queue was full"},
	}
	weight := fair
	if c.Phase == gatepost.PhaseBacklog {
		weight = strong
	}
	h.Evidence = append(h.Evidence, cite(gatepost.For, c.decisiveLine(), weight, "request", "the queue holds 8 connections for each worker; it overflows only while all workers are busy for long"))
	if c.queue == nil && c.server != nil && c.server.requests > 0 && s.covers("odoo", c.Time) {
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -leak, "Odoo's log shows no request that held a worker meanwhile"))
	}
	if !s.covers("odoo", c.Time) {
		h.cap(0, "what held the workers stands only in Odoo's log, and it is the cause")
		h.Missing = append(h.Missing, "Odoo's log of that time")
		return []Hypothesis{h}
	}
	for _, e := range s.within(gatepost.KernelOverflow, c.Time.Add(-time.Minute), c.until) {
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong, "time", fmt.Sprintf("the kernel saw the listen queue of port %d overflow", e.Number)))
		break
	}
	return []Hypothesis{h}
}

func busyFix(w *world, g *group) []gatepost.Advice {
	workers, longest := g.workers, g.wait
	if n, ok := w.opt.Setup.Number("odoo", "workers"); ok {
		workers = max(workers, int(n))
	}
	why := fmt.Sprintf("requests waited up to %s for a free worker", seconds(longest))
	line := "workers = 5"
	if workers > 0 {
		why += fmt.Sprintf("; there are %d", workers)
		line = fmt.Sprintf("workers = %d", workers+max(2, workers/2))
	}
	price := "memory: each worker may take limit_memory_hard"
	if soft, ok := w.opt.Setup.Number("odoo", "limit_memory_soft"); ok {
		price = fmt.Sprintf("memory: up to %d MiB for each more (limit_memory_soft)", soft>>20)
	}
	a := []gatepost.Advice{{Do: "give Odoo more workers (a usual start is CPU cores x 2 + 1)", Why: why, File: "odoo.conf", Line: line, Price: price}}
	if p := g.commonHolder(); p != "" {
		a = append(a, gatepost.Advice{Do: "move long work off the request: " + p, Why: "it held the workers while others waited"})
	}
	return a
}

package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "proxy_timeout_too_low",
	Title: "the proxy's timeout too low",
	Doc: "nginx, HAProxy or Traefik gave up (504) on a request that Odoo then finished successfully, within its own limits, and that was not held up by a queue, a lock, a cron or one slow query: " +
		"the work normally takes that long (reports, exports, imports). It is not this when any of those explains the duration.",
	Work: patienceWork,
	Fix:  patienceFix,
})

func patienceWork(s *scene, w *work) []Hypothesis {
	if w.c == nil && !s.longerThanPatience(w) || w.c != nil && !w.c.timedOut() {
		return nil
	}
	if !w.finished && !s.covers("odoo", w.end) {
		return nil
	}
	proxy, limit := s.proxy.name, s.usual
	if w.c != nil {
		proxy, limit = s.proxyOf(w.c).name, s.patienceFor(w.c)
	}
	h := Hypothesis{Instance: proxy + " gave up too early", Key: "patience"}
	if limit.limit > 0 {
		h.Instance = fmt.Sprintf("%s waits %s for an answer", proxy, seconds(limit.limit))
	}
	switch {
	case w.c != nil && w.tooShort(limit.limit/2):
		h.Veto = fmt.Sprintf("Odoo worked on it for only %s: it spent its time waiting", seconds(w.duration()))
	case !w.finished:
		h.Veto = "Odoo never finished the request: no timeout would have been long enough"
	case w.status >= 500:
		h.Veto = fmt.Sprintf("Odoo answered with %d in the end", w.status)
	case w.sqlShare() >= sqlShare && !w.chatty():
		h.Veto = fmt.Sprintf("%s of its %s were SQL: the statement is what to look at", seconds(w.sql), seconds(w.duration()))
	}
	if w.conflicted() {
		h.Veto = fmt.Sprintf("%s of its %s passed before it ran into a conflict: it waited for another transaction", seconds(w.retry.Time.Sub(w.start)), seconds(w.duration()))
	}
	if l, share := w.longestLock(); share >= lockShare {
		h.Veto = fmt.Sprintf("%s of its %s were a wait for a lock", seconds(l.to.Sub(l.from)), seconds(w.duration()))
	}
	if h.Veto != "" {
		return []Hypothesis{h}
	}
	if !w.start.Known() || w.guessed {
		h.Via = fmt.Sprintf("Odoo finished it at %s", clockTime(w.end))
		h.Evidence = append(h.Evidence, s.ownLine(w, fair, "Odoo finished the request after "+proxy+" had given up; its log does not say how long it took"))
		h.Missing = append(h.Missing, "Odoo's performance fields (version 12 and later) would tell SQL from code")
		return []Hypothesis{h}
	}
	h.Via = fmt.Sprintf("Odoo finished it after %s", seconds(w.duration()))
	h.Root = gatepost.Step{Time: w.start, Says: fmt.Sprintf("a request began that takes %s", seconds(w.duration())), Ref: w.ref}
	h.Evidence = append(h.Evidence, s.ownLine(w, strong+weak, fmt.Sprintf("Odoo finished it with %d after %s, when %s had given up", w.status, seconds(w.duration()), proxy)))
	if w.sql != gatepost.Unknown {
		says := fmt.Sprintf("%s of that were SQL", seconds(w.sql))
		if s.covers("postgresql", w.end) {
			says += ", and no lock is logged in its time"
		}
		h.Evidence = append(h.Evidence, s.ownLine(w, weak, says))
	}
	if r := s.cronBeside(w); r != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, r.event(), -strong, "time", "a scheduled action ran in the same process all the while"))
	}
	if r := s.slowedBy(w); r != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, r.event(), -min(strong, bans(r.slows.chance)), "time", fmt.Sprintf("a scheduled action slowed all requests meanwhile: they took %.1f times what they usually take", r.slows.times)))
	}
	if x := s.excess(w); excessBans(x) > 0 {
		h.Evidence = append(h.Evidence, gatepost.Evidence{Role: gatepost.Against, Kind: gatepost.OdooRequest, Ref: w.ref, Time: w.end, Join: "request",
			Says: fmt.Sprintf("it took %.0f times what its route usually takes", x), Weight: -excessBans(x)})
	}
	if limit.limit > 0 && w.duration() > manyTimes*limit.limit {
		h.Evidence = append(h.Evidence, gatepost.Evidence{Role: gatepost.Against, Kind: gatepost.OdooRequest, Ref: w.ref, Time: w.end, Join: "request",
			Says: fmt.Sprintf("it took %.0f times as long as %s waits", float64(w.duration())/float64(limit.limit), proxy), Weight: -leak})
	}
	return []Hypothesis{h}
}

// longerThanPatience reports whether an execution would have failed by itself.
func (s *scene) longerThanPatience(w *work) bool {
	return s.usual.limit > 0 && w.duration() >= s.usual.limit
}

func patienceFix(w *world, g *group) []gatepost.Advice {
	slowest, limit := g.slowest, g.patience
	to := (slowest * 5 / 4).Truncate(10*time.Second) + 10*time.Second
	if slowest < 10*time.Second {
		to = (slowest * 5 / 4).Truncate(time.Second) + time.Second
	}
	if slowest == 0 {
		to = 720 * time.Second
	}
	a := gatepost.Advice{
		Do:    fmt.Sprintf("raise %s to %s", g.proxy.patience, seconds(to)),
		Why:   fmt.Sprintf("%d of %d requests would have been answered", g.finished, g.failures),
		File:  g.proxy.file,
		Line:  g.proxy.raised(to),
		Price: "a request that hangs holds its worker that much longer",
	}
	if limit.limit > 0 {
		a.Do = fmt.Sprintf("raise %s from %s to %s", g.proxy.patience, seconds(limit.limit), seconds(to))
	}
	if limit.from.File != "" {
		a.File = fmt.Sprintf("%s:%d", limit.from.File, limit.from.Line)
	}
	if slowest > 0 {
		a.Why += fmt.Sprintf("; the slowest took %s", seconds(slowest))
	}
	if real, ok := w.opt.Setup.Duration("odoo", "limit_time_real", ""); ok && real > 0 && real < to {
		a.Price += fmt.Sprintf("; limit_time_real is %s and would end it first", seconds(real))
	}
	return []gatepost.Advice{a, {Do: "better: make the report or export a background job that sends a link", Why: "users do not wait, and workers stay free", Price: "work on the module"}}
}

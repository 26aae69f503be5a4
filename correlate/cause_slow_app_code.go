package correlate

import (
	"fmt"
	"math"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "slow_app_code",
	Title: "slow code or outside service",
	Doc: "The time was spent in Python or in an outside service (Odoo's remaining time dominates), and the request did not finish within Odoo's own limits, or is far above its route's normal duration. " +
		"It is not this when the route always takes that long and finishes (proxy_timeout_too_low).",
	Work: codeWork,
	Fix:  codeFix,
})

// manyTimes is how many times nginx's patience an execution must take to be called out of the ordinary.
const manyTimes = 4

// excessBans weighs how many times its route's usual duration an execution took: for code that hangs, and
// as much against work that normally takes its time. Reports and exports of one route differ by their
// size, and ten times the usual is nothing special; forty times is. In between it is open.
func excessBans(times float64) int {
	if times < 1 {
		return 0
	}
	return min(fair+leak, max(0, 1250+int(math.Round(1250*math.Log2(times/20)))))
}

// excess says how far an execution is out of the ordinary: its duration over the median of those of its
// route that came to their end before nginx would have given up, 0 when there are too few of these to tell.
// What failed is not counted: in an outage that is most of them.
func (s *scene) excess(w *work) float64 {
	limit := s.usual.limit
	if w.c != nil {
		limit = s.patienceFor(w.c).limit
	}
	if limit <= 0 {
		limit = w.duration() * 2 / 3
	}
	usual, n := s.routes[w.route].median(limit)
	if n < 3 {
		return 0
	}
	return float64(w.duration()) / float64(max(usual, 50*time.Millisecond))
}

func codeWork(s *scene, w *work) []Hypothesis {
	if !w.start.Known() || w.guessed || w.c != nil && !w.c.timedOut() {
		return nil
	}
	h := Hypothesis{
		Instance: "the code of " + orSome(s.pathOf(w), "the request"),
		Key:      "code",
		Root:     gatepost.Step{Time: w.start, Says: "the request began"},
	}
	if _, share := w.longestLock(); share >= lockShare {
		h.Veto = "it did not compute, it waited for a lock"
		return []Hypothesis{h}
	}
	switch {
	case w.sqlShare() >= sqlShare && !w.chatty():
		h.Veto = fmt.Sprintf("%s of its %s were SQL", seconds(w.sql), seconds(w.duration()))
		return []Hypothesis{h}
	case w.conflicted():
		h.Veto = "it did not compute, it waited for another transaction"
		return []Hypothesis{h}
	case w.c != nil && w.tooShort(s.patienceFor(w.c).limit/2):
		h.Veto = fmt.Sprintf("it computed for only %s", seconds(w.duration()))
		return []Hypothesis{h}
	}
	if !w.finished {
		return s.neverFinished(w, h)
	}
	h.Via = fmt.Sprintf("it took %s, of which %s were no SQL", seconds(w.duration()), seconds(w.duration()-max(0, w.sql)))
	h.Evidence = append(h.Evidence, s.ownLine(w, leak, fmt.Sprintf("Odoo took %s, %s of it outside SQL", seconds(w.duration()), seconds(w.duration()-max(0, w.sql)))))
	if w.chatty() {
		h.Evidence = append(h.Evidence, s.ownLine(w, fair, fmt.Sprintf("%d small statements in one request: the code asks row by row", w.queries)))
	}
	if r := s.cronBeside(w); r != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, r.event(), -strong, "time", "a scheduled action ran in the same process all the while"))
	}
	if x := s.excess(w); excessBans(x) > 0 {
		h.Evidence = append(h.Evidence, s.ownLine(w, excessBans(x), fmt.Sprintf("that is %.0f times what this route usually takes", x)))
	}
	if w.c != nil {
		if limit := s.patienceFor(w.c).limit; limit > 0 && w.duration() > manyTimes*limit {
			h.Evidence = append(h.Evidence, s.ownLine(w, weak, fmt.Sprintf("and %.0f times %s's patience", float64(w.duration())/float64(limit), s.proxyOf(w.c).name)))
		}
	}
	return []Hypothesis{h}
}

// neverFinished is a request of which Odoo never wrote the line: it ran until something ended it,
// or until the log ends.
func (s *scene) neverFinished(w *work, h Hypothesis) []Hypothesis {
	if !s.covers("odoo", w.end) || w.server == nil || w.server.requests == 0 || w.server.first > w.start {
		return nil // no line of it proves nothing where no request has one, or where the log had not begun
	}
	if e, share := s.statement(w); e != nil && share >= sqlShare {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, e, -strong, "time", "a slow statement filled its time"))
	}
	if w.death == nil {
		h.Via = "Odoo never finished it as far as its log goes"
		h.Evidence = append(h.Evidence, absence(gatepost.For, leak+weak, "Odoo has no line for it: it did not finish, or was never begun"))
		h.Missing = append(h.Missing, "Odoo's log until the request's end")
		return []Hypothesis{h}
	}
	h.Via = fmt.Sprintf("it ran until its worker was ended after %s", seconds(w.death.limit))
	h.Evidence = append(h.Evidence, cite(gatepost.For, w.death.event, strong+weak, "time", fmt.Sprintf("the worker of this request was ended only after its limit of %s: the request did not come to an end by itself, and %s had given up before", seconds(w.death.limit), s.proxy.name)))
	if s.covers("postgresql", w.end) {
		h.Evidence = append(h.Evidence, absence(gatepost.For, 0, "no lock and no slow statement is logged in its time"))
	}
	if !s.covers("postgresql", w.end) {
		h.cap(unsure, "without PostgreSQL's log, a statement or a lock that never came to its end looks the same")
		h.Missing = append(h.Missing, "PostgreSQL's log with log_lock_waits = on and log_min_duration_statement = 1000")
	}
	h.Root = gatepost.Step{Time: w.start, Says: "the request began, and did not come to an end by itself"}
	h.Instance += fmt.Sprintf(", ended with its worker %d at %s", w.pid, clockTime(w.death.at))
	return []Hypothesis{h}
}

// pathOf is the path of the failing request that an execution served, "" for others.
func (s *scene) pathOf(w *work) string {
	if w.c == nil {
		return ""
	}
	return short(w.c.Method + " " + w.c.Path)
}

func codeFix(w *world, g *group) []gatepost.Advice {
	a := []gatepost.Advice{{Do: "find what " + orSome(g.commonPath(), "the route") + " does in that time: py-spy dump --pid WORKER, or Odoo's profiler", Why: fmt.Sprintf("%d %s outside SQL", g.failures, plural(g.failures, "request spent its time", "requests spent their time"))}}
	a = append(a, gatepost.Advice{Do: "give every call to an outside service a timeout", Why: "a service that does not answer holds a worker until limit_time_real", Line: "requests.get(url, timeout=10)"})
	return append(a, gatepost.Advice{Do: "move the work to a queue job or a scheduled action", Why: "users then do not wait for it", Price: "work on the module"})
}

package correlate

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"
	"time"

	"gatepost"
)

// cronRun is one run of a scheduled action.
type cronRun struct {
	server   *server
	name     string
	pid      int
	from, to gatepost.Time // to is NoTime when its end is not in the log
	start    *gatepost.Event
	end      *gatepost.Event
	older    bool // it began before the log does
	slows    slowdown
}

// buildCrons pairs the starts and ends of scheduled actions by pid and name. A cron worker runs
// one job at a time, so its next start ends the run before.
func (w *world) buildCrons() {
	type who struct {
		server *server
		pid    int
	}
	open := make(map[who]*cronRun)
	for _, sv := range w.servers {
		for _, e := range w.events(gatepost.OdooCronStart, gatepost.OdooCronEnd, gatepost.OdooCronError, gatepost.OdooWorkerTimeout) {
			if !sv.sources[e.Ref.Source] {
				continue
			}
			k := who{sv, e.PID}
			r := open[k]
			if r != nil {
				r.to, r.end = e.Time, e
				delete(open, k)
			}
			switch {
			case e.Kind == gatepost.OdooCronStart:
				r = &cronRun{server: sv, name: e.Name, pid: e.PID, from: e.Time, to: gatepost.NoTime, start: e}
				open[k] = r
				w.crons = append(w.crons, r)
			case r == nil && e.Kind == gatepost.OdooCronEnd:
				// Only the end is there: it says how long the run took, or the run is older than the log.
				run := &cronRun{server: sv, name: e.Name, pid: e.PID, from: sv.first, to: e.Time, end: e, older: e.Duration <= 0}
				if !run.older {
					run.from = e.Time.Add(-e.Duration)
				}
				w.crons = append(w.crons, run)
			}
		}
	}
	slices.SortStableFunc(w.crons, func(a, b *cronRun) int { return cmp.Compare(a.from, b.from) })
	w.cronsByEnd = slices.Clone(w.crons)
	slices.SortStableFunc(w.cronsByEnd, func(a, b *cronRun) int { return cmp.Compare(a.lastOf(), b.lastOf()) })
	w.longs = newTimeline((*cronRun).span, func(a, b *cronRun) int { return cmp.Compare(a.from, b.from) })
	for _, r := range w.crons {
		if start, end := r.span(); end.Sub(start) >= slowingRun {
			w.longs.add(r)
		}
	}
}

// lastOf is the end of the run, or the end of the server's log while it is open.
func (r *cronRun) lastOf() gatepost.Time {
	if r.to.Known() {
		return r.to
	}
	return r.server.last
}

func (r *cronRun) span() (start, end gatepost.Time) { return r.from, r.lastOf() }

// event is the line that shows the run best.
func (r *cronRun) event() *gatepost.Event {
	if r.start != nil {
		return r.start
	}
	return r.end
}

// lockWait is one backend's wait for a lock.
type lockWait struct {
	backend  int
	from, to gatepost.Time // to is NoTime when it never got the lock
	holders  []int
	object   string
	db       string
	first    *gatepost.Event // still waiting
	last     *gatepost.Event // still waiting, the last time
	acquired *gatepost.Event
	hold     *lockHold
	slack    time.Duration // how far off its ends may be: the stamps, and the way to the client
	taken    bool          // given to a request
}

// lockHold is a lock in one hand while others wait: the root of a chain of waits.
type lockHold struct {
	backend  int
	from     gatepost.Time // the first wait for it
	released gatepost.Time // when the first waiter got it, NoTime when none did
	waits    []*lockWait
	cron     *cronRun // the scheduled action that held it
	work     *work    // the request that held it
	slack    time.Duration
	chance   float64 // how often a cron run fits such a hold by accident
}

// lockSpan is the part of a lock wait that lies in a request's life.
type lockSpan struct {
	wait *lockWait
	from gatepost.Time
	to   gatepost.Time
}

// buildLocks makes waits and holds of PostgreSQL's lock lines.
func (s *scene) buildLocks() {
	open := make(map[int]*lockWait)
	for _, e := range together(s.near, gatepost.PgLockWait, gatepost.PgLockAcquired) {
		res := s.resolution(e.Ref.Source)
		at := e.Time.Add(res / 2) // the middle of what the stamp leaves open
		from := at.Add(-max(0, e.Duration))
		w := open[e.PID]
		if w == nil || w.from.Sub(from).Abs() > time.Second {
			w = &lockWait{backend: e.PID, from: from, to: gatepost.NoTime, object: e.Name, db: e.DB, first: e, slack: releaseSlack/2 + res/2}
			open[e.PID] = w
			s.locks = append(s.locks, w)
		}
		if e.Kind == gatepost.PgLockAcquired {
			w.to, w.acquired = at, e
			delete(open, e.PID)
			continue
		}
		w.last = e
		if len(w.holders) == 0 {
			w.holders = e.PIDs
		}
	}
	slices.SortStableFunc(s.locks, func(a, b *lockWait) int { return sign(a.from < b.from) })
	s.buildHolds()
}

// buildHolds groups waits by the backend at the root of their chain: a holder that itself waits is
// a link, not the root.
func (s *scene) buildHolds() {
	holds := make(map[int][]*lockHold)
	waits := make(map[int][]*lockWait)
	for _, w := range s.locks {
		waits[w.backend] = append(waits[w.backend], w)
	}
	for _, w := range s.locks {
		if len(w.holders) == 0 {
			continue
		}
		root := rootHolder(w, waits)
		var h *lockHold
		if n := len(holds[root]); n > 0 {
			if k := holds[root][n-1]; !k.released.Known() || w.from <= k.released {
				h = k
			}
		}
		if h == nil {
			h = &lockHold{backend: root, from: w.from, released: gatepost.NoTime, slack: w.slack}
			holds[root] = append(holds[root], h)
		}
		w.hold = h
		h.waits = append(h.waits, w)
		h.from = min(h.from, w.from)
		if w.to.Known() && (!h.released.Known() || w.to < h.released) {
			h.released = w.to
		}
	}
	for _, all := range holds {
		for _, h := range all {
			s.findHolder(h)
		}
	}
}

// rootHolder follows the chain of waits to the backend that waits for nobody.
func rootHolder(w *lockWait, waits map[int][]*lockWait) int {
	root := w.holders[0]
	for range 20 {
		i := slices.IndexFunc(waits[root], func(o *lockWait) bool {
			return len(o.holders) > 0 && o.from <= w.from.Add(time.Second) && (!o.to.Known() || o.to >= w.from)
		})
		if i < 0 || waits[root][i].holders[0] == w.backend {
			return root
		}
		root = waits[root][i].holders[0]
	}
	return root
}

// releaseSlack is how far the end of what held a lock may lie from the moment a waiter got it: the
// commit comes first, Odoo's line after it.
const releaseSlack = time.Second

// findHolder names who held the lock. PostgreSQL's pids never stand in Odoo's log, so the join is
// by time on both ends: the run began before the first wait, and ended when the lock was freed.
func (s *scene) findHolder(h *lockHold) {
	for r := range s.runsFor(h, 0) {
		if h.cron == nil || r.from > h.cron.from {
			h.cron = r
		}
	}
	if h.cron != nil {
		h.chance = s.chance(func(shift time.Duration) bool {
			for range s.runsFor(h, shift) {
				return true
			}
			return false
		})
		return
	}
	if !h.released.Known() {
		return
	}
	for _, sv := range s.servers {
		for w := range s.works[sv].between(h.from, h.released.Add(h.slack)) {
			if w.start.Known() && w.start <= h.from.Add(h.slack) && w.end.Sub(h.released).Abs() <= h.slack && !w.waitedFor(h) {
				h.work = w
			}
		}
	}
}

// runsFor yields the runs that, moved by shift, can have held the lock. Those that end with it are
// found by their end.
func (s *scene) runsFor(h *lockHold, shift time.Duration) iter.Seq[*cronRun] {
	return func(yield func(*cronRun) bool) {
		runs := s.cronsByEnd
		i := 0
		if h.released.Known() {
			i = sort.Search(len(runs), func(i int) bool { return runs[i].lastOf() >= h.released.Add(-shift-2*h.slack) })
		}
		for ; i < len(runs); i++ {
			if h.released.Known() && runs[i].lastOf() > h.released.Add(-shift+2*h.slack) {
				return
			}
			if runs[i].holds(h, shift) && !yield(runs[i]) {
				return
			}
		}
	}
}

// holds reports whether the run, moved by shift, spans the hold and ends with it. A hold that is
// not seen to end only needs to lie in the run.
func (r *cronRun) holds(h *lockHold, shift time.Duration) bool {
	if !r.older && r.from.Add(shift) > h.from.Add(h.slack) {
		return false
	}
	if !h.released.Known() {
		last := h.from
		for _, w := range h.waits {
			last = max(last, w.first.Time, w.from)
			if w.last != nil {
				last = max(last, w.last.Time)
			}
		}
		return !r.to.Known() || r.to.Add(shift) >= last
	}
	return r.to.Known() && r.to.Add(shift).Sub(h.released).Abs() <= 2*h.slack
}

// waitedFor reports whether the request was one of those that waited for the lock: it spans such a
// wait that is as long as most of it.
func (w *work) waitedFor(h *lockHold) bool {
	return slices.ContainsFunc(h.waits, func(l *lockWait) bool {
		return l.to.Known() && w.mayHaveWaited(l.to.Sub(l.from)) && l.from >= w.start.Add(-l.slack) && l.to <= w.end.Add(l.slack) && overlap(l.from, l.to, w.start, w.end)*2 > w.duration()
	})
}

// mayHaveWaited reports whether the execution has room for a wait in PostgreSQL: it is SQL time, but for a
// wait that ended in a conflict, after which Odoo tried again. A request that holds a lock while it
// computes spans the waits of others, and has no such time.
func (w *work) mayHaveWaited(d time.Duration) bool {
	return w.sql == gatepost.Unknown || w.sql*2 >= d || w.retry != nil
}

// chance measures how often a coincidence happens by accident: the share of several hundred shifts
// of the same stream at which it would hold as well. It is never 0, since so many shifts cannot
// show less than one in their number.
func (s *scene) chance(fits func(shift time.Duration) bool) float64 {
	const shifts = 400
	const step = 97 * time.Second / 10 // prime to the periods that schedules have
	hits := 1
	for i := 1; i <= shifts/2; i++ {
		for _, d := range []time.Duration{time.Duration(i) * step, -time.Duration(i) * step} {
			if fits(d) {
				hits++
			}
		}
	}
	return float64(hits) / (shifts + 1)
}

// bans is the weight of evidence, in milli-bans, of a coincidence that happens by accident with
// probability p.
func bans(p float64) int { return int(math.Round(-1000 * math.Log10(p))) }

// assignLocks gives each lock wait to the request in whose life it lies: one wait to one request,
// the closest fit first.
func (s *scene) assignLocks() {
	type fit struct {
		w    *work
		c    *Case
		l    *lockWait
		miss time.Duration
	}
	var fits []fit
	for _, l := range s.locks {
		to := l.to
		if !to.Known() {
			to = l.from.Add(time.Second)
			if l.last != nil {
				to = max(to, l.last.Time)
			}
		}
		for _, sv := range s.servers {
			for w := range s.works[sv].between(l.from, to.Add(l.slack)) {
				if w.start.Known() && w.finished && w.mayUse(l.db) && w.mayHaveWaited(to.Sub(l.from)) && l.from >= w.start.Add(-l.slack) && to <= w.end.Add(l.slack) {
					fits = append(fits, fit{w: w, l: l, miss: l.from.Sub(w.start).Abs() + w.end.Sub(to).Abs()})
				}
			}
		}
		for _, c := range s.casesIn(l.from.Add(-releaseSlack), l.from.Add(horizon)) {
			if from, until := s.waitOf(c); c.timedOut() && !c.gevent && from.Known() && (c.work == nil || !c.work.finished || !c.work.start.Known()) && l.from >= from.Add(-releaseSlack) && l.from <= until {
				fits = append(fits, fit{c: c, l: l, miss: l.from.Sub(from).Abs() + time.Second})
			}
		}
	}
	slices.SortStableFunc(fits, func(a, b fit) int { return int(a.miss - b.miss) })
	for _, f := range fits {
		if f.l.taken {
			continue
		}
		f.l.taken = true
		span := lockSpan{wait: f.l, from: f.l.from, to: f.l.to}
		if !span.to.Known() {
			span.to = span.from.Add(time.Second)
			if f.l.last != nil {
				span.to = max(span.to, f.l.last.Time)
			}
		}
		switch {
		case f.w != nil:
			f.w.locks = append(f.w.locks, span)
		case f.c.work != nil && !f.c.work.finished:
			f.c.work.locks = append(f.c.work.locks, span) // it holds a worker, in whose time others wait
		default:
			f.c.locks = append(f.c.locks, span)
		}
	}
}

// findRetries notes the conflict that a request ran into: an update that waited for another
// transaction fails when that one commits, and Odoo tries again.
func (s *scene) findRetries() {
	type who struct{ source, pid int }
	byPID := make(map[who][]*gatepost.Event)
	for _, e := range together(s.near, gatepost.OdooRetry, gatepost.OdooBadQuery) {
		k := who{e.Ref.Source, e.PID}
		byPID[k] = append(byPID[k], e)
	}
	for _, sv := range s.servers {
		for _, w := range s.works[sv].all {
			if !w.start.Known() {
				continue
			}
			for id := range sv.sources {
				for _, e := range byPID[who{id, w.pid}] {
					if e.Time >= w.start && e.Time <= w.end && (w.retry == nil || e.Time < w.retry.Time) {
						w.retry = e
					}
				}
			}
		}
	}
}

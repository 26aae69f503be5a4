package correlate

import (
	"slices"
	"time"

	"gatepost"
)

// Not every execution comes to its line: a worker is killed when nginx has given up already, or Odoo's log ends
// first. What is known of such executions makes ghosts of them, which hold workers like any other.

// matchGhosts gives deaths by time limit to the requests that nginx had given up on before: the
// request killed at k began in [k-limit-beat, k-limit+beat].
func (s *scene) matchGhosts() {
	from, to := s.stretch.nearBy(0, horizon)
	for _, sv := range s.servers {
		for _, d := range sv.deathsIn(from, to) {
			if d.role != roleHTTP || d.c != nil || d.limit <= 0 {
				continue
			}
			w := &work{server: sv, pid: d.pid(), start: d.at.Add(-d.limit), end: d.at, sql: gatepost.Unknown, idle: gatepost.Unknown, death: d}
			if p := d.process; p != nil && d.how == byTimeLimit {
				w.start = max(w.start, s.lastWorkEnd(sv, p, d.at))
			}
			s.works[sv].add(w)
			var best *Case
			for _, c := range s.casesIn(d.at.Add(-d.limit-beat-errorSlack), d.at.Add(deathSlack)) {
				if c.server != sv || c.work != nil || !c.timedOut() || c.gevent {
					continue
				}
				from, _ := s.waitOf(c)
				switch {
				case c.Time > d.at.Add(deathSlack):
					continue
				case !from.Known(): // it gave up between the request's start and its worker's end
					if best == nil {
						best = c
					}
				case from.Sub(d.at.Add(-d.limit)).Abs() > beat+errorSlack:
				case best == nil || best.ghostGap(s, w) > from.Sub(w.start).Abs():
					best = c
				}
			}
			if best != nil {
				best.work, w.c = w, best
				if from, _ := s.waitOf(best); from.Known() {
					w.start = from
				}
			}
		}
	}
}

// matchUnfinished gives requests of which Odoo wrote no line to the workers that are still at work when
// its log ends: those that wrote nothing since. Workers take requests in the order in which they came.
func (s *scene) matchUnfinished() {
	limit, ok := s.opt.Setup.Duration("odoo", "limit_time_real", "")
	if !ok || limit <= 0 {
		limit = 2 * time.Minute // by default
	}
	for _, sv := range s.servers {
		if sv.threaded || len(sv.generations) == 0 {
			continue
		}
		var open []*Case
		for _, c := range s.casesIn(sv.last.Add(-limit-beat), sv.last) {
			if c.server == sv && c.work == nil && c.down == nil && c.death == nil && !c.gevent && c.Phase == gatepost.PhaseHeaderTimeout && len(c.servers) == 1 {
				open = append(open, c)
			}
		}
		for _, p := range sv.processes {
			if p.role != roleHTTP || p.end != nil || p.died.Known() || sv.generationAt(p.last) != sv.generations[len(sv.generations)-1] {
				continue
			}
			free := max(p.born, p.served)
			i := slices.IndexFunc(open, func(c *Case) bool { return c.Time > free })
			if i < 0 {
				continue
			}
			c := open[i]
			open = slices.Delete(open, i, i+1)
			from, _ := s.waitOf(c)
			if !from.Known() {
				from = c.Time.Add(-leastPatience)
			}
			w := &work{server: sv, pid: p.pid, start: max(from, free), end: sv.last, sql: gatepost.Unknown, idle: gatepost.Unknown, c: c,
				route: gatepost.KeyOf(c.Method, gatepost.RouteOf(nil, c.Path))}
			c.work = w
			s.works[sv].add(w)
		}
	}
}

func (c *Case) ghostGap(s *scene, w *work) time.Duration {
	from, _ := s.waitOf(c)
	if !from.Known() {
		return horizon
	}
	return from.Sub(w.start).Abs()
}

// lastWorkEnd is when a process ended its last request before t.
func (s *scene) lastWorkEnd(sv *server, p *process, t gatepost.Time) gatepost.Time {
	last := gatepost.NoTime
	for _, w := range s.works[sv].all {
		if w.pid == p.pid && w.finished && w.end < t {
			last = max(last, w.end)
		}
	}
	return last
}

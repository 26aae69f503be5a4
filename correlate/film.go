package correlate

import (
	"cmp"
	"slices"
	"time"

	"gatepost"
)

const (
	// filmLength bounds a film; what is longer is cut behind.
	filmLength = 10 * time.Minute
	// filmRows bounds the workers in it.
	filmRows = 32
)

// film shows what the workers did during an incident, given its cases in the scene in which it begins; nil where
// workers have no part in it.
func (s *scene) film(cases []*Case) *gatepost.Film {
	sv := cases[0].server
	if sv == nil || sv.threaded || len(sv.lives.births) == 0 {
		return nil
	}
	f := &gatepost.Film{From: gatepost.NoTime}
	for _, c := range cases {
		if c.down != nil || c.gevent || c.work == nil && c.death == nil && c.queue == nil {
			continue
		}
		from, to := s.waitOf(c)
		if !from.Known() {
			from = c.Time.Add(-5 * time.Second)
		}
		if c.work != nil {
			to = max(to, c.work.end)
		}
		if !f.From.Known() {
			f.From = from
		}
		f.From, f.To = min(f.From, from), max(f.To, to)
	}
	if !f.From.Known() {
		return nil
	}
	f.From, f.To = f.From.Add(-time.Second), min(f.To.Add(time.Second), f.From.Add(filmLength))
	rows := make(map[*process]*gatepost.FilmRow)
	var order []*process
	for _, p := range sv.processes {
		if p.role != roleHTTP || p.born > f.To || p.endsAt(sv) < f.From || len(order) == filmRows {
			continue
		}
		order = append(order, p)
		rows[p] = &gatepost.FilmRow{PID: p.pid, From: max(f.From, p.born), To: min(f.To, p.endsAt(sv)), Killed: p.died.Known() && p.died <= f.To}
	}
	for w := range s.works[sv].between(f.From, f.To) {
		row := rows[sv.life(w.pid, w.end)]
		if row == nil || !w.start.Known() {
			continue
		}
		span := gatepost.FilmSpan{From: max(f.From, w.start), To: min(f.To, w.end), Failed: w.c != nil}
		if w.c != nil {
			span.Cause = w.c.Verdict.Cause
		} else if h, slow := s.reasonOf(w); slow {
			span.Cause = h.Cause
		}
		row.Busy = append(row.Busy, span)
	}
	slices.SortStableFunc(order, func(a, b *process) int { return cmp.Or(cmp.Compare(a.born, b.born), a.pid-b.pid) })
	for _, p := range order {
		f.Rows = append(f.Rows, *rows[p])
	}
	return f
}

// endsAt is when the process ended, or the end of what its server's log shows of it.
func (p *process) endsAt(sv *server) gatepost.Time {
	switch {
	case p.died.Known():
		return p.died
	case p.end != nil:
		return p.end.Time
	}
	if g := sv.generationAt(p.last); g != nil && g != sv.generations[len(sv.generations)-1] {
		return g.last
	}
	return sv.last
}

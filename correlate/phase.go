package correlate

import (
	"fmt"
	"slices"

	"gatepost"
)

// A downtime that an order to stop begins may have phases: the service is told to stop, it is down, a start fails,
// starts are tried until one succeeds. What stopped it and what keeps it down are then two causes, and each failure
// has that of the phase that it falls into. Only where the one that keeps it down was at work before the order, the order was
// an answer to it, and there is one cause for all.

// phase is a part of a downtime.
type phase struct {
	hypotheses []Hypothesis
	judged     bool
	judgement  *judgement // of the failures about which there is no more to say
}

// phaseOf is the phase of its downtime that a failure falls into, with the argument about it. Where the resolution of its stamp
// leaves that open, it is the phase in which the greater part of that time lies.
func (s *scene) phaseOf(c *Case) *phase {
	d := c.down
	down := s.whyDown(d)
	if d.stop == nil || !d.missed.Known() || c.Time >= d.missed || !down.cameAfter(d.stop) {
		return down
	}
	leaving := s.whyLeaving(d)
	switch {
	case c.until <= d.missed:
		return leaving
	case d.missed.Sub(c.Time) >= c.until.Sub(d.missed):
		return d.edges[0].doubtful(leaving)
	}
	return d.edges[1].doubtful(down)
}

// doubtful makes p a phase like another for failures of which it is not sure that they fall into it.
func (p *phase) doubtful(like *phase) *phase {
	if p.judged {
		return p
	}
	p.judged = true
	for _, h := range like.hypotheses {
		h.Evidence = slices.Clone(h.Evidence)
		h.cap(unsure, "by its stamp it may have failed just before or just after the first start did")
		p.hypotheses = append(p.hypotheses, h)
	}
	return p
}

// whyDown asks all causes why the service was not there.
func (s *scene) whyDown(d *downtime) *phase {
	p := &d.whole
	if p.judged {
		return p
	}
	p.judged = true
	d.missed = s.firstMiss(d)
	p.hypotheses = s.askDown(d)
	return p
}

func (s *scene) askDown(d *downtime) []Hypothesis {
	hs := ask(func(c *Cause) []Hypothesis {
		if c.Down == nil {
			return nil
		}
		return c.Down(s, d)
	})
	check := s.checkOf(d)
	for i := range hs {
		hs[i].down, hs[i].Key = d, d.key()
		if check != nil {
			hs[i].Evidence = append(hs[i].Evidence, checkEvidence(check))
		}
	}
	return hs
}

// cameAfter reports whether the likeliest cause is one that kept the service down, and came after the order to stop.
func (p *phase) cameAfter(stop *gatepost.Event) bool {
	best := p.likeliest()
	return best != nil && best.since > stop.Time
}

// likeliest is the hypothesis with the best evidence, nil where all are vetoed.
func (p *phase) likeliest() (best *Hypothesis) {
	for i := range p.hypotheses {
		h := &p.hypotheses[i]
		if h.Veto == "" && (best == nil || h.weight() > best.weight()) {
			best = h
		}
	}
	return best
}

// whyLeaving is why the service was not there before a start had failed: what began after the order to stop did
// not make it go.
func (s *scene) whyLeaving(d *downtime) *phase {
	p := &d.first
	if p.judged {
		return p
	}
	p.judged = true
	first := *d
	first.leaving = true
	p.hypotheses = s.askDown(&first)
	kept := d.whole.likeliest()
	blind := kept != nil && kept.Cause != "service_down_startup_failure" && !s.covers("postgresql", d.stop.Time)
	for i := range p.hypotheses {
		h := &p.hypotheses[i]
		h.down = d
		if blind && h.Veto == "" {
			h.cap(unsure, "whether the database was away before Odoo was told to stop, and was the reason for that, no log tells")
			h.Missing = append(h.Missing, "PostgreSQL's log from before the order to stop")
		}
		if h.Veto == "" && h.since > d.stop.Time {
			h.Veto = fmt.Sprintf("Odoo was told to stop at %s, before that: it kept Odoo down later", clockTime(d.stop.Time))
		}
	}
	return p
}

// firstMiss is when the first start after an order to stop failed, NoTime where none did at a time that is known. Until
// then a restart was on its way.
func (s *scene) firstMiss(d *downtime) gatepost.Time {
	first := gatepost.NoTime
	if d.stop == nil {
		return first
	}
	see := func(t gatepost.Time) {
		if t > d.stop.Time && (!first.Known() || t < first) {
			first = t
		}
	}
	for _, f := range d.failed {
		if len(f.errors) == 0 {
			see(max(f.event.Time, d.server.life(f.event.PID, f.event.Time).last))
		}
		for _, e := range f.errors {
			see(e.Time)
		}
	}
	for _, e := range append(s.failedExits(d), s.tracebacks(d)...) {
		if see(e.Time); e.Time.Known() && e.Time <= d.stop.Time && s.startedAnew(d, e) {
			return d.stop.Time // at once
		}
	}
	return first
}

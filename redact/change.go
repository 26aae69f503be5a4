package redact

import "gatepost"

// Change returns a copy of what a live analysis has to say, in which people are hidden.
func (r *Redactor) Change(c gatepost.Change) gatepost.Change {
	if c.Failure != nil {
		r.serversIn(c.Failure.Upstream) // of servers addresses stay
	}
	c.Text = r.Text(c.Text)
	if c.Failure != nil {
		f := r.failure(c.Failure, new(argument))
		c.Failure = &f
	}
	if c.Was != nil {
		v := r.failure(&gatepost.Failure{Verdict: *c.Was}, new(argument)).Verdict
		c.Was = &v
	}
	if c.Because != nil {
		e := r.evidence(*c.Because)
		c.Because = &e
	}
	if c.Incident != nil {
		i := r.incident(*c.Incident)
		c.Incident = &i
	}
	if c.Gap != nil {
		g := *c.Gap
		g.Why = r.Text(g.Why)
		c.Gap = &g
	}
	return c
}

// Incidents returns copies of incidents in which people are hidden.
func (r *Redactor) Incidents(all []gatepost.Incident) []gatepost.Incident {
	return each(all, r.incident)
}

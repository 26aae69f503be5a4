package correlate

import (
	"slices"
	"time"

	"gatepost"
)

// downtime is a time in which the service was not there: from the end of one generation to the
// open socket of the next.
type downtime struct {
	server        *server
	from, to      gatepost.Time // to is NoTime while it has not come back
	before, after *generation   // nil where the log does not reach
	stop          *gatepost.Event
	lost          *gatepost.Event
	failed        []*failedStart
	silence       time.Duration // from the last line of the old life to the first of the new, 0 when not known
	cases         []*Case

	hypotheses []Hypothesis // why it was down; found once for all its failures
	judged     bool
	judgement  *judgement // of the failures about which there is no more to say
}

const (
	// downSlack is how far a failure may lie outside a downtime by the coarseness of stamps.
	downSlack = 2 * time.Second
	// failTimeout is nginx's fail_timeout by default: so long a group without a live server
	// keeps refusing after the service is back.
	failTimeout = 10 * time.Second
	// beforeGap ends the downtime before the first start of a log at a pause of the refusals.
	beforeGap = 5 * time.Minute
	// unitSlack is how far systemd's line about the order to stop, or about the end of the main
	// process, may lie from Odoo's own: a master that is loading a registry hears the order late.
	unitSlack = 15 * time.Second
	// clusterGap joins refusals into one downtime where no Odoo log shows its bounds.
	clusterGap = 30 * time.Second
)

// buildDowntimes finds when each server was not there, and which failures fell into that.
func (s *scene) buildDowntimes() {
	for _, sv := range s.servers {
		for i, g := range sv.generations {
			var next *generation
			if i+1 < len(sv.generations) {
				next = sv.generations[i+1]
			}
			if d := s.downtimeAfter(sv, g, next); d != nil {
				sv.downtimes = append(sv.downtimes, d)
			}
		}
		if d := s.downtimeBefore(sv); d != nil {
			sv.downtimes = slices.Insert(sv.downtimes, 0, d)
		}
		for _, d := range sv.downtimes {
			d.findFailedStarts(s)
		}
	}
	for _, c := range s.cases {
		if d := s.downtimeOf(c); d != nil {
			c.down = d
			c.meantFor(d.server)
			d.cases = append(d.cases, c)
		}
	}
	s.bareDowntimes()
}

// downtimeOf is the downtime that a failure fell into, nil when none of its servers was away.
func (s *scene) downtimeOf(c *Case) *downtime {
	for _, sv := range c.servers {
		for _, d := range sv.downtimes {
			if d.holds(c) && (c.turnedAway() || d.cutsOff(c) || c.Phase == gatepost.PhaseConnectTimeout) || d.madeWait(s, c) {
				return d
			}
		}
	}
	return nil
}

// downtimeAfter is the time between one life of the service and the next. Without a next one
// there is a downtime only when the order to stop, or refused requests, show it.
func (s *scene) downtimeAfter(sv *server, g, next *generation) *downtime {
	d := &downtime{server: sv, before: g, after: next, to: gatepost.NoTime, stop: g.stop, lost: g.lost}
	switch {
	case g.stop != nil:
		d.from = g.stop.Time
	case g.lost != nil:
		d.from = min(g.lost.Time, g.last)
	default:
		d.from = g.last
	}
	if next != nil {
		d.to = next.listening.Time
		first := next.listening.Time
		if next.start != nil {
			first = next.start.Time
		}
		if g.last < first {
			d.silence = first.Sub(g.last)
		}
		return d
	}
	if g.stop != nil || g.lost != nil {
		return d
	}
	for _, c := range s.cases {
		if slices.Contains(c.servers, sv) && !c.gevent && c.Phase == gatepost.PhaseRefused && c.Time > g.last.Add(downSlack) && sv.mayListenOn(port(c.Upstream)) {
			return d
		}
	}
	return nil
}

// downtimeBefore is the time before the first start that the log shows, when requests were
// refused in it.
func (s *scene) downtimeBefore(sv *server) *downtime {
	if len(sv.generations) == 0 || sv.generations[0].listening == nil {
		return nil
	}
	g := sv.generations[0]
	from := gatepost.NoTime
	for _, c := range slices.Backward(s.casesIn(g.listening.Time.Add(-24*time.Hour), g.listening.Time)) {
		if !slices.Contains(c.servers, sv) || !c.turnedAway() {
			continue
		}
		if from.Known() && from.Sub(c.Time) > beforeGap {
			break
		}
		from = c.Time
	}
	if !from.Known() {
		return nil
	}
	if starts := s.within(gatepost.OdooStart, sv.first, g.listening.Time); len(starts) > 0 && sv.sources[starts[0].Ref.Source] {
		from = min(from, starts[0].Time) // a start that failed before the first refusal is part of it
	}
	return &downtime{server: sv, from: from, to: g.listening.Time, after: g}
}

// holds reports whether the failure lies in the downtime. The event process comes back later
// than the workers, and a group of several servers stays set aside for fail_timeout.
func (d *downtime) holds(c *Case) bool {
	if c.until < d.from.Add(-downSlack) {
		return false
	}
	if !d.to.Known() {
		return true
	}
	to := d.to
	if c.gevent && d.after != nil && d.after.gevent != nil {
		to = max(to, d.after.gevent.Time)
	}
	if c.noLive() {
		to = to.Add(failTimeout)
	}
	return c.Time <= to.Add(downSlack)
}

// madeWait reports whether a request came in when the port was open again and nobody served yet:
// the master loads the registry before it starts workers, and the kernel queues connections.
func (d *downtime) madeWait(s *scene, c *Case) bool {
	if c.Phase != gatepost.PhaseHeaderTimeout || d.after == nil || c.gevent {
		return false
	}
	ready := d.after.listening.Time
	if d.after.loaded != nil {
		ready = max(ready, d.after.loaded.Time)
	}
	from, _ := s.waitOf(c)
	if !from.Known() && c.work.tooShort(leastPatience) {
		from = c.Time.Add(-leastPatience) // how long nginx waits is not known, but no less
	}
	return from.Known() && from >= d.from.Add(-downSlack) && from < ready && ready.Sub(d.after.listening.Time) > time.Second &&
		(c.work == nil || c.work.start.Known() && c.work.start >= ready.Add(-downSlack))
}

// noLive reports whether nginx had set all servers of the group aside on one of the tries.
func (c *Case) noLive() bool {
	if c.Phase == gatepost.PhaseNoLive {
		return true
	}
	return slices.ContainsFunc(c.errors, func(e *gatepost.Event) bool { return e.Phase == gatepost.PhaseNoLive })
}

// cutsOff reports whether a request that was in work can have ended with the service: it was
// broken off where the downtime begins.
func (d *downtime) cutsOff(c *Case) bool {
	if c.Phase == gatepost.PhaseUnknown && c.Status == 502 {
		return true
	}
	if c.Phase != gatepost.PhasePremature {
		return false
	}
	end := d.from
	if d.before != nil {
		end = max(end, d.before.last)
	}
	if d.stop != nil {
		// Until the next life begins only workers of the old one live on, each to the end of its request:
		// one that is not let to is killed by the stop.
		end = max(end, d.lastOf())
		if d.after != nil && d.after.start != nil {
			end = d.after.start.Time
		}
	}
	return c.Time <= end.Add(2*downSlack)
}

// findFailedStarts collects the starts in the downtime that did not get to serve.
func (d *downtime) findFailedStarts(s *scene) {
	to := d.to
	if !to.Known() {
		to = d.server.last
	}
	starts := slices.DeleteFunc(slices.Clone(s.within(gatepost.OdooStart, d.from, to)), func(e *gatepost.Event) bool {
		return !d.server.sources[e.Ref.Source] || d.after != nil && (e == d.after.start || e.PID == d.after.master && e.Time > d.after.listening.Time)
	})
	next := make(map[int]gatepost.Time) // the next start of a pid: in a container it is 1 every time
	for _, e := range slices.Backward(starts) {
		until := to
		if t, again := next[e.PID]; again {
			until = t
		} else if d.after != nil && d.after.start != nil && d.after.master == e.PID {
			until = d.after.start.Time
		}
		next[e.PID] = e.Time
		f := &failedStart{event: e}
		for _, k := range []gatepost.Kind{gatepost.OdooDBFailed, gatepost.OdooLoadError, gatepost.OdooPoolFull, gatepost.OdooDiskFull, gatepost.OdooMemoryError, gatepost.OdooError} {
			for _, x := range s.within(k, e.Time, min(until, e.Time.Add(startLength))) {
				if x.PID == e.PID && d.server.sources[x.Ref.Source] {
					f.errors = append(f.errors, x)
					break // the first of a kind says it
				}
			}
		}
		if len(f.errors) == 0 && s.did(gatepost.OdooUpgrade, e, until) {
			continue // a run that upgrades modules and ends by itself
		}
		d.failed = append(d.failed, f)
	}
	slices.Reverse(d.failed)
}

// startLength is how long a start may take to fail.
const startLength = 10 * time.Minute

// did reports whether the process of a start logged an event of that kind up to a time.
func (s *scene) did(k gatepost.Kind, start *gatepost.Event, to gatepost.Time) bool {
	return slices.ContainsFunc(s.within(k, start.Time, to), func(e *gatepost.Event) bool {
		return e.PID == start.PID && e.Ref.Source == start.Ref.Source
	})
}

// bareDowntimes groups the refusals that no Odoo log explains: with their own bounds only.
func (s *scene) bareDowntimes() {
	open := make(map[string]*downtime)
	for _, c := range s.cases {
		if c.down != nil || c.timedOut() || !c.turnedAway() && c.Phase != gatepost.PhaseUnknown {
			continue
		}
		if c.server != nil && len(c.server.generations) > 0 && c.server.first <= c.Time && c.Time <= c.server.last {
			continue // Odoo's log shows it alive
		}
		addr := c.Upstream
		d := open[addr]
		if d == nil || c.Time.Sub(d.to) > clusterGap {
			d = &downtime{from: c.Time, to: c.until}
			open[addr] = d
		}
		d.to = c.until
		c.down = d
		d.cases = append(d.cases, c)
	}
}

// endsBy is until when the end of the service may lie: a silent end is somewhere between the last
// line and the first refusal.
func (d *downtime) endsBy() gatepost.Time {
	to := d.from
	if d.lost == nil && d.stop == nil && len(d.cases) > 0 {
		to = max(to, d.cases[0].until)
	}
	return to.Add(deathSlack)
}

// lastOf returns until when the downtime lasted as far as known.
func (d *downtime) lastOf() gatepost.Time {
	if d.to.Known() {
		return d.to
	}
	if n := len(d.cases); n > 0 {
		return d.cases[n-1].until
	}
	return d.from
}

// orphans counts the workers that lived when the master was lost: those that vanished without a
// word, and those that noticed.
func (sv *server) orphans(d *downtime) (gone, noticed int) {
	if d.lost == nil {
		return 0, 0
	}
	for _, p := range sv.processes {
		if p.role != roleHTTP || p.born.Known() && (p.born > d.from || sv.generationAt(p.born) != d.before) {
			continue
		}
		switch {
		case p.end != nil && p.end.Time >= d.from.Add(-beat):
			noticed++
		case p.end == nil && p.last <= d.lost.Time.Add(downSlack):
			gone++
		}
	}
	return gone, noticed
}

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
	firstUntil    gatepost.Time // the end of the first failure in it, NoTime when none is known
	lastUntil     gatepost.Time // and of the last

	whole   phase         // why it was down, or what kept it down; found once for all failures of the phase
	first   phase         // why it went down, where that is another matter
	edges   [2]phase      // of failures that may be of either
	missed  gatepost.Time // when the first start in it failed, NoTime where none is known to
	leaving bool          // this is the first phase alone
}

const (
	// downSlack is how far a failure may lie outside a downtime by the coarseness of stamps.
	downSlack = 2 * time.Second
	// failTimeout is nginx's fail_timeout by default: so long a group without a live server
	// keeps refusing after the service is back.
	failTimeout = 10 * time.Second
	// shortlyBefore is how long before an order to stop something may have been the reason for it.
	shortlyBefore = time.Minute
	// unitSlack is how far systemd's line about the order to stop, or about the end of the main
	// process, may lie from Odoo's own: a master that is loading a registry hears the order late.
	unitSlack = 15 * time.Second
)

// buildDowntimes finds when each server was not there.
func (w *world) buildDowntimes() {
	for _, sv := range w.servers {
		for i, g := range sv.generations {
			var next *generation
			if i+1 < len(sv.generations) {
				next = sv.generations[i+1]
			}
			if d := w.downtimeAfter(sv, g, next); d != nil {
				sv.downtimes = append(sv.downtimes, d)
			}
		}
		if d := w.downtimeBefore(sv); d != nil {
			sv.downtimes = slices.Insert(sv.downtimes, 0, d)
		}
		for _, d := range sv.downtimes {
			d.findFailedStarts(w)
			w.refusals.within(d)
		}
	}
}

// assignDowntimes finds the failures that fell into a downtime.
func (s *scene) assignDowntimes() {
	for _, c := range s.cases {
		if d := s.downtimeOf(c); d != nil {
			c.down = d
			c.meantFor(d.server)
		} else if c.bare() && !s.explained(c) {
			c.down = s.bareDowntime(c)
		}
	}
}

// explained reports whether Odoo's log shows the server alive at the time of a failure.
func (s *scene) explained(c *Case) bool {
	return c.server != nil && len(c.server.generations) > 0 && c.server.first <= c.Time && c.Time <= c.server.last
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
func (w *world) downtimeAfter(sv *server, g, next *generation) *downtime {
	d := &downtime{server: sv, before: g, after: next, to: gatepost.NoTime, stop: g.stop, lost: g.lost, firstUntil: gatepost.NoTime, lastUntil: gatepost.NoTime}
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
	if last, ok := w.refusals.last[sv]; ok && last > g.last.Add(downSlack) {
		return d
	}
	return nil
}

// downtimeBefore is the time before the first start that the log shows, when requests were
// refused in it.
func (w *world) downtimeBefore(sv *server) *downtime {
	if len(sv.generations) == 0 || sv.generations[0].listening == nil {
		return nil
	}
	g := sv.generations[0]
	from := w.refusals.before(sv, g.listening.Time)
	if !from.Known() {
		return nil
	}
	if starts := w.within(gatepost.OdooStart, sv.first, g.listening.Time); len(starts) > 0 && sv.sources[starts[0].Ref.Source] {
		from = min(from, starts[0].Time) // a start that failed before the first refusal is part of it
	}
	return &downtime{server: sv, from: from, to: g.listening.Time, after: g, firstUntil: gatepost.NoTime, lastUntil: gatepost.NoTime}
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
	return c.Time <= d.breaksOffUntil()
}

// breaksOffUntil is until when requests in work can have been broken off by the end of the service.
func (d *downtime) breaksOffUntil() gatepost.Time {
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
	return end.Add(2 * downSlack)
}

// findFailedStarts collects the starts in the downtime that did not get to serve.
func (d *downtime) findFailedStarts(w *world) {
	to := d.to
	if !to.Known() {
		to = d.server.last
	}
	starts := slices.DeleteFunc(slices.Clone(w.within(gatepost.OdooStart, d.from, to)), func(e *gatepost.Event) bool {
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
			for _, x := range w.within(k, e.Time, min(until, e.Time.Add(startLength))) {
				if x.PID == e.PID && d.server.sources[x.Ref.Source] {
					f.errors = append(f.errors, x)
					break // the first of a kind says it
				}
			}
		}
		if len(f.errors) == 0 && w.did(gatepost.OdooUpgrade, e, until) {
			continue // a run that upgrades modules and ends by itself
		}
		d.failed = append(d.failed, f)
	}
	slices.Reverse(d.failed)
}

// startLength is how long a start may take to fail.
const startLength = 10 * time.Minute

// did reports whether the process of a start logged an event of that kind up to a time.
func (w *world) did(k gatepost.Kind, start *gatepost.Event, to gatepost.Time) bool {
	return slices.ContainsFunc(w.within(k, start.Time, to), func(e *gatepost.Event) bool {
		return e.PID == start.PID && e.Ref.Source == start.Ref.Source
	})
}

// endsBy is until when the end of the service may lie: a silent end is somewhere between the last
// line and the first refusal.
func (d *downtime) endsBy() gatepost.Time {
	to := d.from
	if d.lost == nil && d.stop == nil && d.firstUntil.Known() {
		to = max(to, d.firstUntil)
	}
	return to.Add(deathSlack)
}

// lastOf returns until when the downtime lasted as far as known.
func (d *downtime) lastOf() gatepost.Time {
	if d.to.Known() {
		return d.to
	}
	return max(d.from, d.lastUntil)
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

package correlate

import (
	"cmp"
	"slices"
	"time"

	"gatepost"
)

// refusals are the failures that say that nobody served, as the times of them: a downtime may have a million.
type refusals struct {
	tried map[address]*rows // as they come, by where nginx went

	away        map[*server][]refused     // nobody took the request
	broken      map[*server][]refused     // it was broken off in work
	last        map[*server]gatepost.Time // the last one that nobody listened for
	unexplained map[string][]*downtime    // of which no log of Odoo tells, by upstream
}

// address is where nginx went with a request, and whether for the event process by its path.
type address struct {
	upstream string
	event    bool
}

// rows are failures at one address.
type rows struct {
	away, broken, bare []refused
	last               gatepost.Time // refused for want of a listener, NoTime without
}

// refused is a row of failures that follow upon each other.
type refused struct {
	from, firstUntil, until gatepost.Time // the stamp and the end of the first, the end of the last
}

const (
	// beforeGap ends the downtime before the first start of a log at a pause of the refusals.
	beforeGap = 5 * time.Minute
	// clusterGap joins refusals into one downtime where no Odoo log shows its bounds.
	clusterGap = 30 * time.Second
)

// see takes a failure in. Failures come in the order of time.
func (r *refusals) see(c *Case) {
	if r.tried == nil {
		r.tried = make(map[address]*rows)
	}
	to := address{c.Upstream, c.eventPath()}
	x := r.tried[to]
	if x == nil {
		x = &rows{last: gatepost.NoTime}
		r.tried[to] = x
	}
	switch {
	case c.turnedAway() || c.Phase == gatepost.PhaseConnectTimeout || c.Phase == gatepost.PhaseUnknown && c.Status == 502:
		x.away = follow(x.away, c)
	case c.Phase == gatepost.PhasePremature:
		x.broken = follow(x.broken, c)
	}
	if c.bare() {
		x.bare = follow(x.bare, c)
	}
	if c.Phase == gatepost.PhaseRefused {
		x.last = c.Time
	}
}

func follow(all []refused, c *Case) []refused {
	if n := len(all); n > 0 && c.Time <= all[n-1].until {
		all[n-1].until = max(all[n-1].until, c.until)
		return all
	}
	return append(all, refused{c.Time, c.until, c.until})
}

// bare reports whether a failure makes a downtime of its own where no log of Odoo tells of one.
func (c *Case) bare() bool {
	return !c.timedOut() && (c.turnedAway() || c.Phase == gatepost.PhaseUnknown)
}

// resolve gives the failures to the servers that they can have been meant for.
func (r *refusals) resolve(w *world) {
	r.away, r.broken, r.last = make(map[*server][]refused), make(map[*server][]refused), make(map[*server]gatepost.Time)
	bare := make(map[string][]refused)
	for to, x := range r.tried {
		c := &Case{Failure: &gatepost.Failure{Upstream: to.upstream}}
		if to.event {
			c.Path = "/websocket"
		}
		servers := w.serversOf(to.upstream)
		for _, sv := range servers {
			r.away[sv], r.broken[sv] = append(r.away[sv], x.away...), append(r.broken[sv], x.broken...)
			if x.last.Known() && !w.isGevent(c) && sv.mayListenOn(w.portOf(to.upstream)) {
				r.last[sv] = max(r.last[sv], x.last)
			}
		}
		for _, row := range x.bare {
			bare[to.upstream] = append(bare[to.upstream], row.unexplained(servers)...)
		}
	}
	byTime := func(a, b refused) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.until, b.until)) }
	for _, of := range []map[*server][]refused{r.away, r.broken} {
		for _, all := range of {
			slices.SortFunc(all, byTime)
		}
	}
	r.unexplained = make(map[string][]*downtime)
	for upstream, all := range bare {
		slices.SortFunc(all, byTime)
		for _, x := range all {
			r.cluster(upstream, x)
		}
	}
	r.tried = nil
}

// unexplained are the parts of a row of which no log of Odoo tells, given the servers that can have been meant.
func (x refused) unexplained(servers []*server) []refused {
	if len(servers) == 0 || len(servers[0].generations) == 0 {
		return []refused{x}
	}
	var parts []refused
	sv := servers[0]
	if x.from < sv.first {
		parts = append(parts, refused{x.from, x.firstUntil, min(x.until, sv.first)})
	}
	if x.until > sv.last.Add(time.Second) {
		part := x
		if x.from <= sv.last {
			part.from, part.firstUntil = sv.last+1, sv.last.Add(time.Second)
		}
		parts = append(parts, part)
	}
	return parts
}

// cluster makes downtimes of unexplained refusals, with no other bounds than theirs.
func (r *refusals) cluster(upstream string, x refused) {
	all := r.unexplained[upstream]
	if n := len(all); n > 0 && x.from.Sub(all[n-1].to) <= clusterGap {
		d := all[n-1]
		d.to, d.lastUntil = max(d.to, x.until), max(d.to, x.until)
		return
	}
	r.unexplained[upstream] = append(all, &downtime{from: x.from, to: x.until, firstUntil: x.firstUntil, lastUntil: x.until})
}

// bareDowntime is the downtime that an unexplained refusal belongs to.
func (s *scene) bareDowntime(c *Case) *downtime {
	all := s.refusals.unexplained[c.Upstream]
	i, _ := slices.BinarySearchFunc(all, c.Time, func(d *downtime, t gatepost.Time) int {
		if d.from <= t {
			return -1
		}
		return 1
	})
	if i == 0 {
		return nil
	}
	return all[i-1]
}

// before is since when a server had turned everybody away when it opened its port at t, NoTime when it had not.
func (r *refusals) before(sv *server, t gatepost.Time) gatepost.Time {
	from := gatepost.NoTime
	for _, x := range slices.Backward(r.away[sv]) {
		if x.from > t {
			continue
		}
		if end := min(x.until, t); end < t.Add(-24*time.Hour) || from.Known() && from.Sub(end) > beforeGap {
			break
		}
		from = x.from
	}
	return from
}

// within notes the first and the last failure of a downtime.
func (r *refusals) within(d *downtime) {
	from, to := d.from.Add(-downSlack), endless.to
	if d.to.Known() {
		to = d.to.Add(downSlack)
	}
	see := func(all []refused, to gatepost.Time) {
		for _, x := range all {
			if x.until < from || x.from > to {
				continue
			}
			first := x.firstUntil
			if x.from < from {
				first = from
			}
			if !d.firstUntil.Known() || first < d.firstUntil {
				d.firstUntil = first
			}
			d.lastUntil = max(d.lastUntil, min(x.until, to))
		}
	}
	see(r.away[d.server], to)
	see(r.broken[d.server], min(to, d.breaksOffUntil()))
}

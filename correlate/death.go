package correlate

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"

	"gatepost"
)

// how a worker died.
type how string

const (
	byOOM       how = "killed by the kernel for memory"
	byTimeLimit how = "killed by its master for its time"
	byCPULimit  how = "ended by its CPU time limit"
	byException how = "ended by an exception"
	byMemory    how = "ended by its memory limit"
	bySilence   how = "vanished"
)

// death is the end of one process that served requests, in the middle of its work.
type death struct {
	server    *server
	process   *process // nil when it is not known which it was
	role      role
	at        gatepost.Time
	how       how
	event     *gatepost.Event // the line that proves it; nil for a silent death
	successor *gatepost.Event // the worker that took its place
	limit     time.Duration   // of a time limit
	c         *Case           // the request that it cut off, of the scene that is judged
	hit       bool            // it cut off one, in whichever scene
}

func (d *death) pid() int {
	if d.process == nil {
		return 0
	}
	return d.process.pid
}

const (
	// replaceWithin is how soon the master replaces a worker that is gone.
	replaceWithin = 8 * time.Second
	// deathSlack is how far the death and nginx's 502 may lie apart: stamps of one second on
	// nginx's side, and the effect is logged before the cause.
	deathSlack = 2500 * time.Millisecond
)

// buildDeaths finds every process that ended in its work.
func (w *world) buildDeaths() {
	for _, sv := range w.servers {
		w.violentDeaths(sv)
		w.kernelKills(sv)
		w.silentDeaths(sv)
		w.geventDeaths(sv)
		slices.SortStableFunc(sv.deaths, func(a, b *death) int { return sign(a.at < b.at) })
	}
	w.containerKills()
	for _, sv := range w.servers {
		for _, d := range sv.deaths {
			if d.process != nil {
				d.process.died = d.at
			}
		}
		sv.countLives()
	}
}

// violentDeaths are those that Odoo itself logs.
func (w *world) violentDeaths(sv *server) {
	for _, e := range w.events(gatepost.OdooWorkerTimeout, gatepost.OdooWorkerError) {
		if !sv.sources[e.Ref.Source] {
			continue
		}
		p := sv.life(e.PID, e.Time)
		d := &death{server: sv, process: p, role: p.role, at: e.Time, event: e, limit: e.Duration, how: byException}
		switch {
		case e.Kind == gatepost.OdooWorkerTimeout:
			d.how = byTimeLimit
			if e.Name == "WorkerCron" {
				d.role = roleCron
			}
		case strings.Contains(e.Name, "MemoryError"):
			d.how = byMemory
		default:
			for _, cpu := range w.within(gatepost.OdooWorkerCPU, e.Time.Add(-10*time.Second), e.Time.Add(time.Second)) {
				if cpu.PID == e.PID && sv.sources[cpu.Ref.Source] {
					d.how, d.event, d.limit = byCPULimit, cpu, cpu.Duration
				}
			}
		}
		if d.role == roleChild {
			d.role = roleHTTP
		}
		if !slices.ContainsFunc(sv.deaths, func(o *death) bool { return o.process == p && e.Time.Sub(o.at).Abs() < replaceWithin }) {
			sv.deaths = append(sv.deaths, d)
		}
	}
}

// kernelKills are processes of this server that the kernel names: the same pid, alive until then,
// silent ever after.
func (w *world) kernelKills(sv *server) {
	for _, e := range w.byKind[gatepost.KernelOOM] {
		p := sv.known(e.PID, e.Time)
		if p == nil || p.last > e.Time.Add(deathSlack) {
			continue
		}
		sv.deaths = append(sv.deaths, &death{server: sv, process: p, role: p.role, at: e.Time, how: byOOM, event: e})
	}
}

// known returns the life of a pid that had begun by t, or nil.
func (sv *server) known(pid int, t gatepost.Time) *process {
	for _, p := range slices.Backward(sv.byPID[pid]) {
		if p.bornBefore(t.Add(time.Second)) && (p.end == nil || p.end.Time >= t.Add(-deathSlack)) {
			return p
		}
	}
	return nil
}

// silentDeaths are workers that are replaced although none left in good order: killed from
// outside, or crashed in a library. At INFO the master says nothing of them.
func (w *world) silentDeaths(sv *server) {
	used := make(map[*process]bool)
	gone := sv.departures()
	for _, born := range sv.processes {
		if born.role != roleHTTP || born.bornEvent == nil || born.initial || born.bornEvent.Kind != gatepost.OdooWorkerAlive {
			continue
		}
		if p := sv.departed(gone, born.born, used); p != nil {
			used[p] = true
			for _, d := range sv.deaths {
				if d.process == p && d.successor == nil {
					d.successor = born.bornEvent
				}
			}
			continue
		}
		p := sv.vanished(born.born, used)
		if p != nil {
			used[p] = true
		}
		sv.deaths = append(sv.deaths, &death{server: sv, process: p, role: roleHTTP, at: born.born, how: bySilence, successor: born.bornEvent})
	}
}

// departure is an end of a worker that is known.
type departure struct {
	process *process
	at      gatepost.Time
}

// departures are the known ends of HTTP workers, by time.
func (sv *server) departures() []departure {
	var all []departure
	for _, p := range sv.processes {
		if p.role == roleHTTP && p.end != nil {
			all = append(all, departure{p, p.end.Time})
		}
	}
	for _, d := range sv.deaths {
		if d.how == byOOM && d.role == roleHTTP && d.process.end == nil {
			all = append(all, departure{d.process, d.at})
		}
	}
	slices.SortStableFunc(all, func(a, b departure) int { return cmp.Compare(a.at, b.at) })
	return all
}

// departed returns the worker whose known end a birth at t makes up for. It was of the same life of the service.
func (sv *server) departed(gone []departure, t gatepost.Time, used map[*process]bool) *process {
	g := sv.generationAt(t)
	i := sort.Search(len(gone), func(i int) bool { return gone[i].at >= t.Add(-replaceWithin) })
	for ; i < len(gone) && gone[i].at <= t.Add(time.Second); i++ {
		p := gone[i].process
		lived := gone[i].at
		if p.born.Known() {
			lived = p.born
		}
		if !used[p] && sv.generationAt(lived) == g {
			return p
		}
	}
	return nil
}

// vanished returns the one worker that lived at t and never wrote a line again; nil when several
// fit.
func (sv *server) vanished(t gatepost.Time, used map[*process]bool) *process {
	var found *process
	g := sv.generationAt(t)
	for _, p := range sv.processes {
		if p.role != roleHTTP || used[p] || p.end != nil || p.last > t || !p.bornBefore(t.Add(-time.Millisecond)) || sv.generationAt(p.last) != g {
			continue
		}
		if found != nil {
			return nil
		}
		found = p
	}
	return found
}

// geventDeaths are ends of the event process: it is started anew while the workers live on.
func (w *world) geventDeaths(sv *server) {
	killed := make(map[*process]bool)
	for _, d := range sv.deaths {
		killed[d.process] = true
	}
	var before *process
	for _, p := range sv.processes {
		if p.role != roleGevent || !p.born.Known() {
			continue
		}
		if before != nil && !killed[before] && sv.generationAt(before.born) == sv.generationAt(p.born) {
			d := &death{server: sv, process: before, role: roleGevent, at: p.born, how: bySilence, successor: p.bornEvent}
			for _, e := range w.within(gatepost.OdooWorkerMemory, p.born.Add(-replaceWithin), p.born) {
				if e.PID == before.pid && sv.sources[e.Ref.Source] {
					d.how, d.event, d.at = byMemory, e, e.Time
				}
			}
			sv.deaths = append(sv.deaths, d)
		}
		before = p
	}
}

// ofOdoo reports whether the command name that the kernel prints is one of Odoo's.
func ofOdoo(comm string) bool {
	for _, name := range []string{"odoo", "python", "openerp", "gevent"} {
		if strings.HasPrefix(comm, name) {
			return true
		}
	}
	return false
}

// containerKills joins kernel kills whose pid no Odoo log knows (in a container Odoo logs the pids
// of its own name space) with a worker that vanished at that moment.
func (w *world) containerKills() {
	for _, e := range w.byKind[gatepost.KernelOOM] {
		if !ofOdoo(e.Name) || w.anyKnows(e) || !w.dated(e) {
			continue
		}
		var best *death
		for _, sv := range w.servers {
			for _, d := range sv.deaths {
				gap := d.at.Sub(e.Time)
				if d.how == bySilence && d.event == nil && gap > -deathSlack && gap < deathSlack && (best == nil || gap.Abs() < best.at.Sub(e.Time).Abs()) {
					best = d
				}
			}
		}
		if best != nil {
			best.how, best.event = byOOM, e
		}
	}
}

// dated reports whether the clock of an event's source is known well enough to join by time.
func (w *world) dated(e *gatepost.Event) bool {
	src := w.sources[e.Ref.Source]
	return src == nil || src.Clock.Sigma <= time.Minute
}

func (w *world) anyKnows(e *gatepost.Event) bool {
	for _, sv := range w.servers {
		if sv.known(e.PID, e.Time) != nil {
			return true
		}
	}
	return false
}

// pairDeaths gives each request that was broken off the death nearest to it: one death ends at most one request.
func (s *scene) pairDeaths() {
	type couple struct {
		c    *Case
		d    *death
		dist time.Duration
	}
	var all []couple
	for _, c := range s.cases {
		broken := c.Phase == gatepost.PhasePremature || c.Phase == gatepost.PhaseUnknown && c.Status == 502 ||
			c.gevent && (c.turnedAway() || c.Phase == gatepost.PhasePremature)
		if !broken || c.down != nil {
			continue
		}
		for _, d := range deathsNear(c) {
			if (d.role == roleGevent) != c.gevent || d.role == roleCron || !d.fitsAge(c) {
				continue
			}
			dist := max(0, c.Time.Sub(d.at), d.at.Sub(c.until))
			limit := deathSlack
			if c.gevent && d.at <= c.Time {
				limit = geventReturn // refused until the next one listens
			}
			if dist <= limit {
				all = append(all, couple{c, d, dist})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b couple) int { return int(a.dist - b.dist) })
	for _, k := range all {
		if k.c.death != nil || k.d.c != nil && !k.c.gevent {
			continue
		}
		k.c.death = k.d
		k.c.meantFor(k.d.server)
		if !k.c.gevent {
			k.d.c = k.c
		}
	}
}

// fitsAge reports whether the request can have been the one that a time limit ended: it was as old
// as the limit, give or take a beat of the master.
func (d *death) fitsAge(c *Case) bool {
	if d.how != byTimeLimit || d.limit <= 0 || !c.Start.Known() {
		return true
	}
	return (d.at.Sub(c.Start) - d.limit).Abs() <= beat+errorSlack
}

// deathsNear are the deaths about the time of a failure on the servers that it can have been meant
// for.
func deathsNear(c *Case) []*death {
	var all []*death
	for _, sv := range c.servers {
		all = append(all, sv.deathsIn(c.Time.Add(-geventReturn), c.until.Add(deathSlack))...)
	}
	return all
}

// deathsIn are the deaths between two times.
func (sv *server) deathsIn(from, to gatepost.Time) []*death {
	i := sort.Search(len(sv.deaths), func(i int) bool { return sv.deaths[i].at >= from })
	j := sort.Search(len(sv.deaths), func(i int) bool { return sv.deaths[i].at > to })
	return sv.deaths[i:max(i, j)]
}

// geventReturn is how long the event process takes to come back.
const geventReturn = 6 * time.Second

// beat is how often the master looks after its workers; a worker's last sign of life may be that
// much older than the request it serves.
const beat = 4500 * time.Millisecond

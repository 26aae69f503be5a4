package correlate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatepost"
)

// Align finds the clock of every source by its ID. Run it before Judge, and set the clocks in the
// store; h gives times as the stamps say them while no clock is set.
//
// Stamps with an offset, and Odoo's, which are UTC by rule, are right as they are. For the others
// pairs of lines about one thing vote for the offset: a failing request in the access log and its
// error line, a process that the kernel kills and the worker that takes its place. Rates are
// never compared: periodic traffic would align at any period.
func Align(ctx context.Context, h History, sources []gatepost.Source, o Options) (map[int]gatepost.Clock, error) {
	clocks := make(map[int]gatepost.Clock)
	for _, p := range parts(h, sources, o) {
		if err := p.align(ctx, clocks); err != nil {
			return nil, err
		}
	}
	return clocks, nil
}

// align finds the clocks of one machine's sources.
func (p *part) align(ctx context.Context, clocks map[int]gatepost.Clock) error {
	a := aligner{opt: p.opt, raw: make(map[gatepost.Kind][]gatepost.Event), zone: make(map[int]gatepost.Clock), absolute: make(map[int]bool), log: make(map[int]string)}
	for i := range p.sources {
		a.absolute[p.sources[i].ID] = p.sources[i].Stamps == gatepost.StampsAbsolute
		a.log[p.sources[i].ID] = p.sources[i].Series()
	}
	q := gatepost.Query{Sparse: p.ballots(), Kinds: []gatepost.Kind{
		gatepost.NginxRequest, gatepost.NginxError, gatepost.KernelOOM, gatepost.KernelSegfault, gatepost.OdooWorkerAlive, gatepost.OdooListening, gatepost.OdooParentChanged,
		gatepost.OdooWorkerExit, gatepost.OdooWorkerTimeout, gatepost.OdooWorkerError, gatepost.OdooStart, gatepost.OdooStop, gatepost.UnitStop, gatepost.UnitStarted,
		gatepost.OdooBadQuery, gatepost.OdooRequest, gatepost.PgSerialization, gatepost.PgError, gatepost.PgStatement, gatepost.PgLockAcquired,
		gatepost.OdooDBFailed, gatepost.PgTooMany, gatepost.PgRefused, gatepost.PgCrash,
	}}
	dated := p.datedBy()
	for e, err := range p.Events(ctx, q) {
		if err != nil {
			return err
		}
		e.Ref.Source = dated[e.Ref.Source]
		e.Text, e.Path, e.Attempts = "", "", nil // have no vote
		a.raw[e.Kind] = append(a.raw[e.Kind], e)
	}
	if err := a.findSkew(ctx, p); err != nil {
		return err
	}
	for i := range p.sources {
		if id := p.sources[i].ID; dated[id] == id {
			clocks[id] = a.clock(&p.sources[i])
		}
	}
	for id, first := range dated {
		clocks[id] = clocks[first]
	}
	return nil
}

// datedBy names, for every source, the first one that the same clock dates: the lines of several programs in one
// syslog are dated by who collects them, and vote together.
func (p *part) datedBy() map[int]int {
	type clock struct {
		path   string
		stamps gatepost.Stamps
	}
	first, dated := make(map[clock]int), make(map[int]int)
	for _, src := range p.sources {
		dated[src.ID] = src.ID
		if src.Format != "syslog" {
			continue
		}
		k := clock{src.Path, src.Stamps}
		if other, ok := first[k]; ok {
			dated[src.ID] = other
		} else {
			first[k] = src.ID
		}
	}
	return dated
}

// aligner holds the events that can vote, with raw stamps.
type aligner struct {
	opt  Options
	raw  map[gatepost.Kind][]gatepost.Event
	skew skew                   // of Odoo's machine against the proxy's
	zone map[int]gatepost.Clock // of access logs that do not tell their zone, by source

	absolute map[int]bool   // sources whose stamps carry their offset
	log      map[int]string // the logs of which sources are parts
}

// electorate is how many events are asked to vote: a night of outages has a million, and some thousand
// decide.
const electorate = 50_000

// ballots leaves out requests until about so many events are left. A request that is left out is so in all
// logs, and a pair that votes is whole.
func (p *part) ballots() (sparse uint64) {
	var events int64
	for i := range p.sources {
		events += p.sources[i].Events
	}
	for ; events > electorate; events /= 2 {
		sparse = sparse<<1 | 1
	}
	return sparse
}

func (a *aligner) clock(src *gatepost.Source) gatepost.Clock {
	switch src.Stamps {
	case gatepost.StampsNone:
		return gatepost.Clock{Zone: "none", How: "the lines carry no time"}
	case gatepost.StampsBoot:
		return a.bootClock(src)
	case gatepost.StampsAbsolute:
		if src.Format == "odoo" {
			return a.skew.clock("Odoo logs UTC")
		}
		if !accessFormat(src.Format) && src.Format != "nginx_error" && a.skew.votes > 0 && a.besideOdoo(src) {
			return a.skew.clock("the stamps carry their offset")
		}
		return gatepost.Clock{Zone: "UTC", How: "the stamps carry their offset"}
	}
	if c, ok := a.zone[src.ID]; ok {
		return c
	}
	votes := a.localVotes(src)
	years := 0
	if _, n := quarterHour(votes); n == 0 {
		votes, years = otherYear(votes)
	}
	if shift, n := quarterHour(votes); n > 0 {
		shift, steps := changeOfHour(votes, shift)
		if src.Format != "nginx_error" {
			shift += a.skew.shift // its pairs are lines of Odoo's machine
			for i := range steps {
				steps[i].Shift += a.skew.shift
			}
		}
		zone := zoneName(shift - a.skewOf(src))
		if years != 0 {
			by := yearsLater(src.First, years)
			shift += by
			for i := range steps {
				steps[i].From, steps[i].Shift = steps[i].From.Add(-by), steps[i].Shift+by
			}
			zone += fmt.Sprintf(", %+d %s", years, plural(years*years, "year", "years"))
		}
		return gatepost.Clock{Steps: steps, Shift: shift, Zone: zone, How: fmt.Sprintf("%d matched %s", n, plural(n, "pair of lines", "pairs of lines")), Votes: n}
	}
	if c, ok := a.drifted(src); ok {
		return c
	}
	return a.untold(src)
}

// drifted is the clock of a kernel's log whose times of day are not quite those of the other logs; ok is false where no pair tells of it.
func (a *aligner) drifted(src *gatepost.Source) (c gatepost.Clock, ok bool) {
	if src.Format != "kernel" {
		return c, false
	}
	votes := a.driftVotes(src)
	shift, n := densest(shifts(votes), 2*time.Second)
	if n == 0 || 2*n <= len(votes) {
		return c, false
	}
	zone := shift.Round(15 * time.Minute)
	return gatepost.Clock{Shift: shift + a.skew.shift, Zone: zoneName(zone), Votes: n, Sigma: time.Second,
		How: fmt.Sprintf("%d kernel %s that Odoo's log shows too, %s off", n, plural(n, "kill", "kills"), seconds((shift - zone).Abs()))}, true
}

// untold is the clock of a source whose zone nothing in the logs tells.
func (a *aligner) untold(src *gatepost.Source) gatepost.Clock {
	if a.opt.Zone != nil {
		return zoneClock(src, a.opt.Zone)
	}
	return gatepost.Clock{Zone: "UTC", How: "assumed: nothing in the logs tells", Sigma: 14 * time.Hour}
}

// zoneClock is the clock of a source whose zone was given, with the changes of the hour in it.
func zoneClock(src *gatepost.Source, zone *time.Location) gatepost.Clock {
	c := gatepost.Clock{Zone: zone.String(), How: "given with --tz"}
	if !src.First.Known() {
		return c
	}
	at := func(raw gatepost.Time) time.Duration {
		w := raw.Std()
		_, offset := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, zone).Zone()
		return -time.Duration(offset) * time.Second
	}
	c.Shift = at(src.First)
	last := c.Shift
	for t := src.First; t <= src.Last; t = t.Add(30 * time.Minute) {
		if shift := at(t); shift != last {
			c.Steps = append(c.Steps, gatepost.ClockStep{From: t, Shift: shift})
			last = shift
		}
	}
	return c
}

// skewOf is the part of a source's shift that is the difference of two machines' clocks.
func (a *aligner) skewOf(src *gatepost.Source) time.Duration {
	if src.Format == "nginx_error" {
		return 0
	}
	return a.skew.shift
}

// zoneName names a shift as the zone it stands for.
func zoneName(shift time.Duration) string {
	if shift == 0 {
		return "UTC"
	}
	s, d := '+', -shift
	if d < 0 {
		s, d = '-', -d
	}
	return fmt.Sprintf("UTC%c%02d:%02d", s, int(d.Hours()), int(d.Minutes())%60)
}

// bootClock finds when the machine started: given, or by the kills that Odoo's or PostgreSQL's log shows too. A
// new worker comes alive within a tenth of a second of the kill of the old one.
func (a *aligner) bootClock(src *gatepost.Source) gatepost.Clock {
	if a.opt.BootTime.Known() && a.opt.BootTime != 0 {
		return gatepost.Clock{Shift: time.Duration(a.opt.BootTime), Zone: "boot " + a.opt.BootTime.String(), How: "given with --boot-time"}
	}
	shift, n := densest(shifts(a.killVotes(src)), time.Second)
	shift += a.skew.shift
	if n == 0 {
		return gatepost.Clock{Zone: "boot unknown", How: "nothing in the logs tells when the machine started", Sigma: time.Duration(1) << 62}
	}
	sigma := time.Second
	if n == 1 && !a.knowsVictim(src) {
		sigma = time.Hour // one pair fits itself: it dates the log, and proves nothing
	}
	return gatepost.Clock{Shift: shift, Zone: "boot " + gatepost.Time(shift.Truncate(time.Second)).String(), How: fmt.Sprintf("%d kernel %s that the log of Odoo or PostgreSQL shows too", n, plural(n, "kill", "kills")), Votes: n, Sigma: sigma}
}

// knowsVictim reports whether a log has a process with the pid of one that the kernel killed: a worker of Odoo's, or
// a backend that PostgreSQL saw end.
func (a *aligner) knowsVictim(src *gatepost.Source) bool {
	return len(a.backendVotes(src)) > 0 || slices.ContainsFunc(a.of(gatepost.KernelOOM, src.ID), func(k gatepost.Event) bool {
		return slices.ContainsFunc(a.raw[gatepost.OdooWorkerAlive], func(e gatepost.Event) bool { return e.PID == k.PID })
	})
}

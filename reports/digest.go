package reports

import (
	"cmp"
	"slices"
	"time"

	"gatepost"
)

// Digest makes of all changes what people are told of them: when hundreds of requests fail of one cause, one of them is told and
// the others are counted. What is counted is told when a second has passed, and later and later while it goes on.
type Digest struct {
	paces     []*pace // in the order in which they began
	incidents map[string]*course
	now       gatepost.Time
}

// Saying is a change as people are told it.
type Saying struct {
	gatepost.Change
	More  int  // so many changes are told at once: this one is the last of them; 0 for one by itself
	Known bool // the verdict is the one that was told of its incident before
}

const (
	leastPace = gatepost.Time(time.Second)
	mostPace  = 30 * leastPace
	busyPace  = 10 // changes in a pace from which the next one is twice as long
)

// pace is how often changes of one kind and one cause are told.
type pace struct {
	key    paceKey
	told   gatepost.Time // last
	length gatepost.Time // until they may be told again
	held   int
	last   gatepost.Change // of those held
}

type paceKey struct {
	kind            gatepost.ChangeKind
	incident        string
	cause, was, how string
}

// course is what was told of an incident.
type course struct {
	verdict string
	failed  bool             // requests of it were told since it last grew
	grown   *gatepost.Change // not told yet
}

// Change returns what is to be told now.
func (d *Digest) Change(c *gatepost.Change) []Saying {
	if known(c.Time) {
		d.now = max(d.now, c.Time)
	}
	said := d.Tick(d.now)
	switch c.Kind {
	case gatepost.Settled: // the verdict is what was said already
		return said
	case gatepost.Failed, gatepost.Revised:
		if c.Failure == nil {
			return said
		}
		return d.often(said, c)
	case gatepost.Grown:
		d.grow(c)
		return said
	case gatepost.Opened, gatepost.Altered, gatepost.Closed:
		if c.Incident == nil {
			return said
		}
		return d.turn(said, c)
	}
	return append(said, Saying{Change: *c})
}

// often tells a change that there may be hundreds of, or holds it.
func (d *Digest) often(said []Saying, c *gatepost.Change) []Saying {
	k := keyOf(c)
	if k.incident != "" {
		in := d.course(k.incident)
		in.failed, in.grown = true, nil
	}
	i := slices.IndexFunc(d.paces, func(p *pace) bool { return p.key == k })
	if i >= 0 {
		d.paces[i].held++
		d.paces[i].last = *c
		return said
	}
	d.paces = append(d.paces, &pace{key: k, told: d.now, length: leastPace})
	return append(said, d.say(c, 0))
}

func keyOf(c *gatepost.Change) paceKey {
	k := paceKey{kind: c.Kind, incident: c.Failure.Incident, cause: c.Failure.Verdict.Cause}
	if c.Incident != nil {
		k.incident = cmp.Or(k.incident, c.Incident.ID)
	}
	if k.incident == "" {
		k.how = c.Failure.Verdict.Instance // two deaths of two workers are not alike
	}
	if c.Was != nil {
		k.was = c.Was.Cause
	}
	return k
}

// say makes a saying of a change, and remembers which verdict it told.
func (d *Digest) say(c *gatepost.Change, more int) Saying {
	s := Saying{Change: *c, More: more}
	k := keyOf(c)
	if k.incident == "" || more > 0 {
		return s
	}
	in, verdict := d.course(k.incident), told(c.Failure.Verdict.Cause, c.Failure.Verdict.Instance)
	s.Known = in.verdict == verdict
	in.verdict = verdict
	return s
}

func told(cause, instance string) string { return cause + "\x00" + instance }

func (d *Digest) course(incident string) *course {
	in := d.incidents[incident]
	if in == nil {
		if d.incidents == nil {
			d.incidents = make(map[string]*course)
		}
		in = new(course)
		d.incidents[incident] = in
	}
	return in
}

// grow keeps that an incident grew for later: where its requests are told one by one there is nothing to add.
func (d *Digest) grow(c *gatepost.Change) {
	if c.Incident == nil {
		return
	}
	in := d.course(c.Incident.ID)
	if in.failed {
		in.failed = false
		return
	}
	grown := *c
	if in.grown != nil {
		grown.Time = in.grown.Time // from when on it waits
	}
	in.grown = &grown
}

// turn tells of an incident that begins, changes or ends: before it stands what was held of it.
func (d *Digest) turn(said []Saying, c *gatepost.Change) []Saying {
	id := c.Incident.ID
	said = d.release(said, func(p *pace) bool { return p.key.incident == id })
	in := d.course(id)
	verdict := told(c.Incident.Cause, c.Incident.Instance)
	said = append(said, Saying{Change: *c, Known: in.verdict == verdict})
	in.grown, in.verdict = nil, verdict
	if c.Kind == gatepost.Closed {
		delete(d.incidents, id)
		d.paces = slices.DeleteFunc(d.paces, func(p *pace) bool { return p.key.incident == id })
	}
	return said
}

// Tick returns what was held back until now.
func (d *Digest) Tick(now gatepost.Time) []Saying {
	d.now = max(d.now, now)
	said := d.release(nil, func(p *pace) bool { return d.now-p.told >= p.length })
	// What nothing is held of and was not told for a while is told at once when it comes again.
	d.paces = slices.DeleteFunc(d.paces, func(p *pace) bool { return p.held == 0 && d.now-p.told >= p.length })
	return d.growth(said, func(c *gatepost.Change) bool { return d.now-c.Time >= leastPace })
}

// Rest returns all that is held back.
func (d *Digest) Rest() []Saying {
	said := d.release(nil, func(*pace) bool { return true })
	return d.growth(said, func(*gatepost.Change) bool { return true })
}

// Holds reports whether anything is held back.
func (d *Digest) Holds() bool {
	for _, in := range d.incidents {
		if in.grown != nil {
			return true
		}
	}
	return slices.ContainsFunc(d.paces, func(p *pace) bool { return p.held > 0 })
}

func (d *Digest) release(said []Saying, due func(*pace) bool) []Saying {
	for _, p := range d.paces {
		if p.held == 0 || !due(p) {
			continue
		}
		more := p.held
		if more == 1 {
			more = 0 // that one can be told itself
		}
		said = append(said, d.say(&p.last, more))
		p.length = max(leastPace, p.length/2)
		if p.held >= busyPace {
			p.length = min(4*p.length, mostPace)
		}
		p.told, p.held, p.last = d.now, 0, gatepost.Change{}
	}
	return said
}

func (d *Digest) growth(said []Saying, due func(*gatepost.Change) bool) []Saying {
	var grown []Saying
	for _, in := range d.incidents {
		if in.grown != nil && due(in.grown) {
			grown = append(grown, Saying{Change: *in.grown})
			in.grown = nil
		}
	}
	slices.SortFunc(grown, func(a, b Saying) int { return cmp.Compare(a.Incident.ID, b.Incident.ID) })
	return append(said, grown...)
}

package reports

import (
	"fmt"
	"time"

	"gatepost"
)

// clock tells the times of a Model in the reader's zone, with dates only where they are needed.
type clock struct {
	zone     *time.Location
	from, to gatepost.Time
	days     bool // the Model spans more than one day of the zone
	years    bool // and more than one year
}

func newClock(m *gatepost.Model) clock {
	c := clock{zone: m.Zone, from: gatepost.NoTime, to: gatepost.NoTime}
	if c.zone == nil {
		c.zone = time.UTC
	}
	c.see(m.From, m.To)
	for i := range m.Incidents {
		c.see(m.Incidents[i].From, m.Incidents[i].To)
	}
	for i := range m.Outages {
		c.see(m.Outages[i].From, m.Outages[i].To)
	}
	for i := range m.Sources {
		if s := &m.Sources[i]; !known(m.From) && placed(s) {
			c.see(s.Clock.At(s.First), s.Clock.At(s.Last))
		}
	}
	c.settle()
	return c
}

// settle finds how much of a date the times that were seen need.
func (c *clock) settle() {
	if !known(c.from) {
		return
	}
	a, b := c.from.Std().In(c.zone), c.to.Std().In(c.zone)
	c.days = a.Format(time.DateOnly) != b.Format(time.DateOnly)
	c.years = a.Year() != b.Year()
}

func (c *clock) see(times ...gatepost.Time) {
	for _, t := range times {
		if !known(t) {
			continue
		}
		if !known(c.from) || t < c.from {
			c.from = t
		}
		if !known(c.to) || t > c.to {
			c.to = t
		}
	}
}

// known reports whether t is an instant. The zero Time is 1970, which no log is from: a Model
// that leaves a time out means that it does not know it.
func known(t gatepost.Time) bool { return t.Known() && t != 0 }

// at tells a time as briefly as it is clear.
func (c *clock) at(t gatepost.Time) string {
	switch {
	case !known(t):
		return "at an unknown time"
	case c.years:
		return c.full(t)
	case c.days:
		return t.Std().In(c.zone).Format("2 Jan 15:04:05")
	}
	return t.Std().In(c.zone).Format(time.TimeOnly)
}

// full tells a time with its date.
func (c *clock) full(t gatepost.Time) string {
	if !known(t) {
		return "at an unknown time"
	}
	return t.Std().In(c.zone).Format("2 Jan 2006 15:04:05")
}

// exact tells a time with its date, the fraction that is known, and the zone.
func (c *clock) exact(t gatepost.Time) string {
	layout := "2 Jan 2006 15:04:05"
	if int64(t)%int64(time.Second) != 0 {
		layout += ".000"
	}
	if !known(t) {
		return "not known"
	}
	return t.Std().In(c.zone).Format(layout) + " " + c.zoneAt(t)
}

// span tells when something was and how long it took: "02:10:05 to 02:34:40 (24 min 35 s)".
func (c *clock) span(from, to gatepost.Time) string {
	return c.spanWith(c.at, from, to)
}

func (c *clock) spanWith(tell func(gatepost.Time) string, from, to gatepost.Time) string {
	switch {
	case !known(from) && !known(to):
		return "at an unknown time"
	case !known(from):
		return "until " + tell(to)
	case !known(to):
		return "from " + tell(from) + " on"
	case to <= from:
		return tell(from)
	}
	a, b := tell(from), tell(to)
	if a == b {
		return a
	}
	first, last := from.Std().In(c.zone), to.Std().In(c.zone)
	if first.Format(time.DateOnly) == last.Format(time.DateOnly) {
		b = last.Format(time.TimeOnly)
	}
	// The difference is that of the times as they are told, or it would look miscounted.
	return a + " to " + b + " (" + period(time.Duration(to.Second()-from.Second())*time.Second) + ")"
}

// zones names the zone that the times are in, with its offset, with both where it changes.
func (c *clock) zones() string {
	name := c.zone.String()
	if name == "Local" {
		name = "the local time of this machine"
	}
	if c.zone == time.UTC || name == "UTC" {
		return "UTC"
	}
	if !known(c.from) {
		return name
	}
	first, last := c.zoneAt(c.from), c.zoneAt(c.to)
	switch {
	case name == "" || name == first:
		return first
	case first != last:
		return fmt.Sprintf("%s (%s at first, %s at the end)", name, first, last)
	}
	return fmt.Sprintf("%s (%s)", name, first)
}

func (c *clock) zoneAt(t gatepost.Time) string {
	offset := t.Std().In(c.zone).Format("-07:00")
	if offset == "+00:00" {
		return "UTC"
	}
	return "UTC" + offset
}

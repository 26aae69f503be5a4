package gatepost

import (
	"math"
	"time"
)

// Time is an instant in nanoseconds since 1970-01-01T00:00:00Z. It is a plain integer so that
// sums and comparisons are exact and cheap; [NoTime] means that the instant is not known.
type Time int64

// NoTime is the Time of something that carries no stamp.
const NoTime Time = math.MinInt64

// TimeOf converts a standard time.
func TimeOf(t time.Time) Time { return Time(t.UnixNano()) }

// Known reports whether t is an instant at all.
func (t Time) Known() bool { return t != NoTime }

// Std converts to a standard time in UTC.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// Add returns t moved by d; an unknown time stays unknown.
func (t Time) Add(d time.Duration) Time {
	if t == NoTime {
		return NoTime
	}
	return t + Time(d)
}

// Sub returns the time that passed from u to t. Both must be known.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Second returns the Unix second that t lies in.
func (t Time) Second() int64 {
	s := int64(t) / int64(time.Second)
	if int64(t) < s*int64(time.Second) {
		s--
	}
	return s
}

// String formats t as RFC 3339 in UTC with the precision it carries: whole seconds without a
// fraction, anything finer with milliseconds.
func (t Time) String() string {
	if t == NoTime {
		return ""
	}
	if int64(t)%int64(time.Second) == 0 {
		return t.Std().Format("2006-01-02T15:04:05Z")
	}
	return t.Std().Format("2006-01-02T15:04:05.000Z")
}

// Unknown is the duration of something whose length the logs do not tell.
const Unknown time.Duration = -1

// Stamps says what the time stamps of a source are worth before they are aligned.
type Stamps uint8

const (
	// StampsAbsolute carry an offset, or are UTC by rule as Odoo's are.
	StampsAbsolute Stamps = iota
	// StampsLocal are wall-clock readings without a zone (nginx's error log, dmesg -T). They
	// are read as if they were UTC until a Clock says better.
	StampsLocal
	// StampsBoot count from the start of the machine. They are read as if it had started at
	// the Unix epoch until a Clock says better.
	StampsBoot
	// StampsNone: the lines carry no time at all (text on standard error).
	StampsNone
)

var stampsNames = [...]string{"absolute", "local", "boot", "none"}

func (s Stamps) String() string { return stampsNames[s] }

// Clock places the raw stamps of one source on the common clock, which is UTC.
// The zero Clock changes nothing.
type Clock struct {
	// Shift is added to a raw stamp.
	Shift time.Duration
	// Steps are later changes of the shift (the hour changes in March and October), ordered by
	// the raw stamp from which each holds. Usually empty.
	Steps []ClockStep
	// Zone names what the shift amounts to: "UTC", "UTC+01:00", "Europe/Paris", "boot 2026-…".
	Zone string
	// How says in a few words how the shift was found: "offset in the stamps", "12 pairs with
	// access.log", "given with --tz", "assumed".
	How string
	// Votes is the number of matched pairs behind it, 0 where none were needed.
	Votes int
	// Sigma is how far off the shift may be; the correlator widens its windows by it.
	Sigma time.Duration
}

// ClockStep is a change of a Clock's shift.
type ClockStep struct {
	From  Time // raw stamp
	Shift time.Duration
}

// At returns the instant of a raw stamp.
func (c *Clock) At(raw Time) Time { return raw.Add(c.shiftAt(raw)) }

func (c *Clock) shiftAt(raw Time) time.Duration {
	shift := c.Shift
	for _, s := range c.Steps {
		if raw < s.From {
			break
		}
		shift = s.Shift
	}
	return shift
}

// Bounds returns a range of raw stamps that surely holds every stamp which At places in
// [from, to]. With steps in the clock it may be an hour too wide; a caller filters again.
func (c *Clock) Bounds(from, to Time) (rawFrom, rawTo Time) {
	least, most := c.Shift, c.Shift
	for _, s := range c.Steps {
		least, most = min(least, s.Shift), max(most, s.Shift)
	}
	return from.Add(-most), to.Add(-least)
}

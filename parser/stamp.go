package parser

import (
	"time"

	"gatepost"
)

// Readers of time stamps, hand-written because half of all parsing is this. All return raw
// stamps: what carries an offset is converted to UTC, what does not is read as if it were UTC.

// civil returns the Unix seconds of a date and time. The algorithm is Howard Hinnant's
// days_from_civil; ranges are checked by the callers.
func civil(year, month, day, hour, min, sec int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	yoe := year - era*400
	mp := (month + 9) % 12
	doy := (153*mp+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	days := int64(era)*146097 + int64(doe) - 719468
	return days*86400 + int64(hour)*3600 + int64(min)*60 + int64(sec)
}

// d2 reads two digits; d4 four. A negative result says that they are none.
func d2(s []byte) int {
	a, b := int(s[0]-'0'), int(s[1]-'0')
	if a > 9 || b > 9 || s[0] < '0' || s[1] < '0' {
		return -1
	}
	return a*10 + b
}

func d4(s []byte) int {
	a, b := d2(s), d2(s[2:])
	if a < 0 || b < 0 {
		return -1
	}
	return a*100 + b
}

// month reads an English month name of three letters, 0 when it is none.
func month(s []byte) int {
	switch string(s[:3]) {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// clock reads "hh:mm:ss" (8 bytes) as seconds of the day, -1 when it is none.
func clock(s []byte) int {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return -1
	}
	h, m, sec := d2(s), d2(s[3:]), d2(s[6:])
	if h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 60 {
		return -1
	}
	return h*3600 + m*60 + sec
}

// date reads "2026?11?22" (10 bytes) with the given separator as Unix seconds of its midnight.
func date(s []byte, sep byte) (int64, bool) {
	if len(s) < 10 || s[4] != sep || s[7] != sep {
		return 0, false
	}
	y, m, d := d4(s), d2(s[5:]), d2(s[8:])
	if y < 1970 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, false
	}
	return civil(y, m, d, 0, 0, 0), true
}

// dateTime reads "2026-11-22 14:10:12" or with another date separator and any byte between date
// and time (19 bytes).
func dateTime(s []byte, sep byte) (int64, bool) {
	if len(s) < 19 {
		return 0, false
	}
	day, ok := date(s, sep)
	if !ok {
		return 0, false
	}
	c := clock(s[11:])
	if c < 0 {
		return 0, false
	}
	return day + int64(c), true
}

// fraction reads ".123456" or ",123" at the start of s as nanoseconds; n is its length, 0 when
// there is none. Digits beyond nine are dropped.
func fraction(s []byte) (ns int64, n int) {
	if len(s) < 2 || (s[0] != '.' && s[0] != ',') || s[1]-'0' > 9 {
		return 0, 0
	}
	scale := int64(100_000_000)
	for n = 1; n < len(s) && s[n]-'0' <= 9; n++ {
		ns += int64(s[n]-'0') * scale
		scale /= 10
	}
	return ns, n
}

// offset reads a numeric zone at the start of s: "Z", "+01", "+0100", "+01:00". n is its length,
// 0 when there is none. seconds is how far the zone is east of UTC.
func offset(s []byte) (seconds, n int) {
	if len(s) == 0 {
		return 0, 0
	}
	if s[0] == 'Z' {
		return 0, 1
	}
	if len(s) < 3 || (s[0] != '+' && s[0] != '-') {
		return 0, 0
	}
	h := d2(s[1:])
	if h < 0 || h > 15 {
		return 0, 0
	}
	seconds, n = h*3600, 3
	rest := s[3:]
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
	}
	if len(rest) >= 2 {
		if m := d2(rest); m >= 0 && m < 60 {
			seconds += m * 60
			n = len(s) - len(rest) + 2
		}
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, n
}

// zones are abbreviations that mean one offset only, wherever they are read. CST, IST, BST and
// their like are not here: they are ambiguous, and such stamps count as local.
var zones = map[string]int{
	"UTC": 0, "GMT": 0, "UCT": 0, "WET": 0, "WEST": 3600, "CET": 3600, "CEST": 7200, "EET": 7200, "EEST": 10800,
	"MSK": 10800, "JST": 32400, "KST": 32400, "EST": -18000, "EDT": -14400, "PDT": -25200, "MDT": -21600, "MST": -25200,
	"AEST": 36000, "AEDT": 39600, "NZST": 43200, "NZDT": 46800, "SAST": 7200, "WIB": 25200,
}

// zone reads an abbreviation or a numeric offset at the start of s; known is false for an
// abbreviation that does not tell one offset. n is its length, 0 when there is no zone.
func zone(s []byte) (seconds, n int, known bool) {
	if seconds, n = offset(s); n > 0 && (s[0] != 'Z' || len(s) == 1 || !letter(s[1])) {
		return seconds, n, true
	}
	for n = 0; n < len(s) && n < 6 && letter(s[n]); n++ {
	}
	if n < 3 {
		return 0, 0, false
	}
	seconds, known = zones[string(s[:n])]
	return seconds, n, known
}

func letter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

// nano makes a raw stamp of Unix seconds and nanoseconds.
func nano(sec, ns int64) gatepost.Time { return gatepost.Time(sec*int64(time.Second) + ns) }

// yearFor returns the year of a stamp that does not tell it: the one that puts it closest before
// latest, with a day's grace for zones.
func yearFor(latest time.Time, month, day int) int {
	if latest.IsZero() {
		return 1970
	}
	y := latest.Year()
	if time.Date(y, time.Month(month), day, 0, 0, 0, 0, time.UTC).After(latest.Add(48 * time.Hour)) {
		y--
	}
	return y
}

// seconds reads a decimal number of seconds ("0.084", "12", "1500") as a duration; n is its
// length, 0 when there is none.
func seconds(s []byte) (d time.Duration, n int) {
	v, n := atoi(s)
	if n == 0 || n > 9 {
		return 0, 0
	}
	d = time.Duration(v) * time.Second
	if ns, m := fraction(s[n:]); m > 0 && s[n] == '.' {
		d += time.Duration(ns)
		n += m
	}
	return d, n
}

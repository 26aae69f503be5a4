package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatepost"
)

// momentForms is how people write an instant, for help texts and errors.
const momentForms = `a time stamp ("2026-11-22 14:05"), a day, "14:05", "yesterday", "today", "now", or "2h" ago`

// stampLayouts are forms of a time stamp; fractions of a second may follow the seconds.
var stampLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
	"2006-01-02 15:04:05 -0700", "2006/01/02 15:04:05",
	"02/Jan/2006:15:04:05 -0700",
}

// moment reads an instant as people write it. What does not name a zone is in that of now. A day
// is its beginning, or with end its last nanosecond. A time of day is today's, or yesterday's
// when it would lie in the future: at half past midnight "23:00" is the evening that just was.
func moment(s string, now time.Time, end bool) (gatepost.Time, error) {
	s = strings.TrimSpace(s)
	day := func(t time.Time) gatepost.Time {
		y, m, d := t.Date()
		if end {
			return gatepost.TimeOf(time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())) - 1
		}
		return gatepost.TimeOf(time.Date(y, m, d, 0, 0, 0, 0, now.Location()))
	}
	switch s {
	case "now":
		return gatepost.TimeOf(now), nil
	case "today":
		return day(now), nil
	case "yesterday":
		return day(now.AddDate(0, 0, -1)), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, now.Location()); err == nil {
		return day(t), nil
	}
	for _, layout := range stampLayouts {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return gatepost.TimeOf(t), nil
		}
	}
	if t, ok := timeOfDay(s, now); ok {
		return gatepost.TimeOf(t), nil
	}
	if d, ok := age(s); ok {
		return gatepost.TimeOf(now.Add(-d)), nil
	}
	return gatepost.NoTime, fmt.Errorf("%q is no time", s)
}

func timeOfDay(s string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		y, m, d := now.Date()
		t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
		if t.After(now) {
			t = t.AddDate(0, 0, -1)
		}
		return t, true
	}
	return time.Time{}, false
}

// age reads how long ago something was: "90m", "2h", "2h30m", "3d", "1w", also with "ago".
func age(s string) (time.Duration, bool) {
	s = strings.TrimSpace(strings.TrimSuffix(s, "ago"))
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, err := strconv.Atoi(strings.TrimSuffix(s, unit)); err == nil && strings.HasSuffix(s, unit) {
			return time.Duration(n) * length, 0 <= n && n < 10_000
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

// zone reads a zone: its name ("Europe/Paris", "UTC") or its offset ("+01:00").
func zone(s string) (*time.Location, error) {
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if t, err := time.Parse(layout, s); err == nil {
			_, east := t.Zone()
			return time.FixedZone("UTC"+t.Format("-07:00"), east), nil
		}
	}
	if s == "" || strings.EqualFold(s, "local") {
		return nil, fmt.Errorf("%q is no zone", s)
	}
	l, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no zone", s)
	}
	return l, nil
}

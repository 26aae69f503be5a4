package reports

import (
	"time"

	"gatepost"
)

// Live is what the changes of a live analysis are drawn with. stream.go draws them for people and events.go for programs as
// they come; board.go draws the state of things and the last of them on a terminal.
type Live struct {
	zone   *time.Location
	titles map[string]string
	path   func(source int) string
}

// NewLive takes the zone that times are told in, all causes, and what tells the path of a log, "" when it is not known: logs come
// and go, so it is asked each time, by whoever draws.
func NewLive(zone *time.Location, causes []gatepost.CauseDoc, path func(source int) string) *Live {
	if zone == nil {
		zone = time.UTC
	}
	l := &Live{zone: zone, titles: make(map[string]string, len(causes)), path: path}
	for _, c := range causes {
		l.titles[c.Name] = c.Title
	}
	return l
}

// words is a tally of nothing yet, which tells names and times as those of reports do. Times have as much of a date as these need.
func (l *Live) words(times ...gatepost.Time) *tally {
	t := &tally{Model: &gatepost.Model{}, clock: clock{zone: l.zone, from: gatepost.NoTime, to: gatepost.NoTime}, titles: l.titles, ask: l.path}
	t.clock.see(times...)
	t.clock.settle()
	return t
}

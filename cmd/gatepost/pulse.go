package main

import (
	"time"

	"gatepost"
)

// pulse counts requests as they are read, over the last seconds.
type pulse struct {
	seconds  [pulseSeconds]beat
	requests int64
}

// beat is one second of the clock.
type beat struct {
	unix     int64
	requests int64         // access lines
	worked   time.Duration // by Odoo's workers, in requests that ended
	odoo     bool
}

// pulseSeconds is how long a rate is taken over.
const pulseSeconds = 10

// add counts a batch that was read now.
func (p *pulse) add(now time.Time, b *gatepost.Batch) {
	s := &p.seconds[now.Unix()%pulseSeconds]
	if s.unix != now.Unix() {
		*s = beat{unix: now.Unix()}
	}
	for i := range b.Requests {
		switch r := &b.Requests[i]; r.Lane {
		case gatepost.LaneNginx:
			s.requests++
			p.requests++
		case gatepost.LaneOdoo:
			s.odoo = true
			if r.Duration > 0 {
				s.worked += r.Duration
			}
		}
	}
}

// rates returns access lines a second, and how many workers were at work on average, -1 when nothing tells.
func (p *pulse) rates(now time.Time) (requests, busy float64) {
	odoo := false
	for _, s := range p.seconds {
		if now.Unix()-s.unix < pulseSeconds {
			requests += float64(s.requests)
			busy += s.worked.Seconds()
			odoo = odoo || s.odoo
		}
	}
	if !odoo {
		return requests / pulseSeconds, -1
	}
	return requests / pulseSeconds, busy / pulseSeconds
}

package main

import (
	"time"

	"gatepost"
)

// throughput counts requests as they are read, over the last seconds.
type throughput struct {
	seconds  [throughputSeconds]beat
	requests int64
}

// beat is one second of the clock.
type beat struct {
	unix     int64
	requests int64         // access lines
	worked   time.Duration // by Odoo's workers, in requests that ended
	odoo     bool
}

// throughputSeconds is how long a rate is taken over.
const throughputSeconds = 10

// add counts a batch that was read now.
func (t *throughput) add(now time.Time, b *gatepost.Batch) {
	s := &t.seconds[now.Unix()%throughputSeconds]
	if s.unix != now.Unix() {
		*s = beat{unix: now.Unix()}
	}
	for i := range b.Requests {
		switch r := &b.Requests[i]; r.Lane {
		case gatepost.LaneNginx:
			s.requests++
			t.requests++
		case gatepost.LaneOdoo:
			s.odoo = true
			if r.Duration > 0 {
				s.worked += r.Duration
			}
		}
	}
}

// rates returns access lines a second, and how many workers were at work on average, -1 when nothing tells.
func (t *throughput) rates(now time.Time) (requests, busy float64) {
	odoo := false
	for _, s := range t.seconds {
		if now.Unix()-s.unix < throughputSeconds {
			requests += float64(s.requests)
			busy += s.worked.Seconds()
			odoo = odoo || s.odoo
		}
	}
	if !odoo {
		return requests / throughputSeconds, -1
	}
	return requests / throughputSeconds, busy / throughputSeconds
}

package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

// patience is how long the proxy waits for an answer (nginx's proxy_read_timeout, HAProxy's timeout server), and how it is known.
type patience struct {
	limit time.Duration // 0 when it is not known
	how   string        // for people
	from  gatepost.Setting
}

// patienceFor returns the proxy's timeout for a request. Its configuration tells it; else the durations of the
// 504s do, which cluster at the limit; else the matched Odoo lines, whose start is the request's
// when it did not queue.
func (w *world) patienceFor(c *Case) patience {
	p := w.proxyOf(c)
	if told, ok := p.told(w.opt.Setup, c); ok {
		return told
	}
	if d, ok := c.patience(); ok {
		return patience{limit: d.Round(time.Second), how: fmt.Sprintf("%s gave up after %s", p.name, seconds(d))}
	}
	return w.usual
}

// patience is how long the proxy waited for the answer, as the request's own line tells it. What HAProxy's queue took is none of it.
func (c *Case) patience() (time.Duration, bool) {
	if c.Duration == gatepost.Unknown || c.Phase != gatepost.PhaseHeaderTimeout || len(c.event.Attempts) > 1 {
		return 0, false
	}
	if c.event.Phase != "" && len(c.event.Attempts) == 1 {
		return c.event.Attempts[0].Response, true
	}
	return c.Duration, true
}

// patienceCount counts what failures tell of how long the proxy waits.
type patienceCount struct {
	durations map[time.Duration]int // of the 504s, in whole seconds
	works     map[time.Duration]int
	longest   [2]time.Duration // that Odoo had been at work when nginx gave up, the longest first
}

// seeDuration counts how long nginx waited for a request, where the access log tells it.
func (k *patienceCount) seeDuration(c *Case) {
	if d, ok := c.patience(); ok {
		if k.durations == nil {
			k.durations = make(map[time.Duration]int)
		}
		k.durations[d.Round(time.Second)]++
	}
}

// seeWork counts how long Odoo had been at work on a request when nginx gave up.
func (k *patienceCount) seeWork(c *Case) {
	if c.Phase != gatepost.PhaseHeaderTimeout || c.work == nil || !c.work.start.Known() {
		return
	}
	if c.work.finished && !c.work.guessed {
		d := c.Time.Sub(c.work.start)
		k.longest[1] = max(k.longest[1], min(d, k.longest[0]))
		k.longest[0] = max(k.longest[0], d)
	}
	if c.work.start < c.Time && !c.work.straightAfter() {
		if k.works == nil {
			k.works = make(map[time.Duration]int)
		}
		// The true end lies in [Time, until): the limit is a whole second in that range.
		k.works[c.until.Sub(c.work.start).Truncate(time.Second)]++
	}
}

// byWork estimates the limit where the access log tells no durations. A request that did
// not queue began at Odoo when it began at nginx, so its 504 came limit later: each match bounds
// the limit to one resolution of nginx's stamp. Queued requests give less, hence the largest
// whole second that more than one match, or the only match, allows.
func (k *patienceCount) byWork() time.Duration {
	most := k.works[mode(k.works)]
	best := time.Duration(0)
	for d, n := range k.works {
		if d > best && n*4 >= most {
			best = d
		}
	}
	return best
}

// least bounds how long nginx waits from below, for where nothing tells it: no request is given
// up before its time, so whatever time Odoo had been at work on one by then was within it. The second
// largest such time is taken, since one may be a wrong pair.
func (k *patienceCount) least() time.Duration { return max(leastPatience, k.longest[1]) }

// findUsualPatience sets the limit that holds where neither configuration nor the line itself
// tells one. It is called once before works are matched and again after.
func (w *world) findUsualPatience() {
	if d := mode(w.patience.durations); d > 0 {
		w.usual = patience{limit: d, how: fmt.Sprintf("most 504 lines took %s", seconds(d))}
	} else if d := w.patience.byWork(); d > 0 {
		w.usual = patience{limit: d, how: fmt.Sprintf("Odoo began these requests %s before %s gave up", seconds(d), w.proxy.name)}
	}
}

// mode is the key that was counted most, the largest of equals; 0 of an empty map.
func mode(count map[time.Duration]int) time.Duration {
	best := time.Duration(0)
	for d, n := range count {
		if n > count[best] || n == count[best] && d > best {
			best = d
		}
	}
	return best
}

// waitOf returns from when to when a request that timed out waited for nginx's patience to end.
// from is NoTime when neither its duration nor the limit is known.
func (w *world) waitOf(c *Case) (from, to gatepost.Time) {
	if c.Start.Known() {
		return c.Start, c.until
	}
	if p := w.patienceFor(c); p.limit > 0 {
		return c.Time.Add(-p.limit), c.until
	}
	return gatepost.NoTime, c.until
}

// seconds formats a duration as people read it in logs: "8 s", "2.2 s", "0.04 s".
func seconds(d time.Duration) string {
	switch {
	case d < 0:
		return "an unknown time"
	case d >= 10*time.Second || d%time.Second == 0:
		return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.2g s", d.Seconds())
}

// sketch is a coarse picture of many durations: counts by half powers of two from 1 ms on. It
// answers medians to within a factor of 1.4, in 48 counters.
type sketch struct {
	count [48]uint32
	total uint32
}

func (k *sketch) add(d time.Duration) {
	i := 0
	for bound := time.Millisecond; d > bound && i < len(k.count)-2; i += 2 {
		if d <= bound+bound/2 {
			i++
			break
		}
		bound *= 2
	}
	k.count[i]++
	k.total++
}

// bound is the longest duration that is counted at i.
func (k *sketch) bound(i int) time.Duration {
	d := time.Millisecond << (i / 2)
	if i%2 == 1 {
		d += d / 2
	}
	return d
}

// within is how many are no longer than d, as coarsely as they are counted.
func (k *sketch) within(d time.Duration) (n uint32) {
	for i := 0; i < len(k.count) && k.bound(i) <= d; i++ {
		n += k.count[i]
	}
	return n
}

// median returns about the median of those that are shorter than limit, and how many these are.
func (k *sketch) median(limit time.Duration) (time.Duration, int) {
	if k == nil {
		return 0, 0
	}
	last, all := 0, uint32(0)
	for last < len(k.count) && k.bound(last) <= limit {
		all += k.count[last]
		last++
	}
	sum := uint32(0)
	for i := range last {
		if sum += k.count[i]; 2*sum > all {
			return k.bound(i), int(all)
		}
	}
	return 0, 0
}

package correlate

import (
	"math"
	"slices"
	"time"

	"gatepost"
)

// A scheduled action that computes, or that starts processes which do, leaves no lock to be seen: it takes the
// processor, and every request takes longer while it runs. That shows in the time that requests of the same
// routes spend outside SQL while it runs and at other times.

const (
	// slowingRun is how long a run must last to be asked whether it slowed requests.
	slowingRun = 5 * time.Second
	// runSamples bounds the requests that are looked at of one run.
	runSamples = 100
	// slowedLeast is how many requests of a run must be seen, and of a route at other times.
	slowedLeast = 3
	// computing is what requests of a route must usually take to be compared: of short ones most is not computing.
	computing = 200 * time.Millisecond
	// slower is from how many times its usual time on a request counts as slowed.
	slower = 1.5
)

// sample is how long a request of a route took outside SQL.
type sample struct {
	route uint64
	took  time.Duration
	pid   int
}

// slowdown is what a run of a scheduled action did to the requests beside it.
type slowdown struct {
	samples []sample
	slowed  int     // of them
	times   float64 // how many times their usual time the median of them took, 0 when there are too few
	chance  float64 // that as many are slow by accident
}

// calm is how long requests take outside SQL while no long run goes on, by route.
type calm map[uint64]*sketch

// usual is how long requests of a route take outside SQL while no long run goes on, 0 where that does not
// tell.
func (c calm) usual(route uint64) time.Duration {
	if d, n := c[route].median(longest); n >= slowedLeast && d >= computing {
		return d
	}
	return 0
}

// compare notes a request that Odoo served, beside the runs of its time.
func (w *world) compare(r gatepost.Request) {
	if r.Duration == gatepost.Unknown || r.Duration > longest {
		return
	}
	took := r.Duration - max(0, r.SQL)
	from := r.End.Add(-r.Duration)
	beside := false
	for run := range w.longs.between(from, r.End) {
		beside = true
		if overlap(run.from, run.lastOf(), from, r.End)*5 >= r.Duration*4 && len(run.slows.samples) < runSamples {
			run.slows.samples = append(run.slows.samples, sample{r.Route, took, int(r.PID)})
		}
	}
	if beside {
		return
	}
	k := w.calm[r.Route]
	if k == nil {
		k = new(sketch)
		w.calm[r.Route] = k
	}
	k.add(took)
}

// judgeSlowdowns holds what requests took beside each run against what they take at other times.
func (w *world) judgeSlowdowns() {
	high, all := 0.0, 0.0
	for route, k := range w.calm {
		if usual := w.calm.usual(route); usual > 0 {
			high += float64(k.total) - float64(k.within(time.Duration(slower*float64(usual))))
			all += float64(k.total)
		}
	}
	if all == 0 {
		return
	}
	usually := (high + 1) / (all + 1) // never 0: so many requests cannot show less
	for _, r := range w.longs.all {
		s := &r.slows
		var ratios []float64
		workers := make(map[int]bool)
		for _, x := range s.samples {
			usual := w.calm.usual(x.route)
			if usual == 0 {
				continue
			}
			ratio := float64(x.took) / float64(usual)
			ratios = append(ratios, ratio)
			if ratio >= slower {
				s.slowed++
				workers[x.pid] = true
			}
		}
		s.samples = nil
		if len(ratios) < slowedLeast || len(workers) < 2 {
			continue
		}
		slices.Sort(ratios)
		s.times, s.chance = ratios[len(ratios)/2], atLeastOf(s.slowed, len(ratios), usually)
	}
}

// atLeastOf is the probability that k or more of n come by accident, of which each does with probability p.
func atLeastOf(k, n int, p float64) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		choose, _ := math.Lgamma(float64(n + 1))
		a, _ := math.Lgamma(float64(i + 1))
		b, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(choose - a - b + float64(i)*math.Log(p) + float64(n-i)*math.Log(1-p))
	}
	return min(1, sum)
}

// slowedBy is the run beside which an execution was slow, like others, nil when there is none.
func (s *scene) slowedBy(w *work) *cronRun {
	if w.server == nil || !w.start.Known() || w.guessed || !w.finished {
		return nil
	}
	if usual := s.calm.usual(w.route); usual == 0 || float64(w.duration()-max(0, w.sql)) < slower*float64(usual) {
		return nil
	}
	for r := range s.longs.between(w.start, w.end) {
		if r.server == w.server && r.slows.times >= slower && overlap(r.from, r.lastOf(), w.start, w.end)*2 >= w.duration() {
			return r
		}
	}
	return nil
}

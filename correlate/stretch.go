package correlate

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"gatepost"
)

// A night has a few outages, or a million failures. What is judged at once is a stretch: some thousand
// failures, and as many requests beside them as fit into memory. A history with less than that is one stretch,
// and there is nothing more to it. A longer one is cut where nothing fails for a while; the failures beyond the
// cut, up to beside, are seen from both sides, so that nothing is judged without its neighbours.
type stretch struct {
	from, to gatepost.Time // to is behind it
}

// beside is how far beyond the ends of a stretch failures are looked at, as neighbours.
const beside = 30 * time.Second

// firstTries is how long before its neighbours error lines about them are looked for: of a request that is tried
// on several servers, the lines about the first ones stand a timeout of nginx before it, 60 s by default.
const firstTries = 3 * time.Minute

// lead is how long before the first failure what the workers did is looked at.
const lead = 10 * time.Minute

const (
	// usualAtOnce bounds the failures of a stretch.
	usualAtOnce = 4000
	// requestsEach is how many requests of Odoo weigh as much as a failure.
	requestsEach = 25
)

var endless = stretch{math.MinInt64 + 1, math.MaxInt64}

// nearBy is the time about a stretch in which lines can matter: before it by lead, behind it by trail. The ends
// of the history stay open.
func (t stretch) nearBy(lead, trail time.Duration) (from, to gatepost.Time) {
	from, to = t.from, t.to
	if from != endless.from {
		from = from.Add(-beside - lead)
	}
	if to != endless.to {
		to = to.Add(beside + trail)
	}
	return from, to
}

// query asks for events of that time. An open end is none, and both open select all.
func (t stretch) query(lead, trail time.Duration, kinds ...gatepost.Kind) gatepost.Query {
	q := gatepost.Query{Kinds: kinds}
	from, to := t.nearBy(lead, trail)
	if from != endless.from {
		q.From = from
	}
	if to != endless.to {
		q.To = to
	}
	return q
}

// knife cuts a history into stretches, given the times of its failures in order.
type knife struct {
	atOnce float64 // failures, or as many requests as weigh the same
	rate   float64 // requests of Odoo in a second, on average

	stretches []stretch
	last      gatepost.Time
	size      float64 // of the stretch that is open
	best      gatepost.Time
	bestGap   time.Duration
	rest      float64 // of what lies behind best
}

func newKnife(atOnce int, rate float64) *knife {
	return &knife{atOnce: float64(cmp.Or(atOnce, usualAtOnce)), rate: rate, stretches: []stretch{endless}, last: gatepost.NoTime}
}

// fail adds a failure. The cut is where nothing failed for the longest time in the second half, the later of
// equals; failures of one instant stay together.
func (k *knife) fail(at gatepost.Time) {
	gap := time.Duration(0)
	if k.last.Known() {
		gap = at.Sub(k.last)
	}
	if gap > 0 && gap >= k.bestGap && k.size >= k.atOnce/2 {
		k.best, k.bestGap, k.rest = at, gap, 0
	}
	load := max(1, k.rate*min(gap, horizon).Seconds()/requestsEach)
	k.size += load
	k.rest += load
	k.last = at
	if k.bestGap > 0 && k.size >= k.atOnce {
		k.stretches[len(k.stretches)-1].to = k.best
		k.stretches = append(k.stretches, stretch{k.best, endless.to})
		k.size, k.bestGap, k.rest = k.rest, 0, 0
	}
}

// gatherer joins the failures of a history with their error lines as they come, a stretch at a time.
type gatherer struct {
	*world
	knife   *knife
	done    int // stretches
	failing []*gatepost.Event
	errors  []*gatepost.Event
	enough  int // error lines from which on those are let go that are near no failure
	words   map[string]string
}

func newGatherer(w *world) *gatherer {
	return &gatherer{world: w, knife: newKnife(w.opt.AtOnce, w.requestRate()), enough: manyErrors, words: make(map[string]string)}
}

// fail takes a failing access line, in the order of time.
func (g *gatherer) fail(e gatepost.Event) {
	g.reach(e.Time)
	slim(&e, g.words)
	g.failing = append(g.failing, &e)
	g.knife.fail(e.Time)
}

// manyErrors is how many error lines are kept at least until it is seen whether a failure comes to them.
const manyErrors = 20_000

// explain takes a line of nginx's error log, in the order of time.
func (g *gatherer) explain(e gatepost.Event) {
	g.reach(e.Time)
	if len(g.errors) >= g.enough {
		g.errors = slices.DeleteFunc(g.errors, func(o *gatepost.Event) bool {
			return o.Time < e.Time.Add(-triesBefore) && !explains(o, g.failing)
		})
		g.enough = max(manyErrors, 2*len(g.errors))
	}
	slim(&e, g.words)
	g.errors = append(g.errors, &e)
}

// explains reports whether an error line can be about one of some failing access lines, by its time.
func explains(e *gatepost.Event, failing []*gatepost.Event) bool {
	return len(between(failing, e.Time.Add(-errorSlack-time.Second), e.Time.Add(triesBefore))) > 0
}

// reach ends the stretches of which nothing more comes.
func (g *gatherer) reach(at gatepost.Time) {
	for g.done < len(g.knife.stretches)-1 && at > g.knife.stretches[g.done].to.Add(beside) {
		g.end()
	}
}

// finish ends the last stretch.
func (g *gatherer) finish() {
	for g.done < len(g.knife.stretches) {
		g.end()
	}
	g.stretches = g.knife.stretches
}

// end notes what the failures of a stretch tell about the whole, and lets go of what no later one needs. Where
// there is one stretch, its scene is begun.
func (g *gatherer) end() {
	t := g.knife.stretches[g.done]
	g.done++
	from, to := t.nearBy(0, 0)
	early, _ := t.nearBy(firstTries, 0)
	s := newScene(g.world, t)
	s.near[gatepost.NginxRequest], s.near[gatepost.NginxError] = between(g.failing, from, to), between(g.errors, early, to)
	s.joinCases()
	for _, c := range s.own() {
		g.patience.seeDuration(c)
		g.refusals.see(c)
		from := c.Time
		if c.Start.Known() {
			from = c.Start
		}
		g.moments = g.moments.with(from.Add(-before), c.until.Add(horizon))
	}
	if t == endless {
		g.only = s
		return
	}
	if t.to != endless.to {
		g.failing = slices.Clone(between(g.failing, t.to.Add(-beside), endless.to))
		g.errors = slices.Clone(between(g.errors, t.to.Add(-beside-firstTries), endless.to))
	}
}

// stage is how far a scene is built.
type stage int

const (
	begun   stage = iota
	matched       // cases, with their error lines, and what Odoo did of them
	whole
)

// scenes builds the scene of each stretch, in the order of time, and hands it to f. Of a history of one stretch
// there is one scene, which every pass goes on with.
func (w *world) scenes(ctx context.Context, upTo stage, stretches []stretch, f func(*scene) error) error {
	for _, t := range stretches {
		s := w.only
		if s == nil {
			s = newScene(w, t)
			if err := s.readCases(ctx); err != nil {
				return err
			}
		}
		if err := s.build(ctx, upTo); err != nil {
			return err
		}
		err := f(s)
		if upTo == whole {
			s.leave()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

package correlate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"gatepost"
)

// A log that is silent while its partner is not has lost lines: Odoo's, when the access log goes on to have requests that
// Odoo answered, and an access log, when Odoo goes on to serve what came through the proxy. Two steps find such times.
//
//   - By the counters of seconds alone: when has a log no request at all, and its partner enough of them?
//   - By the requests of those times and around them: of which routes has the log a line for nearly every request of the
//     partner's? Of these routes the silent time must have so many requests that they cannot all be missing by chance.
//
// So what one of the two never logs (files that the proxy serves, checks that go to Odoo directly, a second Odoo) counts for
// nothing, and an Odoo that is down, or a quiet night, is no gap: then the partner has no such requests.

// Rhythm is a History that counts requests second by second too: of one source after the other, by time.
type Rhythm interface {
	History
	Seconds(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Second, error]
}

const (
	// leastSilence is the shortest time without a request that is looked at.
	leastSilence = 8 * time.Second
	// silenceEdge is how far from its ends requests count: two clocks differ, and a proxy writes later than Odoo.
	silenceEdge = 2 * time.Second
	// leastUnanswered is how many requests the partner must have in it, mostSilences how many times are looked at more
	// closely, those with the most requests.
	leastUnanswered = 5
	mostSilences    = 30
	// pairedShare is of which share of a route's requests both logs must have a line.
	pairedShare = 0.9
	// chanceSilence is the decimal logarithm of how likely the silence may be by chance.
	chanceSilence = -8.0
	// quickEnough: a request that took longer may have been given up, or have been sent to a slow client.
	quickEnough = 10 * time.Second
	// givenUp is how long after a proxy gave a request up Odoo may still finish it.
	givenUp = 20 * time.Minute
)

// Silences finds the times in which Odoo's log or an access log is silent although the other is not, by source and time. They say nothing
// of verdicts.
func Silences(ctx context.Context, h Rhythm, sources []gatepost.Source, o Options) ([]gatepost.Gap, error) {
	var all []gatepost.Gap
	for _, p := range parts(h, sources, o) {
		gaps, err := (&listener{p, h}).silences(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, gaps...)
	}
	same := func(a, b gatepost.Gap) int { return cmp.Or(a.Source-b.Source, cmp.Compare(a.From, b.From)) }
	slices.SortStableFunc(all, same)
	return slices.CompactFunc(all, func(a, b gatepost.Gap) bool { return same(a, b) == 0 }), nil
}

// listener looks for silences in the logs of one machine.
type listener struct {
	*part
	rhythm Rhythm
}

// series is a log and its older files: what one of them misses, another may have.
type series struct {
	name    string
	sources []*gatepost.Source
}

func (s *series) ids() (all []int) {
	for _, src := range s.sources {
		all = append(all, src.ID)
	}
	return all
}

// seriesOf gathers sources by the log that they are parts of. Those whose stamps are not placed are left out.
func seriesOf(sources []gatepost.Source, is func(format string) bool) (all []*series) {
	for i := range sources {
		src := &sources[i]
		if !is(src.Format) || src.Stamps > gatepost.StampsLocal || !src.First.Known() || src.Requests == 0 {
			continue
		}
		name := src.Series()
		at := slices.IndexFunc(all, func(s *series) bool { return s.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, &series{name: name})
		}
		all[at].sources = append(all[at].sources, src)
	}
	return all
}

func (l *listener) silences(ctx context.Context) ([]gatepost.Gap, error) {
	odoos := seriesOf(l.sources, func(format string) bool { return format == "odoo" })
	proxies := seriesOf(l.sources, accessFormat)
	var gaps []gatepost.Gap
	for _, pair := range []struct{ logs, partners []*series }{{odoos, proxies}, {proxies, odoos}} {
		for i, s := range pair.logs {
			others := slices.Delete(slices.Clone(pair.logs), i, i+1)
			found, err := l.silencesOf(ctx, s, pair.partners, others)
			if err != nil {
				return nil, err
			}
			gaps = append(gaps, found...)
		}
	}
	return gaps, nil
}

// silence is a time in which a log has no request.
type silence struct {
	source   int // whose request is the last before
	from, to gatepost.Time
	partner  int64 // requests of the partner that succeeded, those at its ends left out
}

func (l *listener) silencesOf(ctx context.Context, s *series, partners, others []*series) ([]gatepost.Gap, error) {
	var partner, other []int
	for _, p := range partners {
		partner = append(partner, p.ids()...)
	}
	for _, o := range others {
		other = append(other, o.ids()...)
	}
	if len(partner) == 0 {
		return nil, nil
	}
	all, err := l.quietTimes(ctx, s)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if err := l.countWithin(ctx, all, partner); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(q silence) bool { return q.partner < leastUnanswered })
	slices.SortStableFunc(all, func(a, b silence) int { return cmp.Compare(b.partner, a.partner) })
	var gaps []gatepost.Gap
	for _, q := range all[:min(len(all), mostSilences)] {
		n, err := l.unanswered(ctx, q, s.ids(), partner, other)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			gaps = append(gaps, gatepost.Gap{Source: q.source, From: q.from, To: q.to, Why: l.why(q, n)})
		}
	}
	return gaps, nil
}

// why says what makes a silence a gap.
func (l *listener) why(q silence, n int) string {
	took := people(q.to.Sub(q.from))
	for i := range l.sources {
		if l.sources[i].ID == q.source && l.sources[i].Format == "odoo" {
			return fmt.Sprintf("no line for %s, although the access log has %d %s of that time that Odoo answered: lines are missing", took, n, plural(n, "request", "requests"))
		}
	}
	return fmt.Sprintf("no line for %s, although Odoo's log has %d %s of that time that came through the proxy: lines are missing", took, n, plural(n, "request", "requests"))
}

// seconds are the counters of sources within the time that was asked for.
func (l *listener) seconds(ctx context.Context, ids []int) iter.Seq2[gatepost.Second, error] {
	q := gatepost.Query{Sources: ids}
	if l.opt.Since.Known() && l.opt.Since != 0 {
		q.From = l.opt.Since.Add(-time.Minute)
	}
	if l.opt.Until.Known() && l.opt.Until != 0 {
		q.To = l.opt.Until.Add(time.Minute)
	}
	return l.rhythm.Seconds(ctx, q)
}

// quietTimes are the times between two requests of a log, by time.
func (l *listener) quietTimes(ctx context.Context, s *series) ([]silence, error) {
	// A run is a time in which requests follow each other closely.
	type run struct {
		source   int
		from, to gatepost.Time
	}
	var runs []run
	for n, err := range l.seconds(ctx, s.ids()) {
		if err != nil {
			return nil, err
		}
		if i := len(runs) - 1; i >= 0 && runs[i].source == n.Source && n.Time >= runs[i].from && n.Time.Sub(runs[i].to) < leastSilence {
			runs[i].to = max(runs[i].to, n.Time)
			continue
		}
		runs = append(runs, run{n.Source, n.Time, n.Time})
	}
	slices.SortFunc(runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), a.source-b.source)
	})
	var all []silence
	for i, last := 1, 0; i < len(runs); i++ {
		if runs[i].from.Sub(runs[last].to) >= leastSilence {
			all = append(all, silence{source: runs[last].source, from: runs[last].to, to: runs[i].from})
		}
		if runs[i].to >= runs[last].to {
			last = i
		}
	}
	return all, nil
}

// countWithin counts the requests of partners in silences, which are by time and at least one.
func (l *listener) countWithin(ctx context.Context, all []silence, partner []int) error {
	i := 0
	q := gatepost.Query{Sources: partner, From: all[0].from, To: all[len(all)-1].to}
	for n, err := range l.rhythm.Seconds(ctx, q) {
		if err != nil {
			return err
		}
		if i == len(all) || n.Time < all[i].from {
			i, _ = slices.BinarySearchFunc(all, n.Time, func(q silence, t gatepost.Time) int { return cmp.Compare(q.to, t) })
		}
		for i < len(all) && all[i].to < n.Time {
			i++
		}
		if i < len(all) && n.Time >= all[i].from.Add(silenceEdge) && n.Time <= all[i].to.Add(-silenceEdge) {
			all[i].partner += n.Requests - n.Failed
		}
	}
	return nil
}

// alive are events that tell of Odoo's life: near them a silence is an outage.
var alive = map[gatepost.Kind]bool{
	gatepost.OdooStart: true, gatepost.OdooListening: true, gatepost.OdooStop: true, gatepost.OdooGeventReady: true, gatepost.OdooLoadError: true,
}

// unanswered looks closely at a silence of a log, and returns how many requests of its partner are missing in it, 0 when that
// may be by chance.
func (l *listener) unanswered(ctx context.Context, q silence, log, partner, other []int) (int, error) {
	from, to := q.from.Add(silenceEdge), q.to.Add(-silenceEdge)
	// Whatever else stands in the log at that time has been read, so a part of the silence at most is a gap.
	for e, err := range l.Events(ctx, gatepost.Query{Sources: log, From: q.from.Add(-silenceEdge), To: q.to.Add(leastSilence)}) {
		switch {
		case err != nil:
			return 0, err
		case alive[e.Kind]:
			return 0, nil
		case e.Time < from || e.Time > to:
		case e.Time.Sub(from) < to.Sub(e.Time):
			from = e.Time.Add(silenceEdge)
		default:
			to = e.Time.Add(-silenceEdge)
		}
		if to.Sub(from) <= 0 {
			return 0, nil
		}
	}
	missing, err := l.pairable(ctx, from, to, partner)
	if err != nil || len(missing) < leastUnanswered {
		return 0, err
	}
	if missing, err = l.without(ctx, missing, from, to, log, other); err != nil || len(missing) < leastUnanswered {
		return 0, err
	}
	usual, err := l.usual(ctx, q, len(missing), log, partner)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range missing {
		if usual.paired(r.Route) {
			n++
		}
	}
	if n < leastUnanswered || float64(n)*math.Log10(1-usual.share()) > chanceSilence {
		return 0, nil
	}
	return n, nil
}

// pairable are the requests of a time that both logs should have: answered ones, and not those that took so long that they
// may stand elsewhere in the other log.
func (l *listener) pairable(ctx context.Context, from, to gatepost.Time, ids []int) (all []gatepost.Request, err error) {
	for r, err := range l.Requests(ctx, gatepost.Query{Sources: ids, From: from, To: to, Lanes: []gatepost.Lane{gatepost.LaneNginx, gatepost.LaneOdoo}}) {
		if err != nil {
			return nil, err
		}
		if r.Status >= 200 && r.Status < 400 && r.Duration < quickEnough && r.End.Add(-max(r.Duration, 0)) >= from {
			all = append(all, r)
		}
	}
	return all, nil
}

// without leaves out the requests that another log of the same kind has, as of a second server, and those that the proxy had
// given up before.
func (l *listener) without(ctx context.Context, missing []gatepost.Request, from, to gatepost.Time, log, other []int) ([]gatepost.Request, error) {
	elsewhere := make(map[uint64]bool)
	if len(other) > 0 {
		for r, err := range l.Requests(ctx, gatepost.Query{Sources: other, From: from.Add(-quickEnough), To: to.Add(quickEnough)}) {
			if err != nil {
				return nil, err
			}
			elsewhere[r.Key] = true
		}
	}
	for e, err := range l.Events(ctx, gatepost.Query{Sources: log, Kinds: []gatepost.Kind{gatepost.NginxRequest}, From: from.Add(-givenUp), To: to}) {
		if err != nil {
			return nil, err
		}
		elsewhere[e.Key] = true
	}
	return slices.DeleteFunc(missing, func(r gatepost.Request) bool { return elsewhere[r.Key] }), nil
}

// pairing says of which routes a log has what its partner has.
type pairing map[uint64]*struct{ all, both int }

// usual pairs the requests around a silence.
func (l *listener) usual(ctx context.Context, q silence, missing int, log, partner []int) (pairing, error) {
	const enough = 500 // requests on either side, about
	around := time.Duration(float64(q.to.Sub(q.from)) * enough / float64(missing))
	around = min(max(around, 30*time.Second), 30*time.Minute)
	routes := make(pairing)
	for _, side := range [][2]gatepost.Time{{q.from.Add(-around), q.from}, {q.to, q.to.Add(around)}} {
		from, to := side[0], side[1]
		ends := make(map[uint64][]gatepost.Time)
		for r, err := range l.Requests(ctx, gatepost.Query{Sources: log, From: from.Add(-quickEnough), To: to.Add(quickEnough)}) {
			if err != nil {
				return nil, err
			}
			ends[r.Key] = append(ends[r.Key], r.End)
		}
		theirs, err := l.pairable(ctx, from.Add(silenceEdge), to.Add(-silenceEdge), partner)
		if err != nil {
			return nil, err
		}
		for _, r := range theirs {
			n := routes[r.Route]
			if n == nil {
				n = new(struct{ all, both int })
				routes[r.Route] = n
			}
			n.all++
			least, most := r.End.Add(-max(r.Duration, 0)-silenceEdge), r.End.Add(silenceEdge)
			if i := slices.IndexFunc(ends[r.Key], func(t gatepost.Time) bool { return least <= t && t <= most }); i >= 0 {
				n.both++
				ends[r.Key] = slices.Delete(ends[r.Key], i, i+1)
			}
		}
	}
	return routes, nil
}

// paired reports whether nearly all requests of a route are in both logs.
func (p pairing) paired(route uint64) bool {
	n := p[route]
	return n != nil && n.all >= 3 && float64(n.both) >= pairedShare*float64(n.all)
}

// share is of which share of the requests of such routes a line is in both logs, at least as far as they tell.
func (p pairing) share() float64 {
	all, both := 0, 0
	for route, n := range p {
		if p.paired(route) {
			all, both = all+n.all, both+n.both
		}
	}
	return float64(both) / float64(all+1)
}

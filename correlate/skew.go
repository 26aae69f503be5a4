package correlate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatepost"
)

// skew is how far the clock of Odoo's machine is from the proxy's, whose stamps are the common clock:
// they are what users and the ledger go by.
type skew struct {
	shift time.Duration // to add to Odoo's stamps
	votes int           // matched requests behind it; 0 when the clocks agree or nothing tells
	sigma time.Duration
	proxy string // its name
}

// clock is the clock of a source on Odoo's machine.
func (k skew) clock(how string) gatepost.Clock {
	if k.votes == 0 {
		return gatepost.Clock{Zone: "UTC", How: how}
	}
	return gatepost.Clock{Shift: k.shift, Zone: "UTC", Votes: k.votes, Sigma: k.sigma,
		How: fmt.Sprintf("%s; %d requests end %s on this machine's clock than on %s's", how, k.votes, earlierBy(k.shift), k.proxy)}
}

func earlierBy(shift time.Duration) string {
	if shift < 0 {
		return people(-shift) + " later"
	}
	return people(shift) + " earlier"
}

const (
	// skewSample is how many requests of each program are looked at.
	skewSample = 50_000
	// rareKey is how often a request may occur to be worth pairing: a rare one has few partners.
	rareKey = 3
	// skewLeast is from which difference on clocks are said to disagree. Less is within what the
	// stamps of nginx, and the way of a request, leave open.
	skewLeast = 500 * time.Millisecond
	// skewVotes is the least number of pairs that must agree.
	skewVotes = 6
)

// asked identifies equal requests for pairing: the same method, path and status, and the client where that counts.
type asked struct {
	key    uint64
	status uint16
	client uint64
}

// findSkew compares when the proxy and Odoo say that the same rare request ended: they end within
// milliseconds of each other, so most pairs agree on the difference of the clocks.
func (a *aligner) findSkew(ctx context.Context, p *part) error {
	odoo, err := a.rareEnds(ctx, p, gatepost.LaneOdoo, false)
	if err != nil {
		return err
	}
	var resolution time.Duration
	for i := range p.sources {
		src := &p.sources[i]
		if !accessFormat(src.Format) {
			continue
		}
		if src.Resolution >= time.Second {
			resolution = src.Resolution
		}
		if src.Stamps == gatepost.StampsLocal {
			a.zone[src.ID] = a.untold(src)
			if len(odoo) == 0 {
				continue
			}
			if err := a.findZone(ctx, p, src); err != nil {
				return err
			}
		}
	}
	if len(odoo) == 0 {
		return nil // nothing to compare with, and most logs come alone
	}
	proxy, err := a.rareEnds(ctx, p, gatepost.LaneNginx, false)
	if err != nil {
		return err
	}
	votes, pairs := pairUp(proxy, odoo)
	at, n := densest(votes, resolution+500*time.Millisecond)
	// A proxy's stamp is cut to its resolution: on average the request ended half of it later.
	at += resolution / 2
	if n < skewVotes || 2*n < pairs || at.Abs() < skewLeast {
		return nil
	}
	a.skew = skew{shift: at, votes: n, sigma: resolution, proxy: mainProxy(p.sources).name}
	return nil
}

// pairUp returns how much later each rare request ended on the one clock than on the other, and how many requests those were.
func pairUp(on, other map[asked][]gatepost.Time) (later []time.Duration, pairs int) {
	for k, ends := range other {
		if len(ends) > rareKey || len(on[k]) == 0 || len(on[k]) > rareKey {
			continue
		}
		pairs++
		for _, o := range ends {
			for _, n := range on[k] {
				later = append(later, n.Sub(o))
			}
		}
	}
	return later, pairs
}

// findZone finds the zone of an access log whose stamps are local, by the requests that Odoo, which logs UTC, has too. What the two
// clocks differ by beside whole quarters of hours is the skew of the machines. A small log has few requests that are rare by
// themselves, so those count as well that are rare for their client, which Odoo's log names if it runs in proxy_mode.
func (a *aligner) findZone(ctx context.Context, p *part, src *gatepost.Source) error {
	mine := *p
	mine.ids = []int{src.ID}
	ends, err := a.rareEnds(ctx, &mine, gatepost.LaneNginx, true)
	if err != nil {
		return err
	}
	odoo, err := a.rareEnds(ctx, p, gatepost.LaneOdoo, true)
	if err != nil {
		return err
	}
	later, pairs := pairUp(ends, odoo)
	drift, n := densest(slices.Clone(later), 500*time.Millisecond)
	if drift -= drift.Round(15 * time.Minute); n < skewVotes || 3*n < pairs {
		drift = 0
	}
	var votes []vote
	for k, on := range odoo {
		if len(on) > rareKey || len(ends[k]) > rareKey {
			continue
		}
		for _, e := range ends[k] {
			for _, o := range on {
				votes = append(votes, voteFor(e, o.Add(drift)))
			}
		}
	}
	shift, n := quarterHour(votes)
	if n == 0 || 3*n < pairs {
		return nil
	}
	shift, steps := changeOfHour(votes, shift)
	a.zone[src.ID] = gatepost.Clock{Shift: shift, Steps: steps, Zone: zoneName(shift), Votes: n,
		How: fmt.Sprintf("%d %s that Odoo's log has too", n, plural(n, "request", "requests"))}
	return nil
}

// rareEnds are the ends of the first requests of a lane, a few for each kind of request, and if wanted for each kind of each client.
func (a *aligner) rareEnds(ctx context.Context, p *part, lane gatepost.Lane, byClient bool) (map[asked][]gatepost.Time, error) {
	ends := make(map[asked][]gatepost.Time)
	seen := 0
	for r, err := range p.Requests(ctx, gatepost.Query{Lanes: []gatepost.Lane{lane}}) {
		if err != nil {
			return nil, err
		}
		zone := a.zone[r.Ref.Source]
		at := zone.At(r.End)
		for _, k := range [...]asked{{r.Key, r.Status, 0}, {r.Key, r.Status, r.Client}} {
			if (k.client == 0 || byClient) && len(ends[k]) <= rareKey {
				ends[k] = append(ends[k], at)
			}
		}
		if seen++; seen == skewSample {
			break
		}
	}
	return ends, nil
}

// besideOdoo reports whether a source whose stamps are absolute keeps Odoo's time rather than nginx's: by
// what its lines and Odoo's have in common. Where that tells nothing it does, since PostgreSQL and
// the journal of Odoo's unit mostly live on Odoo's machine.
func (a *aligner) besideOdoo(src *gatepost.Source) bool {
	for _, k := range []gatepost.Kind{gatepost.UnitStop, gatepost.UnitStarted} {
		if slices.ContainsFunc(a.of(k, src.ID), func(e gatepost.Event) bool { return ofOdoo(e.Name) }) {
			return true // the systemd that runs Odoo
		}
	}
	const close = time.Second / 5
	// A stamp is cut to its resolution: what it is paired with lies up to that much later.
	agree := func(later time.Duration) bool { return later > -close && later < src.Resolution+close }
	// A stamp counts once: where Odoo says the same many times in a row, every line has partners on any clock.
	odoo, nginx := make(map[gatepost.Time]bool), make(map[gatepost.Time]bool)
	for _, v := range a.localVotes(src) {
		if agree(v.shift) {
			odoo[v.raw] = true
		}
		if agree(v.shift + a.skew.shift) {
			nginx[v.raw] = true
		}
	}
	return len(odoo) >= len(nginx)
}

package correlate

import (
	"context"
	"fmt"
	"time"

	"gatepost"
)

// skew is how far the clock of Odoo's machine is from nginx's, whose stamps are the common clock:
// they are what users and the ledger go by.
type skew struct {
	shift time.Duration // to add to Odoo's stamps
	votes int           // matched requests behind it; 0 when the clocks agree or nothing tells
	sigma time.Duration
}

// clock is the clock of a source on Odoo's machine.
func (k skew) clock(how string) gatepost.Clock {
	if k.votes == 0 {
		return gatepost.Clock{Zone: "UTC", How: how}
	}
	return gatepost.Clock{Shift: k.shift, Zone: "UTC", Votes: k.votes, Sigma: k.sigma,
		How: fmt.Sprintf("%s; %d requests end %s on this machine's clock than on nginx's", how, k.votes, earlierBy(k.shift))}
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

// asked identifies equal requests for pairing: the same method, path and status.
type asked struct {
	key    uint64
	status uint16
}

// findSkew compares when nginx and Odoo say that the same rare request ended: they end within
// milliseconds of each other, so most pairs agree on the difference of the clocks.
func (a *aligner) findSkew(ctx context.Context, h History) error {
	nginx, resolution, err := rareEnds(ctx, h, gatepost.LaneNginx)
	if err != nil {
		return err
	}
	odoo, _, err := rareEnds(ctx, h, gatepost.LaneOdoo)
	if err != nil {
		return err
	}
	var votes []time.Duration
	pairs := 0
	for k, ends := range odoo {
		if len(ends) > rareKey || len(nginx[k]) == 0 || len(nginx[k]) > rareKey {
			continue
		}
		pairs++
		for _, o := range ends {
			for _, n := range nginx[k] {
				votes = append(votes, n.Sub(o))
			}
		}
	}
	at, n := densest(votes, resolution+500*time.Millisecond)
	// nginx's stamp is cut to its resolution: on average the request ended half of it later.
	at += resolution / 2
	if n < skewVotes || 2*n < pairs || at.Abs() < skewLeast {
		return nil
	}
	a.skew = skew{shift: at, votes: n, sigma: resolution}
	return nil
}

// rareEnds are the ends of the first requests of a lane, a few for each kind of request, and the
// resolution of the stamps.
func rareEnds(ctx context.Context, h History, lane gatepost.Lane) (map[asked][]gatepost.Time, time.Duration, error) {
	ends := make(map[asked][]gatepost.Time)
	whole := true
	seen := 0
	for r, err := range h.Requests(ctx, gatepost.Query{Lanes: []gatepost.Lane{lane}}) {
		if err != nil {
			return nil, 0, err
		}
		whole = whole && int64(r.End)%int64(time.Second) == 0
		k := asked{r.Key, r.Status}
		if len(ends[k]) <= rareKey {
			ends[k] = append(ends[k], r.End)
		}
		if seen++; seen == skewSample {
			break
		}
	}
	if whole {
		return ends, time.Second, nil
	}
	return ends, 0, nil
}

// besideOdoo reports whether a source whose stamps are absolute keeps Odoo's time rather than nginx's: by
// what its lines and Odoo's have in common. Where that tells nothing it does, since PostgreSQL and
// the journal of Odoo's unit mostly live on Odoo's machine.
func (a *aligner) besideOdoo(src *gatepost.Source) bool {
	const close = time.Second / 5
	odoo, nginx := 0, 0
	for _, v := range a.localVotes(src) {
		if v.shift.Abs() < close {
			odoo++
		}
		if (v.shift + a.skew.shift).Abs() < close {
			nginx++
		}
	}
	return odoo >= nginx
}

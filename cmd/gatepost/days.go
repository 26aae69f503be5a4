package main

import (
	"context"
	"slices"
	"time"

	"gatepost"
)

// plan makes the days and stretches that are counted beside the night: it must be known what before all requests are read.
func (k *nightMaker) plan() {
	zone := k.model.Zone
	end := k.To.Std().In(zone)
	for i := range nightDays {
		y, m, d := end.Date()
		from := time.Date(y, m, d-nightDays+1+i, 0, 0, 0, 0, zone)
		k.days = append(k.days, gatepost.Stretch{From: gatepost.TimeOf(from), To: gatepost.TimeOf(from.AddDate(0, 0, 1)) - 1})
	}
	shifted := func(by int) *gatepost.Stretch {
		return &gatepost.Stretch{From: gatepost.TimeOf(k.From.Std().In(zone).AddDate(0, 0, -by)), To: gatepost.TimeOf(end.AddDate(0, 0, -by))}
	}
	covers := int((k.To.Sub(k.From)-1)/(24*time.Hour)) + 1
	k.others = append(k.others, shifted(covers))
	if covers < 7 {
		k.others = append(k.others, shifted(7))
	}
}

// countDay counts a request of the proxy for the day that it ended on.
func (k *nightMaker) countDay(r *gatepost.Request) {
	for k.day < len(k.days) && k.days[k.day].To < r.End {
		k.day++
	}
	if k.day < len(k.days) && k.days[k.day].From <= r.End {
		k.countIn(&k.days[k.day], r)
	}
}

func (k *nightMaker) countIn(s *gatepost.Stretch, r *gatepost.Request) {
	s.Requests++
	if slices.Contains(k.model.Watched, int(r.Status)) {
		s.Failures++
	}
}

// readEarlier counts the requests before the night, as far as the store holds them.
func (k *nightMaker) readEarlier(ctx context.Context) error {
	earliest := k.days[0].From
	for _, s := range k.others {
		earliest = min(earliest, s.From)
	}
	if earliest = max(earliest, k.model.From); earliest >= k.From {
		return nil
	}
	for r, err := range k.store.Requests(ctx, gatepost.Query{From: earliest, To: k.From - 1, Lanes: []gatepost.Lane{gatepost.LaneNginx}}) {
		if err != nil {
			return err
		}
		k.countDay(&r)
		for _, s := range k.others {
			if s.From <= r.End && r.End <= s.To {
				k.countIn(s, &r)
			}
		}
	}
	k.Before = held(k.others[0])
	if len(k.others) > 1 {
		k.WeekBefore = held(k.others[1])
	}
	return nil
}

// listDays lists the days that the store holds, if it holds several.
func (k *nightMaker) listDays(context.Context) error {
	for i, s := range k.days {
		if s.Requests > 0 {
			k.Days = append(k.Days, gatepost.Day{Stretch: s, Causes: k.ordered(k.judged[i])})
		}
	}
	if len(k.Days) < 2 {
		k.Days = nil
	}
	return nil
}

// held returns a stretch that the store holds, nil for one that it does not.
func held(s *gatepost.Stretch) *gatepost.Stretch {
	if s.Requests == 0 {
		return nil
	}
	return s
}

package main

import (
	"context"
	"slices"

	"gatepost"
)

// count reads the requests of the report's time, once for all that is counted of them: the totals, where only a part of the time is asked for, and what
// a page draws.
func (a *analysis) count(ctx context.Context) error {
	m := a.model
	var night *nightMaker
	if a.env.night {
		var err error
		if night, err = a.newNight(ctx); err != nil {
			return err
		}
	}
	partly := m.Since.Known() || m.Until.Known()
	if !partly && night == nil {
		return nil
	}
	q := gatepost.Query{From: m.Since, To: m.Until}
	if !q.From.Known() {
		q.From = m.From
	}
	if !q.To.Known() {
		q.To = max(q.From, m.To)
	}
	if night == nil {
		q.Lanes = []gatepost.Lane{gatepost.LaneNginx}
	}
	var statuses [1000]int64
	err := a.history.EachChunk(ctx, q, func(requests []gatepost.Request) error {
		for i := range requests {
			r := &requests[i]
			if r.Lane == gatepost.LaneNginx {
				statuses[min(int(r.Status), len(statuses)-1)]++
			}
			if night != nil {
				night.count(r)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if partly {
		m.Requests, m.Statuses = 0, make(map[int]int64)
		for status, n := range slices.All(statuses[:]) {
			if n > 0 {
				m.Requests += n
				m.Statuses[status] = n
			}
		}
	}
	if night == nil {
		return nil
	}
	return night.finish(ctx)
}

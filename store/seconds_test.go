package store_test

import (
	"testing"
	"time"

	"gatepost"
)

// Seconds count the requests of access logs and of Odoo on the common clock; the view seconds has those of access logs.
func TestSeconds(t *testing.T) {
	s := open(t, "")
	at := gatepost.TimeOf(time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
	fill := func(src *gatepost.Source, lane gatepost.Lane) {
		check(t, s.AddSource(t.Context(), src))
		b := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
		for i, status := range []uint16{200, 502, 200, 404} {
			b.Requests = append(b.Requests, gatepost.Request{Ref: gatepost.Ref{Offset: int64(100 * i), Length: 99, Line: int64(i + 1)},
				End: at.Add(time.Duration(i/2) * time.Second), Duration: gatepost.Unknown, SQL: gatepost.Unknown, Bytes: -1, Status: status, Lane: lane})
		}
		check(t, s.Append(t.Context(), src, &b))
		src.Clock.Shift = time.Hour
		check(t, s.SaveSource(t.Context(), src))
	}
	access, odoo := gatepost.Source{Path: "access.log", Format: "nginx_access"}, gatepost.Source{Path: "odoo.log", Format: "odoo"}
	fill(&access, gatepost.LaneNginx)
	fill(&odoo, gatepost.LaneOdoo)
	var got []gatepost.Second
	for n, err := range s.Seconds(t.Context(), gatepost.Query{}) {
		check(t, err)
		got = append(got, n)
	}
	var want []gatepost.Second
	for _, src := range []gatepost.Source{access, odoo} {
		failed := int64(0)
		if src.ID == access.ID {
			failed = 1 // Odoo's failures count as its answers
		}
		want = append(want, gatepost.Second{Source: src.ID, Time: at.Add(time.Hour), Requests: 2, Failed: failed}, gatepost.Second{Source: src.ID, Time: at.Add(time.Hour + time.Second), Requests: 2})
	}
	equal(t, "seconds", got, want)
	for n, err := range s.Seconds(t.Context(), gatepost.Query{Sources: []int{odoo.ID}, From: at.Add(time.Hour + time.Second)}) {
		check(t, err)
		equal(t, "a second", n, want[3])
		break
	}
	equal(t, "view", query(t, s, "SELECT DISTINCT file FROM seconds"), []string{"access.log"})
	equal(t, "statuses", query(t, s, "SELECT sum(requests) FROM seconds"), []string{"4"})
}

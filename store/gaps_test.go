package store_test

import (
	"fmt"
	"testing"
	"time"

	"gatepost"
)

// Gaps are kept with the verdicts, losses until the rest is found, and what was not read to its end is a gap as long as it is so.
func TestGaps(t *testing.T) {
	s := open(t, "")
	from := gatepost.TimeOf(time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
	access := gatepost.Source{Path: "access.log", Format: "nginx_access"}
	odoo := gatepost.Source{Path: "odoo.log", Format: "odoo"}
	check(t, s.AddSource(t.Context(), &access))
	check(t, s.AddSource(t.Context(), &odoo))
	silent := gatepost.Gap{Source: odoo.ID, From: from, To: from.Add(time.Minute), Why: "no line"}
	lost := gatepost.Gap{Source: access.ID, From: from.Add(time.Hour), To: from.Add(2 * time.Hour), Why: "gone"}
	begin(t, s, always)
	check(t, s.AddGaps(t.Context(), []gatepost.Gap{silent}))
	check(t, s.AddLost(t.Context(), []gatepost.Gap{lost}))
	check(t, s.EndVerdicts(t.Context(), nil, nil, always))
	gaps := func(want ...gatepost.Gap) {
		t.Helper()
		got, err := s.Gaps(t.Context())
		check(t, err)
		equal(t, "gaps", fmt.Sprint(got), fmt.Sprint(want))
	}
	gaps(silent, lost)
	odoo.Problem, odoo.First, odoo.Last, odoo.Clock.Shift = "damaged", from, from.Add(3*time.Hour), time.Hour
	check(t, s.SaveSource(t.Context(), &odoo))
	equal(t, "view", query(t, s, "SELECT kind, began, ended, why, file FROM gaps ORDER BY began"), []string{
		"silent|2026-11-22T14:00:00.000Z|2026-11-22T14:01:00.000Z|no line|odoo.log",
		"lost|2026-11-22T15:00:00.000Z|2026-11-22T16:00:00.000Z|gone|access.log",
		"unread|2026-11-22T18:00:00.000Z|<nil>|damaged|odoo.log",
	})
	begin(t, s, always)
	gaps(lost)
	check(t, s.Found(t.Context(), []int{access.ID}))
	gaps()
}

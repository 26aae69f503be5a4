package store_test

import (
	"testing"

	"gatepost"
)

// TestForget takes a source back: no table has anything of it any more but what verdicts cite, and it can be read anew.
func TestForget(t *testing.T) {
	s := open(t, "")
	other, src := &gatepost.Source{Path: "other"}, &gatepost.Source{Path: "log", HeadSize: 9, Head: 99}
	batch := &gatepost.Batch{
		Requests: []gatepost.Request{{Lane: gatepost.LaneNginx, End: 1, Status: 502, Duration: 2, Ref: gatepost.Ref{Offset: 1, Length: 2, Line: 1}}},
		Events:   []gatepost.Event{filled[gatepost.Event](2)},
		Unparsed: []gatepost.Ref{{Offset: 7, Length: 3, Line: 2}},
		Lines:    3, First: 1, Last: 2,
	}
	odoo := batch.Requests[0]
	odoo.Lane, odoo.Ref.Offset = gatepost.LaneOdoo, 5
	batch.Requests = append(batch.Requests, odoo)
	batch.Unknown.Add(gatepost.UnknownLine{Kind: "no *", Count: 1, Weight: 1, Sample: "no 7"})
	for _, src := range []*gatepost.Source{other, src} {
		check(t, s.AddSource(t.Context(), src))
		check(t, s.Append(t.Context(), src, batch))
		check(t, s.AddGaps(t.Context(), []gatepost.Gap{{Source: src.ID, From: 1, To: 2}}))
		check(t, s.AddLost(t.Context(), []gatepost.Gap{{Source: src.ID, From: 1, To: 2}}))
	}
	check(t, s.Flush(t.Context()))
	const tables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('_lines', '_evidence', '_failures')
		AND EXISTS (SELECT * FROM pragma_table_info(sqlite_schema.name) WHERE name = 'source') ORDER BY name`
	held := query(t, s, tables)
	if len(held) < 5 {
		t.Fatalf("tables with a source: %q", held)
	}
	check(t, s.Forget(t.Context(), src))
	for _, table := range held {
		equal(t, table, query(t, s, "SELECT DISTINCT source FROM "+table), []string{"1"})
	}
	equal(t, "source", *src, gatepost.Source{ID: 2, Path: "log", HeadSize: 9, Head: 99, First: gatepost.NoTime, Last: gatepost.NoTime})
	check(t, s.Append(t.Context(), src, batch))
	equal(t, "lines", src.Lines, int64(3))
}

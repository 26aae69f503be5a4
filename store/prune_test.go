package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatepost"
)

// TestPruneAgainstModel removes what is older than a random time and compares what is left with a filter over all that was stored;
// then the sources go on where they were.
func TestPruneAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(seed, 3)
			path := filepath.Join(t.TempDir(), "gatepost.db")
			s := open(t, path)
			h.appendAll(t, s, 30_000, 4000)
			clocks := h.setClocks(t, s)
			before := start.Add(time.Duration(h.rng.IntN(20_000)) * time.Second)
			check(t, s.Prune(t.Context(), before))
			old := func(source int, raw gatepost.Time) bool { return raw.Known() && clocks[source].At(raw) < before }
			n := len(h.requests)
			h.requests = slices.DeleteFunc(h.requests, func(r gatepost.Request) bool { return old(r.Ref.Source, r.End) })
			h.events = slices.DeleteFunc(h.events, func(e gatepost.Event) bool { return !e.Time.Known() || old(e.Ref.Source, e.Time) })
			t.Logf("%d of %d requests are old", n-len(h.requests), n)
			compare := func(when string) {
				t.Helper()
				dated := gatepost.Query{From: start.Add(-1000 * time.Hour), To: start.Add(1000 * time.Hour)}
				equal(t, when+": requests", gather(t, s.Requests(t.Context(), dated)), h.wantRequests(clocks, dated))
				equal(t, when+": events", gather(t, s.Events(t.Context(), dated)), h.wantEvents(clocks, dated))
				var want, counted int64
				statuses := map[int]int64{}
				for _, r := range h.requests {
					want++
					if r.Lane == gatepost.LaneNginx {
						statuses[int(r.Status)]++
					}
				}
				for n, err := range s.Seconds(t.Context(), gatepost.Query{}) {
					check(t, err)
					counted += n.Requests
				}
				equal(t, when+": requests by second", counted, want)
				got := map[int]int64{}
				all, err := s.Statuses(t.Context())
				check(t, err)
				first := gatepost.NoTime
				for _, c := range all {
					got[c.Status] += c.Requests
					if !first.Known() || c.First < first {
						first = c.First
					}
				}
				equal(t, when+": requests by status", got, statuses)
				if first.Known() && first < before {
					t.Errorf("%s: the first access line is said to be of %s, before %s", when, first, before)
				}
			}
			compare("pruned")
			for i := range h.sources {
				h.append(t, s, i, 2000)
			}
			check(t, s.Close())
			s = open(t, path)
			sources, err := s.Sources(t.Context())
			check(t, err)
			for i, src := range sources {
				equal(t, "position", src.Position, h.sources[i].Position)
				equal(t, "lines", src.Lines, h.sources[i].Lines)
			}
			dated := gatepost.Query{From: start.Add(-1000 * time.Hour), To: start.Add(1000 * time.Hour)}
			equal(t, "requests in the end", gather(t, s.Requests(t.Context(), dated)), h.wantRequests(clocks, dated))
		})
	}
}

// TestPruneVerdicts keeps what reaches beyond the time as a whole, and the lines that it cites.
func TestPruneVerdicts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	src := &gatepost.Source{Path: "access.log", HeadSize: 3, Head: 7}
	check(t, s.AddSource(t.Context(), src))
	const day = gatepost.Time(24 * time.Hour)
	batch := &gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	var failures []gatepost.Failure
	for n := range 4 {
		at := gatepost.Time(20_000+n) * day
		ref := gatepost.Ref{Source: src.ID, Offset: int64(n) * 100, Length: 90, Line: int64(n) + 1}
		e := gatepost.NewEvent(gatepost.NginxError, ref, at)
		batch.Events = append(batch.Events, e)
		batch.See(at)
		evidence := []gatepost.Evidence{{Role: "for", Kind: e.Kind, Ref: ref, Time: at, Text: fmt.Sprint("line ", n)}}
		failures = append(failures, gatepost.Failure{ID: fmt.Sprint("f-", n), Ref: ref, Time: at, Start: at, Incident: fmt.Sprint("i-", n/2),
			Verdict: gatepost.Verdict{Cause: "oom_kill", Evidence: evidence, Symptom: gatepost.Evidence{Role: "for", Ref: ref, Text: fmt.Sprint("line ", n)}}})
	}
	failures[3].Incident = ""
	check(t, s.Append(t.Context(), src, batch))
	saveVerdicts(t, s, failures, []gatepost.Incident{{ID: "i-0", From: failures[0].Time, To: failures[1].Time}, {ID: "i-1", From: failures[2].Time, To: failures[2].Time}}, nil)
	left := func() []string {
		return append(query(t, s, "SELECT id FROM failures ORDER BY id"), query(t, s, "SELECT text FROM _lines ORDER BY text")...)
	}
	check(t, s.Prune(t.Context(), failures[1].Time))
	equal(t, "an incident that reaches beyond", left(), []string{"f-0", "f-1", "f-2", "f-3", "line 0", "line 1", "line 2", "line 3"})
	check(t, s.Prune(t.Context(), failures[2].Time))
	equal(t, "one that does not", left(), []string{"f-2", "f-3", "line 2", "line 3"})
	equal(t, "events", query(t, s, "SELECT count(*) FROM events"), []string{"2"})
	check(t, s.Prune(t.Context(), failures[3].Time+1))
	equal(t, "all of them", left(), []string(nil))
	for _, table := range []string{"_incidents", "_arguments", "_evidence", "_events"} {
		equal(t, table, query(t, s, "SELECT count(*) FROM "+table), []string{"0"})
	}
	equal(t, "sources", query(t, s, "SELECT file, lines FROM sources"), []string{fmt.Sprintf("access.log|%d", src.Lines)})
}

// TestPruneReclaims makes the file smaller when much of it is free.
func TestPruneReclaims(t *testing.T) {
	h := newHistory(9, 2)
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	h.appendAll(t, s, 40_000, 4000)
	check(t, s.Prune(t.Context(), start)) // nothing is as old
	size := func() int64 {
		info, err := os.Stat(path)
		check(t, err)
		return info.Size()
	}
	whole := size()
	check(t, s.Prune(t.Context(), start.Add(1000*time.Hour)))
	if small := size(); small*4 > whole {
		t.Errorf("%d bytes are left of %d", small, whole)
	}
	equal(t, "requests", query(t, s, "SELECT count(*) FROM requests"), []string{"0"})
}

package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatepost"
	"gatepost/store"
)

func TestQueryOnlyReads(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "gatepost.db"))
	other := filepath.Join(dir, "other.db")
	for _, statement := range []string{
		"DELETE FROM _events",
		"INSERT INTO _routes VALUES (1, 'x')",
		"UPDATE _sources SET position = 0",
		"DROP VIEW events",
		"CREATE TABLE x (a)",
		"CREATE TEMP TABLE x (a)",
		"ATTACH '" + other + "' AS x",
		"VACUUM INTO '" + other + "'",
		"PRAGMA journal_mode = DELETE",
		"PRAGMA user_version = 7",
		"PRAGMA query_only = 0",
		"PRAGMA wal_checkpoint",
		"BEGIN",
		"SELECT 1; DELETE FROM _events",
	} {
		_, err := s.Query(t.Context(), statement)
		if err == nil || !strings.Contains(err.Error(), "the store can only be read here") {
			t.Errorf("%s: error %v", statement, err)
		}
	}
	for statement, want := range map[string]string{"": "no rows", "SELEC 1": "syntax error", "SELECT x FROM events": "no such column: x",
		"SELECT load_extension('x')": "not authorized to use function"} {
		if _, err := s.Query(t.Context(), statement); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", statement, err, want)
		}
	}
	if left := files(t, dir); len(left) > 3 {
		t.Errorf("a query made a file: %v", left)
	}
	equal(t, "values", query(t, s, "WITH a AS (VALUES (1, 2.5, 'é', NULL, x'00')) SELECT * FROM a"), []string{"1|2.5|é|<nil>|[0]"})
	if len(query(t, s, "PRAGMA table_info(requests)")) != 16 {
		t.Error("PRAGMA table_info is refused")
	}
}

// requestRow is the row that the virtual table must show for a request.
func requestRow(r gatepost.Request) string {
	text := func(at gatepost.Time) string { return at.Std().Format("2006-01-02T15:04:05.000Z") }
	number := func(n int64) any {
		if n < 0 {
			return nil
		}
		return n
	}
	seconds := func(d time.Duration) any {
		if d < 0 {
			return nil
		}
		return d.Seconds()
	}
	var start any
	if r.Duration != gatepost.Unknown {
		start = text(r.End.Add(-r.Duration))
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprintln(text(r.End), start, seconds(r.Duration), r.Status, number(r.Bytes), r.Lane, fmt.Sprintf("%x", r.Route),
		int64(r.Client), int64(r.Key), r.PID, seconds(r.SQL), number(int64(r.Queries)), r.Ref.Source, r.Ref.Line, r.Ref.Offset, r.Ref.Length), " ", "|"), "\n")
}

func TestVirtualTable(t *testing.T) {
	s := open(t, "")
	h := newHistory(19, 3)
	h.appendAll(t, s, 30_000, 9000)
	clocks := h.setClocks(t, s)
	all := h.wantRequests(clocks, gatepost.Query{})
	rows := make([]string, len(all))
	for i, r := range all {
		rows[i] = requestRow(r)
	}
	equal(t, "SELECT *", query(t, s, "SELECT * FROM requests ORDER BY time"), rows)

	mid, late := all[len(all)/2].End, all[len(all)*2/3].End
	text := func(at gatepost.Time, layout string) string { return at.Std().Format(layout) }
	for _, c := range []struct {
		where string
		keep  func(time string, r gatepost.Request) bool
	}{
		{"time >= '" + text(mid, "2006-01-02T15:04:05.000Z") + "'", nil},
		{"time > '" + text(mid, "2006-01-02T15:04:05.000Z") + "' AND time < '" + text(late, "2006-01-02T15:04") + "'", nil},
		{"time BETWEEN '" + text(mid, "2006-01-02T15:04") + "' AND '" + text(late, "2006-01-02T15") + "'", nil},
		{"time >= '" + text(mid, "2006-01-02 15:04") + "'", nil}, // a blank sorts before the T: the whole day
		{"time <= '" + text(mid, "2006-01-02T15:04:05Z") + "'", nil},
		{"time = '" + text(mid, "2006-01-02T15:04:05.000Z") + "'", nil},
		{"'" + text(mid, "2006-01-02T15:04") + "' < time AND source = 2", nil},
		{"source = 1 AND lane = 'odoo'", nil},
		{"source IN (3, 1) AND lane <> 'nginx' AND status >= 500", nil},
		{"source = 4", nil},
		{"lane = 'NGINX' COLLATE NOCASE AND status = 502", nil},
		{"time > 5 AND status = 503", nil},
		{"time < 'x' AND status = 503", nil},
		{"client = hash('17') AND key = " + fmt.Sprint(all[5].Key>>1), nil},
	} {
		// A subquery with a limit cannot have constraints passed into it: SQLite decides alone.
		want := query(t, s, "SELECT * FROM (SELECT * FROM requests LIMIT -1 OFFSET 0) WHERE "+c.where)
		got := query(t, s, "SELECT * FROM requests WHERE "+c.where)
		if len(got) != len(want) {
			t.Errorf("%s: %d rows, want %d", c.where, len(got), len(want))
		}
	}
	equal(t, "hash", query(t, s, "SELECT count(*) > 0 FROM requests WHERE client = hash('17')"), []string{"1"})
	equal(t, "key", query(t, s, "SELECT key('GET', '/web?x')"), []string{fmt.Sprint(int64(gatepost.KeyOf("GET", "/web")))})
}

// The views show times on the common clock, as the clock itself would place them.
func TestViewsAlign(t *testing.T) {
	s := open(t, "")
	h := newHistory(23, 4)
	h.appendAll(t, s, 6000, 400)
	clocks := h.setClocks(t, s)
	var want []string
	for _, e := range h.wantEvents(clocks, gatepost.Query{}) {
		var text any
		if e.Time.Known() {
			text = e.Time.Std().Format("2006-01-02T15:04:05.000Z")
		}
		want = append(want, fmt.Sprint(text, "|", e.Kind, "|", e.Ref.Source, "|", e.Ref.Line, "|access.", e.Ref.Source-1, ".log"))
	}
	equal(t, "events", query(t, s, "SELECT time, kind, source, line, file FROM events ORDER BY time, source, offset"), want)
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// The manual's queries run and find something, and its tables have the columns it names.
func TestManual(t *testing.T) {
	manual, err := os.ReadFile("../docs/store.md")
	check(t, err)
	s := open(t, "")
	fillForManual(t, s)
	blocks := sqlBlock.FindAllSubmatch(manual, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d queries", len(blocks))
	}
	for _, b := range blocks {
		if rows := query(t, s, string(b[1])); len(rows) == 0 {
			t.Errorf("no rows:\n%s", b[1])
		}
	}
	columns := query(t, s, `SELECT m.name, group_concat('\x60' || c.name || '\x60', ', ') FROM pragma_table_list m, pragma_table_xinfo(m.name) c
		WHERE m.type = 'view' AND m.schema = 'main' OR m.name = 'requests' GROUP BY m.name`)
	for _, line := range columns {
		name, list, _ := strings.Cut(strings.ReplaceAll(line, `\x60`, "`"), "|")
		if !strings.Contains(string(manual), "### "+name+"\n") {
			t.Errorf("docs/store.md does not describe %s", name)
			continue
		}
		_, section, _ := strings.Cut(string(manual), "### "+name+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		for c := range strings.SplitSeq(list, ", ") {
			if !strings.Contains(section, c) {
				t.Errorf("docs/store.md: %s does not mention %s", name, c)
			}
		}
	}
	if len(columns) < 10 {
		t.Errorf("views: %v", columns)
	}
}

// fillForManual stores a small incident.
func fillForManual(t *testing.T, s *store.Store) {
	src := gatepost.Source{Path: "access.log", Format: "nginx_access"}
	check(t, s.AddSource(t.Context(), &src))
	at := gatepost.TimeOf(time.Date(2026, 11, 22, 14, 10, 38, 0, time.UTC))
	route := gatepost.Route{ID: gatepost.HashOf("POST /web/export/*"), Name: "POST /web/export/*"}
	b := gatepost.Batch{Lines: 3, Routes: []gatepost.Route{route}}
	b.First, b.Last = gatepost.NoTime, gatepost.NoTime
	for i := range 3 {
		b.Requests = append(b.Requests, gatepost.Request{Ref: gatepost.Ref{Offset: int64(100 * i), Length: 99, Line: int64(i + 1)},
			End: at.Add(time.Duration(i) * time.Second), Duration: 3 * time.Second, SQL: gatepost.Unknown, Bytes: 157, Status: 502, Route: route.ID,
			Client: gatepost.HashOf("10.20.2.46")})
	}
	e := gatepost.NewEvent(gatepost.KernelOOM, gatepost.Ref{Line: 61}, at)
	e.PID, e.Name, e.Text = 23976, "odoo", "Memory cgroup out of memory: Killed process 23976 (odoo)"
	b.Events = []gatepost.Event{e}
	b.Unknown.Add(gatepost.UnknownLine{Kind: "cache * warmed", Count: 1, Weight: 1, Sample: "cache 7 warmed"})
	check(t, s.Append(t.Context(), &src, &b))
	f := gatepost.Failure{ID: "f-3b9c00000000", Ref: b.Requests[0].Ref, Time: at, Start: gatepost.NoTime, Duration: gatepost.Unknown, Status: 502, Finished: at.Add(time.Minute),
		Method: "POST", Path: "/web/export/xlsx", Client: "10.20.2.46", Phase: gatepost.PhasePremature, Incident: "i-01",
		Verdict: gatepost.Verdict{Cause: "oom_kill", Confidence: 0.99, State: gatepost.Final,
			Rivals:   []gatepost.Rival{{Cause: "worker_time_limit", WhyNot: "no watchdog line"}},
			Evidence: []gatepost.Evidence{{Role: gatepost.For, Kind: gatepost.KernelOOM, Ref: e.Ref, Time: at, Join: "pid", Text: e.Text, Weight: 5000}}}}
	f.Ref.Source = src.ID
	saveVerdicts(t, s, []gatepost.Failure{f}, []gatepost.Incident{{ID: "i-01", From: at, To: at, Cause: "oom_kill"}}, nil)
	check(t, s.SaveSetup(t.Context(), gatepost.Setup{{Program: "odoo", Name: "workers", Value: "4"}}))
}

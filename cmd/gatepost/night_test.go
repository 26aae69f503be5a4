package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// nightIn returns the model of logs with its night, as a page gets it.
func nightIn(t *testing.T, flags readingFlags, paths ...string) *gatepost.Model {
	t.Helper()
	var stderr bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: &stderr, stderr: &stderr, now: clock, zone: time.UTC, getenv: func(string) string { return "" }, night: true}
	var m *gatepost.Model
	err := e.reads(context.Background(), &flags, paths, func(a *analysis) error {
		copied := *a.model
		var list gatepost.FailureList
		for f, err := range a.model.Failures.Failures() {
			if err != nil {
				return err
			}
			list = append(list, f)
		}
		copied.Failures, m = list, &copied
		return nil
	})
	if err != nil || m == nil || m.Night == nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return m
}

// A night counts what the ledger and the totals count, and places it.
func TestNightAddsUp(t *testing.T) {
	for _, name := range []string{"day-a", "timeout-a", "quiet-b", "cronlock-a", "s-two-upstreams", "s-threaded-cron", "slowquery-a"} {
		m := nightIn(t, readingFlags{}, filepath.Join("..", "..", "testdata", "incidents", name))
		n := m.Night
		requests, failures := 0, make([]int, len(n.Causes))
		for i := range n.Moments {
			mo := &n.Moments[i]
			requests += mo.Requests
			for c, k := range mo.Failures {
				failures[c] += k
			}
			if mo.Busy < 0 || n.Workers > 0 && mo.Busy > float64(n.Workers)+1e-9 {
				t.Errorf("%s: %.2f of %d workers are busy in step %d", name, mo.Busy, n.Workers, i)
			}
			if mo.P95 < mo.Median {
				t.Errorf("%s: 95 of 100 within %v, half within %v", name, mo.P95, mo.Median)
			}
		}
		if int64(requests) != m.Requests {
			t.Errorf("%s: the steps have %d requests of %d", name, requests, m.Requests)
		}
		want := map[string]int{}
		for _, f := range m.Failures.(gatepost.FailureList) {
			want[f.Verdict.Cause]++
		}
		for c, cause := range n.Causes {
			if failures[c] != want[cause] || c > 0 && failures[c] > failures[c-1] {
				t.Errorf("%s: %v of %v, want %v in this order", name, failures, n.Causes, want)
			}
		}
		if len(want) != len(n.Causes) || (n.Affected > 0) != (len(want) > 0) || n.Affected > n.Minutes {
			t.Errorf("%s: causes %v, %d of %d minutes", name, n.Causes, n.Affected, n.Minutes)
		}
	}
}

// What stands in the tables of recorded incidents.
func TestNightTables(t *testing.T) {
	dir := func(name string) string { return filepath.Join("..", "..", "testdata", "incidents", name) }
	n := nightIn(t, readingFlags{}, dir("timeout-a")).Night
	if n.LateInAll != 8 || n.Workers != 4 || n.Patience != 3*time.Second || n.People == 0 || !slices.Equal(n.Hosts, []string{"erp.example.com"}) || !slices.Equal(n.Databases, []string{"prod"}) {
		t.Errorf("timeout-a: %d finished later, %d workers, %v, %v, %v", n.LateInAll, n.Workers, n.Patience, n.Hosts, n.Databases)
	}
	for _, l := range n.Late {
		if took := l.Finished.Sub(l.Time); took < time.Second || took > 4*time.Second || n.Whose[l.ID].Host != "erp.example.com" {
			t.Errorf("timeout-a: finished %v later: %+v, %+v", took, l, n.Whose[l.ID])
		}
	}
	n = nightIn(t, readingFlags{}, dir("cronlock-a")).Night
	if len(n.Actions) == 0 || n.Actions[0].Name != "Inventory: Run Scheduler" || n.Actions[0].Max < 20*time.Second || !slices.Equal(n.Actions[0].Incidents, []string{"i-01"}) {
		t.Errorf("cronlock-a: %+v", n.Actions)
	}
	// Requests that waited behind the lock were executed after all. Those that were sent again by then only asked.
	if n.LateInAll != 18 || n.LateAgain != 0 {
		t.Errorf("cronlock-a: %d finished later, %d sent again", n.LateInAll, n.LateAgain)
	}
	twice := t.TempDir()
	if err := os.CopyFS(twice, os.DirFS(dir("cronlock-a"))); err != nil {
		t.Fatal(err)
	}
	access := filepath.Join(twice, "access.log")
	for _, line := range fileLines(t, access) {
		if strings.Contains(line, "POST /stock/picking/validate") && strings.Contains(line, "10.20.1.39 ") {
			text, err := os.ReadFile(access)
			if err != nil {
				t.Fatal(err)
			}
			line = strings.Replace(strings.Replace(line, ":14:20:04 ", ":14:20:36 ", 1), `" 504 `, `" 200 `, 1)
			writeLog(t, access, append(text, line+"\n"...))
			break
		}
	}
	n = nightIn(t, readingFlags{}, twice).Night
	if n.LateAgain != 1 || n.Late[0].Path != "/stock/picking/validate" || n.Late[0].Again.Sub(n.Late[0].Time) < 20*time.Second {
		t.Errorf("cronlock-a, validated again: %d, %+v", n.LateAgain, n.Late[0])
	}
	n = nightIn(t, readingFlags{}, dir("slowquery-a")).Night
	if len(n.Statements) == 0 || n.Statements[0].Max < time.Second || n.Statements[0].Runs == 0 {
		t.Errorf("slowquery-a: %+v", n.Statements)
	}
	if len(n.Routes) == 0 || !slices.IsSortedFunc(n.Routes, func(a, b gatepost.RouteLoad) int { return int(b.Total - a.Total) }) {
		t.Errorf("slowquery-a: %+v", n.Routes)
	}
}

// With the days before in the store, a night is held against them; without them nothing is said.
func TestNightAgainstOtherDays(t *testing.T) {
	dir, db := t.TempDir(), filepath.Join(t.TempDir(), "nights.db")
	var log strings.Builder
	failed := func(day int) int { return map[int]int{1: 9, 7: 3, 8: 12}[day] }
	for day := 1; day <= 8; day++ {
		for minute := range 12 * 60 {
			status := 200
			if minute < failed(day) {
				status = 504
			}
			at := time.Date(2026, time.November, day, 20, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
			fmt.Fprintf(&log, "10.20.1.%d - - [%s] \"GET /web HTTP/1.1\" %d 157 \"-\" \"-\"\n", minute%50, at.Format("02/Jan/2006:15:04:05 -0700"), status)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "access.log"), []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	night := readingFlags{since: "2026-11-08 20:00", until: "2026-11-09 07:59", db: db}
	n := nightIn(t, night, dir).Night
	if n.Before == nil || n.Before.Requests != 720 || n.Before.Failures != 3 {
		t.Errorf("the night before: %+v", n.Before)
	}
	if n.WeekBefore == nil || n.WeekBefore.Requests != 720 || n.WeekBefore.Failures != 9 {
		t.Errorf("a week before: %+v", n.WeekBefore)
	}
	var days []int64
	for _, d := range n.Days {
		days = append(days, d.Failures)
		if judged := d.Failures == 12; judged != (d.Causes != nil) {
			t.Errorf("%v is judged: %v", d.From, d.Causes)
		}
	}
	if !slices.Equal(days, []int64{9, 0, 0, 0, 0, 0, 3, 12, 0}) {
		t.Errorf("failures by day: %v", days)
	}
	if n.Step != time.Minute || len(n.Moments) != 720 || n.Affected != 12 {
		t.Errorf("%d steps of %v, %d minutes", len(n.Moments), n.Step, n.Affected)
	}

	// The store alone tells the same.
	var stdout bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stdout, now: clock, zone: time.UTC, getenv: func(string) string { return "" }}
	page := filepath.Join(t.TempDir(), "page.html")
	if status := run(context.Background(), e, []string{"report", "--db", db, "--html", page}); status != statusDone {
		t.Fatal(stdout.String())
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12 requests failed", "1.7 % of 720 requests", "night of 8 to 9 November 2026", "the night before", "Sunday a week before", "<b>9</b>"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page of the store has no %q", want)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("--html alone writes %q to standard output", stdout.String())
	}

	// A store of one night has nothing to hold it against.
	if n := nightIn(t, readingFlags{since: "2026-11-01 20:00", until: "2026-11-02 07:59"}, dir).Night; n.Before != nil || n.WeekBefore != nil {
		t.Errorf("before the first night: %+v, %+v", n.Before, n.WeekBefore)
	}
}

// However long the time is, a night has few steps, and they cover it.
func TestNightSteps(t *testing.T) {
	for _, d := range []time.Duration{0, time.Second, time.Minute, time.Hour, 12 * time.Hour, 24 * time.Hour, 31 * time.Hour, 30 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		step := nightStep(d)
		if n := d/step + 2; n > nightMoments || step <= 0 {
			t.Errorf("%v: %d steps of %v", d, n, step)
		}
	}
	if nightStep(12*time.Hour) != time.Minute || nightStep(24*time.Hour) != time.Minute || nightStep(45*time.Second) != time.Second {
		t.Error("a night is told by minutes, half a minute by seconds")
	}
}

// A sketch tells quantiles to a sixteenth.
func TestSketch(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 8, 1000} {
		var s sketch
		var all []time.Duration
		for range n {
			d := time.Duration(dice.ExpFloat64() * float64(2*time.Second))
			all = append(all, d)
			s.add(sketchClass(d), d)
		}
		slices.Sort(all)
		for _, q := range []float64{0.5, 0.95, 1} {
			want := all[max(int(q*float64(n)+0.9999)-1, 0)]
			if got := s.quantile(q); float64((got - want).Abs()) > float64(want)/15+float64(time.Millisecond) {
				t.Errorf("%v of %d: %v, want %v", q, n, got, want)
			}
		}
	}
	if d := new(sketch).quantile(0.5); d != gatepost.Unknown {
		t.Errorf("of nothing: %v", d)
	}
}

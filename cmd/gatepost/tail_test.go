package main

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
	"gatepost/reports"
)

// written is a piece of a log, and when it was written.
type written struct {
	at   time.Time
	file string
	text string
}

// asWritten returns the lines of a folder in the order in which they were written, by their stamps; what has none was written with the line
// before it.
func (f folder) asWritten() (all []written) {
	for name, lines := range f {
		last := time.Time{}
		for _, l := range lines {
			if t, ok := at(name, l.text); ok {
				if t.Year() == 0 { // syslog tells none
					t = t.AddDate(2026, 0, 0)
				}
				last = t
			}
			all = append(all, written{last, name, l.text + "\n"})
		}
	}
	slices.SortStableFunc(all, func(a, b written) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.file, b.file)) })
	return all
}

// replayed is a live analysis of logs that a test writes.
type replayed struct {
	*live
	t       *testing.T
	dir     string
	clock   time.Time
	changes []gatepost.Change
}

func (p *replayed) hear(c gatepost.Change) { p.changes = append(p.changes, c) }

func (p *replayed) close() error { return nil }

func replay(t *testing.T, clock time.Time, dir string, args ...string) *replayed {
	t.Helper()
	p := &replayed{t: t, dir: dir, clock: clock}
	e := &env{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		now: func() time.Time { return p.clock }, zone: time.UTC, getenv: func(string) string { return "" },
	}
	r, err := (&readingFlags{}).resolve(e)
	if err != nil {
		t.Fatal(err)
	}
	p.live = e.newLive(r)
	p.listeners = []listener{p}
	if err := p.begin(t.Context(), []string{dir}, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.a.close() })
	return p
}

func (p *replayed) write(name, text string) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
	f.Close()
}

func (p *replayed) step(d time.Duration) {
	p.t.Helper()
	p.clock = p.clock.Add(d)
	if _, err := p.turn(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// ledger ends the analysis and returns its ledger, without the summary.
func (p *replayed) ledger() string {
	p.t.Helper()
	if err := p.end(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := reports.Lookup("ndjson").Render(&out, p.a.model, reports.Options{}); err != nil {
		p.t.Fatal(err)
	}
	ledger, _, _ := strings.Cut(out.String(), `{"type":"summary"`)
	return ledger
}

// TestReportBesideTail: whoever follows with a store holds it for reading, and lets others look at what it has by now, from the first turn on.
func TestReportBesideTail(t *testing.T) {
	dir, db := t.TempDir(), filepath.Join(t.TempDir(), "night.db")
	in := loadIncident(t, "oom-a")
	readFolder(t, in).write(t, dir)
	e := &env{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		now: clock, zone: time.UTC, getenv: func(string) string { return "" },
	}
	r, err := (&readingFlags{db: db}).resolve(e)
	if err != nil {
		t.Fatal(err)
	}
	l := e.newLive(r)
	defer func() { l.watch.close(); l.a.close() }()
	if err := l.begin(t.Context(), []string{dir}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := l.turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	failures := 0
	beside := &env{stdout: io.Discard, stderr: io.Discard, now: clock, zone: time.UTC}
	if err := beside.stored(t.Context(), db, func(a *analysis) error {
		for _, err := range a.model.Failures.Entries() {
			failures++
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if failures != len(in.truth) {
		t.Errorf("%d failures, want %d", failures, len(in.truth))
	}
}

// TestLiveIsBatch writes every incident as it was written then, broken off anywhere, and follows it. In the end the ledger is the one that reading it
// afterwards gives, to the last byte; what was said before is right in the end, and said again where it was not.
func TestLiveIsBatch(t *testing.T) {
	for i, in := range recorded(t) {
		if i%2 > 0 && os.Getenv("GATEPOST_MEASURE") == "" {
			continue // half of them take half a minute
		}
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			f := readFolder(t, in)
			rnd := rand.New(rand.NewPCG(uint64(i), 6))
			all := f.asWritten()
			dir := t.TempDir()
			begin := slices.IndexFunc(all, func(w written) bool { return !w.at.IsZero() })
			p := replay(t, all[begin].at, dir)
			pending := make(map[string]string)
			// write writes about a share of what is pending of each log.
			write := func(share float64) {
				for _, name := range slices.Sorted(maps.Keys(pending)) {
					n := min(len(pending[name]), int(2*share*rnd.Float64()*float64(len(pending[name]))))
					if share == 1 {
						n = len(pending[name])
					}
					p.write(name, pending[name][:n])
					pending[name] = pending[name][n:]
				}
				p.step(100 * time.Millisecond)
			}
			due := false
			for n, w := range all {
				pending[w.file] += w.text
				due = due || n%(1+len(all)/30) == 0
				if n < len(all)-1 && (!due || all[n+1].at.Equal(w.at)) {
					continue // what is written at once is not broken off for long
				}
				due = false
				if w.at.After(p.clock) {
					p.clock = w.at
				}
				write(0.3)
				write(0.5)
				write(1)
			}
			p.step(time.Second)
			got := p.ledger()
			want := analyzedAt(t, p.clock, dir)
			if got != want {
				t.Errorf("live:\n%s\nafterwards:\n%s", firstDifference(got, want), firstDifference(want, got))
			}
		})
	}
}

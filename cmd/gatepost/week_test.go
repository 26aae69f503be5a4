package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// TestWeek follows logs for a week of an injected clock, and prints what grows: two requests a second, an outage of another cause each two and a half hours,
// rotation at midnight.
//
//	GATEPOST_MEASURE=1 go test -run TestWeek -timeout 60m -v ./cmd/gatepost
func TestWeek(t *testing.T) {
	if os.Getenv("GATEPOST_MEASURE") == "" {
		t.Skip("it measures and holds nothing: GATEPOST_MEASURE=1 runs it")
	}
	const slot, tick = 150 * time.Minute, time.Minute
	days := 7
	if n, err := strconv.Atoi(os.Getenv("GATEPOST_DAYS")); err == nil {
		days = n
	}
	var nights []folder
	for _, in := range recorded(t) {
		f := readFolder(t, in)
		for name := range f {
			if !slices.Contains([]string{"access.log", "error.log", "odoo.log", "postgresql.log"}, name) {
				delete(f, name) // of the kernel's the stamps are of one boot
			}
		}
		all := f.asWritten()
		all = slices.DeleteFunc(all, func(w written) bool { return w.at.IsZero() })
		if len(all) > 0 && len(f["access.log"]) > 0 && all[len(all)-1].at.Sub(all[0].at) < slot {
			nights = append(nights, f)
		}
	}
	t.Logf("%d outages take turns", len(nights))

	dir, db := t.TempDir(), filepath.Join(t.TempDir(), "gatepost.db")
	start := time.Date(2026, time.December, 7, 0, 0, 0, 0, time.UTC)
	p := &replayed{t: t, dir: dir, clock: start}
	ticked := time.Now()
	e := &env{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		now: func() time.Time { return p.clock.Add(time.Since(ticked)) }, zone: time.UTC, getenv: func(string) string { return "" },
	}
	r, err := (&readingFlags{db: db}).resolve(e)
	must(t, err)
	p.live = e.newLive(r)
	told := 0
	p.listeners = []listener{&counting{&told}}
	p.write("access.log", plainLine(start, 0))
	must(t, p.begin(t.Context(), []string{dir}, true))
	t.Cleanup(func() { p.watch.close(); p.a.close() })
	var pending []written
	serial, took, slowest := 0, time.Now(), time.Duration(0)
	for now := start; now.Before(start.Add(time.Duration(days) * 24 * time.Hour)); now = now.Add(tick) {
		if since := now.Sub(start); since%slot == 0 {
			f := nights[int(since/slot)%len(nights)].clone()
			first := slices.MinFunc(slices.DeleteFunc(f.asWritten(), func(w written) bool { return w.at.IsZero() }), func(a, b written) int { return a.at.Compare(b.at) })
			for name := range f {
				f.shift(name, now.Sub(first.at).Truncate(time.Second))
			}
			pending = append(pending, f.asWritten()...)
		}
		for at := now; at.Before(now.Add(tick)); at = at.Add(500 * time.Millisecond) {
			serial++
			pending = append(pending, written{at, "access.log", plainLine(at, serial)})
		}
		slices.SortStableFunc(pending, func(a, b written) int { return cmp.Compare(a.at.Unix(), b.at.Unix()) })
		texts := map[string]string{}
		for len(pending) > 0 && pending[0].at.Before(now.Add(tick)) {
			texts[pending[0].file] += pending[0].text
			pending = pending[1:]
		}
		for name, text := range texts {
			p.write(name, text)
		}
		p.clock, ticked = now.Add(tick), time.Now()
		for range 2 {
			if _, err := p.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.clock = p.clock.Add(2 * together)
		}
		slowest = max(slowest, time.Since(ticked))
		if day := now.Add(tick).Sub(start); day%(24*time.Hour) == 0 {
			t.Logf("day %d, %s, slowest minute %s: %s, %d changes told", day/(24*time.Hour), time.Since(took).Round(time.Second), slowest.Round(time.Millisecond), p.grown(db), told)
			took, slowest = time.Now(), 0
			rotateDaily(t, dir)
		}
	}
}

type counting struct{ told *int }

func (*counting) close() error { return nil }

// plainLine is a request that nothing is wrong with.
func plainLine(at time.Time, serial int) string {
	return fmt.Sprintf("10.20.2.%d - - [%s] \"GET /web/image/%d HTTP/1.1\" 200 %d \"-\" \"-\"\n", serial%50, at.Format("02/Jan/2006:15:04:05 -0700"), serial%500, serial)
}

// rotateDaily does what logrotate does at midnight, with rotate 3.
func rotateDaily(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"access.log", "error.log", "odoo.log", "postgresql.log"} {
		path := filepath.Join(dir, name)
		for n := 3; n > 0; n-- {
			os.Rename(fmt.Sprint(path, ".", n), fmt.Sprint(path, ".", n+1))
		}
		os.Remove(path + ".4")
		if err := os.Rename(path, path+".1"); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

var rssIn = regexp.MustCompile(`VmRSS:\s*(\d+) kB`)

// grown is what an analysis keeps.
func (p *replayed) grown(db string) string {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	rss := "?"
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		rss = string(rssIn.FindSubmatch(status)[1])
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	size := int64(0)
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(db + suffix); err == nil {
			size += info.Size()
		}
	}
	l := p.live
	return fmt.Sprintf("heap %.1f MB, RSS %s kB, %d files open, store %.1f MB, %d followers, open %d, settled %d, awaited %d, incidents %d, counted %d, clocks %d, known %d, before %d, files %d, begins %d, seen %d, older %d, links %d, unread %d, absent %d, told %d",
		float64(m.HeapAlloc)/1e6, rss, len(fds), float64(size)/1e6, len(l.watch.followers), len(l.open), len(l.settled), len(l.awaited), len(l.incidents), len(l.counted), len(l.clocks),
		len(l.known), len(l.before), len(l.files), len(l.begins), len(l.watch.seen), len(l.watch.older), len(l.watch.links), len(l.watch.unread), len(l.watch.absent), len(l.told))
}

func (c *counting) hear(gatepost.Change) { *c.told++ }

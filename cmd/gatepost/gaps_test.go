package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// gap is a time in which a log was silent, as the summary says it.
type gap struct {
	File string    `json:"file"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"`
}

// gapsIn returns the gaps that the report of a folder tells of.
func gapsIn(t *testing.T, dir string) []gap {
	t.Helper()
	return analyzed(t, dir).summary.Gaps
}

// busiest returns when most lines of the access log stand within so long a time, and how many stand before and behind it.
func (f folder) busiest(long time.Duration) (from time.Time, before, within, behind int) {
	var all []time.Time
	for _, l := range f["access.log"] {
		if t, ok := at("access.log", l.text); ok {
			all = append(all, t.UTC())
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	for i, j := 0, 0; i < len(all); i++ {
		for j < len(all) && all[j].Before(all[i].Add(long)) {
			j++
		}
		if j-i > within {
			from, before, within, behind = all[i], i, j-i, len(all)-j
		}
	}
	return from, before, within, behind
}

// without takes the records of a time out of a log.
func (f folder) without(name string, from time.Time, long time.Duration) {
	var left []line
	for _, r := range f.records(name) {
		if t, ok := at(name, r[0].text); ok && !t.Before(from) && t.Before(from.Add(long)) {
			continue
		}
		left = append(left, r...)
	}
	f[name] = left
}

// TestGaps: logs that are complete have no gap, whatever happened. Where the busiest minute of one is cut out, or the busiest
// twenty seconds, that is seen in most of those that go on on both sides, and nothing else is. docs/store.md states the figures.
func TestGaps(t *testing.T) {
	const side = 8 // requests on either side
	all := recorded(t)
	for _, in := range all {
		for _, g := range gapsIn(t, in.dir) {
			t.Errorf("%s is complete, and has a gap: %+v", in.name, g)
		}
	}
	for _, c := range []struct {
		long  time.Duration
		least float64 // share that must be seen
	}{{time.Minute, 0.6}, {20 * time.Second, 0.6}} {
		for _, name := range []string{"odoo.log", "access.log"} {
			tried, seen := 0, 0
			for _, in := range all {
				f := readFolder(t, in)
				from, before, within, behind := f.busiest(c.long)
				if before < side || behind < side || f[name] == nil || f["odoo.log"] == nil {
					continue
				}
				f.without(name, from, c.long)
				dir := t.TempDir()
				f.write(t, dir)
				gaps := gapsIn(t, dir)
				tried++
				switch {
				case len(gaps) == 1 && filepath.Base(gaps[0].File) == name && gaps[0].From.Before(from.Add(c.long)) && gaps[0].To.After(from):
					seen++
				case len(gaps) > 0:
					t.Errorf("%s without %s of %s: %+v", in.name, c.long, name, gaps)
				default:
					t.Logf("%s without %s of %s (%d of %d requests): not seen", in.name, c.long, name, within, before+within+behind)
				}
			}
			t.Logf("%s of %s: seen in %d of %d", c.long, name, seen, tried)
			if float64(seen) < c.least*float64(tried) {
				t.Errorf("%s of %s: seen in %d of %d only", c.long, name, seen, tried)
			}
		}
	}
}

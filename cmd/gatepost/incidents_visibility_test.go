package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// view is a part of the logs: what an administrator has at hand.
type view struct {
	name string
	keep func(file string) bool // nil keeps everything
}

func without(part string) func(string) bool {
	return func(file string) bool { return !strings.Contains(file, part) }
}

func only(parts ...string) func(string) bool {
	return func(file string) bool {
		for _, p := range parts {
			if strings.HasPrefix(file, p) {
				return true
			}
		}
		return false
	}
}

var views = []view{
	{"all logs", nil},
	{"nginx and Odoo only", only("access.log", "error.log", "nginx.conf", "odoo.log", "odoo.conf")},
	{"nginx only", only("access.log", "error.log", "nginx.conf")},
	{"access log only", only("access.log")},
	{"no error log", without("error.log")},
	{"no Odoo log", without("odoo.log")},
	{"no kernel log", without("dmesg")},
	{"no PostgreSQL log", without("postgresql.log")},
	{"no standard error", without("odoo-stderr.log")},
	{"no configuration", without(".conf")},
}

// TestVisibility takes logs away. Fewer failures can be explained then, but what is missing must
// not turn into a wrong cause: none that is sure is wrong, and of those of the real Odoo at most one verdict in
// twenty. The stand-in's incidents are chosen to be hard to tell apart: where a stop, a silence and a start
// are all that is left of them, a guess is allowed that says that it is one.
func TestVisibility(t *testing.T) {
	all := recorded(t)
	usual := mostFrequent(all)
	folders := make(map[string]folder)
	for _, in := range all {
		folders[in.name] = readFolder(t, in)
	}
	var mu sync.Mutex
	scores := make([]score, len(views))
	t.Run("incidents", func(t *testing.T) {
		for i, v := range views {
			for _, in := range all {
				t.Run(v.name+"/"+in.name, func(t *testing.T) {
					t.Parallel()
					l := analyzed(t, in.paths(v.keep)...)
					checkLedger(t, in, l)
					checkEvidence(t, l)
					mu.Lock()
					defer mu.Unlock()
					scores[i].judged(in, l)
				})
			}
		}
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s%s\n", "", figuresHead)
	for i, v := range views {
		s := scores[i].told()
		fmt.Fprintf(&b, "%-28s%s\n", v.name, s.figures())
		for _, x := range baselines {
			var g score
			for _, in := range all {
				g.guessed(in, x, sightOf(folders[in.name], v.keep, usual))
			}
			fmt.Fprintf(&b, "  %-26s%s\n", x.name, g.figures())
			if g.accuracy() >= s.selective() {
				t.Errorf("%s: %s is right for %.3f of the failures, the program for %.3f of those it names a cause for", v.name, x.name, g.accuracy(), s.selective())
			}
		}
		real := slices.DeleteFunc(slices.Clone(s), func(v scored) bool { return strings.HasPrefix(v.incident, "s-") })
		if w := real.wrongs(); w > 0.05 {
			t.Errorf("%s: %.3f of the verdicts name a wrong cause, want 0.05\n%s", v.name, w, real.details())
		}
		checkSure(t, v, scores[i])
	}
	checkCalibrated(t, &b, slices.Concat(scores...).told())
	t.Logf("\n%s", b.String())
}

// checkCalibrated holds that a confidence is not worth less than it says, over all views together: with
// everything at hand alone, hardly anything is wrong that could tell.
func checkCalibrated(t *testing.T, b *strings.Builder, s score) {
	t.Helper()
	b.WriteString("confidence, all views  stated observed    n\n")
	for _, d := range s.deciles() {
		fmt.Fprintf(b, "%.1f to %.1f              %6.3f   %6.3f %4d\n", d.from, d.from+0.1, d.stated, d.observed, d.n)
		if d.n >= 10 && d.observed < d.stated-0.05 {
			t.Errorf("of %d verdicts stated at %.2f only %.2f are right", d.n, d.stated, d.observed)
		}
	}
}

// checkSure holds that no verdict is wrong and sure.
func checkSure(t *testing.T, v view, s score) {
	t.Helper()
	for w := range s.wrongAbove(0.8) {
		t.Errorf("%s: wrong and sure: %s", v.name, w)
	}
}

package gatepost_test

import (
	"testing"

	"gatepost"
)

func TestSeries(t *testing.T) {
	f := func(name string, rotated bool, others ...string) {
		t.Helper()
		src := gatepost.Source{Path: name}
		if src.Rotated() != rotated {
			t.Errorf("%s: rotated is %v", name, src.Rotated())
		}
		for _, other := range others {
			o := gatepost.Source{Path: other}
			if o.Series() != src.Series() || !o.Rotated() {
				t.Errorf("%s is of series %q, rotated %v; %s of %q", other, o.Series(), o.Rotated(), name, src.Series())
			}
		}
	}
	f("logs/access.log", false, "logs/access.log.1", "logs/access.log.2.gz", "logs/access.log-20261122", "logs/access.log-20261122.gz",
		"logs/access-2026-11-22.log", "logs/access.1.log", "logs/access.log.old")
	f("postgresql.log", false, "postgresql-Mon.log", "postgresql-2026-11-22_000000.log")
	f("odoo-1.log", false)
	f("odoo-2.log", false)
	f("monitor.log", false)
	f("sunrise.log", false)
	f("access.log.3", true)
	two, three := gatepost.Source{Path: "odoo-2.log"}, gatepost.Source{Path: "odoo-3.log"}
	if two.Series() == three.Series() {
		t.Error("two servers are one log")
	}
}

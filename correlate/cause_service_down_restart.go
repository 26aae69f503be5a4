package correlate

import (
	"fmt"
	"math"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "service_down_restart",
	Title: "Odoo was down: planned stop or restart",
	Doc: "An orderly stop or restart (deploy, upgrade, systemctl restart, config reload), from the order to stop until the first served request. " +
		"It is not this when it stays down because it cannot start: that is service_down_startup_failure.",
	Down: restartDown,
	Fix:  restartFix,
})

// longSilence is the length of silence, between the last line of the old life and the first of the
// new, from which a start that failed without a word is likelier than a restart that took its
// time. A missing Python package leaves nothing in Odoo's log but this silence; a restart at once
// leaves the few seconds that Odoo needs to begin, somebody at work perhaps more. No mechanism
// gives this number: it stands between the only two recordings of the kind, a restart after 13.6 s
// (testdata/incidents/restart-a) and a failed start after 15.1 s (startup-b), and a written case of
// a restart after 17 s is known to lose to it. Hence the low confidence around it.
const longSilence = 14500 * time.Millisecond

// silenceBans weighs a silence of that length for a start that failed, against a restart. Neither way does
// it prove much: operators take their time, and a service manager that tries again every few seconds needs
// few of them. Only a silence of a second or two leaves no room for a failure.
func silenceBans(d time.Duration) int {
	ratio := math.Log2(float64(d) / float64(longSilence))
	if ratio >= 0 {
		return min(300, 150+int(math.Round(100*ratio)))
	}
	return max(-fair, -150+int(math.Round(350*ratio)))
}

// orderly reports whether the downtime began with an order and nothing in it shows a failed start.
func (d *downtime) orderly() bool { return d.stop != nil && len(d.failed) == 0 }

func restartDown(s *scene, d *downtime) []Hypothesis {
	if d.stop == nil {
		if d.before == nil {
			return nil // the log does not reach back to the end of the service
		}
		return []Hypothesis{{Veto: "no order to stop stands in Odoo's log"}}
	}
	h := Hypothesis{
		Instance: fmt.Sprintf("Odoo was stopped at %s", clockTime(d.stop.Time)),
		Root:     gatepost.Step{Time: d.stop.Time, Says: "Odoo was told to stop", Ref: d.stop.Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, d.stop, strong+weak, "process", "Odoo was told to stop, and stopped in good order")},
	}
	for _, e := range s.within(gatepost.UnitStop, d.from.Add(-unitSlack), d.from.Add(deathSlack)) {
		if ofOdoo(e.Name) {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, weak, "unit", "systemd was told to stop the unit"))
		}
	}
	if up := s.within(gatepost.OdooUpgrade, d.from, d.lastOf().Add(time.Minute)); len(up) > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.For, up[0], fair, "process", "modules were upgraded in that time"))
	}
	if d.leaving {
		h.Evidence = append(h.Evidence, absence(gatepost.For, 0, fmt.Sprintf("it was on its way until %s: only then a start failed, and from then on it was down because it could not start", clockTime(d.missed))))
		return []Hypothesis{h}
	}
	if len(d.failed) > 0 {
		f := d.failed[0].event
		h.Evidence = append(h.Evidence, cite(gatepost.Against, f, -strong, "process", fmt.Sprintf("the start at %s failed: from then on it was down because it could not start", clockTime(f.Time))))
		return []Hypothesis{h}
	}
	if exits := s.failedExits(d); len(exits) > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, exits[0], -strong, "unit", "a start after the stop failed: from then on it was down because it could not start"))
		return []Hypothesis{h}
	}
	if e := s.failedToStart(d); e != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, e, -strong, "process", "a start after the stop failed, as Odoo's standard error says: from then on it was down because it could not start"))
		return []Hypothesis{h}
	}
	if d.after == nil {
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -weak, "it was not started again as far as the log goes"))
		return []Hypothesis{h}
	}
	if e := d.after.start; e != nil && d.silence > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, 0, "process", fmt.Sprintf("it was started again %s later and came up at once", seconds(d.silence))))
		if d.silence > longSilence/2 && !s.standardError(d) {
			h.Missing = append(h.Missing, "Odoo's standard error of that time (journalctl -u odoo): a start that fails for a missing package is seen only there")
		}
	}
	return []Hypothesis{h}
}

// standardError reports whether what Odoo prints outside its log was read: then a start that
// failed would be seen.
func (s *scene) standardError(d *downtime) bool {
	return len(s.tracebacks(d)) > 0 || s.covers("syslog", d.from)
}

func restartFix(w *world, g *group) []gatepost.Advice {
	a := []gatepost.Advice{{
		Do: "restart outside business hours", Why: fmt.Sprintf("users saw errors for %s", people(g.length())), Price: "the deploy waits",
	}}
	for _, h := range g.winners {
		if h.down == nil || h.down.after == nil || h.down.after.loaded == nil {
			continue
		}
		if slow := h.down.after.loaded.Time.Sub(h.down.after.listening.Time); slow > 10*time.Second {
			a = append(a, gatepost.Advice{Do: "look at what slows the start", Why: fmt.Sprintf("the registry took %s to load after the port was open; requests wait in that time", seconds(slow))})
		}
		break
	}
	return append(a,
		gatepost.Advice{Do: "let " + g.proxy.name + " answer with a maintenance page that says when to come back", Why: "people then wait instead of calling", File: g.proxy.file, Line: g.proxy.maintenance},
		gatepost.Advice{Do: "keep a second Odoo on another port in the upstream group while the first restarts", Why: "requests go to the one that is up", File: g.proxy.file, Line: g.proxy.spare, Price: "memory for a second set of workers"})
}

package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "service_down_crash",
	Title: "Odoo was down: it crashed",
	Doc: "The Odoo service was not there: its master or the whole unit died without an order (signal, unhandled exception, segfault, power loss), until it serves again. " +
		"It is not this when an OOM kill took it (oom_kill), after an orderly stop (service_down_restart), or when it never came up (service_down_startup_failure).",
	Down: crashDown,
	Fix:  crashFix,
})

func crashDown(s *scene, d *downtime) []Hypothesis {
	h := Hypothesis{Instance: fmt.Sprintf("Odoo ended without an order at about %s", clockTime(d.from))}
	h.Root = gatepost.Step{Time: d.from, Says: "Odoo ended without an order to stop"}
	if d.stop != nil {
		h.Instance, h.Veto = "", fmt.Sprintf("Odoo was told to stop at %s", clockTime(d.stop.Time))
		return []Hypothesis{h}
	}
	if d.lost != nil {
		h.Instance = fmt.Sprintf("Odoo's master died at about %s", clockTime(d.from))
		h.Root.Ref, h.Root.Says = d.lost.Ref, "Odoo's master died; its children notice"
		h.Evidence = append(h.Evidence, cite(gatepost.For, d.lost, fair, "silence", "a child process finds that its master is gone, and nobody had told the master to stop"))
	}
	for _, e := range s.within(gatepost.UnitExit, d.from.Add(-deathSlack), d.from.Add(unitSlack)) {
		if ofOdoo(e.Name) && e.Path != "exited" {
			h.Root.Ref = e.Ref
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, fair, "unit", fmt.Sprintf("systemd saw the main process end (%s, status %d)", e.Path, e.Status)))
		}
	}
	for _, e := range s.within(gatepost.KernelBoot, d.from, d.lastOf()) {
		h.Root.Ref = e.Ref
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, fair, "time", "the machine booted in that time"))
	}
	switch {
	case d.after != nil && d.before != nil:
		e := d.after.listening
		if d.after.start != nil {
			e = d.after.start
		}
		h.Evidence = append(h.Evidence,
			absence(gatepost.For, leak, fmt.Sprintf("Odoo's log falls silent at %s without a line of an orderly stop", clockTime(d.before.last))),
			cite(gatepost.For, e, leak, "process", "Odoo starts anew"))
	case d.before != nil:
		h.Evidence = append(h.Evidence, absence(gatepost.For, 2*leak, fmt.Sprintf("Odoo's log ends at %s without a line of an orderly stop, and requests are refused from then on", clockTime(d.before.last))))
	case d.server != nil:
		h.Evidence = append(h.Evidence, absence(gatepost.For, leak, "how the service ended is before the beginning of Odoo's log"))
		h.Missing = append(h.Missing, "Odoo's log from before its first start (the rotated file)")
	default:
		h.Evidence = append(h.Evidence, absence(gatepost.For, weak, "nobody listened, and no log says why"))
		h.Missing = append(h.Missing, "Odoo's log of that time", "the journal of the unit (journalctl -u odoo)")
	}
	if d.before != nil && s.kernelSeen(d.from) && !s.killedAround(d) {
		h.Evidence = append(h.Evidence, absence(gatepost.For, leak, "the kernel log reaches over that time and shows no kill of an Odoo process"))
	}
	for _, e := range s.within(gatepost.KernelOOM, d.from.Add(-deathSlack), d.endsBy()) {
		if d.server != nil && d.server.known(e.PID, e.Time) != nil {
			h.Evidence = append(h.Evidence, cite(gatepost.Against, e, -fair, "pid", "the kernel killed a process of Odoo's just then"))
			break
		}
	}
	if k := s.database.killedDuring(d); k != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, k, -fair, "pid", "the kernel had killed PostgreSQL"))
	}
	if len(d.failed) > 0 && d.before == nil {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, d.failed[0].event, -fair, "process", "Odoo tried to start and failed"))
	}
	return []Hypothesis{h}
}

func crashFix(w *world, g *group) []gatepost.Advice {
	a := []gatepost.Advice{{
		Do: "let systemd start Odoo again by itself", Why: fmt.Sprintf("it stayed down for %s", people(g.length())),
		File: "/etc/systemd/system/odoo.service.d/restart.conf", Line: "[Service]\nRestart=always\nRestartSec=2",
		Price: "a crash that repeats is then only seen in the journal",
	}}
	return append(a, gatepost.Advice{Do: "find what ended it: journalctl -u odoo, coredumpctl, dmesg around " + clockTime(g.from), Why: "Odoo's own log says nothing about its end"})
}

// people formats a duration for people: "26 min 4 s".
func people(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, sec := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0 && sec > 0:
		return fmt.Sprintf("%d min %d s", m, sec)
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", sec)
}

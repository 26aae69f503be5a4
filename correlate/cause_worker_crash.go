package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "worker_crash",
	Title: "one worker died at work",
	Doc: "One worker died while it served the request (a signal from outside, a segfault in a C library, an unhandled exception) and the others lived on. " +
		"It is not this when the kernel's OOM killer took it (oom_kill), when its master killed it for its time (worker_time_limit), or when the whole service went (service_down_crash).",
	Death: crashDeath,
	Fix:   workerCrashFix,
})

func crashDeath(s *scene, d *death) []Hypothesis {
	h := Hypothesis{
		Instance: deathName(d),
		Key:      fmt.Sprintf("crash/%d", d.at),
		Via:      fmt.Sprintf("the %s that served it died at %s", d.role, clockTime(d.at)),
		Root:     gatepost.Step{Time: d.at, Says: fmt.Sprintf("a %s died", d.role)},
	}
	switch d.how {
	case byOOM:
		h.Veto = "the kernel killed it for memory"
		return []Hypothesis{h}
	case byTimeLimit, byCPULimit:
		h.Veto = "its own time limit ended it"
		return []Hypothesis{h}
	case byMemory:
		h.Veto = "its own memory limit ended it"
		return []Hypothesis{h}
	case byException:
		h.Evidence = append(h.Evidence, cite(gatepost.For, d.event, strong+weak, "time", "an exception ended the worker"))
		h.Root.Ref = d.event.Ref
	case bySilence:
		h.Evidence = append(h.Evidence, replacedBy(d, fair)...)
		h.Evidence = append(h.Evidence, absence(gatepost.For, weak, "no time or memory limit is logged for it"))
		h.Root.Ref = d.successor.Ref
	}
	for _, e := range s.within(gatepost.KernelSegfault, d.at.Add(-deathSlack), d.at.Add(deathSlack)) {
		if ofOdoo(e.Name) {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong, "time", "a process with Odoo's name broke memory protection then, in "+orSome(e.Path, "a library")))
			h.Root.Ref = e.Ref
		}
	}
	for _, e := range s.within(gatepost.PgClientLost, d.at.Add(-time.Second), d.at.Add(2*time.Second)) {
		if e.Name == "transaction" {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, 0, "time", "PostgreSQL lost a client in the middle of a transaction just then"))
			break
		}
	}
	if d.how == bySilence && s.kernelSeen(d.at) {
		h.Evidence = append(h.Evidence, absence(gatepost.For, leak, "the kernel log reaches over that time and shows no kill for memory"))
	}
	return []Hypothesis{h}
}

// deathName says who died.
func deathName(d *death) string {
	if d.pid() == 0 {
		return fmt.Sprintf("a %s died at %s", d.role, clockTime(d.at))
	}
	return fmt.Sprintf("%s %d died at %s", d.role, d.pid(), clockTime(d.at))
}

func orSome(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func workerCrashFix(w *world, g *group) []gatepost.Advice {
	a := []gatepost.Advice{{Do: "find out who killed the worker, or in which library it crashed: dmesg, coredumpctl list, the shell history of the administrators",
		Why: "Odoo logs nothing when a worker is killed from outside"}}
	if p := g.commonPath(); p != "" {
		a = append(a, gatepost.Advice{Do: "look at what " + p + " does in C libraries (images, spreadsheets, PDF)", Why: "every worker that died was serving it"})
	}
	return a
}

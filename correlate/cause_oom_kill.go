package correlate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"gatepost"
)

var _ = register(Cause{
	Name:  "oom_kill",
	Title: "out of memory: killed by the kernel",
	Doc: "The kernel's (or systemd-oomd's) out-of-memory killer took a worker, the master, or a process that Odoo needs, and that broke the requests. " +
		"It is not this when it killed something unrelated, or when Odoo's own limits acted (memory_limit).",
	Down:  oomDown,
	Death: oomDeath,
	Case:  oomCase,
	Fix:   oomFix,
})

// oomDown joins the end of the service with a kill. systemd learns of a kill in a unit at once and
// orders the stop, or kills the rest, in the same moment (OOMPolicy=stop, kill): so the kill and the
// beginning of the end lie together, however long the workers then take. A kill of a worker some
// seconds before a crash is another matter. Only the master's death shows later: its children notice
// when they next look.
func oomDown(s *scene, d *downtime) []Hypothesis {
	from, to := d.from.Add(-deathSlack), d.endsBy()
	var hs []Hypothesis
	for _, e := range s.within(gatepost.KernelOOM, d.from.Add(-2*beat), to) {
		hs = append(hs, oomKillDown(s, d, e))
	}
	for _, e := range append(slices.Clone(s.within(gatepost.UnitOOM, from, to)), s.oomResults(d)...) {
		if !ofOdoo(e.Name) {
			continue
		}
		hs = append(hs, Hypothesis{
			Instance: fmt.Sprintf("systemd stopped %s after an out-of-memory kill at %s", e.Name, clockTime(e.Time)),
			Root:     gatepost.Step{Time: e.Time, Says: fmt.Sprintf("a process of %s was killed for memory", e.Name), Ref: e.Ref},
			Evidence: []gatepost.Evidence{cite(gatepost.For, e, decisive+weak, "unit", "systemd says that a process of this unit was killed for memory, and stops the unit")},
		})
	}
	if k := s.database.killedDuring(d); k != nil {
		hs = append(hs, s.databaseKilled(d, k))
	}
	if h, ok := s.unseenKill(d); ok {
		hs = append(hs, h)
	}
	return hs
}

// databaseKilled argues that a kill of a process of PostgreSQL's lies behind a downtime.
func (s *scene) databaseKilled(d *downtime, k *gatepost.Event) Hypothesis {
	h := Hypothesis{
		since: k.Time, backend: k,
		Instance: fmt.Sprintf("kernel killed PostgreSQL's pid %d at %s", k.PID, clockTime(k.Time)),
		Root:     gatepost.Step{Time: k.Time, Says: fmt.Sprintf("the kernel killed PostgreSQL's process %d for memory", k.PID), Ref: k.Ref},
	}
	says := "the kernel killed a PostgreSQL process, so that PostgreSQL restarted and Odoo lost its database"
	down := s.database.during(d)
	stopped := down != nil && down.first.Kind == gatepost.PgStop
	if stopped {
		says = "the kernel killed a PostgreSQL process, systemd stopped the unit for it (OOMPolicy=stop), and Odoo lost its database"
	}
	if k.Kind == gatepost.KernelOOM {
		h.Evidence = append(h.Evidence, cite(gatepost.For, k, decisive+fair, "pid", says))
	} else {
		h.Instance = fmt.Sprintf("a process of %s was killed for memory by %s", k.Name, clockTime(k.Time))
		h.Root.Says = fmt.Sprintf("a process of %s was killed for memory", k.Name)
		h.Evidence = append(h.Evidence, cite(gatepost.For, k, decisive+fair, "unit", says))
	}
	if stopped {
		h.Evidence = append(h.Evidence, cite(gatepost.For, down.first, 0, "time", "PostgreSQL was told to stop right then"))
	}
	return h
}

// unseenKill is the kill that a kernel log would show, where none was given. It is as likely as a
// crash when only a part of Odoo's processes vanished: whoever kills Odoo by hand kills its
// master, and then all children notice, or kills all of it; the kernel picks the largest.
func (s *scene) unseenKill(d *downtime) (Hypothesis, bool) {
	if d.server == nil || d.stop != nil || d.before == nil || s.kernelSeen(d.from) {
		return Hypothesis{}, false
	}
	h := Hypothesis{
		Instance: "the kernel may have killed Odoo",
		Root:     gatepost.Step{Time: d.from, Says: "Odoo vanished"},
		Evidence: []gatepost.Evidence{absence(gatepost.For, leak+weak, "a kill for memory looks the same in Odoo's log")},
		Missing:  []string{"the kernel's log of that time: dmesg -T or journalctl -k would tell an out-of-memory kill from a crash"},
	}
	if gone, noticed := d.server.orphans(d); noticed > 0 && gone > 0 {
		h.Evidence = append(h.Evidence, absence(gatepost.For, strong, fmt.Sprintf("%d of its processes notice that the master is gone, %d vanished with it: so the kernel picks its victims", noticed, gone)))
	}
	return h, true
}

// killedAround reports whether the kernel killed anything that may be Odoo's when the service went.
func (s *scene) killedAround(d *downtime) bool {
	return slices.ContainsFunc(s.within(gatepost.KernelOOM, d.from.Add(-deathSlack), d.endsBy()), func(e *gatepost.Event) bool { return ofOdoo(e.Name) })
}

// stopTimeout is how long systemd lets a unit take to stop (TimeoutStopSec by default): the result is
// told at the end of that.
const stopTimeout = 90 * time.Second

// oomResults are units that failed with the result oom-kill when the service ended.
func (s *scene) oomResults(d *downtime) []*gatepost.Event {
	var all []*gatepost.Event
	for _, e := range s.within(gatepost.UnitFailed, d.from.Add(-deathSlack), min(d.endsBy().Add(stopTimeout), max(d.endsBy(), d.lastOf()))) {
		if e.Path == "oom-kill" {
			all = append(all, e)
		}
	}
	return all
}

func oomKillDown(s *scene, d *downtime, e *gatepost.Event) Hypothesis {
	h := Hypothesis{
		Instance: killName(e),
		Root:     gatepost.Step{Time: e.Time, Says: fmt.Sprintf("the kernel killed process %d (%s) for memory", e.PID, e.Name), Ref: e.Ref},
	}
	var p *process
	if d.server != nil {
		p = d.server.known(e.PID, e.Time)
	}
	master := d.before != nil && d.before.master == e.PID && e.PID != 0
	switch {
	case master && p != nil && p.last <= e.Time.Add(deathSlack):
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, decisive+fair, "pid", "the killed process is Odoo's master; with it the service goes"))
		if d.lost != nil {
			h.Evidence = append(h.Evidence, cite(gatepost.For, d.lost, weak, "silence", "a worker notices that its master is gone"))
		}
	case e.Time < d.from.Add(-deathSlack):
		h.Veto = fmt.Sprintf("the kernel killed %s (pid %d) %s before the service went, and nothing joins the two", e.Name, e.PID, seconds(d.from.Sub(e.Time)))
	case p != nil && d.stop != nil:
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, decisive, "pid", "the killed process is Odoo's, and the service was stopped right after: systemd stops a unit in which a process was killed for memory (OOMPolicy=stop)"))
	case p != nil:
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, decisive+weak, "pid", "the killed process is one of Odoo's, and the whole service went with it"))
	case !s.dated(e):
		h.Veto = "the clock of the kernel's log is not known well enough to join this kill by its time"
	case ofOdoo(e.Name) && d.stop == nil && d.server == nil:
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, fair, "time", "a process with Odoo's name was killed when the service went; no log of Odoo's says whether it was one"))
		h.Missing = append(h.Missing, "Odoo's log of that time would tell whether the killed process was its own")
	case ofOdoo(e.Name) && d.stop == nil && len(d.server.byPID[e.PID]) > 0:
		h.Veto = fmt.Sprintf("pid %d of Odoo lived on", e.PID)
	case ofOdoo(e.Name) && d.stop == nil:
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong, "time", "the killed process bears Odoo's name, and the service went at that moment; Odoo's log does not show its pid: it began before the log, or Odoo runs in a container"))
	default:
		h.Veto = fmt.Sprintf("the kernel killed %s (pid %d), which is no process of Odoo", e.Name, e.PID)
	}
	return h
}

func killName(e *gatepost.Event) string {
	return fmt.Sprintf("kernel killed pid %d (%s) at %s", e.PID, e.Name, clockTime(e.Time))
}

func oomDeath(s *scene, d *death) []Hypothesis {
	if d.how == byOOM {
		h := Hypothesis{
			Instance: killName(d.event),
			Key:      fmt.Sprintf("oom/%d", d.event.Time),
			Via:      fmt.Sprintf("its worker was killed at %s", clockTime(d.at)),
			Root:     gatepost.Step{Time: d.event.Time, Says: fmt.Sprintf("the kernel killed %s %d (%s) for memory", d.role, d.event.PID, d.event.Name), Ref: d.event.Ref},
		}
		if d.event.PID == d.pid() {
			h.Evidence = append(h.Evidence, cite(gatepost.For, d.event, decisive+fair, "pid", fmt.Sprintf("the killed process is Odoo's %s %d; it wrote no line after that", d.role, d.pid())))
		} else {
			h.Evidence = append(h.Evidence, cite(gatepost.For, d.event, strong, "time", "a process with Odoo's name was killed just when a worker vanished; its pid is of another name space, as in a container"))
		}
		h.Evidence = append(h.Evidence, replacedBy(d, 0)...)
		return []Hypothesis{h}
	}
	var hs []Hypothesis
	for _, e := range s.within(gatepost.KernelOOM, d.at.Add(-30*time.Second), d.at.Add(deathSlack)) {
		if e.PID == d.pid() && d.pid() != 0 {
			continue
		}
		hs = append(hs, Hypothesis{Instance: killName(e), Veto: fmt.Sprintf("the kernel killed %s (pid %d) then, which is not the worker of this request", e.Name, e.PID)})
	}
	if d.how == bySilence && !s.kernelSeen(d.at) {
		hs = append(hs, Hypothesis{
			Instance: "the kernel may have killed the worker",
			Missing:  []string{"the kernel's log of that time: dmesg -T or journalctl -k would tell an out-of-memory kill from a kill by hand"},
			Evidence: []gatepost.Evidence{absence(gatepost.For, fair, "a kill for memory looks the same in Odoo's log")},
		})
	}
	return hs
}

// oomCase is the kill without Odoo's log: a process with Odoo's name was killed in the moment in which
// nginx saw the connection close. Whether it was the one is not proven.
func oomCase(s *scene, c *Case) []Hypothesis {
	if c.Phase != gatepost.PhasePremature || c.death != nil || c.down != nil || s.covers("odoo", c.Time) {
		return nil
	}
	for _, e := range s.within(gatepost.KernelOOM, c.Time.Add(-deathSlack), c.until.Add(deathSlack)) {
		if !ofOdoo(e.Name) || !s.dated(e) {
			continue
		}
		return []Hypothesis{{
			Instance: killName(e),
			Key:      fmt.Sprintf("oom/%d", e.Time),
			Via:      "a process with Odoo's name was killed just then",
			Root:     gatepost.Step{Time: e.Time, Says: fmt.Sprintf("the kernel killed %d (%s) for memory", e.PID, e.Name), Ref: e.Ref},
			Evidence: []gatepost.Evidence{cite(gatepost.For, e, leak+unsure, "time", "the kernel killed a process with Odoo's name in the moment in which "+s.proxyOf(c).name+" saw the connection close")},
			Missing:  []string{"Odoo's log of that time would tell whether the killed process served the request"},
		}}
	}
	return nil
}

// replacedBy cites the worker that came alive in the place of the dead one.
func replacedBy(d *death, weight int) []gatepost.Evidence {
	if d.successor == nil {
		return nil
	}
	return []gatepost.Evidence{cite(gatepost.For, d.successor, weight, "silence", fmt.Sprintf("the master starts a new %s, although none had left in good order", d.role))}
}

// addressSpace is the total-vm that the kernel prints of the process it killed, in bytes, 0 when
// the line does not tell.
func addressSpace(e *gatepost.Event) int64 {
	_, rest, ok := strings.Cut(e.Text, "total-vm:")
	if !ok {
		return 0
	}
	figure, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseInt(figure, 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// leastLimit is the least limit_memory_hard that is worth proposing: an idle worker with many modules
// has half a gigabyte of address space.
const leastLimit = 1 << 30

func oomFix(w *world, g *group) []gatepost.Advice {
	for _, h := range g.winners {
		if h.backend != nil {
			return backendFix(w, h)
		}
	}
	hard, okHard := w.opt.Setup.Number("odoo", "limit_memory_hard")
	workers, okWorkers := w.opt.Setup.Number("odoo", "workers")
	var used, space int64
	for _, h := range g.winners {
		if h.death != nil && h.death.event != nil {
			used = max(used, h.death.event.Number)
			space = max(space, addressSpace(h.death.event))
		}
	}
	var a []gatepost.Advice
	advice := gatepost.Advice{Do: "let Odoo's own limit act before the kernel does: set limit_memory_hard below what the worker had when it was killed",
		Why:   "the kernel kills without a word; Odoo's limit answers with an error that users can read",
		File:  "odoo.conf",
		Line:  "limit_memory_hard = 2684354560",
		Price: "a request that needs more ends with an error (500); the limit counts address space, and must stay well above what an idle worker has"}
	if used > 0 {
		advice.Why += fmt.Sprintf("; the killed process held %s", humanize.IBytes(uint64(used)))
	}
	if space > 0 {
		advice.Why += fmt.Sprintf(" in %s of address space", humanize.IBytes(uint64(space)))
	}
	if limit := space * 9 / 10 >> 26 << 26; limit >= leastLimit {
		advice.Line = fmt.Sprintf("limit_memory_hard = %d", limit)
	} else if space > 0 {
		// So small a worker was not greedy: the machine, or its cgroup, is too small for all of them.
		advice.Do, advice.Line, advice.File = "give the machine, or Odoo's cgroup, more memory, or Odoo fewer workers", "", ""
		advice.Price = "memory, or fewer requests at a time"
		return append(a, advice, gatepost.Advice{Do: "look at what " + orSome(g.commonPath(), "the request") + " loads", Why: "it is what the killed worker was serving", Price: "work on the code: read in batches, stream exports"})
	}
	if okHard {
		advice.Why += fmt.Sprintf("; limit_memory_hard is %s", humanize.IBytes(uint64(hard)))
	}
	if okHard && okWorkers {
		advice.Why += fmt.Sprintf(" for each of %d workers", workers)
	}
	a = append(a, advice)
	if p := g.commonPath(); p != "" {
		a = append(a, gatepost.Advice{Do: "look at what " + p + " loads: it is what grew", Why: "the killed workers were serving it", Price: "work on the code: read in batches, stream exports"})
	}
	return append(a, gatepost.Advice{Do: "give the machine swap or more memory, or fewer workers", Why: "swap turns a kill into slowness", Price: "slower under pressure"})
}

// backendFix is for kills that took a process of PostgreSQL's.
func backendFix(w *world, h *Hypothesis) []gatepost.Advice {
	grew := gatepost.Advice{Do: "find the statement that grew", Why: "one backend took the memory; PostgreSQL's log says what it ran", Price: "work on the query: fewer rows at a time"}
	for _, e := range w.within(gatepost.PgCrash, h.backend.Time.Add(-stopTimeout), h.backend.Time.Add(deathSlack)) {
		if e.Name != "" && (e.PID == h.backend.PID || h.backend.PID == 0) {
			grew.Why = "the backend that was killed ran: " + short(e.Name)
		}
	}
	a := []gatepost.Advice{grew}
	if h.down != nil {
		if down := w.database.during(h.down); down != nil && down.first.Kind == gatepost.PgStop {
			a = append(a, gatepost.Advice{Do: "let systemd leave PostgreSQL alone when the kernel takes one of its processes", Why: "PostgreSQL recovers from that within moments; the stopped unit waits for somebody",
				File: "/etc/systemd/system/postgresql@.service.d/oom.conf", Line: "[Service]\nOOMPolicy=continue"})
		}
	}
	return append(a, gatepost.Advice{Do: "fit PostgreSQL to the memory there is: work_mem counts for every sort and hash of every connection", Why: "the kernel kills the largest process when nothing is left", File: "postgresql.conf",
		Line: "work_mem = 4MB", Price: "large sorts go through the disk"})
}

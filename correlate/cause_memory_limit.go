package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "memory_limit",
	Title: "Odoo's own memory limit",
	Doc: "Odoo's limit_memory_hard (MemoryError) or limit_memory_soft (recycling) broke the requests. " +
		"It is not this when the kernel did it (oom_kill). The soft limit below what an idle worker needs makes workers leave for ever without serving.",
	Death: memoryDeath,
	Down:  memoryDown,
	Work:  memoryWork,
	Case:  memoryCase,
	Fix:   memoryFix,
})

func memoryDeath(s *scene, d *death) []Hypothesis {
	if d.how != byMemory {
		return nil
	}
	return []Hypothesis{{
		Instance: fmt.Sprintf("%s %d ended by its memory limit at %s", d.role, d.pid(), clockTime(d.at)),
		Key:      fmt.Sprintf("memory/%d", d.at),
		Via:      fmt.Sprintf("its process ended at %s", clockTime(d.at)),
		Root:     gatepost.Step{Time: d.at, Says: fmt.Sprintf("%s %d reached its memory limit", d.role, d.pid()), Ref: d.event.Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, d.event, decisive, "pid", "the process left because of its memory limit")},
	}}
}

// memoryDown is the threaded server, which reloads as a whole.
func memoryDown(s *scene, d *downtime) []Hypothesis {
	for _, e := range s.within(gatepost.OdooWorkerMemory, d.from.Add(-2*time.Minute), d.from.Add(deathSlack)) {
		if e.Name == "server" {
			return []Hypothesis{{
				Instance: "the server reached its memory limit and reloaded at " + clockTime(d.from),
				Root:     gatepost.Step{Time: e.Time, Says: "Odoo reached its memory limit", Ref: e.Ref},
				Evidence: []gatepost.Evidence{cite(gatepost.For, e, decisive, "process", "without workers, the memory limit makes the whole server reload")},
			}}
		}
	}
	return nil
}

// uselessLives is how many workers must leave over their memory without having served a request
// before recycling counts as the cause: otherwise it is the harmless habit that it should be.
const uselessLives = 3

func memoryWork(s *scene, w *work) []Hypothesis {
	if !w.start.Known() {
		return nil
	}
	var hs []Hypothesis
	for _, e := range s.within(gatepost.OdooMemoryError, w.start, w.end) {
		if w.pid != 0 && e.PID != w.pid || w.finished && w.status < 500 {
			continue
		}
		hs = append(hs, Hypothesis{
			Instance: fmt.Sprintf("MemoryError in process %d at %s", e.PID, clockTime(e.Time)),
			Key:      "memory",
			Root:     gatepost.Step{Time: e.Time, Says: fmt.Sprintf("process %d hit limit_memory_hard", e.PID), Ref: e.Ref},
			Evidence: []gatepost.Evidence{cite(gatepost.For, e, strong, "time", "an allocation failed under limit_memory_hard while the request ran, and no answer came")},
		})
		break
	}
	return append(hs, s.uselessWorkers(w.server, w.start, w.end)...)
}

// memoryCase is the request whose connection was not even accepted, because workers leave before they serve.
func memoryCase(s *scene, c *Case) []Hypothesis {
	if !c.neverAccepted() || c.queue != nil || c.down != nil {
		return nil
	}
	from, to := s.waitOf(c)
	if !from.Known() {
		from = c.Time.Add(-s.atLeast)
	}
	return s.uselessWorkers(c.server, from, to)
}

// uselessWorkers argues that workers left over their memory, one after the other and without having served
// anything, all through a wait.
func (s *scene) uselessWorkers(sv *server, from, to gatepost.Time) []Hypothesis {
	var useless []*gatepost.Event
	for _, e := range s.within(gatepost.OdooWorkerExit, from.Add(-10*time.Second), to) {
		if e.Number == 0 && sv != nil && sv.sources[e.Ref.Source] {
			useless = append(useless, e)
		}
	}
	soft := s.within(gatepost.OdooWorkerMemory, from.Add(-10*time.Second), to)
	if len(useless) < uselessLives || len(soft) < uselessLives {
		return nil
	}
	return []Hypothesis{{
		Instance: "every worker leaves at once: limit_memory_soft is below what an idle worker needs",
		Key:      "soft",
		Root:     gatepost.Step{Time: soft[0].Time, Says: "workers leave over limit_memory_soft without having served a request", Ref: soft[0].Ref},
		Evidence: []gatepost.Evidence{
			cite(gatepost.For, soft[0], strong, "process", fmt.Sprintf("%d workers left over their memory limit while the request waited", len(soft))),
			cite(gatepost.For, useless[0], fair, "process", fmt.Sprintf("%d of them had served no request at all", len(useless))),
		},
	}}
}

func memoryFix(w *world, g *group) []gatepost.Advice {
	line := "limit_memory_soft = 2147483648\nlimit_memory_hard = 2684354560"
	why := "the limits are below what the work needs"
	if soft, ok := w.opt.Setup.Number("odoo", "limit_memory_soft"); ok {
		why = fmt.Sprintf("limit_memory_soft is %d MiB", soft>>20)
		if hard, ok := w.opt.Setup.Number("odoo", "limit_memory_hard"); ok {
			why += fmt.Sprintf(", limit_memory_hard %d MiB", hard>>20)
			line = fmt.Sprintf("limit_memory_soft = %d\nlimit_memory_hard = %d", soft*3/2, hard*3/2)
		}
	}
	a := []gatepost.Advice{{Do: "raise the limits, if the machine has the memory", Why: why, File: "odoo.conf", Line: line, Price: "workers x limit_memory_hard must fit into RAM"}}
	if p := g.commonPath(); p != "" {
		a = append(a, gatepost.Advice{Do: "or make " + p + " need less: read in batches", Why: "it is what hit the limit"})
	}
	return a
}

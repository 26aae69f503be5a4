package correlate

import (
	"fmt"
	"strings"

	"gatepost"
)

var _ = register(Cause{
	Name:  "disk_full",
	Title: "disk full",
	Doc:   "No space was left on the file system of PostgreSQL, the filestore, temporary files or logs, and that broke the requests.",
	Down:  diskDown,
	Work:  diskWork,
	Fix:   diskFix,
})

func diskDown(s *scene, d *downtime) []Hypothesis {
	var h Hypothesis
	if down := s.database.during(d); down != nil && down.disk != nil {
		h.Evidence = append(h.Evidence, cite(gatepost.For, down.disk, decisive+fair, "time", "PostgreSQL gave up for want of space, and Odoo lost its database"))
		h.Root = gatepost.Step{Time: down.disk.Time, Says: "PostgreSQL's disk was full", Ref: down.disk.Ref}
		h.sees(down.disk.Time)
	}
	for _, f := range d.failed {
		if f.reason() == "disk" {
			h.Evidence = append(h.Evidence, cite(gatepost.For, f.errors[0], decisive, "pid", "Odoo's start failed for want of space"))
			h.Root = gatepost.Step{Time: f.event.Time, Says: "the disk was full when Odoo started", Ref: f.errors[0].Ref}
			h.sees(f.event.Time)
			break
		}
	}
	for _, e := range s.tracebacks(d) {
		if contains(e.Name, "No space left on device") {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong, "process", "Odoo's standard error: "+short(e.Name)))
		}
	}
	if len(h.Evidence) == 0 {
		return nil
	}
	h.Instance = "no space left from " + clockTime(h.Root.Time)
	return []Hypothesis{h}
}

func diskWork(s *scene, w *work) []Hypothesis {
	if !w.start.Known() {
		return nil
	}
	h := Hypothesis{Key: "disk"}
	for _, e := range s.within(gatepost.OdooDiskFull, w.start, w.end) {
		if w.pid != 0 && e.PID == w.pid && w.server.sources[e.Ref.Source] {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong+weak, "pid", "the worker of this request found the disk full"))
			h.Root = gatepost.Step{Time: e.Time, Says: "a file system of Odoo's was full", Ref: e.Ref}
			break
		}
	}
	if all := s.within(gatepost.PgDiskFull, w.start, w.end); len(all) > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.For, all[0], fair, "time", "PostgreSQL found its disk full while the request ran"))
		h.Root = gatepost.Step{Time: all[0].Time, Says: "PostgreSQL's disk was full", Ref: all[0].Ref}
	}
	if len(h.Evidence) == 0 {
		return nil
	}
	h.Instance = "no space left at " + clockTime(h.Root.Time)
	return []Hypothesis{h}
}

// contains reports whether s holds any of the words.
func contains(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func diskFix(w *world, g *group) []gatepost.Advice {
	where := "df -h; du -xh --max-depth=2 on the full one"
	for _, e := range w.events(gatepost.PgDiskFull, gatepost.OdooDiskFull) {
		if e.Name != "" {
			where = fmt.Sprintf("the file that could not grow was %s", e.Name)
			break
		}
	}
	return []gatepost.Advice{
		{Do: "make room, and find what filled it: WAL, filestore, logs, temporary files", Why: where},
		{Do: "watch that no file system goes over 90 %", Why: "PostgreSQL stops the whole service when it cannot write its log"},
	}
}

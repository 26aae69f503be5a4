package correlate

import (
	"fmt"

	"gatepost"
)

var _ = register(Cause{
	Name:  "service_down_db_unreachable",
	Title: "Odoo was down: no database",
	Doc: "PostgreSQL was down, starting, in recovery or refusing, so that Odoo could not start or serve. " +
		"It is not this when the connection limit was reached (pg_too_many_connections), or when PostgreSQL died of a full disk (disk_full) or of the OOM killer (oom_kill).",
	Down: dbDownDown,
	Case: dbDownCase,
	Fix:  dbDownFix,
})

func dbDownDown(s *scene, d *downtime) []Hypothesis {
	h := Hypothesis{Instance: "Odoo could not reach PostgreSQL from " + clockTime(d.from), Root: gatepost.Step{Time: d.from, Says: "PostgreSQL could not be reached"}}
	for _, f := range d.failed {
		if f.reason() == "database" {
			h.Root.Time = f.event.Time
			h.sees(f.event.Time)
			h.Evidence = append(h.Evidence, cite(gatepost.For, f.errors[0], strong, "pid", "Odoo started and got no connection to its database"))
			break // the same failure again is no new evidence
		}
	}
	if down := s.database.during(d); down != nil {
		w := strong
		if len(h.Evidence) == 0 && len(d.failed) == 0 && d.after != nil && (!down.to.Known() || down.to > d.lastOf()) {
			w = -fair // Odoo came back before PostgreSQL did: that was not it
		}
		h.Evidence = append(h.Evidence, cite(gatepost.For, down.first, w, "time", "PostgreSQL was down in that time"))
		h.Instance = fmt.Sprintf("PostgreSQL was down from %s", clockTime(down.from))
		h.Root = gatepost.Step{Time: down.from, Says: "PostgreSQL went down", Ref: down.first.Ref}
		h.sees(down.from)
		if down.ready != nil {
			h.Evidence = append(h.Evidence, cite(gatepost.For, down.ready, 0, "time", "PostgreSQL took connections again"))
		}
		switch {
		case down.disk != nil:
			h.Veto = "PostgreSQL itself gave up for want of space"
		case down.killed != nil:
			h.Veto = "the kernel had killed a process of PostgreSQL's"
		}
	}
	if lost := s.lostDatabase(d); lost != nil && len(h.Evidence) > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.For, lost, weak, "time", "the running Odoo lost its database before"))
		h.sees(lost.Time)
	}
	for i, e := range s.tracebacks(d) {
		if slotsTrouble(e.Name) {
			h.Veto = "PostgreSQL was there and said that its connections were used up"
		}
		if databaseTrouble(e.Name) {
			w := 0
			if i == 0 {
				w = fair
			}
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, w, "process", "Odoo's standard error: "+short(e.Name)))
			h.sees(e.Time)
			break
		}
	}
	if len(h.Evidence) == 0 {
		return nil
	}
	switch {
	case d.server == nil:
		h.cap(unsure, "without Odoo's log, nothing but the time joins the two")
		h.Missing = append(h.Missing, "Odoo's log of that time")
	case !s.covers("postgresql", d.from):
		h.cap(unsure, "why PostgreSQL was away, or that its connections were used up, stands only in its own log")
		h.Missing = append(h.Missing, "PostgreSQL's log: it tells a stop from a full disk, a kill, and a limit that was reached")
	}
	if down := s.database.during(d); down != nil && down.first.Kind != gatepost.PgStop && down.first.Kind != gatepost.PgDown && !s.kernelSeen(down.from) {
		h.cap(unsure, "PostgreSQL ended without an order, and without the kernel's log a kill for memory looks the same")
		h.Missing = append(h.Missing, "the kernel's log of that time: dmesg -T or journalctl -k")
	}
	return []Hypothesis{h}
}

// dbDownCase is what users see while Odoo runs without its database: it drops the database from the
// session and answers 404, 302 or 500. Such statuses are in the ledger only when asked for, and some
// of them are ordinary.
func dbDownCase(s *scene, c *Case) []Hypothesis {
	if c.gateway() || c.Status == 499 || c.Status == 503 {
		return nil
	}
	down := s.database.downDuring(c.Time, c.until)
	if down == nil || down.disk != nil || down.killed != nil {
		return nil
	}
	return []Hypothesis{{
		Instance: "PostgreSQL was down from " + clockTime(down.from),
		Key:      fmt.Sprintf("down/%d", down.from),
		Via:      "Odoo answered without a database",
		Root:     gatepost.Step{Time: down.from, Says: "PostgreSQL went down", Ref: down.first.Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, down.first, leak+unsure, "time", "PostgreSQL was down when Odoo answered so")},
	}}
}

// lostDatabase is the last sign, shortly before a downtime, that Odoo could not reach PostgreSQL.
func (s *scene) lostDatabase(d *downtime) *gatepost.Event {
	all := s.within(gatepost.OdooDBFailed, d.from.Add(-shortlyBefore), d.from.Add(downSlack))
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

func dbDownFix(w *world, g *group) []gatepost.Advice {
	return []gatepost.Advice{
		{Do: "find out why PostgreSQL was down, and start it", Why: fmt.Sprintf("Odoo could not serve for %s without it", people(g.length()))},
		{Do: "start Odoo after PostgreSQL, and let it try again", Why: "the packaged unit knows nothing of PostgreSQL and does not restart",
			File: "/etc/systemd/system/odoo.service.d/database.conf", Line: "[Unit]\nAfter=postgresql.service\nWants=postgresql.service\n[Service]\nRestart=always\nRestartSec=3"},
	}
}

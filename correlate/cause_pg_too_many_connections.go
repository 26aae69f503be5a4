package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "pg_too_many_connections",
	Title: "PostgreSQL's connection limit reached",
	Doc: "PostgreSQL refused connections (too many clients, reserved slots), PgBouncer had none for its clients, or Odoo's own pool was full, and that broke the requests. " +
		"With real Odoo this mostly shows as 500; as 502 or 504 only through a chain: a start that fails, a worker that waits.",
	Down: tooManyDown,
	Work: tooManyWork,
	Case: tooManyCase,
	Fix:  tooManyFix,
})

func tooManyDown(s *scene, d *downtime) []Hypothesis {
	h := Hypothesis{Instance: "PostgreSQL had no connection left for Odoo's start"}
	for _, f := range d.failed {
		if f.reason() == "too_many" {
			h.Evidence = append(h.Evidence, cite(gatepost.For, f.errors[0], decisive, "pid", "Odoo started and was refused for want of a connection"))
			h.Root = gatepost.Step{Time: f.event.Time, Says: "PostgreSQL refused Odoo's connection", Ref: f.errors[0].Ref}
			h.sees(f.event.Time)
			break
		}
	}
	for _, e := range s.tracebacks(d) {
		if slotsTrouble(e.Name) {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong, "process", "Odoo's standard error: "+short(e.Name)))
			break
		}
	}
	if all := s.within(gatepost.PgTooMany, d.from.Add(-downSlack), d.lastOf().Add(downSlack)); len(all) > 0 && (len(d.failed) > 0 || d.silence > 5*time.Second || len(h.Evidence) > 0) {
		w := decisive
		if len(d.failed) == 0 {
			w = strong
		}
		h.Evidence = append(h.Evidence, cite(gatepost.For, all[0], w, "time", fmt.Sprintf("%s refused %d connections in that time: its limit was reached", s.refuser(all[0]), len(all))))
		h.Root = s.limitReached(all[0])
		h.sees(all[0].Time)
	}
	if len(h.Evidence) == 0 {
		return nil
	}
	for _, e := range s.within(gatepost.PgTooMany, d.from.Add(-shortlyBefore), d.from) {
		h.sees(e.Time)
	}
	return []Hypothesis{h}
}

// slotsTrouble reports whether the last line of a traceback is about the connection limit.
func slotsTrouble(line string) bool {
	return contains(line, "connection slots", "too many clients", "too many connections")
}

func tooManyWork(s *scene, w *work) []Hypothesis {
	if !w.start.Known() {
		return nil
	}
	h := Hypothesis{Instance: "no free connection to PostgreSQL", Key: "too_many"}
	for _, e := range s.within(gatepost.OdooPoolFull, w.start, w.end.Add(time.Second)) {
		if e.PID == w.pid && w.server != nil && w.server.sources[e.Ref.Source] {
			h.Evidence = append(h.Evidence, cite(gatepost.For, e, strong+weak, "pid", "the worker of this request had used up its db_maxconn"))
			h.Root = gatepost.Step{Time: e.Time, Says: "Odoo's connection pool was full", Ref: e.Ref}
			break
		}
	}
	if e, cited := s.sentAway(w); e != nil {
		h.Evidence = append(h.Evidence, cited)
		h.Root = s.limitReached(e)
	} else if all := s.within(gatepost.PgTooMany, w.start, w.end); len(all) > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.For, all[0], fair, "time", fmt.Sprintf("%s refused %d connections while the request ran", s.refuser(all[0]), len(all))))
		h.Root = s.limitReached(all[0])
	}
	if len(h.Evidence) == 0 {
		return nil
	}
	return []Hypothesis{h}
}

// sentAway finds the line of PgBouncer's that ended an execution: it waits in a queue for a connection, until
// PgBouncer gives up (query_wait_timeout, two minutes by default). Over a local socket the line names Odoo's process.
func (s *scene) sentAway(w *work) (*gatepost.Event, gatepost.Evidence) {
	for _, e := range s.within(gatepost.PgTooMany, w.start, w.end.Add(time.Second)) {
		switch {
		case !s.pooled(e) || !w.mayUse(e.DB):
		case e.PID != 0 && e.PID == w.pid:
			return e, cite(gatepost.For, e, decisive, "pid", "PgBouncer had no connection for this worker and sent it away")
		case e.PID == 0 && w.finished && e.Time >= w.end.Add(-time.Second):
			return e, cite(gatepost.For, e, strong+weak, "time", "the request ended when PgBouncer sent a client away that had got no connection")
		}
	}
	return nil, gatepost.Evidence{}
}

// refuser is who refused a connection.
func (w *world) refuser(e *gatepost.Event) string {
	if w.pooled(e) {
		return "PgBouncer"
	}
	return "PostgreSQL"
}

// limitReached is the root of what a refused connection tells.
func (w *world) limitReached(e *gatepost.Event) gatepost.Step {
	return gatepost.Step{Time: e.Time, Says: w.refuser(e) + " had reached its connection limit", Ref: e.Ref}
}

// tooManyCase is what users see while PostgreSQL has no slot left: as without a database, Odoo answers
// 404, 302 or 500.
func tooManyCase(s *scene, c *Case) []Hypothesis {
	if c.gateway() || c.Status == 499 || c.Status == 503 {
		return nil
	}
	all := s.within(gatepost.PgTooMany, c.Time.Add(-2*time.Second), c.until.Add(time.Second))
	if len(all) == 0 {
		return nil
	}
	return []Hypothesis{{
		Instance: s.refuser(all[0]) + " had no connection left",
		Key:      "too_many",
		Via:      "Odoo answered without a database",
		Root:     s.limitReached(all[0]),
		Evidence: []gatepost.Evidence{cite(gatepost.For, all[0], leak+unsure, "time", s.refuser(all[0])+" refused connections when Odoo answered so")},
	}}
}

func tooManyFix(w *world, g *group) []gatepost.Advice {
	for _, h := range g.winners {
		for _, e := range h.Evidence {
			if src := w.sources[e.Ref.Source]; src != nil && src.Format == "pgbouncer" {
				return poolerFix()
			}
		}
	}
	limit, okLimit := w.opt.Setup.Number("postgresql", "max_connections")
	workers, okW := w.opt.Setup.Number("odoo", "workers")
	conn, okC := w.opt.Setup.Number("odoo", "db_maxconn")
	crons, okCron := w.opt.Setup.Number("odoo", "max_cron_threads")
	if !okCron {
		crons = 2
	}
	why := "every process of Odoo may open up to db_maxconn connections"
	if okW && okC {
		why = fmt.Sprintf("%d workers, %d cron %s and the event process may open %d connections each, %d in all", workers, crons, plural(int(crons), "worker", "workers"), conn, (workers+crons+1)*conn)
	}
	if okLimit {
		why += fmt.Sprintf("; PostgreSQL allows %d", limit)
	}
	line := "max_connections = 200"
	if okLimit {
		line = fmt.Sprintf("max_connections = %d", 2*limit)
	}
	return []gatepost.Advice{
		{Do: "raise PostgreSQL's limit", Why: why, File: "postgresql.conf", Line: line, Price: "some MB of memory for each connection in use, and a restart of PostgreSQL"},
		{Do: "or lower Odoo's", Why: "a worker rarely needs more than a handful", File: "odoo.conf", Line: "db_maxconn = 16"},
		{Do: "or put PgBouncer in between (session pooling for the bus)", Why: "many clients share few connections", Price: "one more service to run"},
	}
}

// poolerFix is for clients that PgBouncer sent away.
func poolerFix() []gatepost.Advice {
	return []gatepost.Advice{
		{Do: "give PgBouncer's pool more connections", Why: "requests waited in its queue for one; the stats lines of its log tell the mean wait",
			File: "pgbouncer.ini", Line: "default_pool_size = 40", Price: "as many connections of PostgreSQL's max_connections, and some MB of memory for each"},
		{Do: "look for transactions that hold a connection for long", Why: "each takes one out of the pool until it ends, and with pool_mode = session until the client leaves",
			File: "postgresql.conf", Line: "log_min_duration_statement = 1000"},
	}
}

package correlate

import (
	"fmt"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "slow_query",
	Title: "slow SQL",
	Doc: "Most of the request's time was one or a few SQL statements that were themselves slow (scan, sort, missing index). " +
		"It is not this when they waited for a lock (lock_wait), or when there were thousands of small ones (slow_app_code).",
	Work: queryWork,
	Fix:  queryFix,
})

const (
	// sqlShare is how much of an execution's time SQL must be to explain it.
	sqlShare = 0.6
	// manyQueries is from how many statements on a request is called chatty when none of them
	// is slow.
	manyQueries = 500
)

// sqlShare is the share of SQL in the execution's time, 0 when it is not known.
func (w *work) sqlShare() float64 {
	if w.sql == gatepost.Unknown || w.duration() <= 0 {
		return 0
	}
	return float64(w.sql) / float64(w.duration())
}

// chatty reports whether the SQL time is spread over many small statements.
func (w *work) chatty() bool {
	return w.queries >= manyQueries && w.sql/time.Duration(w.queries) < 50*time.Millisecond
}

// statement is the logged statement that fills most of the execution, and its share of the time.
func (s *scene) statement(w *work) (*gatepost.Event, float64) {
	if !w.start.Known() || w.end <= w.start {
		return nil, 0
	}
	until := w.end.Add(releaseSlack)
	if !w.finished {
		until = w.end.Add(horizon) // the backend of a request that was given up works on
	}
	var best *gatepost.Event
	var most time.Duration
	for _, e := range s.within(gatepost.PgStatement, w.start, until) {
		began := e.Time.Add(-e.Duration)
		if !w.mayUse(e.DB) || began < w.start.Add(-releaseSlack/2) || began > w.end || w.finished && e.Duration > w.duration()+releaseSlack {
			continue
		}
		filled := overlap(began, e.Time, w.start, w.end)
		if best != nil && (filled < most || filled == most && e.Duration <= best.Duration) || !w.finished && s.ranBy(e, w) != nil {
			continue
		}
		best, most = e, filled
	}
	if best == nil {
		return nil, 0
	}
	return best, float64(most) / float64(w.end.Sub(w.start))
}

// ranBy is an execution other than w that came to its end and can account for a statement, nil without one: it spans the statement, and
// Odoo counts so much SQL in it. One statement is of one request, and that of a request without a line has nobody else.
func (s *scene) ranBy(e *gatepost.Event, w *work) *work {
	began, slack := e.Time.Add(-e.Duration), releaseSlack/2+s.resolution(e.Ref.Source)
	for _, sv := range s.servers {
		for o := range s.works[sv].between(began, e.Time) {
			if o != w && o.finished && o.start.Known() && o.mayUse(e.DB) && o.sql >= e.Duration*9/10 && o.start <= began.Add(slack) && e.Time <= o.end.Add(slack) {
				return o
			}
		}
	}
	return nil
}

func queryWork(s *scene, w *work) []Hypothesis {
	e, share := s.statement(w)
	if w.sqlShare() < sqlShare && (w.sql != gatepost.Unknown || share < sqlShare) {
		if !w.finished {
			return s.queryBeside(w)
		}
		if w.sql == gatepost.Unknown || w.sqlShare() == 0 {
			return nil
		}
		return []Hypothesis{{
			Instance: fmt.Sprintf("%d statements in %s", w.queries, seconds(w.sql)),
			Veto:     fmt.Sprintf("only %s of its %s were SQL", seconds(w.sql), seconds(w.duration())),
		}}
	}
	h := Hypothesis{
		Instance: "slow SQL",
		Key:      "sql",
		Via:      fmt.Sprintf("%s of its %s were SQL", seconds(max(0, w.sql)), seconds(w.duration())),
		Root:     gatepost.Step{Time: w.start, Says: "the request began a slow statement"},
	}
	if l, share := w.longestLock(); share >= lockShare {
		h.Veto = fmt.Sprintf("the statement did not work, it waited %s for a lock", seconds(l.to.Sub(l.from)))
		return []Hypothesis{h}
	}
	if l, ok := s.lockedStatement(w); ok {
		h.Veto = fmt.Sprintf("the statement did not work, it waited %s for a lock", seconds(l.to.Sub(l.from)))
		return []Hypothesis{h}
	}
	if w.sql != gatepost.Unknown {
		h.Evidence = append(h.Evidence, s.ownLine(w, fair+weak, fmt.Sprintf("Odoo counts %s of SQL in %s, %d statements", seconds(w.sql), seconds(w.duration()), w.queries)))
	}
	switch {
	case e != nil && share >= sqlShare:
		h.Instance = "statement: " + short(orSome(e.Name, e.Text))
		h.Root = gatepost.Step{Time: e.Time.Add(-e.Duration), Says: fmt.Sprintf("a statement of %s began", seconds(e.Duration)), Ref: e.Ref}
		weight := fair + weak
		if w.sql == gatepost.Unknown {
			weight = strong
		}
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, weight, "time", fmt.Sprintf("PostgreSQL logs a statement of %s inside this request", seconds(e.Duration))))
	case w.chatty():
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -fair, fmt.Sprintf("%d statements of %s each: many small ones, not a slow one", w.queries, seconds(w.sql/time.Duration(w.queries)))))
	case !s.covers("postgresql", w.end):
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -weak, "without PostgreSQL's log, a wait for a lock looks the same"))
		h.Missing = append(h.Missing, "PostgreSQL's log with log_min_duration_statement = 1000 would name the statement, and log_lock_waits = on would tell it from a lock")
	case len(s.tellers[gatepost.PgStatement])+len(s.tellers[gatepost.PgLockWait]) == 0:
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -weak, "PostgreSQL's log tells of no slow statement and no lock at all: it seems not to be set to, and a wait for a lock looks the same"))
		h.Missing = append(h.Missing, "log_min_duration_statement = 1000 in postgresql.conf would name the statement, and log_lock_waits = on would tell it from a lock")
	}
	if !s.covers("odoo", w.start) {
		h.cap(unsure, "without Odoo's log, nothing but the time joins the statement with the request")
		h.Missing = append(h.Missing, "Odoo's log of that time")
	}
	if w.conflicted() && serialization(w.retry) {
		h.Evidence = append(h.Evidence, cite(gatepost.Against, w.retry, -fair, "pid", "it ended in a conflict with a transaction that had just committed: it had waited for that one"))
	}
	return []Hypothesis{h}
}

// queryBeside argues by the company that an unfinished execution keeps: another of the same route spent the
// same time in a slow statement. Its own would be logged only at its end.
func (s *scene) queryBeside(w *work) []Hypothesis {
	if w.server == nil || !w.start.Known() {
		return nil
	}
	for o := range s.works[w.server].between(w.start, w.end) {
		if o == w || o.route != w.route || !o.finished || o.sqlShare() < sqlShare || o.chatty() || overlap(o.start, o.end, w.start, w.end)*2 < w.end.Sub(w.start) {
			continue
		}
		if _, share := o.longestLock(); share >= lockShare {
			continue
		}
		e, _ := s.statement(o)
		if e == nil {
			continue
		}
		return []Hypothesis{{
			Instance: "statement: " + short(orSome(e.Name, e.Text)),
			Key:      "sql",
			Via:      "it was still at work when Odoo's log ends",
			Root:     gatepost.Step{Time: w.start, Says: "the request began a slow statement", Ref: e.Ref},
			Evidence: []gatepost.Evidence{
				cite(gatepost.For, e, strong, "time", fmt.Sprintf("a request of the same route spent the same time in a statement of %s", seconds(e.Duration))),
			},
			Missing: []string{"the logs of Odoo and PostgreSQL until the request's end"},
		}}
	}
	return nil
}

// ownLine cites Odoo's own line of an execution, or nginx's while there is none.
func (s *scene) ownLine(w *work, weight int, says string) gatepost.Evidence {
	if !w.ref.Known() {
		return absence(gatepost.For, weight, says)
	}
	return gatepost.Evidence{Role: gatepost.For, Kind: gatepost.OdooRequest, Ref: w.ref, Time: w.end, Join: "request", Says: says, Weight: weight}
}

func queryFix(w *world, g *group) []gatepost.Advice {
	why := "these requests spent most of their time in SQL"
	for _, h := range g.winners {
		for _, e := range h.Evidence {
			if e.Kind == gatepost.PgStatement {
				why = e.Says + ": " + short(h.Instance)
			}
		}
	}
	a := []gatepost.Advice{{Do: "look at the statement with EXPLAIN (ANALYZE, BUFFERS), and at tables with many sequential scans in pg_stat_user_tables: an index is missing more often than not", Why: why}}
	if _, known := w.opt.Setup.Find("postgresql", "log_min_duration_statement", ""); !known && !w.has("postgresql") {
		a = append(a, gatepost.Advice{Do: "let PostgreSQL log what takes longer than a second", Why: "the next report then names the statement", File: "postgresql.conf", Line: "log_min_duration_statement = 1000"})
	}
	return append(a, gatepost.Advice{Do: "store computed fields that lists sort or filter by (store=True)", Why: "they are then columns that an index can serve", Price: "a module update that fills the column"})
}

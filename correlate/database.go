package correlate

import (
	"strings"
	"time"

	"gatepost"
)

// database is PostgreSQL as its log shows it: when it was not there, and why.
type database struct {
	downs []*dbDown
}

// dbDown is a time in which PostgreSQL took no connections.
type dbDown struct {
	from, to gatepost.Time // to is NoTime while it has not come back
	first    *gatepost.Event
	ready    *gatepost.Event
	disk     *gatepost.Event // it went down of a full disk
	killed   *gatepost.Event // the kernel took one of its processes, as the kernel or systemd says
}

// buildDatabase walks PostgreSQL's life events.
func (w *world) buildDatabase() {
	db := &database{}
	w.database = db
	var open *dbDown
	postmasters := make(map[int]bool)
	for _, e := range w.events(gatepost.PgStop, gatepost.PgDown, gatepost.PgCrash, gatepost.PgStart, gatepost.PgReady, gatepost.PgRefused, gatepost.KernelOOM) {
		switch e.Kind {
		case gatepost.KernelOOM:
			// The death of the postmaster itself leaves no line of its own.
			if !postmasters[e.PID] || !w.dated(e) {
				continue
			}
			if open == nil {
				open = &dbDown{from: e.Time, to: gatepost.NoTime, first: e}
				db.downs = append(db.downs, open)
			}
			open.killed = e
			continue
		case gatepost.PgReady:
			if open != nil {
				open.to, open.ready = e.Time, e
				open = nil
			}
			continue
		case gatepost.PgStop:
			// Of one instant the refusals that came of an order to stop may come first, where they stand in the next part of the log.
			if open != nil && open.first.Kind == gatepost.PgRefused && e.Time == open.from {
				open.first = e
			}
		case gatepost.PgRefused:
			if e.Name == "auth" || e.Name == "no_database" {
				continue
			}
			if w.pooled(e) {
				if open == nil {
					db.unreachable(e)
				}
				continue
			}
		case gatepost.PgStart:
			postmasters[e.PID] = postmasters[e.PID] || e.PID != 0 && e.Name == "start"
			// A first start in the log without an end before it is only where the log begins.
			if open == nil && e.Name != "recovery" && len(db.downs) == 0 {
				continue
			}
		}
		if open == nil {
			open = &dbDown{from: e.Time, to: gatepost.NoTime, first: e}
			db.downs = append(db.downs, open)
		}
	}
	for i, d := range db.downs {
		w.rootOfDown(d)
		if i > 0 && d.killed == nil {
			w.stoppedFor(d, db.downs[i-1])
		}
	}
}

// stoppedFor finds out whether systemd stopped PostgreSQL since a process of its unit had been killed for memory
// (OOMPolicy=stop). PostgreSQL itself recovers from the loss of a backend in moments, and may do so before it is told to stop.
func (w *world) stoppedFor(d, before *dbDown) {
	if d.first.Kind != gatepost.PgStop {
		return
	}
	if before.killed != nil && d.from.Sub(before.killed.Time) <= deathSlack {
		d.killed = before.killed // nobody is so quick
		return
	}
	until := d.from.Add(stopTimeout)
	if d.to.Known() {
		until = min(until, d.to)
	}
	for _, k := range []gatepost.Kind{gatepost.UnitOOM, gatepost.UnitFailed} {
		for _, e := range w.within(k, d.from.Add(-deathSlack), until) {
			if !ofPostgres(e.Name) || k == gatepost.UnitFailed && e.Path != "oom-kill" {
				continue
			}
			if d.killed = e; before.killed != nil && d.from.Sub(before.killed.Time) <= stopTimeout {
				d.killed = before.killed
			}
			return
		}
	}
}

// ofPostgres reports whether a unit is one of PostgreSQL's.
func ofPostgres(unit string) bool { return strings.HasPrefix(unit, "postgres") }

// poolerRetry is how long PgBouncer by default waits before it tries a server again (server_login_retry).
const poolerRetry = 15 * time.Second

// unreachable notes that PgBouncer got no connection to the server. It does not say when it got one again, so
// each line counts until the next try.
func (db *database) unreachable(e *gatepost.Event) {
	if n := len(db.downs); n > 0 && db.downs[n-1].to >= e.Time {
		db.downs[n-1].to = max(db.downs[n-1].to, e.Time.Add(poolerRetry))
		return
	}
	db.downs = append(db.downs, &dbDown{from: e.Time, to: e.Time.Add(poolerRetry), first: e})
}

// pooled reports whether it is PgBouncer that says so, and not PostgreSQL.
func (w *world) pooled(e *gatepost.Event) bool {
	src := w.sources[e.Ref.Source]
	return src != nil && src.Format == "pgbouncer"
}

// rootOfDown looks for what took PostgreSQL down: no space for its log, or the kernel.
func (w *world) rootOfDown(d *dbDown) {
	for _, e := range w.within(gatepost.PgDiskFull, d.from.Add(-30*time.Second), d.from.Add(5*time.Second)) {
		if e.Status == 1 {
			d.disk = e
		}
	}
	for _, crash := range w.within(gatepost.PgCrash, d.from.Add(-time.Second), d.from.Add(5*time.Second)) {
		for _, e := range w.within(gatepost.KernelOOM, crash.Time.Add(-5*time.Second), crash.Time.Add(5*time.Second)) {
			if e.PID == crash.PID {
				d.killed = e
			}
		}
	}
}

// downDuring returns the downtime of PostgreSQL that [from, to] meets, or nil.
func (db *database) downDuring(from, to gatepost.Time) *dbDown {
	for _, d := range db.downs {
		if d.from <= to.Add(time.Second) && (!d.to.Known() || d.to >= from.Add(-time.Second)) {
			return d
		}
	}
	return nil
}

// during returns the downtime of PostgreSQL that kept Odoo from serving in d, or nil.
func (db *database) during(d *downtime) *dbDown { return db.downDuring(d.from, d.lastOf()) }

// killedDuring is the kernel's kill of a PostgreSQL process that lies behind a downtime, or nil.
func (db *database) killedDuring(d *downtime) *gatepost.Event {
	if down := db.during(d); down != nil {
		return down.killed
	}
	return nil
}

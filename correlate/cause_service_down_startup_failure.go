package correlate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gatepost"
)

var _ = register(Cause{
	Name:  "service_down_startup_failure",
	Title: "Odoo was down: it could not start",
	Doc: "Odoo was started and did not come up: a missing Python dependency, an import error, a broken module, a bad option, a port in use, a failed migration. " +
		"It is not this when the database refused (service_down_db_unreachable).",
	Down: startupDown,
	Fix:  startupFix,
})

func startupDown(s *scene, d *downtime) []Hypothesis {
	h := Hypothesis{Root: gatepost.Step{Time: d.from, Says: "Odoo did not come up"}}
	starts := 0
	for _, f := range d.failed {
		if why := f.reason(); why != "" && why != "load" {
			if h.strongest(gatepost.Against) == nil {
				h.Evidence = append(h.Evidence, cite(gatepost.Against, f.errors[0], -fair, "process", "a start failed at the database"))
			}
			continue
		}
		if starts++; starts > 1 {
			continue // one stands for all: the same failure again is no new evidence
		}
		h.Root = gatepost.Step{Time: f.event.Time, Says: "a start of Odoo did not get to serve", Ref: f.event.Ref}
		h.Evidence = append(h.Evidence, cite(gatepost.For, f.event, strong, "process", "Odoo started here, and never opened its port"))
		for _, e := range f.errors {
			if e.Kind == gatepost.OdooLoadError {
				h.Evidence = append(h.Evidence, cite(gatepost.For, e, fair, "pid", "what broke the start"))
				break
			}
		}
	}
	if starts > 1 {
		last := d.failed[len(d.failed)-1]
		h.Evidence = append(h.Evidence, cite(gatepost.For, last.event, 0, "process", fmt.Sprintf("the last of %d starts that failed", len(d.failed))))
	}
	for i, e := range s.tracebacks(d) {
		if databaseTrouble(e.Name) {
			continue
		}
		w := 0
		switch {
		case i > 0:
		case e.Time.Known():
			w = decisive
		case d.silence > 0 || len(d.failed) > 0 || d.after == nil:
			w = strong + weak
		}
		h.Evidence = append(h.Evidence, cite(gatepost.For, e, w, "silence", "Odoo's standard error says why it did not start: "+short(e.Name)))
		h.Root = gatepost.Step{Time: max(d.from, e.Time), Says: "Odoo could not start: " + short(e.Name), Ref: e.Ref}
	}
	if exits := slices.DeleteFunc(s.failedExits(d), s.endedAtDatabase); len(exits) > 0 && !d.failedAtDatabase() {
		h.Evidence = append(h.Evidence, cite(gatepost.For, exits[0], strong+weak, "unit", fmt.Sprintf("systemd saw the start fail with status %d", exits[0].Status)))
		h.Root = gatepost.Step{Time: exits[0].Time, Says: "a start of Odoo failed", Ref: exits[0].Ref}
	}
	if restarts := s.within(gatepost.UnitRestart, d.from.Add(deathSlack), d.lastOf()); len(restarts) > 0 && ofOdoo(restarts[0].Name) && len(h.Evidence) > 0 {
		h.Evidence = append(h.Evidence, cite(gatepost.For, restarts[len(restarts)-1], weak, "unit", fmt.Sprintf("systemd tried again %d times", len(restarts))))
	}
	if len(h.Evidence) == 0 && d.orderly() && d.after != nil && d.after.start != nil && d.silence > 0 && !s.stands(gatepost.OdooUpgrade, d) {
		h.Evidence = append(h.Evidence,
			cite(gatepost.For, d.after.start, strong+weak, "silence", fmt.Sprintf("after the stop not a line for %s: a start that fails before Odoo can log leaves just that", seconds(d.silence))),
			s.silenceAgainst(d))
		h.Missing = append(h.Missing, "Odoo's standard error of that time (journalctl -u odoo): it names what was missing")
		if starts := s.unitStarts(d); len(starts) == 1 {
			h.Veto = fmt.Sprintf("systemd started it only once, at %s, and it came up", clockTime(starts[0].Time))
		}
		h.Root = gatepost.Step{Time: d.stop.Time, Says: "Odoo was stopped and did not come back for a long time", Ref: d.stop.Ref}
	}
	if len(h.Evidence) == 0 {
		return nil
	}
	if d.stop == nil && d.before != nil && len(d.failed) == 0 && len(s.tracebacks(d)) == 0 {
		return nil // it crashed; a restart counter alone does not say that a start failed
	}
	h.Instance = "Odoo did not start from " + clockTime(h.Root.Time)
	h.sees(h.Root.Time)
	return []Hypothesis{h}
}

// failedAtDatabase reports whether Odoo's log says of every start in the downtime that it failed for what
// PostgreSQL or the disk refused.
func (d *downtime) failedAtDatabase() bool {
	return len(d.failed) > 0 && !slices.ContainsFunc(d.failed, func(f *failedStart) bool { return f.reason() == "" || f.reason() == "load" })
}

// unitStarts are the starts of Odoo's unit that systemd tells of in a downtime.
func (s *scene) unitStarts(d *downtime) []*gatepost.Event {
	return slices.DeleteFunc(slices.Clone(s.within(gatepost.UnitStarted, d.from, d.lastOf().Add(downSlack))), func(e *gatepost.Event) bool { return !ofOdoo(e.Name) })
}

// failedExits are the ends of Odoo's main process in a downtime that were no success. What ends right
// where the downtime begins is the old process, unless systemd had started a new one, or it never ran at all.
func (s *scene) failedExits(d *downtime) []*gatepost.Event {
	return slices.DeleteFunc(slices.Clone(s.within(gatepost.UnitExit, d.from.Add(-deathSlack), d.lastOf())), func(e *gatepost.Event) bool {
		return !ofOdoo(e.Name) || e.Path != "exited" || e.Status == 0 || e.Status < neverRan && e.Time < d.from.Add(deathSlack) && !s.startedAnew(d, e)
	})
}

// endedAtDatabase reports whether Odoo's standard error says right before an end of its main process that it got no connection to the
// database, and nothing else after that.
func (s *scene) endedAtDatabase(exit *gatepost.Event) bool {
	var last *gatepost.Event
	for _, e := range s.within(gatepost.OdooTraceback, exit.Time.Add(-deathSlack), exit.Time) {
		if s.sources[e.Ref.Source] != nil && s.sources[exit.Ref.Source] != nil && s.sources[e.Ref.Source].Path == s.sources[exit.Ref.Source].Path && e.Ref.Offset < exit.Ref.Offset {
			last = e
		}
	}
	return last != nil && databaseTrouble(last.Name)
}

// startedAnew reports whether a journal tells of a start of Odoo's after the order to stop, and before e. The order of its lines decides,
// since its stamps are whole seconds.
func (s *scene) startedAnew(d *downtime, e *gatepost.Event) bool {
	before := func(a, b *gatepost.Event) bool { return a.Ref.Source == b.Ref.Source && a.Ref.Offset < b.Ref.Offset }
	return d.stop != nil && slices.ContainsFunc(s.within(gatepost.UnitStarted, d.from.Add(-time.Second), e.Time), func(start *gatepost.Event) bool {
		return ofOdoo(start.Name) && before(start, e) && !slices.ContainsFunc(s.within(gatepost.UnitStop, start.Time, e.Time), func(stop *gatepost.Event) bool {
			return ofOdoo(stop.Name) && before(start, stop)
		})
	})
}

// neverRan is the least of the statuses with which systemd itself says that it could not even execute a
// program: 203 EXEC, 200 CHDIR, 217 USER and others (systemd.exec).
const neverRan = 200

// silenceAgainst weighs the length of the silence against a restart that took its time. When standard error tells
// of a start that failed and several silences can hide it, it failed in one of them, the sooner the longer it is.
func (s *scene) silenceAgainst(d *downtime) gatepost.Evidence {
	if share, of := s.shareOfStart(d); of > 1 {
		w := int(math.Round(1000 * math.Log10(share/(1-share))))
		return absence(roleOf(w), w, fmt.Sprintf("standard error tells of a start that failed, without a time: in one of %d silences, of which this one of %s is it with %.0f %%", of, seconds(d.silence), 100*share))
	}
	w := silenceBans(d.silence)
	if w < 0 {
		return absence(gatepost.Against, w, fmt.Sprintf("%s are no more than a restart takes", seconds(d.silence)))
	}
	return absence(gatepost.For, w, fmt.Sprintf("%s are long for a restart", seconds(d.silence)))
}

// roleOf is the role of evidence by its weight.
func roleOf(weight int) gatepost.Role {
	if weight < 0 {
		return gatepost.Against
	}
	return gatepost.For
}

// shareOfStart is how likely a start that standard error tells of failed in this downtime, and in how many it can have
// failed; 0 of these when it tells of none.
func (s *scene) shareOfStart(d *downtime) (share float64, of int) {
	told := slices.ContainsFunc(s.undated, func(e *gatepost.Event) bool { return e.Kind == gatepost.OdooTraceback && !databaseTrouble(e.Name) })
	if !told || d.server == nil {
		return 0, 0
	}
	sum, mine := 0.0, 0.0
	for _, o := range s.silentDowntimes(d.server) {
		odds := math.Pow(10, float64(silenceBans(o.silence))/1000)
		sum += odds
		if o == d {
			mine = odds
		}
		of++
	}
	if mine == 0 || mine == sum {
		return 0, 0
	}
	return mine / sum, of
}

// stands reports whether an event of that kind stands in the downtime.
func (s *scene) stands(k gatepost.Kind, d *downtime) bool {
	return len(s.within(k, d.from, d.lastOf())) > 0
}

// reason says in a word at what a start failed: "database", "too_many", "disk", "load", or "".
func (f *failedStart) reason() string {
	for _, e := range f.errors {
		switch {
		case e.Kind == gatepost.OdooDBFailed && e.Name == "too_many":
			return "too_many"
		case e.Kind == gatepost.OdooDiskFull:
			return "disk"
		case e.Kind == gatepost.OdooLoadError:
			return "load"
		}
	}
	for _, e := range f.errors {
		if e.Kind == gatepost.OdooDBFailed {
			return "database"
		}
	}
	return ""
}

// tracebacks are what Odoo printed to standard error around a downtime: dated ones that lie in
// it, undated ones when there is only one downtime that they can belong to.
func (s *scene) tracebacks(d *downtime) []*gatepost.Event {
	all := s.within(gatepost.OdooTraceback, d.from.Add(-downSlack), d.lastOf().Add(downSlack))
	if d.server == nil || !d.mayHideStarts() || len(s.silentDowntimes(d.server)) > 1 {
		return few(all)
	}
	elsewhere := !s.lacksDatabase(d) && slices.ContainsFunc(d.server.downtimes, s.lacksDatabase)
	for _, e := range s.undated {
		if e.Kind == gatepost.OdooTraceback && !(elsewhere && databaseTrouble(e.Name)) {
			all = append(all, e)
		}
	}
	return few(all)
}

// lacksDatabase reports whether PostgreSQL is known to have been away in a downtime.
func (s *scene) lacksDatabase(d *downtime) bool {
	return s.database.during(d) != nil || slices.ContainsFunc(d.failed, func(f *failedStart) bool { return f.reason() == "database" })
}

// failedToStart is what Odoo printed to standard error when a start in the downtime failed for a reason
// of its own, nil when nothing tells of one.
func (s *scene) failedToStart(d *downtime) *gatepost.Event {
	if d.silence <= 0 && len(d.failed) == 0 && d.after != nil {
		return nil
	}
	for _, e := range s.tracebacks(d) {
		if !databaseTrouble(e.Name) {
			return e
		}
	}
	return nil
}

// silentDowntimes are those in which a start may have failed.
func (s *scene) silentDowntimes(sv *server) []*downtime {
	var all []*downtime
	for _, d := range sv.downtimes {
		if d.firstUntil.Known() && d.mayHideStarts() {
			all = append(all, d)
		}
	}
	return all
}

// mayHideStarts reports whether a start may have failed in the downtime for a reason that does not stand in
// Odoo's log.
func (d *downtime) mayHideStarts() bool {
	if len(d.failed) > 0 {
		return slices.ContainsFunc(d.failed, func(f *failedStart) bool { return f.reason() == "" })
	}
	return d.silence > 5*time.Second || d.after == nil
}

// few are the first and the last of many events that say the same.
func few(all []*gatepost.Event) []*gatepost.Event {
	if len(all) <= 6 {
		return all
	}
	return append(slices.Clone(all[:5]), all[len(all)-1])
}

// databaseTrouble reports whether the last line of a traceback is about the connection to
// PostgreSQL.
func databaseTrouble(line string) bool {
	return strings.Contains(line, "OperationalError") || strings.Contains(line, "connection to server")
}

func short(s string) string {
	if r := []rune(s); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return s
}

func startupFix(w *world, g *group) []gatepost.Advice {
	var a []gatepost.Advice
	for _, h := range g.winners {
		for _, e := range h.Evidence {
			if e.Kind == gatepost.OdooTraceback || e.Kind == gatepost.OdooLoadError {
				a = append(a, gatepost.Advice{Do: "mend what broke the start", Why: e.Says})
				break
			}
		}
	}
	if len(a) == 0 {
		a = append(a, gatepost.Advice{Do: "read journalctl -u odoo around " + clockTime(g.from), Why: "what stops Odoo before it can log stands only there: a missing Python package, a wrong option, the port in use"})
	}
	return append(a,
		gatepost.Advice{Do: "try the start before the deploy replaces the running service", Why: "a broken environment then costs nothing", Line: "odoo --stop-after-init -c /etc/odoo/odoo.conf", Price: "a minute in every deploy"})
}

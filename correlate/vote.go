package correlate

import (
	"cmp"
	"slices"
	"time"

	"gatepost"
)

// voters is how many lines of one kind a source may send to the vote: enough to decide, and few
// enough for a log that is full of them.
const voters = 3000

// of returns the first events of a kind that a source has.
func (a *aligner) of(k gatepost.Kind, source int) []gatepost.Event {
	var all []gatepost.Event
	for _, e := range a.raw[k] {
		if e.Ref.Source == source {
			if all = append(all, e); len(all) == voters {
				break
			}
		}
	}
	return all
}

// otherYear moves votes to another year: stamps of syslog have none, and the year that was taken by
// the file's time may be wrong for a copied file. It returns the votes as they would be with the
// year that most of them ask for, and by how many years that is later.
func otherYear(votes []vote) ([]vote, int) {
	count := make(map[int]int)
	for _, v := range votes {
		for years := -3; years <= 3; years++ {
			moved := vote{v.raw, v.shift - yearsLater(v.raw, years)}
			if _, ok := moved.quarter(); ok && years != 0 {
				count[years]++
			}
		}
	}
	best := 0
	for years, n := range count {
		if n > count[best] || n == count[best] && years > best {
			best = years
		}
	}
	if best == 0 {
		return votes, 0
	}
	moved := make([]vote, len(votes))
	for i, v := range votes {
		by := yearsLater(v.raw, best)
		moved[i] = vote{v.raw.Add(by), v.shift - by}
	}
	return moved, best
}

// yearsLater is how long it is from a stamp to the same day and hour some years later.
func yearsLater(raw gatepost.Time, years int) time.Duration {
	return gatepost.TimeOf(raw.Std().AddDate(years, 0, 0)).Sub(raw)
}

// vote is the shift that a matched pair asks for.
type vote struct {
	raw   gatepost.Time // stamp of the line whose clock is looked for
	shift time.Duration
}

func voteFor(raw, at gatepost.Time) vote { return vote{raw, at.Sub(raw)} }

// shifts are the votes without their stamps.
func shifts(votes []vote) []time.Duration {
	all := make([]time.Duration, len(votes))
	for i, v := range votes {
		all[i] = v.shift
	}
	return all
}

// localVotes are the votes of matched pairs.
func (a *aligner) localVotes(src *gatepost.Source) []vote {
	switch src.Format {
	case "nginx_error":
		return a.errorVotes(src)
	case "kernel":
		return a.killVotes(src)
	case "syslog":
		return append(a.killVotes(src), a.unitVotes(src)...)
	case "postgresql":
		return a.databaseVotes(src)
	case "pgbouncer":
		return a.poolerVotes(src)
	}
	return nil
}

// votesPerLine bounds the pairs of one line.
const votesPerLine = 50

// errorVotes pairs error lines with the failing access lines of the same client and request. What
// fails all the time, such as a probe, fits itself at any of its periods: it is paired in order,
// and only where nothing rarer failed.
func (a *aligner) errorVotes(src *gatepost.Source) []vote {
	type who struct {
		key    uint64
		client string
	}
	access, failed := make(map[who][]gatepost.Time), make(map[who][]gatepost.Time)
	for _, e := range a.raw[gatepost.NginxRequest] {
		access[who{e.Key, e.Client}] = append(access[who{e.Key, e.Client}], e.Time)
	}
	for _, e := range a.raw[gatepost.NginxError] {
		if e.Ref.Source == src.ID {
			failed[who{e.Key, e.Client}] = append(failed[who{e.Key, e.Client}], e.Time)
		}
	}
	var rare, frequent []vote
	for k, errors := range failed {
		lines := access[k]
		switch {
		case len(lines) == 0:
		case len(lines) <= rareKey && len(errors) <= rareKey:
			for _, e := range errors {
				for _, l := range lines {
					rare = append(rare, voteFor(e, l))
				}
			}
		default:
			slices.Sort(lines)
			slices.Sort(errors)
			frequent = append(frequent, voteFor(errors[0], lines[0]), voteFor(errors[len(errors)-1], lines[len(lines)-1]))
			for i := range min(voters, len(errors)) {
				if len(errors) == len(lines) {
					frequent = append(frequent, voteFor(errors[i], lines[i]))
				}
			}
		}
	}
	if len(rare) > 0 {
		return rare
	}
	return frequent
}

// killVotes pairs kills of the kernel, and crashes that it saw, with what Odoo logs of them: a new worker in the place of the dead
// one, children that miss their master. The victim must have been born by then.
func (a *aligner) killVotes(src *gatepost.Source) []vote {
	votes := a.backendVotes(src)
	replacements := a.replacements()
	for _, k := range append(a.of(gatepost.KernelOOM, src.ID), a.of(gatepost.KernelSegfault, src.ID)...) {
		if !ofOdoo(k.Name) {
			continue
		}
		for _, e := range replacements {
			if e.PID != k.PID && !a.bornLater(k.PID, e) {
				votes = append(votes, voteFor(k.Time, e.Time))
			}
		}
	}
	return votes
}

// maxDrift is how far the stamps of a kernel's log that was printed with times of day may be off: they are made of the boot time, and the clock was
// set since.
const maxDrift = 15 * time.Second

// driftVotes pairs kills of workers that Odoo's log knows with what it logs in their place, though their stamps differ by more than
// whole quarters of hours. A pid joins them; of several in question the nearest counts.
func (a *aligner) driftVotes(src *gatepost.Source) (votes []vote) {
	replacements := a.replacements()
	for _, k := range a.of(gatepost.KernelOOM, src.ID) {
		var best vote
		for _, e := range replacements {
			if !ofOdoo(k.Name) || e.PID == k.PID || !a.born(k.PID, e) || a.bornLater(k.PID, e) {
				continue
			}
			v := voteFor(k.Time, e.Time)
			if q, off := v.nearest(); off <= maxDrift && q.Abs() <= farthestZone && (best.raw == 0 || off < best.off()) {
				best = v
			}
		}
		if best.raw != 0 {
			votes = append(votes, best)
		}
	}
	return votes
}

// born reports whether the log of e shows a worker with a pid.
func (a *aligner) born(pid int, e gatepost.Event) bool {
	return slices.ContainsFunc(a.raw[gatepost.OdooWorkerAlive], func(b gatepost.Event) bool { return b.PID == pid && a.log[b.Ref.Source] == a.log[e.Ref.Source] })
}

// backendVotes pairs kills of the kernel with PostgreSQL's own line about the end of the same process, where that
// line tells its zone.
func (a *aligner) backendVotes(src *gatepost.Source) []vote {
	var votes []vote
	for _, k := range a.of(gatepost.KernelOOM, src.ID) {
		for _, e := range a.raw[gatepost.PgCrash] {
			if k.PID != 0 && e.PID == k.PID && a.absolute[e.Ref.Source] {
				votes = append(votes, voteFor(k.Time, e.Time))
			}
		}
	}
	return votes
}

// bornLater reports whether all workers with a pid that the log of e shows came alive after e.
func (a *aligner) bornLater(pid int, e gatepost.Event) bool {
	born := false
	for _, b := range a.raw[gatepost.OdooWorkerAlive] {
		if b.PID == pid && a.log[b.Ref.Source] == a.log[e.Ref.Source] {
			if b.Time < e.Time {
				return false
			}
			born = true
		}
	}
	return born
}

// unitVotes pairs what systemd says of Odoo's unit with what Odoo says of itself. Odoo needs a moment
// from its start to its first line, so starts are paired a little late.
func (a *aligner) unitVotes(src *gatepost.Source) []vote {
	var votes []vote
	pair := func(odoo gatepost.Kind, late time.Duration, units ...gatepost.Kind) {
		for _, k := range units {
			for _, u := range a.of(k, src.ID) {
				if !ofOdoo(u.Name) {
					continue
				}
				for _, e := range a.raw[odoo][:min(len(a.raw[odoo]), votesPerLine)] {
					votes = append(votes, voteFor(u.Time, e.Time.Add(-late)))
				}
			}
		}
	}
	pair(gatepost.OdooStop, 0, gatepost.UnitStop)
	pair(gatepost.OdooStart, time.Second, gatepost.UnitStarted)
	return votes
}

// replacements are the lines of Odoo that follow a death: workers that come alive later than
// those that a master begins with, and children that miss their master. Workers that make up for one
// whose end Odoo tells are left out, if that leaves any.
func (a *aligner) replacements() []gatepost.Event {
	all := slices.Clone(a.raw[gatepost.OdooParentChanged])
	alive := slices.Clone(a.raw[gatepost.OdooWorkerAlive])
	byTime := func(x, y gatepost.Event) int { return compareEvents(&x, &y) }
	slices.SortFunc(alive, byTime)
	for _, l := range a.raw[gatepost.OdooListening] {
		first := gatepost.NoTime
		alive = slices.DeleteFunc(alive, func(e gatepost.Event) bool {
			if e.Time < l.Time || e.Ref.Source != l.Ref.Source {
				return false
			}
			if !first.Known() {
				first = e.Time
			}
			return e.Time <= first.Add(initialBurst)
		})
	}
	var ends []gatepost.Event
	for _, k := range []gatepost.Kind{gatepost.OdooWorkerExit, gatepost.OdooWorkerTimeout, gatepost.OdooWorkerError} {
		ends = append(ends, a.raw[k]...)
	}
	slices.SortFunc(ends, byTime)
	// Each end explains one: the first that comes alive after it.
	explained := make([]bool, len(alive))
	for _, x := range ends {
		i, _ := slices.BinarySearchFunc(alive, x.Time.Add(-time.Second), func(e gatepost.Event, t gatepost.Time) int { return cmp.Compare(e.Time, t) })
		for ; i < len(alive) && alive[i].Time <= x.Time.Add(replaceWithin); i++ {
			if !explained[i] && alive[i].Ref.Source == x.Ref.Source {
				explained[i] = true
				break
			}
		}
	}
	var unexplained []gatepost.Event
	for i, e := range alive {
		if !explained[i] {
			unexplained = append(unexplained, e)
		}
	}
	if len(unexplained) > 0 {
		alive = unexplained
	}
	return append(all, alive...)
}

// databaseVotes pairs what PostgreSQL logs with what Odoo logs of it: a statement that was refused, one after
// which a slow request soon ends, a connection that was refused.
func (a *aligner) databaseVotes(src *gatepost.Source) []vote {
	return slices.Concat(a.pairs(src, gatepost.OdooBadQuery, gatepost.PgSerialization, gatepost.PgError),
		a.pairs(src, gatepost.OdooRequest, gatepost.PgStatement, gatepost.PgLockAcquired),
		a.pairs(src, gatepost.OdooDBFailed, gatepost.PgTooMany, gatepost.PgRefused))
}

// poolerVotes pairs what PgBouncer told its clients with what Odoo logs of it.
func (a *aligner) poolerVotes(src *gatepost.Source) []vote {
	return a.pairs(src, gatepost.OdooDBFailed, gatepost.PgTooMany, gatepost.PgRefused)
}

// pairs are the votes of every event of a source with every one of Odoo's.
func (a *aligner) pairs(src *gatepost.Source, odoo gatepost.Kind, kinds ...gatepost.Kind) []vote {
	var votes []vote
	partners := a.raw[odoo][:min(len(a.raw[odoo]), votesPerLine)]
	for _, k := range kinds {
		for _, p := range a.of(k, src.ID) {
			for _, e := range partners {
				votes = append(votes, voteFor(p.Time, e.Time))
			}
		}
	}
	return votes
}

// quarterHour is the whole quarter of an hour that most votes lie at, within two seconds, and how
// many do. Zones are whole quarters of hours from UTC, and no farther than fourteen hours. Of
// equal counts the smallest shift wins.
func quarterHour(votes []vote) (time.Duration, int) {
	count := make(map[time.Duration]int)
	for _, v := range votes {
		if q, ok := v.quarter(); ok {
			count[q]++
		}
	}
	best, n := time.Duration(0), 0
	for q, k := range count {
		if k > n || k == n && (q.Abs() < best.Abs() || q.Abs() == best.Abs() && q > best) {
			best, n = q, k
		}
	}
	return best, n
}

// quarter is the whole quarter of an hour that a vote asks for; ok is false when it asks for none.
func (v vote) quarter() (time.Duration, bool) {
	q, off := v.nearest()
	return q, off <= 2*time.Second && q.Abs() <= farthestZone
}

// nearest is the whole quarter of an hour nearest to a vote, and how far off that is.
func (v vote) nearest() (q, off time.Duration) {
	q = v.shift.Round(15 * time.Minute)
	return q, (v.shift - q).Abs()
}

func (v vote) off() time.Duration {
	_, off := v.nearest()
	return off
}

// farthestZone is how far a zone may be from UTC.
const farthestZone = 14 * time.Hour

// changeOfHour finds a change to or from summer time in the votes: one shift before a stamp, another
// an hour away after it. It returns the shift of the beginning. In the hour that is there twice in
// autumn the stamps themselves leave open which one they mean.
func changeOfHour(votes []vote, shift time.Duration) (first time.Duration, steps []gatepost.ClockStep) {
	var fit []vote
	other := make(map[time.Duration]int)
	for _, v := range votes {
		q, ok := v.quarter()
		if d := (q - shift).Abs(); ok && (d == 0 || d == time.Hour) {
			fit = append(fit, vote{v.raw, q})
			if d != 0 {
				other[q]++
			}
		}
	}
	second := mode(other)
	if other[second] < 2 {
		return shift, nil
	}
	fit = slices.DeleteFunc(fit, func(v vote) bool { return v.shift != shift && v.shift != second })
	slices.SortFunc(fit, func(a, b vote) int { return cmp.Or(cmp.Compare(a.raw, b.raw), cmp.Compare(a.shift, b.shift)) })
	for _, pair := range [2][2]time.Duration{{shift, second}, {second, shift}} {
		at := slices.IndexFunc(fit, func(v vote) bool { return v.shift == pair[1] })
		wrong := 0
		for _, v := range fit[at:] {
			if v.shift != pair[1] {
				wrong++
			}
		}
		if at >= 2 && wrong*20 <= len(fit) {
			return pair[0], []gatepost.ClockStep{{From: fit[at].raw, Shift: pair[1]}}
		}
	}
	return shift, nil
}

// densest is the middle of the window of the given width that holds most votes, and how many.
func densest(votes []time.Duration, width time.Duration) (time.Duration, int) {
	slices.Sort(votes)
	best, n := time.Duration(0), 0
	for i, j := 0, 0; j < len(votes); j++ {
		for votes[j]-votes[i] > width {
			i++
		}
		if j-i+1 > n {
			n = j - i + 1
			best = votes[(i+j)/2]
		}
	}
	return best, n
}

package correlate

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"time"

	"gatepost"
)

// work is one request as Odoo executed it: from dispatch, behind the queue, to its answer. A
// request whose worker was killed leaves no line: its work is a ghost, known by the death alone.
type work struct {
	server   *server
	pid      int
	start    gatepost.Time // NoTime when the log has no durations
	end      gatepost.Time
	sql      time.Duration // Unknown without the performance fields
	queries  int
	status   int
	route    uint64
	db       string // "" when it is not known
	ref      gatepost.Ref
	finished bool       // it came to an answer
	death    *death     // what ended it when it did not
	c        *Case      // the failing request that it executed, nil for others
	locks    []lockSpan // waits for locks that lie in it
	retry    *gatepost.Event
	guessed  bool          // its start is nginx's: Odoo's log has no durations
	idle     time.Duration // how long its worker had been free before, Unknown when it is not seen
}

func (w *work) duration() time.Duration {
	if !w.start.Known() {
		return gatepost.Unknown
	}
	return w.end.Sub(w.start)
}

// span is the work's time; one whose start is not known stands at its end.
func (w *work) span() (start, end gatepost.Time) { return w.began(), w.end }

func (w *work) compare(o *work) int {
	return cmp.Or(cmp.Compare(w.began(), o.began()), cmp.Compare(w.ref.Source, o.ref.Source), cmp.Compare(w.ref.Offset, o.ref.Offset), cmp.Compare(w.pid, o.pid))
}

// straightAfter reports whether its worker took the request straight after another: then it may have
// waited in the queue, and began later than it came in.
func (w *work) straightAfter() bool {
	return w.idle != gatepost.Unknown && w.idle < 100*time.Millisecond
}

// leastPatience is the least that any nginx is set to wait for an answer: its timeouts are whole seconds
// in practice.
const leastPatience = time.Second

// tooShort reports whether an execution that came to its end cannot by itself have exhausted the
// patience of nginx: the request spent its time before it was begun.
func (w *work) tooShort(patience time.Duration) bool {
	return w != nil && w.finished && w.start.Known() && !w.guessed && w.duration() < max(patience, leastPatience)
}

// mayUse reports whether the execution can have to do with something in a database.
func (w *work) mayUse(db string) bool {
	if db == "" {
		return true
	}
	if w.db == "" || w.db == "?" {
		return w.server == nil || len(w.server.dbs) == 0 || w.server.dbs[db]
	}
	return db == w.db
}

// conflicted reports whether the execution spent most of its time on the way to a conflict with
// another transaction: it had waited for that one to commit.
func (w *work) conflicted() bool {
	return w.retry != nil && w.start.Known() && w.retry.Time.Sub(w.start)*2 >= w.duration()
}

// overlapSlack is how far the spans of two requests of one worker may overlap by rounding.
const overlapSlack = 200 * time.Millisecond

// longest is the longest duration that is believed of a request: figures of strangers can be
// anything.
const longest = 24 * time.Hour

// horizon is how long after a failure the line of its execution may still come: Odoo finishes
// what nginx gave up on, at the latest when limit_time_real ends it.
const horizon = 20 * time.Minute

// pair identifies the requests that can be one another: same method and path, and the same client
// where Odoo knows it (proxy_mode).
type pair struct{ key, client uint64 }

// contender is a request line of nginx that competes for the lines of Odoo.
type contender struct {
	c         *Case // nil when it did not fail
	from, end gatepost.Time
	slack     time.Duration
	status    int
}

// moments are the times whose ordinary requests can matter to the failures of the scene: nobody executed a
// request that was turned away.
func (s *scene) moments() spanSet {
	var all spanSet
	for _, c := range s.cases {
		if !c.timedOut() && c.gateway() {
			continue
		}
		from, to := s.waitOf(c)
		if !from.Known() {
			from = c.Time
		}
		all = all.with(from.Add(-time.Minute), to.Add(horizon)) // in the minute before, workers served what they served last
	}
	return all.merged()
}

// buildWorks reads the lane of ordinary requests once for Odoo and once for nginx, and keeps
// what touches a failure: the executions of the failing requests, and whatever else the workers
// did while those waited.
func (s *scene) buildWorks(ctx context.Context) error {
	if err := s.read(ctx, s.stretch.query(lead, horizon, gatepost.OdooRequest)); err != nil {
		return err
	}
	wanted := make(map[pair][]*contender)
	id := func(key, client uint64) pair {
		if !s.clients {
			client = 0
		}
		return pair{key, client}
	}
	for _, c := range s.cases {
		if !c.timedOut() && c.gateway() || c.gevent || c.neverAccepted() {
			continue
		}
		p := id(c.key, gatepost.HashOf(c.Client))
		from, _ := s.waitOf(c)
		wanted[p] = append(wanted[p], &contender{c: c, from: from, end: c.Time, slack: c.until.Sub(c.Time), status: c.Status})
	}
	spans := s.waitSpans()
	dbs := make(map[gatepost.Ref]string) // of the slow ones: the lane of ordinary requests has no words
	for _, e := range s.near[gatepost.OdooRequest] {
		dbs[e.Ref] = e.DB
	}
	executions := make(map[pair][]*work)
	served := make(map[*process]gatepost.Time) // when each ended its last request
	moments := s.moments()
	for r, err := range s.requests(ctx, gatepost.LaneOdoo, moments) {
		if err != nil {
			return err
		}
		sv := s.owner[r.Ref.Source]
		if sv == nil {
			continue
		}
		p := sv.life(int(r.PID), r.End)
		w := work{server: sv, idle: gatepost.Unknown, pid: int(r.PID), start: gatepost.NoTime, end: r.End, sql: r.SQL, queries: int(r.Queries), status: int(r.Status), route: r.Route, db: dbs[r.Ref], ref: r.Ref, finished: true}
		if r.Duration != gatepost.Unknown && r.Duration <= longest {
			w.start = r.End.Add(-r.Duration)
			if last, ok := served[p]; ok {
				w.idle = max(0, w.start.Sub(last))
			}
		}
		served[p] = r.End
		who := id(r.Key, r.Client)
		_, maybe := wanted[who]
		busy := w.start.Known() && spans.touches(w.start, w.end)
		if !busy && !maybe {
			continue
		}
		s.works[sv].add(&w)
		if maybe {
			executions[who] = append(executions[who], &w)
		}
	}
	for r, err := range s.requests(ctx, gatepost.LaneNginx, moments) {
		if err != nil {
			return err
		}
		p := id(r.Key, r.Client)
		if wanted[p] == nil || slices.Contains(s.opt.Watched, int(r.Status)) {
			continue
		}
		from := r.End
		if r.Duration != gatepost.Unknown {
			from = r.End.Add(-r.Duration)
		}
		wanted[p] = append(wanted[p], &contender{from: from, end: r.End, slack: s.resolution(r.Ref.Source), status: int(r.Status)})
	}
	for p, list := range wanted {
		match(list, executions[p])
	}
	return nil
}

// unmatchEarly takes back matches with executions that began before the request did. It comes when it is
// known how long nginx waits.
func (s *scene) unmatchEarly() {
	for _, c := range s.cases {
		if from, _ := s.waitOf(c); c.work != nil && from.Known() && c.work.start.Known() && c.work.start < from.Add(-errorSlack) {
			c.work.c, c.work = nil, nil
		}
	}
	for _, works := range s.works {
		works.keep(func(w *work) bool { return w.c != nil || w.start.Known() })
	}
}

// clientsTell reports whether Odoo's lines name the real clients. Without proxy_mode all of them
// carry the proxy's address.
func (w *world) clientsTell(ctx context.Context) (bool, error) {
	of := func(lane gatepost.Lane) (map[uint64]bool, error) {
		seen := make(map[uint64]bool)
		n := 0
		for r, err := range w.history.Requests(ctx, gatepost.Query{Lanes: []gatepost.Lane{lane}}) {
			if err != nil {
				return nil, err
			}
			seen[r.Client] = true
			if n++; n == 5000 {
				break
			}
		}
		return seen, nil
	}
	odoo, err := of(gatepost.LaneOdoo)
	if err != nil || len(odoo) == 0 {
		return false, err
	}
	nginx, err := of(gatepost.LaneNginx)
	if err != nil {
		return false, err
	}
	common := 0
	for c := range nginx {
		if odoo[c] {
			common++
		}
	}
	return common*3 >= len(nginx), nil
}

// match gives each of Odoo's lines of one pair to the request of nginx that it executed. Requests
// that got their answer end together with their line; what is left belongs to those that gave
// up, first come first served, and cannot have ended before nginx gave up.
func match(list []*contender, works []*work) {
	gaveUp := func(k *contender) bool { return k.c != nil && k.c.timedOut() || k.status == 499 }
	taken := make([]bool, len(works)) // by end
	slices.SortFunc(works, func(a, b *work) int { return cmp.Or(cmp.Compare(a.end, b.end), a.compare(b)) })
	for _, k := range list {
		if gaveUp(k) {
			continue
		}
		best := -1
		i := sort.Search(len(works), func(i int) bool { return works[i].end >= k.end.Add(-2*time.Second) })
		for ; i < len(works) && works[i].end <= k.end.Add(k.slack+time.Second); i++ {
			if w := works[i]; !taken[i] && w.status == k.status && (best < 0 || w.end.Sub(k.end).Abs() < works[best].end.Sub(k.end).Abs()) {
				best = i
			}
		}
		if best >= 0 {
			taken[best] = true
			k.take(works[best])
		}
	}
	left := slices.DeleteFunc(slices.Clone(list), func(k *contender) bool { return !gaveUp(k) })
	slices.SortStableFunc(left, func(a, b *contender) int { return cmp.Compare(a.end, b.end) })
	var free []*work
	for i, w := range works {
		if !taken[i] {
			free = append(free, w)
		}
	}
	slices.SortStableFunc(free, func(a, b *work) int { return cmp.Compare(a.began(), b.began()) })
	used := make([]bool, len(free))
	for _, k := range left {
		// An execution that can be the one began after the request did, or, where that is not known,
		// ended after nginx gave up.
		least := k.end.Add(-horizon)
		if k.from.Known() {
			least = k.from.Add(-errorSlack)
		}
		i := sort.Search(len(free), func(i int) bool { return free[i].began() >= least })
		for ; i < len(free) && free[i].began() <= k.end.Add(horizon); i++ {
			if w := free[i]; !used[i] && w.end >= k.end && w.end <= k.end.Add(horizon) {
				used[i] = true
				k.take(w)
				break
			}
		}
	}
}

// take gives an execution to the request.
func (k *contender) take(w *work) {
	if k.c != nil {
		k.c.work, w.c = w, k.c
		k.c.meantFor(w.server)
	}
}

// began is the start of a work, or its end where only that is known.
func (w *work) began() gatepost.Time {
	if w.start.Known() {
		return w.start
	}
	return w.end
}

// spanSet is a set of time ranges, merged and sorted.
type spanSet [][2]gatepost.Time

// waitSpans are the times in which failing requests were waiting for an answer.
func (s *scene) waitSpans() spanSet {
	var all spanSet
	for _, c := range s.cases {
		if !c.timedOut() {
			continue
		}
		from, to := s.waitOf(c)
		if !from.Known() {
			from = to.Add(-2 * time.Minute)
		}
		all = append(all, [2]gatepost.Time{from.Add(-time.Second), to})
	}
	return all.merged()
}

// with adds a range; one that meets the last one extends it.
func (all spanSet) with(from, to gatepost.Time) spanSet {
	if n := len(all); n > 0 && all[n-1][0] <= from && from <= all[n-1][1] {
		all[n-1][1] = max(all[n-1][1], to)
		return all
	}
	return append(all, [2]gatepost.Time{from, to})
}

// merged sorts the ranges and joins those that meet.
func (all spanSet) merged() spanSet {
	slices.SortFunc(all, func(a, b [2]gatepost.Time) int { return cmp.Compare(a[0], b[0]) })
	merged := all[:0]
	for _, r := range all {
		if n := len(merged); n > 0 && r[0] <= merged[n-1][1] {
			merged[n-1][1] = max(merged[n-1][1], r[1])
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// touches reports whether [from, to] meets any range of the set.
func (r spanSet) touches(from, to gatepost.Time) bool {
	i := sort.Search(len(r), func(i int) bool { return r[i][1] >= from })
	return i < len(r) && r[i][0] <= to
}

// overlap is how long [a,b] and [c,d] run together.
func overlap(a, b, c, d gatepost.Time) time.Duration {
	return max(0, min(b, d).Sub(max(a, c)))
}

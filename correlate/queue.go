package correlate

import (
	"slices"
	"time"

	"gatepost"
)

// queue is the wait of one request for a free worker, and who held the workers meanwhile.
type queue struct {
	from, to gatepost.Time // the wait: from the request's start to its dispatch, or to nginx's end
	workers  int           // HTTP workers alive then, 0 when not known
	holders  []holder      // by start
	busy     time.Duration // worker time in which somebody is seen to hold a worker
}

// holder is one execution that held a worker during the wait.
type holder struct {
	work    *work
	overlap time.Duration
}

// queueEps is the least wait that counts as queueing: dispatch and stamps take some milliseconds,
// and nginx's stamps may be whole seconds.
const queueEps = 300 * time.Millisecond

// buildQueues finds which of the requests that timed out waited for a worker, and for whom.
func (s *scene) buildQueues() {
	for _, c := range s.cases {
		if !c.timedOut() || c.gevent || c.server == nil || c.server.threaded || c.down != nil {
			continue
		}
		from, until := s.waitOf(c)
		to := until
		if c.Start.Known() {
			to = c.Time // the stamp is cut, and so is the start that is reckoned from it
		}
		if c.work != nil && c.work.start.Known() {
			to = min(to, c.work.start)
		}
		told := from.Known()
		if !told {
			// How long nginx waits is not known. It surely waited all the time for a worker if Odoo
			// began it after nginx gave up, and likely if a worker took it straight after another.
			// One whose connection was not even accepted never reached Odoo: the listen queue before the
			// workers was full to the end.
			switch {
			case c.neverAccepted():
				from = c.Time.Add(-s.atLeast)
			case c.work == nil || !c.work.start.Known() || c.work.start < c.Time && !c.work.straightAfter():
				continue
			default:
				from = min(c.Time, c.work.start).Add(-leastPatience)
			}
		}
		slack := s.resolution(c.Ref.Source)
		if told && c.work != nil && c.work.start.Known() && to.Sub(from) < queueEps+slack {
			continue
		}
		q := &queue{from: from, to: max(to, from), workers: c.server.workersAt(from)}
		for w := range s.works[c.server].between(q.from, q.to) {
			if w.c == c || !w.start.Known() {
				continue
			}
			if o := overlap(w.start, w.end, q.from, q.to); o > 0 {
				q.holders = append(q.holders, holder{w, o})
				q.busy += o
			}
		}
		slices.SortStableFunc(q.holders, func(a, b holder) int { return sign(a.work.start < b.work.start) })
		if len(q.holders) > 0 {
			c.queue = q
		}
	}
}

// neverAccepted reports whether the proxy got no connection because the listen queue was full, or made none because
// those that it may have were all in use.
func (c *Case) neverAccepted() bool {
	return c.Phase == gatepost.PhaseConnectTimeout || c.Phase == gatepost.PhaseBacklog || c.Phase == gatepost.PhaseQueueTimeout
}

// length is how long the request waited.
func (q *queue) length() time.Duration { return q.to.Sub(q.from) }

// share is how much of the request's whole time at nginx the wait was.
func (c *Case) queueShare(s *scene) float64 {
	if c.queue == nil {
		return 0
	}
	from, to := s.waitOf(c)
	if !from.Known() && c.work != nil && c.work.start.Known() && s.heldUp(c.work) {
		from, to = c.queue.from, max(c.Time, c.queue.to) // it took so long itself that the wait before it need not have
	}
	if !from.Known() || to <= from {
		return 1 // see buildQueues
	}
	return float64(c.queue.length()) / float64(to.Sub(from))
}

// heldUp reports whether something is seen to have made an execution slow: a lock, a conflict, a
// statement, or that it took many times as long as its route usually does.
func (s *scene) heldUp(w *work) bool {
	_, locked := w.longestLock()
	_, stated := s.statement(w)
	return locked >= lockShare || w.conflicted() || stated >= sqlShare || s.excess(w) >= slowness
}

// slowness is from how many times its route's usual time an execution is called slow itself.
const slowness = 5

// believable reports whether the workers were busy enough for a request to have queued: all of them,
// give or take half a one for work that leaves no line. Where one idled, the wait is an error of the
// clocks, or the request was being served.
func (q *queue) believable() bool {
	return q.workers == 0 || q.occupied() >= 1-0.5/float64(q.workers)
}

// occupied is the share of the workers' time that is seen to be held during the wait.
func (q *queue) occupied() float64 {
	if q.workers == 0 || q.length() <= 0 {
		return 0
	}
	return float64(q.busy) / (float64(q.length()) * float64(q.workers))
}

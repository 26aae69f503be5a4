package correlate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"gatepost"
)

// world is what the whole history tells, whichever failure is judged: it is made once, by survey, and is small,
// since nothing in it comes with every request.
type world struct {
	opt     Options
	history History
	sources map[int]*gatepost.Source
	byKind  map[gatepost.Kind][]*gatepost.Event // all but the frequent kinds, each by time
	undated []*gatepost.Event                   // text on standard error
	tellers map[gatepost.Kind][]int             // sources that have an event of a kind

	servers    []*server
	owner      map[int]*server // by source
	database   *database
	crons      []*cronRun
	cronsByEnd []*cronRun
	longs      *timeline[*cronRun] // those that last
	calm       calm
	routes     map[uint64]*sketch // how long each route normally takes in Odoo
	clients    bool               // Odoo's lines name the real clients
	connects   map[int]bool       // access logs that tell whether a connection was made
	portsTold  bool               // nginx names ports on which Odoo says that it listens
	proxy      *proxy             // that writes most of the access logs
	usual      patience           // its timeout where no configuration tells it
	atLeast    time.Duration      // and what it surely is not less than

	stretches []stretch
	only      *scene // of the one stretch, nil where there are several
	patience  patienceCount
	refusals  refusals
	limited   []trouble               // nginx turned requests away by its own limits
	unlisted  map[*proxy]int          // requests with a 503 for what nginx calls 502, where 503 is no failure
	others    []statusAt              // bad answers that are no failures, by time
	upstreams map[string]bool         // that nginx names
	moments   spanSet                 // when ordinary requests can matter
	rebuilt   map[*server]*rebuilding // during the first pass
}

// frequent kinds come with requests. They are not kept, but read again for each stretch.
var frequent = map[gatepost.Kind]bool{
	gatepost.NginxRequest: true, gatepost.NginxError: true, gatepost.OdooRequest: true, gatepost.OdooRetry: true, gatepost.OdooBadQuery: true,
	gatepost.PgStatement: true, gatepost.PgLockWait: true, gatepost.PgLockAcquired: true,
}

// statusAt counts bad answers of one instant.
type statusAt struct {
	at     gatepost.Time
	status int
	n      int
}

// survey looks at the whole history: at all events, with failures joined with their error lines, and then at what
// Odoo did about them.
func survey(ctx context.Context, h History, sources []gatepost.Source, o Options) (*world, error) {
	w := &world{
		opt: o, history: h,
		sources: make(map[int]*gatepost.Source), byKind: make(map[gatepost.Kind][]*gatepost.Event), tellers: make(map[gatepost.Kind][]int),
		routes: make(map[uint64]*sketch), calm: make(calm), connects: make(map[int]bool), upstreams: make(map[string]bool),
	}
	for i := range sources {
		w.sources[sources[i].ID] = &sources[i]
	}
	w.proxy, w.unlisted = mainProxy(sources), make(map[*proxy]int)
	w.findServers()
	for _, pass := range []func(context.Context) error{w.readEvents, w.readLives, w.readMatches} {
		if err := pass(ctx); err != nil {
			return nil, err
		}
	}
	w.buildDatabase()
	w.buildDowntimes()
	w.buildDeaths()
	return w, nil
}

// readEvents is the first pass: it keeps what is rare, rebuilds the lives of the servers, cuts the history, and
// notes of the failures how nginx gave up, where it was refused, and when requests can matter.
func (w *world) readEvents(ctx context.Context) error {
	watched := w.watched()
	failures := newGatherer(w)
	words := make(map[string]string)
	for e, err := range w.history.Events(ctx, gatepost.Query{}) {
		if err != nil {
			return err
		}
		if !slices.Contains(w.tellers[e.Kind], e.Ref.Source) {
			w.tellers[e.Kind] = append(w.tellers[e.Kind], e.Ref.Source)
		}
		dated := e.Time.Known() && w.stamps(e.Ref.Source) != gatepost.StampsNone
		switch e.Kind {
		case gatepost.NginxRequest:
			w.seeUpstream(e.Upstream)
			for _, a := range e.Attempts {
				if a.Connect != gatepost.Unknown {
					w.connects[e.Ref.Source] = true
				}
			}
			if dated && watched(&e) {
				failures.fail(e)
			} else if dated && e.Status >= 400 && !slices.Contains(w.opt.Watched, e.Status) {
				w.seeOther(e.Time, e.Status)
				w.seeUnlisted(&e)
			}
			continue
		case gatepost.NginxError:
			w.seeUpstream(e.Upstream)
			if dated {
				failures.explain(e)
			}
			if dated && limitsText(e.Text) {
				kept := e
				w.limited = cluster(w.limited, "rate_limited", "nginx turned requests away by its own limits", &kept, quietAtLeast)
			}
			continue
		}
		sv := w.owner[e.Ref.Source]
		if frequent[e.Kind] && (sv == nil || !dated) {
			continue
		}
		kept := e
		slim(&kept, words)
		if !dated {
			w.undated = append(w.undated, &kept)
			continue
		}
		if sv != nil {
			w.rebuilt[sv].observe(&kept)
		}
		if !frequent[e.Kind] {
			w.byKind[e.Kind] = append(w.byKind[e.Kind], &kept)
		}
	}
	for _, sv := range w.servers {
		w.rebuilt[sv].finish()
	}
	w.rebuilt = nil
	failures.finish()
	for _, sv := range w.servers {
		for p := range sv.httpPorts {
			w.portsTold = w.portsTold || w.upstreams[p]
		}
	}
	w.refusals.resolve(w)
	return nil
}

// watched returns who is a failure: a line with a watched status, in the time that was asked for.
func (w *world) watched() func(*gatepost.Event) bool {
	status := make(map[int]bool)
	for _, st := range w.opt.Watched {
		status[st] = true
	}
	since, until := w.opt.Since, w.opt.Until
	return func(e *gatepost.Event) bool {
		return status[e.Status] && (!since.Known() || e.Time >= since) && (!until.Known() || e.Time <= until)
	}
}

// requestRate is how many requests a second Odoo's logs have on average.
func (w *world) requestRate() float64 {
	var requests int64
	seen := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	for _, src := range w.sources {
		if src.Format == "odoo" && src.First.Known() {
			requests += src.Requests
			seen.See(src.Clock.At(src.First))
			seen.See(src.Clock.At(src.Last))
		}
	}
	if requests == 0 {
		return 0
	}
	return float64(requests) / max(1, seen.Last.Sub(seen.First).Seconds())
}

// manyPorts bounds the ports of upstreams that are remembered.
const manyPorts = 1000

// seeUpstream notes the port that nginx names.
func (w *world) seeUpstream(upstream string) {
	if p := w.portOf(upstream); p != "" && len(w.upstreams) < manyPorts {
		w.upstreams[p] = true
	}
}

// seeUnlisted counts a request that is no failure only because its proxy says 503 where nginx says 502.
func (w *world) seeUnlisted(e *gatepost.Event) {
	if o := w.opt; insteadOf502(e) && (!o.Since.Known() || e.Time >= o.Since) && (!o.Until.Known() || e.Time <= o.Until) {
		w.unlisted[w.proxyOf(&Case{Failure: &gatepost.Failure{Ref: e.Ref}})]++
	}
}

// unlistedNotes say that requests failed which the ledger does not have.
func (w *world) unlistedNotes() (notes []string) {
	for _, p := range proxies {
		if n := w.unlisted[p]; n > 0 {
			notes = append(notes, fmt.Sprintf("%s answered %d %s with 503 because no server took %s, where nginx says 502 or 504: --status 502,503,504 takes them into the ledger",
				p.name, n, plural(n, "request", "requests"), plural(n, "it", "them")))
		}
	}
	return notes
}

// seeOther counts a bad answer that is no failure.
func (w *world) seeOther(at gatepost.Time, status int) {
	for i := len(w.others) - 1; i >= 0 && w.others[i].at == at; i-- {
		if w.others[i].status == status {
			w.others[i].n++
			return
		}
	}
	w.others = append(w.others, statusAt{at, status, 1})
}

// othersIn counts the bad answers between two times.
func (w *world) othersIn(from, to gatepost.Time, count map[int]int) {
	i, _ := slices.BinarySearchFunc(w.others, from, func(o statusAt, t gatepost.Time) int { return cmp.Compare(o.at, t) })
	for ; i < len(w.others) && w.others[i].at <= to; i++ {
		count[w.others[i].status] += w.others[i].n
	}
}

// before is how long before a failure the lane of ordinary requests is looked at: enough to see what
// the workers were at, when they last wrote, and how long each route normally takes.
const before = time.Hour

// readLives is the second pass: the requests that Odoo served at the moments that matter (about each failure,
// before each start, where the life before it ended, and after each kill, whether the process writes on)
// tell how long its processes lived, and how long routes take.
func (w *world) readLives(ctx context.Context) error {
	for _, sv := range w.servers {
		for _, g := range sv.generations {
			if g.listening != nil {
				w.moments = append(w.moments, [2]gatepost.Time{g.listening.Time.Add(-before), g.listening.Time})
			}
		}
	}
	for _, e := range w.byKind[gatepost.KernelOOM] {
		w.moments = append(w.moments, [2]gatepost.Time{e.Time.Add(-time.Minute), e.Time.Add(horizon)})
	}
	w.moments = w.moments.merged()
	w.findUsualPatience()
	w.buildCrons()
	var err error
	if w.clients, err = w.clientsTell(ctx); err != nil {
		return err
	}
	for r, err := range w.requests(ctx, gatepost.LaneOdoo, w.moments) {
		if err != nil {
			return err
		}
		if sv := w.owner[r.Ref.Source]; sv != nil {
			w.serve(sv, r)
			w.compare(r)
		}
	}
	w.judgeSlowdowns()
	return nil
}

// serve notes what a request that Odoo served tells of its process and its route.
func (w *world) serve(sv *server, r gatepost.Request) {
	p := sv.life(int(r.PID), r.End)
	p.saw(r.End)
	p.does(roleHTTP)
	if g := sv.generationAt(r.End); g != nil {
		g.last = max(g.last, r.End)
	}
	if r.Duration != gatepost.Unknown && r.Duration <= longest {
		// A worker serves one request at a time: two at once are threads of one process.
		sv.threaded = sv.threaded || p.served.Known() && r.End.Add(-r.Duration) < p.served.Add(-overlapSlack)
		k := w.routes[r.Route]
		if k == nil {
			k = new(sketch)
			w.routes[r.Route] = k
		}
		k.add(r.Duration)
	}
	p.served = r.End
}

// requests yields the requests of a lane at the given times, in order.
func (w *world) requests(ctx context.Context, lane gatepost.Lane, times spanSet) iter.Seq2[gatepost.Request, error] {
	return func(yield func(gatepost.Request, error) bool) {
		for _, m := range times {
			for r, err := range w.history.Requests(ctx, gatepost.Query{From: m[0], To: m[1], Lanes: []gatepost.Lane{lane}}) {
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// votingStretches is how many stretches that are asked how long nginx waits.
const votingStretches = 8

// readMatches is the third pass: where neither the configuration nor the access log tells how long nginx waits,
// the requests that it gave up on and that Odoo is seen to have worked on do.
func (w *world) readMatches(ctx context.Context) error {
	err := w.scenes(ctx, matched, w.stretches[:min(votingStretches, len(w.stretches))], func(s *scene) error {
		for _, c := range s.own() {
			w.patience.seeWork(c)
		}
		return nil
	})
	w.findUsualPatience()
	w.atLeast = w.patience.least()
	return err
}

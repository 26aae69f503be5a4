package correlate

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// group is an incident in the making: failures with one root. It keeps what a report tells of them, and none of
// the cases, of which there may be a million: so nothing in it points into a scene.
type group struct {
	id       string
	key      string
	cause    string
	instance bool // it goes on however long nothing fails

	from, to   gatepost.Time
	failures   int
	clients    map[uint64]bool
	statuses   map[int]int
	confidence int64 // sum, in ten thousandths

	first     gatepost.Step // the first failure: the critical one
	called    string        // the instance of its verdict
	symptom   string        // nginx's error line about it
	proxy     *proxy        // that wrote its line
	patience  patience      // of the proxy with it
	last      gatepost.Step
	instances map[uint64]bool // distinct instances of roots, by hash
	winners   []*Hypothesis   // some of them, by the time of their root
	waited    *gatepost.Step  // the first that waited for a worker
	waiting   int             // how many did

	missing  map[string]bool
	rivals   map[string]gatepost.Rival
	evidence evidenceList
	film     *gatepost.Film

	// What the advice is made of.
	paths    map[string]int           // routes that failed, by how often
	holders  map[string]time.Duration // routes that held workers meanwhile
	workers  int                      // most workers that were seen
	wait     time.Duration            // longest wait for one
	finished int                      // requests that Odoo finished all the same
	slowest  time.Duration            // of these
	lock     lockFacts
}

// lockFacts are what is told of the locks that an incident is about.
type lockFacts struct {
	object    string
	longest   time.Duration // of the waits
	byRequest bool          // a request held it
}

const (
	// quietAtLeast is the least for how long nothing must fail before the same cause begins a new incident.
	quietAtLeast = 30 * time.Second
	// someWinners bounds the roots of an incident that advice looks at.
	someWinners = 64
	// manyRoutes bounds the routes that an incident counts.
	manyRoutes = 10_000
)

// quiet is how long nothing must fail before the same cause begins a new incident.
func (w *world) quiet() time.Duration { return max(quietAtLeast, 2*w.usual.limit) }

// grouping groups the failures of a machine into incidents, as they are judged.
type grouping struct {
	*world
	before int // incidents of other analyses and machines
	groups []*group
	open   map[string]*group
}

// add takes judged cases in, those of one stretch. Failures that share the instance of a root (one downtime, one
// run of a cron, one lock) belong together however far apart; others by cause and nearness.
func (gs *grouping) add(s *scene, cases []*Case) {
	if gs.open == nil {
		gs.open = make(map[string]*group)
	}
	fresh := make(map[*group][]*Case)
	for _, c := range cases {
		key := c.Verdict.Cause
		instance := false
		if h := c.winner(); h != nil {
			for _, shared := range []string{"down/", "cron/", "lock/"} {
				if strings.HasPrefix(h.Key, shared) {
					key += "/" + h.Key
					instance = true
				}
			}
		}
		g := gs.open[key]
		if g == nil || !g.instance && c.Time.Sub(g.last.Time) > gs.quiet() {
			g = newGroup(fmt.Sprintf("i-%02d", gs.before+len(gs.groups)+1), key, c.Verdict.Cause, instance)
			gs.groups = append(gs.groups, g)
			gs.open[key] = g
			fresh[g] = nil
		}
		g.add(s, c)
		c.Incident = g.id
		if own, ok := fresh[g]; ok {
			fresh[g] = append(own, c)
		}
	}
	for g, own := range fresh {
		g.film = s.film(own)
	}
}

func newGroup(id, key, cause string, instance bool) *group {
	return &group{
		id: id, key: key, cause: cause, instance: instance,
		clients: make(map[uint64]bool), statuses: make(map[int]int), instances: make(map[uint64]bool), missing: make(map[string]bool),
		rivals: make(map[string]gatepost.Rival), paths: make(map[string]int), holders: make(map[string]time.Duration),
	}
}

// winner is the hypothesis that the verdict rests on, nil for an undetermined case.
func (c *Case) winner() *Hypothesis {
	if c.Verdict.Cause == gatepost.Undetermined || len(c.hypotheses) == 0 {
		return nil
	}
	return &c.hypotheses[0]
}

// add takes a case in. Cases come in the order of time.
func (g *group) add(s *scene, c *Case) {
	line := c.decisiveLine()
	if g.failures == 0 {
		g.from, g.to = c.Time, c.until
		g.first = gatepost.Step{Role: "critical failure", Time: line.Time, Ref: line.Ref,
			Says: fmt.Sprintf("the first request fails with %d: %s %s", c.Status, short(c.Method+" "+c.Path), phaseNote(c))}
		g.called, g.symptom, g.proxy, g.patience = c.Verdict.Instance, c.symptomText(), s.proxyOf(c), s.patienceFor(c)
	}
	g.failures++
	if c.Start.Known() {
		g.from = min(g.from, c.Start)
	}
	g.to = max(g.to, c.until)
	g.last = gatepost.Step{Role: "impact", Time: c.Time, Ref: c.event.Ref}
	g.clients[gatepost.HashOf(c.Client)] = true
	g.statuses[c.Status]++
	g.confidence += int64(math.Round(c.Verdict.Confidence * 1e4))
	for _, m := range c.Verdict.Missing {
		g.missing[m] = true
	}
	for _, r := range c.Verdict.Rivals {
		if old, ok := g.rivals[r.Cause]; !ok || r.Confidence > old.Confidence {
			g.rivals[r.Cause] = r
		}
	}
	g.evidence.add(&c.Verdict)
	if h := c.winner(); h != nil {
		g.addWinner(h)
	}
	if c.Path != "" {
		count(g.paths, c.route(), 1)
	}
	if w := c.work; w != nil && w.finished && w.duration() > 0 {
		g.slowest = max(g.slowest, w.duration())
		g.finished++
	}
	if c.queue != nil {
		g.addQueue(c)
	}
}

// route names what a case asked for, without the record that it was about.
func (c *Case) route() string { return c.Method + " " + string(gatepost.RouteOf(nil, c.Path)) }

// count adds to the count of a name, unless too many names are counted already.
func count[N int | time.Duration](counts map[string]N, name string, n N) {
	if _, known := counts[name]; known || len(counts) < manyRoutes {
		counts[name] += n
	}
}

func (g *group) addQueue(c *Case) {
	g.workers, g.wait = max(g.workers, c.queue.workers), max(g.wait, c.queue.length())
	for _, h := range c.queue.holders {
		if p := h.work.c; p != nil {
			count(g.holders, p.route(), h.overlap)
		}
	}
	if len(c.queue.holders) > 0 && g.cause != "workers_busy" {
		if g.waited == nil {
			g.waited = &gatepost.Step{Role: "link", Time: c.queue.from, Ref: c.event.Ref}
		}
		g.waiting++
	}
}

// addWinner takes the root of a verdict in, once for each instance.
func (g *group) addWinner(h *Hypothesis) {
	hash := gatepost.HashOf(h.Instance)
	if g.instances[hash] {
		return
	}
	g.instances[hash] = true
	if h.Root.Says != "" && h.Root.Time.Known() {
		g.from = min(g.from, h.Root.Time)
	}
	if h.hold != nil {
		if h.hold.released.Known() {
			g.to = max(g.to, h.hold.released)
		}
		g.lock.add(h.hold)
	}
	kept := *h
	kept.work, kept.hold = nil, nil // they hold on to the whole scene
	i, _ := slices.BinarySearchFunc(g.winners, h.Root.Time+1, func(o *Hypothesis, t gatepost.Time) int { return cmp.Compare(o.Root.Time, t) })
	if i < someWinners {
		g.winners = slices.Insert(g.winners, i, &kept)
		g.winners = g.winners[:min(len(g.winners), someWinners)]
	}
}

func (f *lockFacts) add(hold *lockHold) {
	f.byRequest = f.byRequest || hold.work != nil
	for _, w := range hold.waits {
		if f.object == "" || strings.HasPrefix(f.object, "tuple ") {
			f.object = w.object // a table says more than a row of it
		}
		if w.to.Known() {
			f.longest = max(f.longest, w.to.Sub(w.from))
		}
	}
}

func (g *group) length() time.Duration { return g.to.Sub(g.from) }

// commonPath is the method and path that most failures of the group asked for, "" when they
// differ.
func (g *group) commonPath() string {
	for p, n := range g.paths {
		if n*2 > g.failures {
			return p
		}
	}
	return ""
}

// commonHolder names what held the workers most, "" when nothing stands out.
func (g *group) commonHolder() string {
	best := ""
	for p, d := range g.holders {
		if d > g.holders[best] || d == g.holders[best] && p < best {
			best = p
		}
	}
	return best
}

// incidents are the groups as reports tell them.
func (gs *grouping) incidents() []gatepost.Incident {
	all := make([]gatepost.Incident, 0, len(gs.groups))
	for _, g := range gs.groups {
		all = append(all, gs.incident(g))
	}
	return all
}

func (w *world) incident(g *group) gatepost.Incident {
	cause := lookup(g.cause)
	in := gatepost.Incident{
		ID: g.id, From: g.from, To: g.to, Cause: g.cause, Instance: g.called, Title: cause.Title, State: gatepost.Final,
		Failures: g.failures, Clients: len(g.clients), Statuses: g.statuses,
		Confidence: math.Round(float64(g.confidence)/float64(g.failures)) / 1e4,
		Missing:    slices.Sorted(maps.Keys(g.missing)), Evidence: g.evidence.sorted(), Rivals: g.sortedRivals(), Film: g.film,
	}
	if n := len(g.instances); n > 1 {
		in.Instance = fmt.Sprintf("%s, and %d more", g.winners[0].Instance, n-1)
	}
	w.othersIn(in.From.Add(-time.Second), in.To, in.Statuses) // what others saw beside, and is in no ledger
	in.Chain = g.chain()
	in.Fix = cause.Fix(w, g)
	return in
}

// incidentEvidence is at most how many lines an incident cites; each failure cites its own.
const incidentEvidence = 40

// evidenceList is the union of what verdicts cite: a line counts once however many failures cite
// it, and of the failures' own error lines the first three stand for all.
type evidenceList struct {
	all      []gatepost.Evidence
	seen     map[cited]bool
	symptoms int
	last     *gatepost.Evidence // of what the verdict before rests on
}

// cited is a line, or what is said of a silence.
type cited struct {
	ref  gatepost.Ref
	says string
}

func (l *evidenceList) add(v *gatepost.Verdict) {
	l.cite(v.Symptom)
	if len(v.Evidence) == 0 || &v.Evidence[0] == l.last {
		return
	}
	l.last = &v.Evidence[0]
	for _, e := range v.Evidence {
		l.cite(e)
	}
}

func (l *evidenceList) cite(e gatepost.Evidence) {
	k := cited{ref: e.Ref}
	if !e.Ref.Known() {
		k.says = e.Says
	}
	if e.Join == "request" && e.Weight == 0 {
		if l.symptoms++; l.symptoms > 3 {
			return
		}
	}
	if l.seen[k] || len(l.all) >= incidentEvidence {
		return
	}
	if l.seen == nil {
		l.seen = make(map[cited]bool)
	}
	l.seen[k] = true
	l.all = append(l.all, e)
}

// sorted returns the evidence by time, what has none behind.
func (l *evidenceList) sorted() []gatepost.Evidence {
	slices.SortStableFunc(l.all, func(a, b gatepost.Evidence) int {
		if a.Time.Known() != b.Time.Known() {
			return sign(a.Time.Known())
		}
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Ref.Line, b.Ref.Line))
	})
	return l.all
}

// sortedRivals are the causes considered for the failures of the group, each with its best showing.
func (g *group) sortedRivals() []gatepost.Rival {
	return slices.SortedFunc(maps.Values(g.rivals), func(a, b gatepost.Rival) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), strings.Compare(a.Cause, b.Cause))
	})
}

// chain tells the incident from its root, over the queue between the root and the victims, to what users saw.
func (g *group) chain() []gatepost.Step {
	var steps []gatepost.Step
	if len(g.winners) > 0 && g.winners[0].Root.Says != "" {
		root := g.winners[0].Root
		root.Role = "root cause"
		steps = append(steps, root)
	}
	if g.waited != nil {
		g.waited.Says = fmt.Sprintf("all workers were held, and %d %s waited behind", g.waiting, plural(g.waiting, "request", "requests"))
		steps = append(steps, *g.waited)
	}
	g.last.Says = fmt.Sprintf("%d %s for %d %s", g.failures, plural(g.failures, "request fails", "requests fail"), len(g.clients), plural(len(g.clients), "client", "clients"))
	if g.failures > 1 {
		g.last.Says += ", the last at " + clockTime(g.last.Time)
	}
	return append(steps, g.first, g.last)
}

func phaseNote(c *Case) string {
	if says, ok := phaseSays[c.Phase]; ok {
		return "(" + says + ")"
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

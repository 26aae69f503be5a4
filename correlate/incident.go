package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// group is an incident in the making: failures with one root.
type group struct {
	key     string
	cause   string
	cases   []*Case       // by time
	winners []*Hypothesis // the distinct hypotheses that won, by time of their root
}

// quiet is how long nothing must fail before the same cause begins a new incident.
func (s *scene) quiet() time.Duration { return max(30*time.Second, 2*s.usual.limit) }

// incidents groups the judged cases. Failures that share the instance of a root (one downtime, one
// run of a cron, one lock) belong together however far apart; others by cause and nearness.
func (s *scene) incidents() []gatepost.Incident {
	var groups []*group
	last := make(map[string]*group)
	for _, c := range s.cases {
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
		g := last[key]
		if g == nil || !instance && c.Time.Sub(g.cases[len(g.cases)-1].Time) > s.quiet() {
			g = &group{key: key, cause: c.Verdict.Cause}
			groups = append(groups, g)
			last[key] = g
		}
		g.cases = append(g.cases, c)
	}
	for _, g := range groups {
		g.collectWinners()
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		return cmp.Or(sign(a.from() < b.from()), strings.Compare(a.key, b.key))
	})
	all := make([]gatepost.Incident, 0, len(groups))
	for i, g := range groups {
		id := fmt.Sprintf("i-%02d", i+1)
		all = append(all, s.incident(id, g))
		for _, c := range g.cases {
			c.Incident = id
		}
	}
	return all
}

// winner is the hypothesis that the verdict rests on, nil for an undetermined case.
func (c *Case) winner() *Hypothesis {
	if c.Verdict.Cause == gatepost.Undetermined || len(c.hypotheses) == 0 {
		return nil
	}
	return &c.hypotheses[0]
}

func (g *group) collectWinners() {
	seen := make(map[string]bool)
	for _, c := range g.cases {
		if h := c.winner(); h != nil && !seen[h.Instance] {
			seen[h.Instance] = true
			g.winners = append(g.winners, h)
		}
	}
	slices.SortStableFunc(g.winners, func(a, b *Hypothesis) int { return sign(a.Root.Time < b.Root.Time) })
}

// from is when the trouble began as far as the logs show.
func (g *group) from() gatepost.Time {
	from := g.cases[0].Time
	for _, c := range g.cases {
		if c.Start.Known() {
			from = min(from, c.Start)
		}
	}
	for _, h := range g.winners {
		if h.Root.Time.Known() {
			from = min(from, h.Root.Time)
		}
	}
	return from
}

// to is when it was over.
func (g *group) to() gatepost.Time {
	to := g.cases[0].until
	for _, c := range g.cases {
		to = max(to, c.until)
	}
	for _, h := range g.winners {
		if h.hold != nil && h.hold.released.Known() {
			to = max(to, h.hold.released)
		}
	}
	return to
}

func (g *group) length() time.Duration { return g.to().Sub(g.from()) }

// commonPath is the method and path that most failures of the group asked for, "" when they
// differ.
func (g *group) commonPath() string {
	count := make(map[string]int)
	for _, c := range g.cases {
		if c.Path != "" {
			count[c.Method+" "+string(gatepost.RouteOf(nil, c.Path))]++
		}
	}
	for p, n := range count {
		if n*2 > len(g.cases) {
			return p
		}
	}
	return ""
}

// commonHolder names what held the workers most, "" when nothing stands out.
func (g *group) commonHolder(s *scene) string {
	held := make(map[string]time.Duration)
	for _, c := range g.cases {
		if c.queue == nil {
			continue
		}
		for _, h := range c.queue.holders {
			if p := h.work.c; p != nil {
				held[p.Method+" "+string(gatepost.RouteOf(nil, p.Path))] += h.overlap
			}
		}
	}
	best := ""
	for p, d := range held {
		if d > held[best] || d == held[best] && p < best {
			best = p
		}
	}
	return best
}

// missing collects what would have made the verdicts of the group surer.
func (g *group) missing() []string {
	var all []string
	for _, c := range g.cases {
		all = append(all, c.Verdict.Missing...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// incidentEvidence is at most how many lines an incident cites; each failure cites its own.
const incidentEvidence = 40

func (s *scene) incident(id string, g *group) gatepost.Incident {
	cause := lookup(g.cause)
	in := gatepost.Incident{
		ID: id, From: g.from(), To: g.to(), Cause: g.cause, Title: cause.Title, State: gatepost.Final,
		Failures: len(g.cases), Statuses: make(map[int]int), Missing: g.missing(),
	}
	clients := make(map[string]bool)
	sum := 0.0
	for _, c := range g.cases {
		clients[c.Client] = true
		sum += c.Verdict.Confidence
	}
	in.Clients = len(clients)
	in.Confidence = math.Round(sum/float64(len(g.cases))*1e4) / 1e4
	in.Instance = g.cases[0].Verdict.Instance
	if n := len(g.winners); n > 1 {
		in.Instance = fmt.Sprintf("%s, and %d more", g.winners[0].Instance, n-1)
	}
	for _, c := range g.cases {
		in.Statuses[c.Status]++
	}
	for _, e := range s.within(gatepost.NginxRequest, in.From.Add(-time.Second), in.To) {
		if e.Status >= 400 && !slices.Contains(s.opt.Watched, e.Status) {
			in.Statuses[e.Status]++ // what others saw beside, and is in no ledger
		}
	}
	in.Evidence = g.evidence()
	in.Rivals = g.rivals()
	in.Chain = s.chain(g, in)
	in.Fix = cause.Fix(s, g)
	in.Film = s.film(g)
	return in
}

// evidence is the union of what the verdicts cite: a line counts once however many failures cite
// it, and of the failures' own error lines the first three stand for all.
func (g *group) evidence() []gatepost.Evidence {
	type cited struct {
		ref  gatepost.Ref
		says string
	}
	seen := make(map[cited]bool)
	var all []gatepost.Evidence
	symptoms := 0
	add := func(e gatepost.Evidence) {
		k := cited{e.Ref, ""}
		if !e.Ref.Known() {
			k.says = e.Says
		}
		if e.Join == "request" && e.Weight == 0 {
			if symptoms++; symptoms > 3 {
				return
			}
		}
		if seen[k] || len(all) >= incidentEvidence {
			return
		}
		seen[k] = true
		all = append(all, e)
	}
	var last *gatepost.Evidence // of what the case before rests on
	for _, c := range g.cases {
		add(c.Verdict.Symptom)
		argument := c.Verdict.Evidence
		if len(argument) == 0 || &argument[0] == last {
			continue
		}
		last = &argument[0]
		for _, e := range argument {
			add(e)
		}
	}
	slices.SortStableFunc(all, func(a, b gatepost.Evidence) int {
		if a.Time.Known() != b.Time.Known() {
			return sign(a.Time.Known())
		}
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Ref.Line, b.Ref.Line))
	})
	return all
}

// rivals are the causes considered for the failures of the group, each with its best showing.
func (g *group) rivals() []gatepost.Rival {
	best := make(map[string]gatepost.Rival)
	for _, c := range g.cases {
		for _, r := range c.Verdict.Rivals {
			if old, ok := best[r.Cause]; !ok || r.Confidence > old.Confidence {
				best[r.Cause] = r
			}
		}
	}
	all := make([]gatepost.Rival, 0, len(best))
	for _, r := range best {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b gatepost.Rival) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), strings.Compare(a.Cause, b.Cause))
	})
	return all
}

// chain tells the incident from its root to what users saw.
func (s *scene) chain(g *group, in gatepost.Incident) []gatepost.Step {
	var steps []gatepost.Step
	if len(g.winners) > 0 {
		root := g.winners[0].Root
		root.Role = "root cause"
		steps = append(steps, root)
	}
	if link := g.middleLink(); link.Says != "" {
		steps = append(steps, link)
	}
	first := g.cases[0]
	line := first.decisiveLine()
	steps = append(steps, gatepost.Step{Role: "critical failure", Time: line.Time, Ref: line.Ref,
		Says: fmt.Sprintf("the first request fails with %d: %s %s", first.Status, short(first.Method+" "+first.Path), phaseNote(first))})
	last := g.cases[len(g.cases)-1]
	impact := fmt.Sprintf("%d %s for %d %s", in.Failures, plural(in.Failures, "request fails", "requests fail"), in.Clients, plural(in.Clients, "client", "clients"))
	if len(g.cases) > 1 {
		impact += fmt.Sprintf(", the last at %s", clockTime(last.Time))
	}
	return append(steps, gatepost.Step{Role: "impact", Time: last.Time, Says: impact, Ref: last.event.Ref})
}

// middleLink is the queue that stood between the root and the victims.
func (g *group) middleLink() gatepost.Step {
	queued := 0
	var first *Case
	for _, c := range g.cases {
		if c.queue != nil && len(c.queue.holders) > 0 && c.Verdict.Cause != "workers_busy" {
			if first == nil {
				first = c
			}
			queued++
		}
	}
	if queued == 0 {
		return gatepost.Step{}
	}
	return gatepost.Step{Role: "link", Time: first.queue.from, Ref: first.event.Ref,
		Says: fmt.Sprintf("all workers were held, and %d %s waited behind", queued, plural(queued, "request", "requests"))}
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

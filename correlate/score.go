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

// Weights of evidence in milli-bans: 1000 makes a cause ten times as likely. These few numbers are
// all that is set by hand; what happens by accident is measured, see chance.
const (
	// leak is the weight of a cause outside the list, or hidden in a log that was not read.
	leak = 1000
	// decisive evidence is a hard join: the same pid, the same request, both ends of a lock.
	decisive = 4000
	// strong evidence is one key and a tight time.
	strong = 2500
	// fair evidence is a mechanism that fits, with nothing to hold against it.
	fair = 1500
	// weak evidence is nearness, or a habit.
	weak = 500
	// unsure caps a hypothesis that the missing source could turn around: confidence 0.79.
	unsure = 575
	// most is the greatest confidence ever stated: the list of causes may be wrong itself.
	most = 0.99
	// margin is the lead in milli-bans that the first needs over the second; below it, the
	// verdict is undetermined.
	margin = 120
)

// judgement is a verdict, and the hypotheses that were weighed for it, the best first.
type judgement struct {
	hypotheses []Hypothesis
	verdict    gatepost.Verdict
}

// judge gives a case its verdict. The failures of one downtime have one argument, unless a cause has
// something to say about a request of its own: thousands of them share it.
func (s *scene) judge(c *Case) {
	hs, own := s.argue(c), s.ownArguments(c)
	var j *judgement
	if c.down == nil || len(own) > 0 {
		j = s.weigh(c, append(slices.Clone(hs), own...))
	} else {
		p := s.phaseOf(c)
		if p.judgement == nil {
			p.judgement = s.weigh(c, slices.Clone(hs))
		}
		j = p.judgement
	}
	c.hypotheses, c.Verdict, c.Finished = j.hypotheses, j.verdict, c.finishedLate()
	c.Verdict.Symptom = s.symptom(c)
}

// weigh makes a verdict of hypotheses, which it sorts.
func (s *scene) weigh(c *Case, hs []Hypothesis) *judgement {
	for i := range hs {
		hs[i].score = hs[i].weight()
	}
	slices.SortStableFunc(hs, func(a, b Hypothesis) int {
		if (a.Veto == "") != (b.Veto == "") {
			return sign(a.Veto == "")
		}
		return cmp.Or(b.score-a.score, cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Instance, b.Instance))
	})
	hs = onePerCause(hs)
	best := leak
	for _, h := range hs {
		if h.Veto == "" {
			best = max(best, h.score)
		}
	}
	odds := func(score int) float64 { return math.Pow(10, float64(score-best)/1000) } // never above 1
	total := odds(leak)
	for _, h := range hs {
		if h.Veto == "" {
			total += odds(h.score)
		}
	}
	posterior := func(score int) float64 { return math.Round(min(most, odds(score)/total)*1e4) / 1e4 }
	// Of an undetermined verdict, the confidence is what its likeliest cause would have had.
	v := gatepost.Verdict{Cause: gatepost.Undetermined, State: gatepost.Final}
	if len(hs) > 0 && hs[0].Veto == "" {
		v.Confidence = posterior(hs[0].score)
	}
	first := 0
	if len(hs) > 0 && hs[0].Veto == "" && hs[0].score > leak+margin && (len(hs) == 1 || hs[1].Veto != "" || hs[0].score > hs[1].score+margin/2) {
		h := hs[0]
		v.Cause, v.Instance, v.Via, v.Confidence = h.Cause, h.Instance, h.Via, posterior(h.score)
		v.Evidence, v.Missing = h.Evidence, h.Missing
		first = 1
	} else {
		v.Instance, v.Missing = s.doubt(c, hs)
	}
	for _, h := range hs[first:] {
		v.Rivals = append(v.Rivals, rival(h, hs, v.Cause, posterior))
	}
	return &judgement{hs, v}
}

// onePerCause keeps the best hypothesis of each cause.
func onePerCause(hs []Hypothesis) []Hypothesis {
	seen := make(map[string]bool)
	return slices.DeleteFunc(hs, func(h Hypothesis) bool {
		if seen[h.Cause] {
			return true
		}
		seen[h.Cause] = true
		return false
	})
}

// rival says why a hypothesis lost.
func rival(h Hypothesis, all []Hypothesis, winner string, posterior func(int) float64) gatepost.Rival {
	r := gatepost.Rival{Cause: h.Cause, Instance: h.Instance, WhyNot: h.Veto}
	if h.Veto != "" {
		return r
	}
	r.Confidence = posterior(h.score)
	switch against := h.strongest(gatepost.Against); {
	case against != nil:
		r.WhyNot = against.Says
	case winner == gatepost.Undetermined:
		r.WhyNot = "the evidence is too thin to say so"
	default:
		r.WhyNot = fmt.Sprintf("the evidence for %s is stronger (%+.1f against %+.1f bans)", winner, float64(all[0].score)/1000, float64(h.score)/1000)
	}
	return r
}

// doubt says between what the evidence does not decide, and what would.
func (s *scene) doubt(c *Case, hs []Hypothesis) (instance string, missing []string) {
	var open []string
	for _, h := range hs {
		if h.Veto == "" && len(open) < 2 {
			open = append(open, h.Cause)
			missing = append(missing, h.Missing...)
		}
	}
	switch len(open) {
	case 0:
		instance = "no log shows what happened"
	case 1:
		instance = "perhaps " + open[0] + ", but the evidence is thin"
	default:
		instance = "either " + open[0] + " or " + open[1]
	}
	missing = append(missing, s.missingSources(c)...)
	slices.Sort(missing)
	return instance, slices.Compact(missing)
}

// missingSources names the logs without which this failure cannot be decided.
func (s *scene) missingSources(c *Case) []string {
	var m []string
	if !s.covers("odoo", c.Time) {
		m = append(m, "Odoo's log of that time")
	}
	if s.proxyOf(c).name == "nginx" && !s.has("nginx_error") {
		m = append(m, "nginx's error log: it says in which phase a request failed")
	}
	if c.timedOut() && !s.has("postgresql") {
		m = append(m, "PostgreSQL's log (log_min_duration_statement = 1000 and log_lock_waits = on tell slow statements and locks)")
	}
	if !c.timedOut() && !s.has("kernel") && !s.has("syslog") {
		m = append(m, "the kernel's log or the journal (dmesg -T, journalctl -k)")
	}
	if c.Duration == gatepost.Unknown && c.timedOut() && s.proxyOf(c).name == "nginx" {
		m = append(m, "durations in the access log (add rt=$request_time urt=\"$upstream_response_time\" us=\"$upstream_status\" to log_format)")
	}
	return m
}

// argue collects the hypotheses of all causes for a case, by the situation it is in. They belong to the
// scene.
func (s *scene) argue(c *Case) []Hypothesis {
	switch {
	case c.down != nil:
		return s.phaseOf(c).hypotheses
	case c.death != nil:
		return s.whyDied(c.death)
	case c.noLive():
		return s.inherited(c)
	case c.timedOut() && (c.Phase != gatepost.PhaseConnectTimeout || c.queue != nil):
		return s.whyLate(c)
	case c.work != nil:
		return s.reasons(c.work)
	}
	return nil
}

// ownArguments are what causes have to say about the request itself.
func (s *scene) ownArguments(c *Case) []Hypothesis {
	return ask(func(cause *Cause) []Hypothesis {
		if cause.Case == nil {
			return nil
		}
		return cause.Case(s, c)
	})
}

func named(c *Cause, hs []Hypothesis) []Hypothesis {
	for i := range hs {
		hs[i].Cause = c.Name
	}
	return hs
}

// ask lets every cause speak that has something to say in a situation.
func ask(speak func(*Cause) []Hypothesis) []Hypothesis {
	var hs []Hypothesis
	for _, cause := range causes {
		hs = append(hs, named(cause, speak(cause))...)
	}
	return hs
}

func (d *downtime) key() string { return fmt.Sprintf("down/%d", d.from) }

// whyDied asks all causes why a process ended.
func (s *scene) whyDied(d *death) []Hypothesis {
	hs := ask(func(c *Cause) []Hypothesis {
		if c.Death == nil {
			return nil
		}
		return c.Death(s, d)
	})
	for i := range hs {
		hs[i].death = d
	}
	return hs
}

// reasons asks all causes why an execution took so long.
func (s *scene) reasons(w *work) []Hypothesis {
	hs := ask(func(c *Cause) []Hypothesis {
		if c.Work == nil {
			return nil
		}
		return c.Work(s, w)
	})
	for i := range hs {
		hs[i].work = w
	}
	return hs
}

// whyLate argues about a request that nginx waited for in vain: it was slow itself, or it waited
// for a worker that others held; then theirs is the cause.
func (s *scene) whyLate(c *Case) []Hypothesis {
	if c.queueShare(s) >= 0.5 && c.queue.believable() {
		return s.blame(c)
	}
	w := c.work
	if w != nil && w.finished && !w.start.Known() {
		if from, _ := s.waitOf(c); from.Known() {
			guess := *w
			guess.start, guess.locks, guess.guessed = from, c.locks, true
			w = &guess
		}
	}
	if w == nil || w.start.Known() && w.start > c.until {
		from, until := s.waitOf(c)
		w = &work{server: c.server, start: from, end: until, sql: gatepost.Unknown, idle: gatepost.Unknown, c: c, locks: c.locks}
	}
	return s.reasons(w)
}

// inherited gives a request that found no live upstream the cause of the failure that set the
// servers aside: nginx does so for fail_timeout after a failure, HAProxy and Traefik while their checks fail.
func (s *scene) inherited(c *Case) []Hypothesis {
	i, _ := slices.BinarySearchFunc(s.cases, c, func(a, b *Case) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Ref.Source-b.Ref.Source, cmp.Compare(a.Ref.Offset, b.Ref.Offset))
	})
	p, since, check := s.proxyOf(c), c.Time.Add(-failTimeout-downSlack), s.foundDown(c)
	if check != nil { // checks may fail for long; no neighbour is farther away than beside
		since = max(min(since, check.Time.Add(-failTimeout-downSlack)), c.Time.Add(-beside))
	}
	for _, o := range slices.Backward(s.cases[:min(i+1, len(s.cases))]) {
		if o.Time < since {
			break
		}
		if o == c || o.noLive() || o.gevent != c.gevent || !sameHost(o, c) {
			continue
		}
		hs := append(slices.Clone(s.argue(o)), s.ownArguments(o)...)
		for i := range hs {
			hs[i].Via = fmt.Sprintf("%s had set the upstream aside after the failure at %s", p.name, clockTime(o.Time))
			hs[i].Evidence = append(slices.Clone(hs[i].Evidence), cite(gatepost.For, o.decisiveLine(), 0, "upstream", p.aside))
			if check != nil {
				hs[i].Evidence = append(hs[i].Evidence, checkEvidence(check))
			}
		}
		return hs
	}
	return nil
}

// manyChecks bounds how many lines about servers are looked at for one failure.
const manyChecks = 1000

// foundDown is HAProxy's first line by which the servers for a request were down by then, nil without one.
func (s *scene) foundDown(c *Case) (first *gatepost.Event) {
	lines := s.within(gatepost.HAProxyServer, c.Time.Add(-24*time.Hour), c.Time)
	for _, e := range slices.Backward(lines[max(0, len(lines)-manyChecks):]) {
		if e.Ref.Source != c.Ref.Source || e.Ref.Offset > c.Ref.Offset || backendOf(e.Upstream) != backendOf(c.Upstream) {
			continue
		}
		if e.Name == "up" {
			break
		}
		first = e
	}
	return first
}

// backendOf is the backend of "backend/server" in HAProxy's log.
func backendOf(upstream string) string {
	backend, _, _ := strings.Cut(upstream, "/")
	return backend
}

// checkEvidence cites what HAProxy's checks found of a server. It says that the server was gone, not why.
func checkEvidence(e *gatepost.Event) gatepost.Evidence {
	return cite(gatepost.For, e, 0, "upstream", "HAProxy's checks found the server down")
}

// checkOf is the first line by which HAProxy's checks noticed a downtime, nil without one.
func (s *scene) checkOf(d *downtime) *gatepost.Event {
	for _, e := range s.within(gatepost.HAProxyServer, d.from.Add(-beside), d.lastOf().Add(downSlack)) {
		if e.Name == "down" {
			return e
		}
	}
	return nil
}

// sameHost reports whether two failures can be of one upstream group, by the virtual servers that
// nginx names.
func sameHost(a, b *Case) bool {
	if a.event.Name != "" && b.event.Name != "" { // HAProxy names the backend
		return backendOf(a.Upstream) == backendOf(b.Upstream)
	}
	return a.decisive == nil || b.decisive == nil || a.decisive.Name == b.decisive.Name
}

// symptom is the line that shows how the request failed.
func (s *scene) symptom(c *Case) gatepost.Evidence {
	return cite(gatepost.For, c.decisiveLine(), 0, "request", s.proxyOf(c).phaseSays(c.Phase))
}

// phaseSays is what a phase means, for people.
func (p *proxy) phaseSays(phase gatepost.Phase) string {
	switch phase {
	case gatepost.PhaseHeaderTimeout:
		return "no byte of an answer came before " + p.name + " gave up"
	case gatepost.PhaseNoLive:
		return p.name + " had set every server of the group aside after earlier failures"
	case gatepost.PhaseProtocol:
		return "what came back was no answer that " + p.name + " can pass on"
	case gatepost.PhaseConfig:
		return p.name + " could not even try"
	}
	return phaseSays[phase]
}

var phaseSays = map[gatepost.Phase]string{
	gatepost.PhaseRefused:        "nobody listened on the port",
	gatepost.PhasePremature:      "the process closed the connection after it had read the request: it died at work",
	gatepost.PhaseReset:          "the connection was reset before the request was read",
	gatepost.PhaseConnectTimeout: "the connection was not accepted in time",
	gatepost.PhaseSendTimeout:    "the upstream did not take the request in time",
	gatepost.PhaseBodyTimeout:    "the answer stalled half way",
	gatepost.PhaseBacklog:        "the listen queue of the socket was full",
	gatepost.PhaseQueueTimeout:   "every connection that HAProxy may open to the servers was in use until it gave up",
	gatepost.PhaseUpstreamAnswer: "the upstream itself answered with this status: another proxy stands in between",
	gatepost.PhaseUnknown:        "the access log alone does not say in which phase it failed",
}

// clockTime writes an instant into a sentence: whole and in UTC, so that a program can read it. Reports
// for people tell it in their own zone.
func clockTime(t gatepost.Time) string { return t.Std().Format("2006-01-02T15:04:05Z") }

// finishedLate is when Odoo finished a request well after the proxy had given up on it, NoTime when it did not.
func (c *Case) finishedLate() gatepost.Time {
	if w := c.work; w != nil && w.finished && w.ref.Known() && 200 <= w.status && w.status < 400 && w.end > c.until {
		return w.end
	}
	return gatepost.NoTime
}

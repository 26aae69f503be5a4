package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gatepost"
)

// Case is one failing request with all that is joined to it.
type Case struct {
	*gatepost.Failure
	event    *gatepost.Event   // the access line
	errors   []*gatepost.Event // nginx's error lines about its tries
	decisive *gatepost.Event   // the line that names the phase, nil without
	server   *server           // the Odoo server it was meant for, nil when no Odoo log was read
	servers  []*server         // those it can have been meant for; more than one only while nothing tells
	gevent   bool              // it was meant for the event process

	until gatepost.Time // the end lies in [Time, until)
	key   uint64
	work  *work      // its execution in Odoo, nil when none is seen
	queue *queue     // who held the workers while it waited, nil when it did not wait for one
	down  *downtime  // time of no service it fell into
	death *death     // the worker's death that cut it off
	locks []lockSpan // lock waits of a request that never got to its line

	hypotheses []Hypothesis
}

// joinCases makes a case of every access line with a watched status, and joins it with its
// error lines.
func (s *scene) joinCases() {
	twins := make(map[uint64]int) // equal lines are of one instant, which no stretch parts
	for _, e := range s.near[gatepost.NginxRequest] {
		twins[e.Hash]++
		c := &Case{event: e, key: e.Key, until: e.Time.Add(s.resolution(e.Ref.Source)), Failure: &gatepost.Failure{
			ID:  failureID(e.Hash, twins[e.Hash]),
			Ref: e.Ref, Time: e.Time, Start: gatepost.NoTime, Duration: e.Duration,
			Status: e.Status, Method: e.Method, Path: e.Path, Client: e.Client, Upstream: e.Upstream,
		}}
		if e.Duration != gatepost.Unknown && e.Duration <= longest {
			c.Start = e.Time.Add(-e.Duration)
		}
		s.cases = append(s.cases, c)
	}
	s.joinErrors()
	for _, c := range s.cases {
		c.Phase, c.decisive = phaseOf(c, s.connects[c.Ref.Source])
		if c.Upstream == "" && c.decisive != nil {
			c.Upstream = c.decisive.Upstream
		}
	}
}

// findServersOfCases says whom the cases were meant for, once all that servers say of their ports was read.
func (s *scene) findServersOfCases() {
	for _, c := range s.cases {
		c.gevent = s.isGevent(c)
		c.servers = s.serversOf(c.Upstream)
		c.meantFor(c.servers...)
	}
}

// failureID is the same for the same line wherever it lies: the hash of its text, and which of
// several equal lines it is.
func failureID(hash uint64, nth int) string {
	id := gatepost.HashOf(strconv.FormatUint(hash, 16) + "#" + strconv.Itoa(nth))
	return fmt.Sprintf("f-%012x", id&(1<<48-1))
}

// errorSlack is how much earlier than its access line an error line may stand: both are written
// at the end of the request, but a request tried on several servers has an error line for each
// try, and buffered access logs keep the stamp of the end.
const errorSlack = 2 * time.Second

// triesBefore is how long before the end of a request an error line about its first try may stand:
// each try on another server may take a whole timeout.
const triesBefore = 15 * time.Minute

// joinErrors gives every error line about a request to the one failing access line it belongs to:
// same client, method and path, nearest in time, each line once.
func (s *scene) joinErrors() {
	type who struct {
		key    uint64
		client string
	}
	open := make(map[who][]*Case)
	ofClient := make(map[string][]*Case)
	reach := time.Duration(0) // how long before a failure a line can be about it, at most: of thousands alike not all are looked at for each line
	for _, c := range s.cases {
		reach = max(reach, c.Time.Sub(c.firstError()))
		k := who{c.key, c.Client}
		open[k] = append(open[k], c)
		ofClient[c.Client] = append(ofClient[c.Client], c)
	}
	for _, e := range s.near[gatepost.NginxError] {
		candidates := open[who{e.Key, e.Client}]
		if e.Key == 0 {
			candidates = ofClient[e.Client] // nginx cut the line at 2048 bytes, in the path
		}
		var best *Case
		i := sort.Search(len(candidates), func(i int) bool { return candidates[i].until.Add(errorSlack) >= e.Time })
		for _, c := range candidates[i:] {
			if c.Time.Sub(e.Time) > min(reach, triesBefore) {
				break
			}
			if e.Phase == "" && c.gateway() {
				continue // a line that is not about the upstream cannot be why it failed there
			}
			if best != nil && c.Time.Sub(e.Time) > near(e, best) {
				break // all that follow are farther away
			}
			if e.Time < c.firstError() || e.Time > c.until.Add(errorSlack) {
				continue
			}
			if best == nil || near(e, c) < near(e, best) {
				best = c
			}
		}
		if best != nil {
			best.errors = append(best.errors, e)
		}
	}
}

// firstError is from when on a line of the proxy can be about a failure.
func (c *Case) firstError() gatepost.Time {
	switch {
	case c.Start.Known():
		return c.Start.Add(-errorSlack)
	case c.Status == 504:
		return c.Time.Add(-triesBefore)
	}
	return c.Time.Add(-errorSlack)
}

// casesIn are the cases whose stamps lie between two times.
func (s *scene) casesIn(from, to gatepost.Time) []*Case {
	i := sort.Search(len(s.cases), func(i int) bool { return s.cases[i].Time >= from })
	j := sort.Search(len(s.cases), func(i int) bool { return s.cases[i].Time > to })
	return s.cases[i:max(i, j)]
}

// near ranks the cases an error line could belong to: those that lack a line for this try first,
// then the nearest in time.
func near(e *gatepost.Event, c *Case) time.Duration {
	d := e.Time.Sub(c.Time).Abs()
	if len(c.errors) >= max(1, len(c.event.Attempts)) {
		d += time.Hour
	}
	return d
}

// phaseRank orders phases by how much they say: when a request was tried on several servers, the
// try on which it really spent its time, or was really cut off, decides; a refusal on an address
// where nobody ever listens, or a group that is set aside, comes after it.
var phaseRank = map[gatepost.Phase]int{
	gatepost.PhaseHeaderTimeout: 9, gatepost.PhaseSendTimeout: 8, gatepost.PhaseBodyTimeout: 8,
	gatepost.PhasePremature: 7, gatepost.PhaseReset: 6, gatepost.PhaseProtocol: 5, gatepost.PhaseConnectTimeout: 5,
	gatepost.PhaseBacklog: 4, gatepost.PhaseConfig: 3, gatepost.PhaseRefused: 2, gatepost.PhaseNoLive: 1,
}

// phaseOf finds what the proxy was doing for the request when it failed, and the line that names it.
func phaseOf(c *Case, connects bool) (gatepost.Phase, *gatepost.Event) {
	if len(c.errors) > 0 {
		best := slices.MaxFunc(c.errors, func(a, b *gatepost.Event) int {
			return cmp.Or(phaseRank[a.Phase]-phaseRank[b.Phase], compareEvents(a, b))
		})
		return cmp.Or(best.Phase, gatepost.PhaseUnknown), best
	}
	if c.event.Phase != "" {
		return c.event.Phase, c.event
	}
	best := gatepost.PhaseUnknown
	if c.event.Name != "" {
		return best, nil // HAProxy says how it ended, and that it was not the server
	}
	for _, a := range c.event.Attempts {
		if p := phaseOfAttempt(a, connects); phaseRank[p] >= phaseRank[best] && p != gatepost.PhaseUnknown {
			best = p
		}
	}
	if best != gatepost.PhaseUnknown {
		return best, nil
	}
	if c.Status == 504 {
		return gatepost.PhaseHeaderTimeout, nil // by far the usual 504 where nothing says otherwise
	}
	return gatepost.PhaseUnknown, nil
}

// phaseOfAttempt reads the phase off nginx's upstream variables alone. connects says whether the log
// has $upstream_connect_time at all: only then does its absence mean that no connection was made.
func phaseOfAttempt(a gatepost.Attempt, connects bool) gatepost.Phase {
	connected := a.Connect != gatepost.Unknown || !connects && a.Response > 100*time.Millisecond
	switch {
	case a.Header != gatepost.Unknown && (a.Status == 502 || a.Status == 504):
		return gatepost.PhaseUpstreamAnswer
	case !strings.ContainsAny(a.Addr, ":./") && a.Addr != "" && a.Status == 502:
		return gatepost.PhaseNoLive // the name of the group: no server was chosen
	case a.Status == 502 && !connected:
		return gatepost.PhaseRefused
	case a.Status == 502:
		return gatepost.PhasePremature
	case a.Status == 504 && connected:
		return gatepost.PhaseHeaderTimeout
	case a.Status == 504:
		return gatepost.PhaseConnectTimeout
	}
	return gatepost.PhaseUnknown
}

// gateway reports whether the proxy got nothing good from its upstream. HAProxy says 503 where nobody is there.
func (c *Case) gateway() bool {
	return c.Status == 502 || c.Status == 504 || insteadOf502(c.event)
}

// insteadOf502 reports whether a request got a 503 for what nginx answers with 502 or 504.
func insteadOf502(e *gatepost.Event) bool {
	return e.Status == 503 && e.Phase != "" && e.Phase != gatepost.PhaseUpstreamAnswer
}

// timedOut reports whether the proxy gave up waiting, as opposed to being turned away.
func (c *Case) timedOut() bool {
	switch c.Phase {
	case gatepost.PhaseHeaderTimeout, gatepost.PhaseConnectTimeout, gatepost.PhaseSendTimeout, gatepost.PhaseBodyTimeout, gatepost.PhaseBacklog,
		gatepost.PhaseQueueTimeout:
		return true
	}
	return c.Status == 504
}

// turnedAway reports whether nobody was there to take the request.
func (c *Case) turnedAway() bool {
	switch c.Phase {
	case gatepost.PhaseRefused, gatepost.PhaseReset, gatepost.PhaseNoLive, gatepost.PhaseConfig:
		return true
	}
	return false
}

// decisiveLine is the line that shows the failure best: an error line, else the access line.
func (c *Case) decisiveLine() *gatepost.Event {
	if c.decisive != nil {
		return c.decisive
	}
	return c.event
}

// symptomText is what nginx says of the failure, "" without an error line.
func (c *Case) symptomText() string {
	if c.decisive == nil || c.decisive == c.event {
		return ""
	}
	return c.decisive.Text
}

// port of an address like "http://127.0.0.1:8069", "" when it has none.
func port(addr string) string {
	addr = strings.TrimSuffix(addr, "/")
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return ""
	}
	p := addr[i+1:]
	if _, err := strconv.Atoi(p); err != nil {
		return ""
	}
	return p
}

// isGevent reports whether a request was for Odoo's event process: by the port it listens on
// where that is known, else by the path.
func (w *world) isGevent(c *Case) bool {
	p := w.portOf(c.Upstream)
	if p != "" {
		for _, sv := range w.servers {
			if sv.httpPorts[p] {
				return false
			}
			if sv.geventPorts[p] {
				return true
			}
		}
	}
	return c.eventPath()
}

// eventPath reports whether what a request asked for is the event process's to answer.
func (c *Case) eventPath() bool {
	return strings.HasPrefix(c.Path, "/websocket") || strings.HasPrefix(c.Path, "/longpolling/")
}

// serversOf are the Odoo servers that a request to an upstream can have been meant for: those that listen on its
// port, or all. Which of several it was is told later by what joins it.
func (w *world) serversOf(upstream string) []*server {
	var fit []*server
	for _, sv := range w.servers {
		for _, addr := range strings.FieldsFunc(upstream, func(r rune) bool { return r == ',' || r == ' ' }) {
			if p := w.portOf(addr); p != "" && (sv.httpPorts[p] || sv.geventPorts[p]) {
				fit = append(fit, sv)
				break
			}
		}
	}
	if len(fit) == 0 && !w.foreign(w.portOf(upstream)) {
		return w.servers
	}
	return fit
}

// foreign reports whether a port is another program's: none of the servers listens on it, and nginx
// does reach them on ports of theirs, so no mapping of ports stands in between.
func (w *world) foreign(p string) bool { return p != "" && w.portsTold }

// meantFor settles on the first of the servers, if there are any.
func (c *Case) meantFor(servers ...*server) {
	if len(servers) > 0 {
		c.server = servers[0]
	}
}

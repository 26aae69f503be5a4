package main

import (
	"cmp"
	"context"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// A Night is bounded whatever the logs hold: so many steps, so many rows of each table.
const (
	nightMoments = 1500
	nightRows    = 15      // of a table
	nightNames   = 4       // in a list within a row
	nightTold    = 40      // incidents that are told in full
	nightListed  = 25      // failures listed of each
	nightDays    = 30      // of the trend
	nightPeople  = 1 << 17 // addresses that are told apart
	nightKept    = 20_000  // statements, runs of actions, late answers that are looked at
)

// nightSteps are the steps of a night, the shortest that fits counts.
var nightSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
	5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour,
}

// nightStep returns the step for a time: minutes where there are enough of them, because people count in minutes.
func nightStep(d time.Duration) time.Duration {
	for _, step := range nightSteps {
		if n := d / step; n < 300 || step >= time.Minute && n < nightMoments-1 {
			return step
		}
	}
	return (d/(nightMoments-2)/time.Hour + 1) * time.Hour
}

// nightMaker reads the store once for a Night: the ledger, the events that its tables are of, and the requests.
type nightMaker struct {
	*analysis
	*gatepost.Night
	met      []string          // causes, in the order of the ledger
	cause    map[string]int    // their places, in met and then in Causes
	cited    map[spot][]string // listed failures by the lines that their verdicts cite
	citedIn  []gatepost.Query  // when these were written, some minutes at once
	late     []*gatepost.LateAnswer
	repeat   map[repeatKey][]*gatepost.LateAnswer
	affected []uint64 // a bit for each minute
	latency  [2][]sketch
	busy     []time.Duration // that workers worked in each step
	names    map[uint64]string
	routes   map[uint64]*routeCount
	people   map[uint64]bool
	lately   struct { // met last, which spares looking most of them up
		routes [1 << 8]*routeCount
		people [1 << 12]uint64
	}
	mayRepeat [1 << 12]bool // by key: some request of it is in repeat
}

// spot is where a line stands.
type spot struct {
	source int
	offset int64
}

func spotOf(r gatepost.Ref) spot { return spot{r.Source, r.Offset} }

// repeatKey is a request that a client may send again.
type repeatKey struct{ client, key uint64 }

type routeCount struct {
	gatepost.RouteLoad
	id    uint64
	waits bool // on purpose: its requests are no load
	took  sketch
}

// Whose durations are counted: those of the access log say what users waited for, Odoo's are the next best.
const (
	latencyProxy = iota
	latencyOdoo
)

// newNight gives the model its Night, and prepares to count the requests of it; nil when there is no time to count them in.
func (a *analysis) newNight(ctx context.Context) (*nightMaker, error) {
	m := a.model
	n := &gatepost.Night{From: m.From, To: m.To, Whose: map[string]gatepost.Whose{}}
	if m.Since.Known() && m.Since != 0 {
		n.From = max(m.Since, m.From) // nothing is known of the time before the first access line
	}
	if m.Until.Known() && m.Until != 0 {
		n.To = min(m.Until, max(m.To, n.From))
	}
	m.Night = n
	n.Workers, _ = m.Setup.Number("odoo", "workers")
	n.Patience = proxyPatience(m.Setup)
	if !n.From.Known() || !n.To.Known() || n.To < n.From {
		return nil, nil
	}
	k := &nightMaker{analysis: a, Night: n, cause: map[string]int{}, cited: map[spot][]string{},
		repeat: map[repeatKey][]*gatepost.LateAnswer{}, routes: map[uint64]*routeCount{}, people: map[uint64]bool{}}
	k.divide()
	for _, read := range []func(context.Context) error{k.readRoutes, k.readLedger, k.readEvents} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// finish makes of what was counted what a page draws.
func (k *nightMaker) finish(ctx context.Context) error {
	if len(k.people) < nightPeople {
		k.People = len(k.people)
	}
	for i := range k.busy {
		k.Moments[i].Busy = float64(k.busy[i]) / float64(k.Step)
	}
	k.readQuantiles()
	k.listRoutes()
	k.listLate()
	return k.readDays(ctx)
}

// proxyPatience is how long the proxy waits for an answer by its configuration.
func proxyPatience(s gatepost.Setup) time.Duration {
	for _, x := range [][2]string{{"nginx", "proxy_read_timeout"}, {"haproxy", "timeout server"}} {
		if d, ok := s.Duration(x[0], x[1], "/"); ok {
			return d
		}
	}
	return 0
}

// divide cuts the night into steps that begin with whole ones of the reader's clock.
func (k *nightMaker) divide() {
	k.Step = nightStep(k.To.Sub(k.From))
	_, east := k.From.Std().In(k.model.Zone).Zone()
	local := k.From.Add(time.Duration(east) * time.Second)
	k.From = k.From.Add(-(time.Duration(local) % k.Step))
	k.Moments = make([]gatepost.Moment, k.step(k.To)+1)
	k.busy = make([]time.Duration, len(k.Moments))
	k.Minutes = int(minuteOf(k.To)-minuteOf(k.From)) + 1
	k.affected = make([]uint64, min(k.Minutes, 1<<20)/64+1)
	for i := range k.latency {
		k.latency[i] = make([]sketch, len(k.Moments))
	}
}

func (k *nightMaker) step(t gatepost.Time) int { return int(t.Sub(k.From) / k.Step) }

func minuteOf(t gatepost.Time) int64 { return t.Second() / 60 }

// moment returns the step that t lies in, nil when it lies in none.
func (k *nightMaker) moment(t gatepost.Time) *gatepost.Moment {
	if t < k.From || t > k.To {
		return nil
	}
	return &k.Moments[k.step(t)]
}

// readLedger counts the failures, and notes the lines that tell more of the ones that a page lists. Only of these is the argument
// read, which takes longer than all the rest.
func (k *nightMaker) readLedger(ctx context.Context) error {
	listed := k.toldIncidents()
	var ids []string
	total := map[string]int{}
	for f, err := range k.model.Failures.Entries() {
		if err != nil {
			return err
		}
		total[f.Verdict.Cause]++
		c, ok := k.cause[f.Verdict.Cause]
		if !ok {
			c = len(k.met)
			k.cause[f.Verdict.Cause] = c
			k.met = append(k.met, f.Verdict.Cause)
		}
		if m := k.moment(f.Time); m != nil {
			m.Failures = increased(m.Failures, c)
		}
		k.suffer(f.Start, f.Time)
		if left := listed[f.Incident]; left > 0 {
			listed[f.Incident]--
			ids = append(ids, f.ID)
		}
		if f.Finished.Known() && f.Finished > f.Time {
			k.seeLate(&f)
		}
	}
	for _, id := range ids {
		f, err := k.model.Failures.Failure(id)
		if err != nil {
			return err
		}
		k.cites(f, f.Verdict.Symptom)
		k.cites(f, f.Verdict.Evidence...)
	}
	for _, word := range k.affected {
		k.Affected += bits.OnesCount64(word)
	}
	k.orderCauses(total)
	return nil
}

// seeLate notes a failure that Odoo finished later.
func (k *nightMaker) seeLate(f *gatepost.Failure) {
	if k.LateInAll++; len(k.late) == nightKept {
		return
	}
	late := &gatepost.LateAnswer{ID: f.ID, Time: f.Time, Method: f.Method, Path: f.Path, Client: f.Client, Finished: f.Finished, Again: gatepost.NoTime}
	k.late = append(k.late, late)
	if !changes(late.Method, late.Path) {
		return
	}
	key := repeatKey{gatepost.HashOf(late.Client), gatepost.KeyOf(late.Method, late.Path)}
	k.repeat[key] = append(k.repeat[key], late)
	k.mayRepeat[key.key%uint64(len(k.mayRepeat))] = true
}

// askingMethods are the last parts of paths by which Odoo's clients ask and change nothing, so that asking twice does no harm.
var askingMethods = []string{
	"read", "web_read", "search_read", "web_search_read", "search", "search_count", "read_group", "web_read_group", "formatted_read_group", "name_search", "web_name_search",
	"name_get", "fields_get", "fields_view_get", "get_views", "load_views", "onchange", "default_get", "read_progress_bar", "search_panel_select_range",
	"search_panel_select_multi_range", "check_access_rights", "has_group", "version_info", "load", "poll", "get_session_info",
}

// changes reports whether a request may change something, which would be there twice if it were sent again.
func changes(method, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	last := path[strings.LastIndexByte(path, '/')+1:]
	return method != "GET" && method != "HEAD" && method != "OPTIONS" && !slices.Contains(askingMethods, last)
}

// toldIncidents are the incidents that a page tells in full, with the number of failures that it lists of each.
func (k *nightMaker) toldIncidents() map[string]int {
	order := make([]*gatepost.Incident, 0, len(k.model.Incidents))
	for i := range k.model.Incidents {
		order = append(order, &k.model.Incidents[i])
	}
	slices.SortStableFunc(order, func(a, b *gatepost.Incident) int { return b.Failures - a.Failures })
	told := map[string]int{}
	for _, in := range first(order, nightTold) {
		told[in.ID] = nightListed
	}
	return told
}

// increased adds one to a count.
func increased(counts []int, at int) []int {
	for len(counts) <= at {
		counts = append(counts, 0)
	}
	counts[at]++
	return counts
}

// orderCauses brings the causes into the order of their failures.
func (k *nightMaker) orderCauses(total map[string]int) {
	k.Causes = slices.SortedFunc(slices.Values(k.met), func(a, b string) int { return cmp.Or(total[b]-total[a], strings.Compare(a, b)) })
	for i, name := range k.Causes {
		k.cause[name] = i
	}
	for i := range k.Moments {
		k.Moments[i].Failures = k.ordered(k.Moments[i].Failures)
	}
}

// ordered brings counts in the order in which the causes were met into that of Causes; nil stays nil.
func (k *nightMaker) ordered(counts []int) []int {
	if counts == nil {
		return nil
	}
	all := make([]int, len(k.Causes))
	for c, n := range counts {
		all[k.cause[k.met[c]]] = n
	}
	return all
}

// suffer notes the minutes in which a request was under way that failed.
func (k *nightMaker) suffer(from, to gatepost.Time) {
	if !to.Known() {
		return
	}
	if !from.Known() {
		from = to
	}
	from = max(from, to.Add(-longestWork))
	first := minuteOf(k.From)
	for minute := max(minuteOf(from)-first, 0); minute <= minuteOf(to)-first; minute++ {
		if word := minute / 64; int(word) < len(k.affected) && minute < int64(k.Minutes) {
			k.affected[word] |= 1 << (minute % 64)
		}
	}
}

func (k *nightMaker) cites(f *gatepost.Failure, evidence ...gatepost.Evidence) {
	for i := range evidence {
		if r := evidence[i].Ref; r.Known() && len(k.cited) < nightKept {
			at := spotOf(r)
			if ids := k.cited[at]; len(ids) == 0 || ids[len(ids)-1] != f.ID {
				k.cited[at] = append(ids, f.ID)
				k.citesAt(evidence[i].Time)
			}
		}
	}
}

// citesAt notes when a line was written that a listed failure cites.
func (k *nightMaker) citesAt(t gatepost.Time) {
	const minutes = 5 * time.Minute
	if t < k.From || t > k.To {
		return
	}
	at := t - t%gatepost.Time(minutes)
	i, found := slices.BinarySearchFunc(k.citedIn, at, func(q gatepost.Query, t gatepost.Time) int { return cmp.Compare(q.From, t) })
	if !found {
		k.citedIn = slices.Insert(k.citedIn, i, gatepost.Query{From: at, To: at.Add(minutes) - 1, Kinds: tellingKinds})
	}
}

// longestWork is from how long on a request's duration is not believed: a line can tell any.
const longestWork = 24 * time.Hour

// again is up to how long after an error a request like it counts as sent again.
const again = 15 * time.Minute

// readRoutes reads what the routes are called.
func (k *nightMaker) readRoutes(ctx context.Context) (err error) {
	k.names, err = k.store.Routes(ctx)
	return err
}

// routeOf returns the counts of a route.
func (k *nightMaker) routeOf(id uint64) *routeCount {
	lately := &k.lately.routes[id%uint64(len(k.lately.routes))]
	if *lately != nil && (*lately).id == id {
		return *lately
	}
	c := k.routes[id]
	if c == nil {
		_, path, _ := strings.Cut(k.names[id], " ")
		c = &routeCount{id: id, waits: strings.HasPrefix(path, "/longpolling/") || strings.HasPrefix(path, "/websocket")}
		k.routes[id] = c
	}
	*lately = c
	return c
}

// came notes that a client made a request.
func (k *nightMaker) came(client uint64) {
	lately := &k.lately.people[client%uint64(len(k.lately.people))]
	if *lately == client || len(k.people) >= nightPeople {
		return
	}
	*lately = client
	k.people[client] = true
}

// count takes a request of the night.
func (k *nightMaker) count(r *gatepost.Request) {
	switch r.Lane {
	case gatepost.LaneNginx:
		k.proxyRequest(r)
	case gatepost.LaneOdoo:
		k.odooRequest(r)
	}
}

func (k *nightMaker) proxyRequest(r *gatepost.Request) {
	if r.End < k.From || r.End > k.To {
		return
	}
	step := k.step(r.End)
	k.Moments[step].Requests++
	k.came(r.Client)
	if k.mayRepeat[r.Key%uint64(len(k.mayRepeat))] {
		k.sentAgain(r)
	}
	c := k.routeOf(r.Route)
	c.Requests++
	if slices.Contains(k.model.Watched, int(r.Status)) {
		c.Failures++
	}
	if c.waits || r.Duration < 0 {
		return
	}
	c.Total += r.Duration
	c.Max = max(c.Max, r.Duration)
	class := sketchClass(r.Duration)
	c.took.add(class, r.Duration)
	k.latency[latencyProxy][step].add(class, r.Duration)
}

// sentAgain notes that a request which had failed came once more, and when first.
func (k *nightMaker) sentAgain(r *gatepost.Request) {
	for _, late := range k.repeat[repeatKey{r.Client, r.Key}] {
		began := r.End
		if r.Duration > 0 {
			began = r.End.Add(-r.Duration)
		}
		if r.End <= late.Time || began < late.Time.Add(-time.Second) || began.Sub(late.Time) >= again {
			continue
		}
		if began = max(began, late.Time); !late.Again.Known() || began < late.Again {
			late.Again = began
		}
	}
}

func (k *nightMaker) odooRequest(r *gatepost.Request) {
	if r.Duration < 0 {
		return
	}
	k.Odoo = true
	if r.End >= k.From && r.End <= k.To {
		k.latency[latencyOdoo][k.step(r.End)].add(sketchClass(r.Duration), r.Duration)
	}
	k.work(r.End.Add(-r.Duration), r.End)
}

// work counts a worker at work in every step by its share of it.
func (k *nightMaker) work(from, to gatepost.Time) {
	from, to = max(from, k.From, to.Add(-longestWork)), min(to, k.From.Add(k.Step*time.Duration(len(k.Moments))))
	for from < to {
		i := k.step(from)
		end := min(k.From.Add(k.Step*time.Duration(i+1)), to)
		k.busy[i] += end.Sub(from)
		from = end
	}
}

func (k *nightMaker) readQuantiles() {
	whose := latencyProxy
	if !slices.ContainsFunc(k.latency[whose], func(s sketch) bool { return s.n > 0 }) {
		whose = latencyOdoo
	}
	for i := range k.Moments {
		s := &k.latency[whose][i]
		if s.n > 0 {
			k.Latency = []string{"the access log", "Odoo"}[whose]
		}
		k.Moments[i].Median, k.Moments[i].P95 = s.quantile(0.5), s.quantile(0.95)
	}
}

func (k *nightMaker) listRoutes() {
	all := slices.DeleteFunc(slices.Collect(maps.Values(k.routes)), func(c *routeCount) bool { return c.waits })
	for _, c := range all {
		c.Route = cmp.Or(k.names[c.id], "all others")
		c.Median, c.P95 = c.took.quantile(0.5), c.took.quantile(0.95)
	}
	slices.SortFunc(all, func(a, b *routeCount) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), b.Failures-a.Failures, b.Requests-a.Requests, strings.Compare(a.Route, b.Route))
	})
	for _, c := range first(all, nightRows) {
		k.Routes = append(k.Routes, c.RouteLoad)
	}
}

// listLate lists the failures that came once more before the others: what they made may be there twice.
func (k *nightMaker) listLate() {
	slices.SortStableFunc(k.late, func(a, b *gatepost.LateAnswer) int {
		switch twice := a.Again.Known(); {
		case twice == b.Again.Known():
			return cmp.Compare(a.Time, b.Time)
		case twice:
			return -1
		}
		return 1
	})
	for _, late := range k.late {
		if late.Again.Known() {
			k.LateAgain++
		}
	}
	for _, late := range first(k.late, 4*nightRows) {
		k.Late = append(k.Late, *late)
	}
}

func first[T any](list []T, n int) []T { return list[:min(len(list), n)] }

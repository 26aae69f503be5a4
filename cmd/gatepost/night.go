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
	late     []*gatepost.LateAnswer
	repeat   map[repeatKey][]*gatepost.LateAnswer
	affected []uint64 // a bit for each minute
	latency  [2][]sketch
	routes   map[uint64]*routeCount
	people   map[uint64]bool
	quiet    map[uint64]bool // routes whose requests wait on purpose
	days     []gatepost.Stretch
	judged   [nightDays][]int // failures by day and cause, as met
	day      int              // the one that is being counted
	others   []*gatepost.Stretch
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
	took sketch
}

// Whose durations are counted: those of the access log say what users waited for, Odoo's are the next best.
const (
	latencyProxy = iota
	latencyOdoo
)

// addNight gives the model its Night.
func (a *analysis) addNight(ctx context.Context) error {
	m := a.model
	n := &gatepost.Night{From: m.From, To: m.To, Whose: map[string]gatepost.Whose{}}
	if m.Since.Known() && m.Since != 0 {
		n.From = m.Since
	}
	if m.Until.Known() && m.Until != 0 {
		n.To = min(m.Until, max(m.To, n.From))
	}
	m.Night = n
	n.Workers, _ = m.Setup.Number("odoo", "workers")
	n.Patience = proxyPatience(m.Setup)
	if !n.From.Known() || !n.To.Known() || n.To < n.From {
		return nil
	}
	k := &nightMaker{analysis: a, Night: n, cause: map[string]int{}, cited: map[spot][]string{},
		repeat: map[repeatKey][]*gatepost.LateAnswer{}, routes: map[uint64]*routeCount{}, quiet: map[uint64]bool{}, people: map[uint64]bool{}}
	k.divide()
	for _, read := range []func(context.Context) error{k.readLedger, k.readEvents, k.readEarlier, k.readRequests, k.listDays} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	return nil
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
	k.plan()
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
		if day, ok := slices.BinarySearchFunc(k.days, f.Time, compareDay); ok {
			k.judged[day] = increased(k.judged[day], c)
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

func compareDay(d gatepost.Stretch, t gatepost.Time) int {
	switch {
	case d.To < t:
		return -1
	case d.From > t:
		return 1
	}
	return 0
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
			}
		}
	}
}

// longestWork is from how long on a request's duration is not believed: a line can tell any.
const longestWork = 24 * time.Hour

// again is up to how long after an error a request like it counts as sent again.
const again = 15 * time.Minute

// readRequests counts the requests of the night.
func (k *nightMaker) readRequests(ctx context.Context) error {
	names, err := k.store.Routes(ctx)
	if err != nil {
		return err
	}
	for id, name := range names {
		_, path, _ := strings.Cut(name, " ")
		if strings.HasPrefix(path, "/longpolling/") || strings.HasPrefix(path, "/websocket") {
			k.quiet[id] = true
		}
	}
	for r, err := range k.store.Requests(ctx, gatepost.Query{From: k.From, To: max(k.To, k.From)}) {
		if err != nil {
			return err
		}
		switch r.Lane {
		case gatepost.LaneNginx:
			k.proxyRequest(&r)
		case gatepost.LaneOdoo:
			k.odooRequest(&r)
		}
	}
	if len(k.people) < nightPeople {
		k.People = len(k.people)
	}
	k.readQuantiles()
	k.listRoutes(names)
	k.listLate()
	return nil
}

func (k *nightMaker) proxyRequest(r *gatepost.Request) {
	m := k.moment(r.End)
	if m == nil {
		return
	}
	m.Requests++
	k.countDay(r)
	if len(k.people) < nightPeople && r.Client != 0 {
		k.people[r.Client] = true
	}
	failed := slices.Contains(k.model.Watched, int(r.Status))
	if len(k.repeat) > 0 {
		k.sentAgain(r)
	}
	if k.quiet[r.Route] {
		return
	}
	c := k.routes[r.Route]
	if c == nil {
		c = &routeCount{}
		k.routes[r.Route] = c
	}
	c.Requests++
	if failed {
		c.Failures++
	}
	if r.Duration < 0 {
		return
	}
	c.Total += r.Duration
	c.Max = max(c.Max, r.Duration)
	c.took.add(r.Duration)
	k.latency[latencyProxy][k.step(r.End)].add(r.Duration)
}

// sentAgain notes that a request which had failed came once more.
func (k *nightMaker) sentAgain(r *gatepost.Request) {
	for _, late := range k.repeat[repeatKey{r.Client, r.Key}] {
		began := r.End
		if r.Duration > 0 {
			began = r.End.Add(-r.Duration)
		}
		if r.End > late.Time && began >= late.Time.Add(-time.Second) && began.Sub(late.Time) < again && !late.Again.Known() {
			late.Again = max(began, late.Time)
		}
	}
}

func (k *nightMaker) odooRequest(r *gatepost.Request) {
	if r.Duration < 0 {
		return
	}
	k.Odoo = true
	if k.moment(r.End) != nil {
		k.latency[latencyOdoo][k.step(r.End)].add(r.Duration)
	}
	k.busy(r.End.Add(-r.Duration), r.End)
}

// busy counts a worker at work in every step by its share of it.
func (k *nightMaker) busy(from, to gatepost.Time) {
	from, to = max(from, k.From, to.Add(-longestWork)), min(to, k.From.Add(k.Step*time.Duration(len(k.Moments))))
	for from < to {
		i := k.step(from)
		end := min(k.From.Add(k.Step*time.Duration(i+1)), to)
		k.Moments[i].Busy += float64(end.Sub(from)) / float64(k.Step)
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

func (k *nightMaker) listRoutes(names map[uint64]string) {
	all := slices.Collect(maps.Values(k.routes))
	for id, c := range k.routes {
		c.Route = cmp.Or(names[id], "all others")
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

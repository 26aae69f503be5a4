package reports

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatepost"
)

// tally is a Model, counted in one pass over its ledger: what the reports for people say first, whatever they look like.
type tally struct {
	*gatepost.Model
	clock    clock
	sources  map[int]*gatepost.Source
	read     []*gatepost.Source      // those that have a part in the report
	ask      func(source int) string // path of a source that is not among them, nil when there is none
	titles   map[string]string
	causes   []causeCount
	statuses []statusCount
	failures int
	clients  int
	first    gatepost.Time                 // of the failures
	last     gatepost.Time                 //
	members  map[string][]gatepost.Failure // the first ones of each incident
	waits    map[string][]wait             // of those that an incident's film shows
	stray    int                           // failures of no incident
}

// wait is how long a request that failed had to do with nginx.
type wait struct{ from, to gatepost.Time }

type causeCount struct {
	name     string
	failures int
}

type statusCount struct {
	status, n int
}

// newTally counts a model, tells its times by a clock, and keeps the first failures of each incident, so many.
func newTally(m *gatepost.Model, c clock, keep int) (*tally, error) {
	told := *m
	var read []*gatepost.Source
	for i := range m.Sources {
		if src := &m.Sources[i]; inTime(src, m) {
			read = append(read, src)
		}
	}
	told.Unknown = slices.DeleteFunc(slices.Clone(m.Unknown), func(x gatepost.UnknownLine) bool {
		return slices.ContainsFunc(m.Sources, func(s gatepost.Source) bool { return s.ID == x.Ref.Source && !inTime(&s, m) })
	})
	told.Incidents, told.Outages = c.incidents(m.Incidents), c.incidents(m.Outages)
	m = &told
	t := &tally{
		Model:   m,
		clock:   c,
		sources: sourcesByID(m),
		read:    read,
		titles:  make(map[string]string, len(m.Causes)),
		members: make(map[string][]gatepost.Failure, len(m.Incidents)),
		waits:   make(map[string][]wait),
		first:   gatepost.NoTime,
		last:    gatepost.NoTime,
	}
	for _, c := range m.Causes {
		t.titles[c.Name] = c.Title
	}
	return t, t.countFailures(keep)
}

// inTime reports whether a source may have a part in a report: a store has those of other nights too.
func inTime(s *gatepost.Source, m *gatepost.Model) bool {
	if !stored(m) || !placed(s) {
		return true
	}
	return !(known(m.Since) && s.Clock.At(s.Last) < m.Since || known(m.Until) && s.Clock.At(s.First) > m.Until)
}

// stored reports whether a model is of a store that is kept.
func stored(m *gatepost.Model) bool { return len(m.Paths) == 2 && m.Paths[0] == "--db" }

func sourcesByID(m *gatepost.Model) map[int]*gatepost.Source {
	byID := make(map[int]*gatepost.Source, len(m.Sources))
	for i := range m.Sources {
		byID[m.Sources[i].ID] = &m.Sources[i]
	}
	return byID
}

func (t *tally) countFailures(keep int) error {
	incidents := make(map[string]*gatepost.Incident, len(t.Incidents))
	for i := range t.Incidents {
		incidents[t.Incidents[i].ID] = &t.Incidents[i]
	}
	causes, statuses := map[string]int{}, map[int]int{}
	clients := map[string]bool{}
	for f, err := range entries(t.Model) {
		if err != nil {
			return err
		}
		t.failures++
		causes[f.Verdict.Cause]++
		statuses[f.Status]++
		if f.Client != "" {
			clients[f.Client] = true
		}
		if known(f.Time) {
			if !known(t.first) {
				t.first = f.Time
			}
			t.first, t.last = min(t.first, f.Time), max(t.last, f.Time)
		}
		in := incidents[f.Incident]
		if in == nil {
			t.stray++
			continue
		}
		if len(t.members[in.ID]) < keep {
			t.members[in.ID] = append(t.members[in.ID], f)
		}
		if in.Film != nil && known(f.Start) && f.Start <= in.Film.To && f.Time >= in.Film.From {
			t.waits[in.ID] = append(t.waits[in.ID], wait{f.Start, f.Time})
		}
	}
	t.clients = len(clients)
	t.statuses = sortedStatuses(statuses)
	for name, n := range causes {
		t.causes = append(t.causes, causeCount{name, n})
	}
	slices.SortFunc(t.causes, func(a, b causeCount) int {
		return cmp.Or(t.rank(b)-t.rank(a), b.failures-a.failures, strings.Compare(a.name, b.name))
	})
	return nil
}

// entries are the failures of a model without their arguments.
func entries(m *gatepost.Model) iter.Seq2[gatepost.Failure, error] {
	if m.Failures == nil {
		return gatepost.FailureList(nil).Entries()
	}
	return m.Failures.Entries()
}

// rank puts undetermined first when it is large: nobody shall overlook how much is not known.
func (t *tally) rank(c causeCount) int {
	if c.name == gatepost.Undetermined && t.muchUndetermined(c.failures) {
		return 1
	}
	return 0
}

func (t *tally) muchUndetermined(n int) bool { return n*5 > t.failures }

// sortedStatuses lists statuses by number of requests.
func sortedStatuses(statuses map[int]int) []statusCount {
	all := make([]statusCount, 0, len(statuses))
	for status, n := range statuses {
		all = append(all, statusCount{status, n})
	}
	slices.SortFunc(all, func(a, b statusCount) int { return cmp.Or(b.n-a.n, a.status-b.status) })
	return all
}

// where says file and line of a record, "" when there is none.
func (t *tally) where(r gatepost.Ref) string {
	if !r.Known() {
		return ""
	}
	return t.file(r.Source) + ":" + strconv.FormatInt(r.Line, 10)
}

// file is the path of a source.
func (t *tally) file(source int) string {
	if s := t.sources[source]; s != nil {
		return s.Path
	}
	path := ""
	if t.ask != nil {
		path = t.ask(source)
	}
	return cmp.Or(path, fmt.Sprintf("source %d", source))
}

// title says a cause in words, by its name where the registry has none.
func (t *tally) title(cause string) string {
	if cause == "" {
		return "no cause is given"
	}
	return cmp.Or(t.titles[cause], strings.ReplaceAll(cause, "_", " "))
}

// headline says in one line what happened in an incident.
func (t *tally) headline(i *gatepost.Incident) string {
	if i.Title != "" {
		return i.Title
	}
	return t.causeAndInstance(i.Cause, i.Instance)
}

func (t *tally) causeAndInstance(cause, instance string) string {
	if instance == "" {
		return t.title(cause)
	}
	return t.title(cause) + "; " + instance
}

// watched names the statuses that count as failures: "502 or 504".
func (t *tally) watched(or string) string {
	list := t.watchedList()
	if len(list) > 3 {
		return "the statuses looked for"
	}
	var names []string
	for _, s := range list {
		names = append(names, strconv.Itoa(s))
	}
	return strings.Join(names, or)
}

func (t *tally) watchedList() []int {
	if len(t.Watched) == 0 {
		return []int{502, 504}
	}
	return t.Watched
}

// hasAccessLog reports whether any source is an access log, even an empty one.
func (t *tally) hasAccessLog() bool {
	return t.Requests > 0 || slices.ContainsFunc(t.Sources, func(s gatepost.Source) bool {
		return strings.Contains(s.Format, "access") || s.Format == "haproxy" || s.Format == "traefik"
	})
}

// statusList says what users saw: "504 × 390, 502 × 8".
func statusList(statuses []statusCount) string {
	var parts []string
	for _, s := range statuses {
		parts = append(parts, fmt.Sprintf("%d × %s", s.status, count(s.n)))
	}
	return strings.Join(parts, ", ")
}

// configuration lists the files that settings were read from.
func (t *tally) configuration() []string {
	files := map[string]bool{}
	for _, s := range t.Setup {
		if s.File != "" {
			files[s.File] = true
		}
	}
	return slices.Sorted(maps.Keys(files))
}

// sortedSizes are the failures of each incident, the largest first.
func sortedSizes(incidents []gatepost.Incident) []int {
	var sizes []int
	for i := range incidents {
		sizes = append(sizes, incidents[i].Failures)
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	return sizes
}

// proof is what lines of one kind prove together.
type proof struct {
	says  string
	lines []*gatepost.Evidence // none for a silence
	more  int                  // further lines of the kind
}

// maxAlike is how many lines that prove the same are shown; the rest are counted.
const maxAlike = 3

// weigh gathers the evidence of an incident that its chain has not cited, and shows at most n
// pieces of it, of which at most maxAgainst speak against the verdict.
func weigh(in *gatepost.Incident, n int) (support, against []proof, hidden int) {
	cited := citedBy(in.Chain)
	few := min(n, maxAgainst)
	against, hiddenAgainst := proofs(in.Evidence, gatepost.Against, cited, few)
	for i := range against {
		n -= max(len(against[i].lines), 1)
	}
	support, hidden = proofs(in.Evidence, gatepost.For, cited, n)
	return support, against, hidden + hiddenAgainst
}

// proofs gathers the evidence of one role, in its order: what says the same stands together.
// Lines in cited are known to the reader already, and of the others the first left are shown.
func proofs(evidence []gatepost.Evidence, role gatepost.Role, cited map[gatepost.Ref]bool, left int) (shown []proof, hidden int) {
	type key struct {
		kind       gatepost.Kind
		join, says string
	}
	at := map[key]int{}
	for i := range evidence {
		e := &evidence[i]
		if (e.Role == gatepost.Against) != (role == gatepost.Against) || cited[e.Ref] {
			continue
		}
		k := key{e.Kind, e.Join, e.Says}
		n, seen := at[k]
		if !seen && left <= 0 {
			hidden++
			continue
		}
		if !seen {
			n = len(shown)
			at[k] = n
			shown = append(shown, proof{says: sentence(e.Says + joined(e))})
		}
		p := &shown[n]
		switch {
		case len(p.lines) == maxAlike || left <= 0:
			p.more++
		default:
			left--
			if e.Ref.Known() {
				p.lines = append(p.lines, e)
			}
		}
	}
	return shown, hidden
}

// joined says what ties a piece of evidence to the failure.
func joined(e *gatepost.Evidence) string {
	if e.Join == "" {
		return ""
	}
	return " (joined by " + e.Join + ")"
}

// citedBy are the lines that a chain shows.
func citedBy(chain []gatepost.Step) map[gatepost.Ref]bool {
	cited := map[gatepost.Ref]bool{}
	for _, s := range chain {
		if s.Ref.Known() {
			cited[s.Ref] = true
		}
	}
	return cited
}

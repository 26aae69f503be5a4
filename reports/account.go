package reports

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatepost"
)

// listed is an incident on the first screen: what happened, what it cost, what to do.
type listed struct {
	ID, Anchor string
	Hue, Cause string // Cause is the name in the ledger, for the filter
	When       string
	Brief      string // when, to the minute where that tells it
	What       text
	Cost, Sure string
	Do         text
	Told       bool // in full below
	Tags       traits
}

// traits are the values of a failure, or of all listed ones of an incident, that filters go by.
type traits struct{ Hosts, Databases, Routes []string }

// account is an incident as a page tells it.
type account struct {
	listed
	Toll     string
	Verdict  text
	Chain    []chainLink
	Film     *filmBox
	Support  []proofBox
	Against  []proofBox
	Hidden   string
	Rivals   []rivalBox
	RivalsAs string // heading
	Fix      []adviceBox
	Missing  []text
	Failures []failureRow
	More     string
	MoreBy   string // command that lists the others
	Explain  string // command
	Next     string // anchor of the next one, "" after the last
}

type chainLink struct {
	Role, When string
	Says       text
	Line       *quote
}

// quote is a line of a log: where it stands, and the line with what ties it to others marked.
type quote struct {
	Where string
	Brief string
	Text  []piece
	More  bool
}

type piece struct {
	Text string
	Mark bool
}

type proofBox struct {
	Says  text
	Lines []quote
	More  string
}

type rivalBox struct {
	Hue, Name string
	Says      text
}

type adviceBox struct {
	Do, Why, Price text
	File           string
	Line           string
}

type failureRow struct {
	ID, When, Status, Waited string
	What                     text
	Client                   string
	Upstream                 string
	Hue, Cause               string
	Tags                     traits
}

// rankIncidents puts the incidents onto the page, the ones that cost most first.
func (t *tally) rankIncidents(s *sheet) {
	ranked := make([]*gatepost.Incident, 0, len(t.Incidents))
	for i := range t.Incidents {
		ranked = append(ranked, &t.Incidents[i])
	}
	slices.SortStableFunc(ranked, func(a, b *gatepost.Incident) int { return b.Failures - a.Failures })
	advised := map[string]string{}
	for i, in := range firsts(ranked, pageListed) {
		l := t.newListed(in)
		if len(in.Fix) > 0 {
			do := in.Fix[0].Do
			if before, ok := advised[do]; ok {
				l.Do = text{Head: "as for " + before}
			} else {
				advised[do] = l.ID
			}
		}
		l.Told = i < pageIncidents
		if l.Told {
			a := t.newAccount(in, maxCited)
			l.Tags, a.Tags = a.Tags, l.Tags
			a.Tags = l.Tags
			s.Details = append(s.Details, *a)
		}
		s.Incidents = append(s.Incidents, l)
	}
	for i := range s.Details[:max(0, len(s.Details)-1)] {
		s.Details[i].Next = s.Details[i+1].Anchor
	}
	if left := ranked[min(len(ranked), pageListed):]; len(left) > 0 {
		failures := 0
		for _, in := range left {
			failures += in.Failures
		}
		s.Unlisted = "and " + counted(len(left), "smaller outage", "smaller outages") + " with " + counted(failures, "failed request", "failed requests")
	}
	if t.stray > 0 {
		s.Stray = counted(t.stray, "failed request belongs", "failed requests belong") + " to no outage"
	}
}

func (t *tally) newListed(in *gatepost.Incident) listed {
	l := listed{
		ID: label(in.ID), Anchor: anchor(in.ID), Hue: causeHue(in.Cause), Cause: clip(visible(in.Cause), 60), When: t.clock.span(in.From, in.To), Brief: t.briefSpan(in.From, in.To),
		What: fold(sentence(t.headline(in)), pageProse), Sure: certainty(in.Cause, in.Confidence, in.State),
	}
	if in.Title == "" || in.Title == t.title(in.Cause) {
		l.What = fold(sentence(t.causeAndInstance(in.Cause, in.Instance)), pageProse)
	}
	if in.Failures > 0 {
		l.Cost = count(in.Failures) + " failed"
		if in.Clients > 0 {
			l.Cost += ", " + people(in.Clients)
		}
	}
	if len(in.Fix) > 0 {
		l.Do = fold(in.Fix[0].Do, pageProse)
	}
	return l
}

func (t *tally) newAccount(in *gatepost.Incident, left int) *account {
	a := &account{listed: t.newListed(in), Toll: visible(t.toll(in)), Verdict: fold(t.verdict(in), pageProse), RivalsAs: rivalsTitle(in.Cause)}
	if in.Title == "" || in.Title == t.title(in.Cause) { // the headline has said the rest
		a.Verdict = fold(verdictLine(in.Cause, in.Confidence, in.State), pageProse)
	}
	marks := t.newMarks(in)
	for _, step := range in.Chain {
		link := chainLink{Role: label(step.Role), Says: fold(sentence(step.Says), pageProse)}
		if known(step.Time) {
			link.When = t.clock.at(step.Time)
		}
		if step.Ref.Known() && left > 0 {
			link.Line = t.newQuote(step.Ref, step.Text, "", marks)
			left--
		}
		a.Chain = append(a.Chain, link)
	}
	a.Film = t.newFilm(in)
	support, against, hidden := weigh(in, left)
	a.Support, a.Against = t.proofBoxes(support, marks), t.proofBoxes(against, marks)
	if hidden > 0 {
		a.Hidden = "and " + count(hidden) + " more"
	}
	for i := range firsts(in.Rivals, maxRivals) {
		r := &in.Rivals[i]
		a.Rivals = append(a.Rivals, rivalBox{causeHue(r.Cause), clip(visible(r.Cause), 60), fold(rivalWords(r), pageProse)})
	}
	for _, f := range in.Fix {
		box := adviceBox{Do: fold(sentence(f.Do), pageProse), Why: t.newText(f.Why), Price: t.newText(f.Price), File: clip(visible(f.File), pageProse)}
		var lines []string
		for line := range strings.SplitSeq(f.Line, "\n") {
			lines = append(lines, clip(visible(line), pageLine))
		}
		box.Line = strings.Join(lines, "\n")
		a.Fix = append(a.Fix, box)
	}
	for _, s := range firsts(in.Missing, maxCited) {
		a.Missing = append(a.Missing, t.newText(s))
	}
	t.listFailures(a, in)
	return a
}

// listFailures lists the first failures of an incident.
func (t *tally) listFailures(a *account, in *gatepost.Incident) {
	members := t.members[in.ID]
	for i := range members {
		f := &members[i]
		row := failureRow{ID: label(f.ID), When: t.clock.at(f.Time), Status: strconv.Itoa(f.Status), Waited: periodOr(f.Duration), What: fold(f.Method+" "+f.Path, pageProse/3),
			Client: clip(visible(f.Client), 60), Upstream: clip(visible(f.Upstream), 60), Hue: causeHue(f.Verdict.Cause), Cause: clip(visible(f.Verdict.Cause), 60)}
		row.Tags = t.tagsOf(f)
		a.Tags.Hosts = addTag(a.Tags.Hosts, row.Tags.Hosts)
		a.Tags.Databases = addTag(a.Tags.Databases, row.Tags.Databases)
		a.Tags.Routes = addTag(a.Tags.Routes, row.Tags.Routes)
		a.Failures = append(a.Failures, row)
	}
	if len(members) == 0 {
		return
	}
	if more := in.Failures - len(members); more > 0 {
		a.More = "and " + count(more) + " more"
		a.MoreBy = visible(t.command("analyze --format csv"))
		if len(t.Paths) == 2 && t.Paths[0] == "--db" {
			a.MoreBy = visible(t.command("report --format csv"))
		}
	}
	a.Explain = visible(t.explainHint(label(members[0].ID)))
}

// tagsOf are the host, the database and the route of a failure.
func (t *tally) tagsOf(f *gatepost.Failure) traits {
	var of traits
	host, database := "", ""
	if n := t.Night; n != nil {
		w := n.Whose[f.ID]
		host, database = w.Host, w.Database
		if database == "" && len(n.Databases) == 1 {
			database = n.Databases[0]
		}
	}
	if s := t.sources[f.Ref.Source]; host == "" && s != nil {
		host = s.Host
	}
	tag := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{clip(visible(s), 80)}
	}
	of.Hosts, of.Databases = tag(host), tag(database)
	of.Routes = tag(string(gatepost.RouteOf(nil, firstBytes(f.Path, 300))))
	return of
}

func firstBytes(s string, n int) string { return s[:min(len(s), n)] }

func addTag(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func (t *tally) proofBoxes(list []proof, marks *marks) []proofBox {
	var all []proofBox
	for _, p := range list {
		box := proofBox{Says: t.newText(p.says)}
		for _, e := range p.lines {
			box.Lines = append(box.Lines, *t.newQuote(e.Ref, e.Text, e.Join, marks))
		}
		if p.more > 0 {
			box.More = "and " + count(p.more) + " more such lines"
		}
		all = append(all, box)
	}
	return all
}

// briefColumns is how much of a line is seen before it is opened.
const briefColumns = 110

func (t *tally) newQuote(r gatepost.Ref, record, join string, marks *marks) *quote {
	q := &quote{Where: clip(visible(t.where(r)), pageProse)}
	var lines []string
	for line := range recordLines(record) {
		lines = append(lines, visible(line))
	}
	whole := strings.Join(lines, "\n")
	if len(lines) > 0 {
		q.Brief = clip(lines[0], briefColumns)
	}
	if head, rest := splitAt(whole, pageLine); rest != "" {
		whole, q.More = head, true
	}
	q.Text = marks.cut(whole, join)
	return q
}

// marks are the words by which the lines of an incident are tied together: pids that its sentences name, and paths of
// its requests.
type marks struct{ words *regexp.Regexp }

// namedPID is a process as the correlator's sentences name it.
var namedPID = regexp.MustCompile(`\b(?:pid|worker|process|backend|master|Worker|PID)s? (\d{2,8})\b`)

// clockTime is the time of day at the beginning of a line.
var clockTime = regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`)

func (t *tally) newMarks(in *gatepost.Incident) *marks {
	seen := map[string]bool{}
	name := func(s string) {
		for _, m := range namedPID.FindAllStringSubmatch(s, -1) {
			if len(seen) < 100 {
				seen[m[1]] = true
			}
		}
	}
	name(in.Instance)
	name(in.Title)
	for i := range in.Chain {
		name(in.Chain[i].Says)
	}
	for i := range in.Evidence {
		name(in.Evidence[i].Says)
	}
	var words []string
	for pid := range seen {
		words = append(words, `\b`+pid+`\b`)
	}
	members := t.members[in.ID]
	for i := range firsts(members, pageRequests) {
		path, _, _ := strings.Cut(visible(members[i].Path), "?")
		if len(path) > 1 && len(path) < 300 && !seen[path] {
			seen[path] = true
			words = append(words, regexp.QuoteMeta(path))
		}
	}
	if len(words) == 0 {
		return &marks{}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return &marks{regexp.MustCompile(strings.Join(words, "|"))}
}

// cut cuts a line at the words that are marked; of a line that is joined by its time, the time is.
func (m *marks) cut(line, join string) []piece {
	var at [][]int
	if m.words != nil {
		at = m.words.FindAllStringIndex(line, 20)
	}
	if join == "time" || len(at) == 0 {
		if first := clockTime.FindStringIndex(line); first != nil && (len(at) == 0 || first[1] <= at[0][0]) {
			at = slices.Insert(at, 0, first)
		}
	}
	var pieces []piece
	done := 0
	for _, x := range at {
		if x[0] > done {
			pieces = append(pieces, piece{Text: line[done:x[0]]})
		}
		pieces = append(pieces, piece{line[x[0]:x[1]], true})
		done = x[1]
	}
	if done < len(line) {
		pieces = append(pieces, piece{Text: line[done:]})
	}
	return pieces
}

// filmBox is a film as rows of SVG, each filmSteps wide.
type filmBox struct {
	From, To string
	Waiting  string // a path
	Most     string
	Steps    int
	Rows     []filmLine
	More     string
	Hue      string
}

type filmLine struct {
	PID    string
	Life   string // a path
	Killed string // percent, "" when it was not
	Works  []mark
	Says   string
}

// filmSteps is how finely a film is drawn.
const filmSteps = 600

func (t *tally) newFilm(in *gatepost.Incident) *filmBox {
	film := in.Film
	if film == nil || len(film.Rows) == 0 || film.To <= film.From {
		return nil
	}
	b := &filmBox{From: t.clock.at(film.From), To: t.clock.at(film.To), Steps: filmSteps, Hue: causeHue(in.Cause)}
	waiting := make([]float64, filmSteps)
	most := 0.0
	for _, m := range t.waits[in.ID] {
		for i := max(film.Column(m.from, filmSteps), 0); i <= film.Column(m.to, filmSteps) && i < filmSteps; i++ {
			waiting[i]++
			most = max(most, waiting[i])
		}
	}
	if most > 0 {
		b.Waiting, b.Most = steps(waiting, most, filmWaiting), "up to "+count(int(most))
	}
	a := axis{film.From, film.To.Sub(film.From), 1}
	column := func(t gatepost.Time) int { return int(a.at(t) * filmSteps) }
	spans := 0
	for i, row := range film.Rows {
		if i == pageWorkers || spans > pageSpans {
			b.More = "and " + counted(len(film.Rows)-i, "more worker", "more workers")
			break
		}
		line := filmLine{PID: strconv.Itoa(row.PID), Life: bars(6, 2, column(row.From), column(row.To))}
		if row.Killed {
			line.Killed = percentOf(min(a.at(row.To), 0.99), 1)
		}
		failed, held, ordinary := 0, 0, 0
		paths := map[string]string{}
		for _, s := range row.Busy {
			class := "grey"
			switch {
			case s.Failed:
				failed++
				class = causeHue(cmp.Or(s.Cause, in.Cause)) + " failed"
			case s.Cause != "":
				held++
				class = causeHue(s.Cause)
			default:
				ordinary++
			}
			if s.To > s.From && s.From <= film.To && s.To >= film.From && spans <= pageSpans {
				spans++
				paths[class] += bars(1, 12, column(s.From), column(s.To))
			}
		}
		for _, class := range slices.Sorted(maps.Keys(paths)) {
			line.Works = append(line.Works, mark{class, paths[class]})
		}
		line.Says = fmt.Sprintf("%d at work on requests that failed, %d on slow ones, %d on ordinary ones", failed, held, ordinary)
		if row.Killed {
			line.Says += ", killed at " + t.clock.at(row.To)
		}
		b.Rows = append(b.Rows, line)
	}
	return b
}

// bars draws a bar from one column to another, at least one wide.
func bars(y, height, from, to int) string {
	width := max(to-from, 1)
	return fmt.Sprintf("M%d %dh%dv%dh-%dz", from, y, width, height, width)
}

const filmWaiting = 24 // pixels

// filters are the choices of what is shown; one with a single choice is none.
func (t *tally) filters(s *sheet) []filter {
	values := [4]map[string]string{}
	for i := range values {
		values[i] = map[string]string{}
	}
	put := func(i int, list ...string) {
		for _, v := range list {
			if len(values[i]) < pageListed {
				values[i][v] = v
			}
		}
	}
	for _, l := range s.Incidents {
		if len(values[0]) < pageListed {
			values[0][l.Cause] = strings.ReplaceAll(l.Cause, "_", " ")
		}
		put(1, l.Tags.Hosts...)
		put(2, l.Tags.Databases...)
		put(3, l.Tags.Routes...)
	}
	var all []filter
	for i, f := range []filter{{Name: "cause", Label: "Cause", All: "all causes"}, {Name: "host", Label: "Host", All: "all hosts"},
		{Name: "database", Label: "Database", All: "all databases"}, {Name: "route", Label: "Route", All: "all routes"}} {
		if len(values[i]) < 2 {
			continue
		}
		for v, name := range values[i] {
			f.Choices = append(f.Choices, choice{v, clip(name, 60)})
		}
		slices.SortFunc(f.Choices, func(a, b choice) int { return strings.Compare(a.Value, b.Value) })
		all = append(all, f)
	}
	return all
}

package reports

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatepost"
)

// newSheet lays a tally out for the template.
func newSheet(t *tally) *sheet {
	verdict, more, _ := strings.Cut(visible(t.answer()), ". ")
	s := &sheet{
		Policy: pagePolicy, Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Verdict: sentence(clip(verdict, pageProse)), More: clip(more, 4*pageProse), Watched: t.watched(" or "), Imprint: visible(t.imprint()),
	}
	s.Where = t.whereAndWhen()
	s.Title = clip(s.Verdict, 80) + " " + strings.Join(s.Where, ", ")
	s.Figures = t.figureBoxes()
	s.Data = t.newPageData()
	t.rankIncidents(s)
	for i := range t.Outages[:min(len(t.Outages), pageIncidents)] {
		s.Outages = append(s.Outages, *t.newAccount(&t.Outages[i], maxCited/2))
	}
	told := s.told()
	s.Picture = t.newPicture(told)
	s.Filters = t.filters(s)
	t.loadTables(s, told)
	t.whatWasRead(s)
	s.Missing = t.missingRows()
	return s
}

// told are the anchors of the incidents that the page tells in full, for links.
func (s *sheet) told() map[string]bool {
	told := map[string]bool{}
	for _, list := range [][]account{s.Details, s.Outages} {
		for i := range list {
			told[list[i].Anchor] = true
		}
	}
	return told
}

// whereAndWhen says whose night it is, which one, and in which zone its times are told.
func (t *tally) whereAndWhen() []string {
	var parts []string
	if host := t.host(); host != "" {
		parts = append(parts, clip(visible(host), 80))
	}
	from, to := t.span()
	if known(from) && known(to) {
		parts = append(parts, t.nightName(from, to))
	}
	if known(t.clock.from) {
		parts = append(parts, "times in "+visible(t.clock.zones()))
	}
	return parts
}

// span is the time that the report is about.
func (t *tally) span() (from, to gatepost.Time) { return spanOf(t.Model) }

func spanOf(m *gatepost.Model) (from, to gatepost.Time) {
	if n := m.Night; n != nil && known(n.From) {
		return n.From, n.To
	}
	from, to = m.From, m.To
	if known(m.Since) {
		from = m.Since
	}
	if known(m.Until) {
		to = m.Until
	}
	return from, to
}

// pageClock tells times without their date where all are within a day: the heading has said which.
func pageClock(m *gatepost.Model) clock {
	c := newClock(m)
	seen := clock{from: gatepost.NoTime, to: gatepost.NoTime}
	seen.see(spanOf(m))
	for _, group := range [][]gatepost.Incident{m.Incidents, m.Outages} {
		for i := range group {
			seen.see(group[i].From, group[i].To)
		}
	}
	if known(seen.from) && seen.to.Sub(seen.from) <= 24*time.Hour {
		c.days, c.years = false, false
	}
	return c
}

// host is the site by the name that its users know, or else the machine, "" when there are several.
func (t *tally) host() string {
	if t.Night != nil && len(t.Night.Hosts) == 1 {
		return t.Night.Hosts[0]
	}
	hosts := map[string]bool{}
	for i := range t.Sources {
		if h := t.Sources[i].Host; h != "" {
			hosts[h] = true
		}
	}
	if len(hosts) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(hosts))[0]
}

// nightName says which night, or which days, the report is about.
func (t *tally) nightName(from, to gatepost.Time) string {
	a, b := from.Std().In(t.clock.zone), to.Std().In(t.clock.zone)
	hours := " from " + a.Format("15:04") + " to " + b.Format("15:04")
	if a.Format("15:04") == b.Format("15:04") || b.Sub(a) < 3*time.Minute {
		hours = " from " + a.Format(time.TimeOnly) + " to " + b.Format(time.TimeOnly)
	}
	switch {
	case a.Format(time.DateOnly) == b.Format(time.DateOnly):
		if b.Sub(a) > 23*time.Hour {
			hours = ""
		}
		return a.Format("2 January 2006") + hours
	case b.Sub(a) <= 24*time.Hour && a.Hour() >= 12 && b.Hour() <= 12:
		return "night of " + dates(a, b) + "," + hours
	}
	return dates(a, b) + "," + hours
}

// dates says two days without what they share.
func dates(a, b time.Time) string {
	layout := "2 January 2006"
	switch {
	case a.Year() != b.Year():
	case a.Month() != b.Month():
		layout = "2 January"
	default:
		layout = "2"
	}
	return a.Format(layout) + " to " + b.Format("2 January 2006")
}

// briefSpan tells when an outage was, to the minute where that tells it, with the day where that is not clear.
func (t *tally) briefSpan(from, to gatepost.Time) string {
	if !known(from) || !known(to) {
		return t.clock.span(from, to)
	}
	a, b := from.Std().In(t.clock.zone), to.Std().In(t.clock.zone)
	layout := "15:04"
	if b.Sub(a) < 2*time.Minute {
		layout = time.TimeOnly
	}
	day := ""
	if t.clock.days {
		day = a.Format("2 Jan ")
	}
	if a.Format(layout) == b.Format(layout) {
		return day + a.Format(layout)
	}
	return day + a.Format(layout) + " to " + b.Format(layout)
}

// figureBoxes are the numbers of the first screen.
func (t *tally) figureBoxes() []figureBox {
	var all []figureBox
	add := func(label, value, beside string) { all = append(all, figureBox{label, value, beside}) }
	beside := "no request is counted"
	if t.Requests > 0 {
		beside = percent(int64(t.failures), t.Requests) + " of " + counted(t.Requests, "request", "requests")
	}
	if t.hasAccessLog() {
		add(t.failedLabel(), count(t.failures), beside)
		beside = "by their addresses"
		if n := t.Night; n != nil && n.People >= t.clients && n.People > 0 {
			beside = "of " + count(n.People) + " who came"
		}
		add("people hit", count(t.clients), beside)
	}
	n := t.Night
	if n != nil && n.Minutes > 0 {
		add("minutes disturbed", count(n.Affected), "of "+count(n.Minutes))
	}
	if t.failures > 0 {
		known := t.failures - t.undetermined()
		add("cause found", percent(int64(known), int64(t.failures)), count(known)+" of "+count(t.failures))
	} else if t.hasAccessLog() {
		errors := int64(0)
		for status, n := range t.Model.Statuses {
			if status >= 499 {
				errors += n
			}
		}
		add("other errors", count(errors), "499 and 5xx")
	}
	if n == nil {
		return all
	}
	if n.Before != nil {
		add(t.beforeName(), count(n.Before.Failures), percent(n.Before.Failures, n.Before.Requests)+" of "+count(n.Before.Requests))
	}
	if n.WeekBefore != nil {
		day := n.WeekBefore.From.Std().In(t.clock.zone).Weekday().String()
		add(day+" a week before", count(n.WeekBefore.Failures), percent(n.WeekBefore.Failures, n.WeekBefore.Requests)+" of "+count(n.WeekBefore.Requests))
	}
	return all
}

// beforeName says what the time before is that this one is compared with.
func (t *tally) beforeName() string {
	n := t.Night
	zone := t.clock.zone
	a, b := n.From.Std().In(zone), n.To.Std().In(zone)
	switch days := int((n.To.Sub(n.From)-1)/(24*time.Hour)) + 1; {
	case days > 1:
		return fmt.Sprintf("%d days before", days)
	case a.Format(time.DateOnly) != b.Format(time.DateOnly):
		return "the night before"
	}
	return "the day before"
}

// picture is the night, one strip above the other.
type picture struct {
	Steps   int
	Strips  []strip
	Bands   []band
	Ticks   []tick
	Caption string
	Table   *table
}

// newPicture draws the night, nil when there is nothing to draw.
func (t *tally) newPicture(told map[string]bool) *picture {
	n := t.Night
	if n == nil || len(n.Moments) == 0 || n.Step <= 0 {
		return nil
	}
	a := axis{n.From, n.Step, len(n.Moments)}
	p := &picture{Steps: a.n, Ticks: a.ticks(t.clock.zone), Caption: "In steps of " + period(n.Step)}
	switch n.Step {
	case time.Second:
		p.Caption = "Second by second"
	case time.Minute:
		p.Caption = "Minute by minute"
	case time.Hour:
		p.Caption = "Hour by hour"
	}
	all := slices.Concat(t.Incidents, t.Outages)
	slices.SortStableFunc(all, func(a, b gatepost.Incident) int { return cmp.Compare(a.From, b.From) })
	p.Bands = a.bands(firsts(all, pageListed), func(in *gatepost.Incident) (string, string) {
		return t.shortCause(in.Cause), visible(clip(in.ID, labelLimit)) + ", " + t.clock.span(in.From, in.To) + ": " + clip(visible(t.headline(in)), headlineLimit)
	})
	for i := range p.Bands {
		b := &p.Bands[i]
		if b.ID, b.Link = label(b.ID), anchor(b.ID); !told[b.Link] {
			b.Link = "outages"
		}
	}
	p.Strips = append(p.Strips, t.requestStrip(n), t.failureStrip(n))
	if n.Odoo {
		p.Strips = append(p.Strips, t.workerStrip(n))
	}
	if n.Latency != "" {
		p.Strips = append(p.Strips, t.latencyStrip(n))
	}
	p.Table = t.pictureTable(n)
	return p
}

func firsts[T any](list []T, n int) []T { return list[:min(len(list), n)] }

// shortCause is the name of a cause as people say it in a picture.
func (t *tally) shortCause(cause string) string {
	return clip(visible(strings.ReplaceAll(cause, "_", " ")), 28)
}

// anchor makes an ID fit for an address within the page.
func anchor(id string) string {
	return clip(visible(strings.Map(func(r rune) rune {
		if r == '-' || letterOrDigit(r) {
			return r
		}
		return -1
	}, id)), labelLimit)
}

const (
	requestHeight = 40
	failureHeight = 72
	workerHeight  = 40
	latencyHeight = 52
)

// perStep says the time of a step as a unit: "a minute", "in 15 s".
func perStep(d time.Duration) string {
	switch d {
	case time.Second:
		return "a second"
	case time.Minute:
		return "a minute"
	case time.Hour:
		return "an hour"
	}
	return "in " + period(d)
}

func series(n *gatepost.Night, of func(*gatepost.Moment) float64) (values []float64, top float64, at int) {
	for i := range n.Moments {
		v := of(&n.Moments[i])
		values = append(values, v)
		if v > top {
			top, at = v, i
		}
	}
	return values, top, at
}

// stepAt tells when a step begins.
func (t *tally) stepAt(n *gatepost.Night, i int) string {
	layout := "15:04"
	if n.Step < time.Minute {
		layout = "15:04:05"
	}
	if t.clock.days {
		layout = "2 Jan " + layout
	}
	return n.From.Add(n.Step * time.Duration(i)).Std().In(t.clock.zone).Format(layout)
}

func (t *tally) requestStrip(n *gatepost.Night) strip {
	values, top, at := series(n, func(m *gatepost.Moment) float64 { return float64(m.Requests) })
	s := strip{ID: "requests", Title: "Requests", Height: requestHeight, Note: "none"}
	if top > 0 {
		s.Note = fmt.Sprintf("%s, most %s at %s", perStep(n.Step), count(int(top)), t.stepAt(n, at))
	}
	s.Says = "Requests " + s.Note
	s.Marks = []mark{{"grey", steps(values, top, s.Height)}}
	return s
}

func (t *tally) failureStrip(n *gatepost.Night) strip {
	_, top, at := series(n, func(m *gatepost.Moment) float64 { return float64(sum(m.Failures)) })
	s := strip{ID: "failures", Title: "Failures", Height: failureHeight, Note: "none"}
	if top > 0 {
		s.Note = fmt.Sprintf("%s, most %s at %s", perStep(n.Step), count(int(top)), t.stepAt(n, at))
	}
	s.Says = "Failures " + s.Note
	if top == 0 {
		s.Height = 12
	}
	base := make([]int, len(n.Moments))
	for c, name := range n.Causes {
		values := make([]int, len(n.Moments))
		all := 0
		for i := range n.Moments {
			if c < len(n.Moments[i].Failures) {
				values[i] = n.Moments[i].Failures[c]
				all += values[i]
			}
		}
		if all == 0 {
			continue
		}
		s.Marks = append(s.Marks, mark{causeHue(name), stack(values, base, int(top), s.Height, "1")})
		s.Keys = append(s.Keys, key{causeHue(name), t.shortCause(name), count(all)})
	}
	return s
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

func (t *tally) workerStrip(n *gatepost.Night) strip {
	values, top, at := series(n, func(m *gatepost.Moment) float64 { return m.Busy })
	s := strip{ID: "workers", Title: "Busy workers", Height: workerHeight}
	s.Note = fmt.Sprintf("on average over %s, most %.1f at %s", period(n.Step), top, t.stepAt(n, at))
	s.Says = "Busy workers " + s.Note
	top = max(top, float64(n.Workers), 1) * 1.06
	s.Marks = []mark{{"grey", steps(values, top, s.Height)}}
	if n.Workers > 0 {
		s.Limit = &limit{s.Height - scaled(float64(n.Workers), top, s.Height), counted(n.Workers, "worker", "workers")}
		s.Says += ", of " + s.Limit.Name
	}
	return s
}

func (t *tally) latencyStrip(n *gatepost.Night) strip {
	s := strip{ID: "latency", Title: "Time to answer", Height: latencyHeight}
	slow, top, at := series(n, func(m *gatepost.Moment) float64 { return m.P95.Seconds() })
	half, _, _ := series(n, func(m *gatepost.Moment) float64 { return m.Median.Seconds() })
	s.Note = fmt.Sprintf("by %s: 95 of 100 within the upper line (most %s at %s), half within the lower", n.Latency,
		period(time.Duration(top*float64(time.Second))), t.stepAt(n, at))
	s.Says = "Time to answer " + s.Note
	if p := n.Patience.Seconds(); p > 0 {
		if p <= 4*top {
			top = max(top, p)
		} else {
			s.Note += "; the proxy gives up at " + period(n.Patience)
		}
	}
	top *= 1.06
	if p := n.Patience.Seconds(); p > 0 && p <= top {
		s.Limit = &limit{s.Height - scaled(p, top, s.Height), "the proxy gives up at " + period(n.Patience)}
	}
	s.Marks = []mark{{"grey", steps(slow, top, s.Height)}, {"line", stepLine(slow, top, s.Height)}, {"thin", stepLine(half, top, s.Height)}}
	return s
}

// pictureRows is how many rows the picture has as a table.
const pictureRows = 48

// pictureTable is the picture in figures, several steps in a row.
func (t *tally) pictureTable(n *gatepost.Night) *table {
	heads := []string{"from", "#requests", "#failed"}
	if n.Odoo {
		heads = append(heads, "#busy workers")
	}
	if n.Latency != "" {
		heads = append(heads, "#half within", "#95 of 100 within")
	}
	list := newTable(heads...)
	each := (len(n.Moments) + pictureRows - 1) / pictureRows
	for i := 0; i < len(n.Moments); i += each {
		requests, failed := 0, 0
		busy, p50, p95 := 0.0, time.Duration(-1), time.Duration(-1)
		for _, m := range n.Moments[i:min(i+each, len(n.Moments))] {
			requests += m.Requests
			failed += sum(m.Failures)
			busy, p50, p95 = max(busy, m.Busy), max(p50, m.Median), max(p95, m.P95)
		}
		row := []string{t.stepAt(n, i), count(requests), count(failed)}
		if n.Odoo {
			row = append(row, fmt.Sprintf("%.1f", busy))
		}
		if n.Latency != "" {
			row = append(row, periodOr(p50), periodOr(p95))
		}
		list.row(row...)
	}
	return list
}

// periodOr says a duration, "–" where it is not known.
func periodOr(d time.Duration) string {
	if d < 0 {
		return "–"
	}
	return period(d)
}

// pageData is what the script of the page needs to know: the series of the picture.
type pageData struct {
	From    int64            `json:"from"` // Unix seconds
	Step    int64            `json:"step"` // seconds
	Zone    [][2]int64       `json:"zone"` // from which step on, how many seconds east of UTC
	Request []int            `json:"requests"`
	Busy    []float64        `json:"busy"`
	Median  []int64          `json:"median"` // ms, -1 for none
	P95     []int64          `json:"p95"`
	Causes  []string         `json:"causes"`
	Failure map[string][]int `json:"failures"` // by step, as Causes
	Workers int64            `json:"workers"`
}

func (t *tally) newPageData() *pageData {
	n := t.Night
	if n == nil || len(n.Moments) == 0 {
		return nil
	}
	d := &pageData{From: n.From.Second(), Step: int64(n.Step / time.Second), Workers: n.Workers, Failure: map[string][]int{}}
	for _, c := range n.Causes {
		d.Causes = append(d.Causes, t.shortCause(c))
	}
	for i := range n.Moments {
		m := &n.Moments[i]
		_, east := n.From.Add(n.Step * time.Duration(i)).Std().In(t.clock.zone).Zone()
		if len(d.Zone) == 0 || d.Zone[len(d.Zone)-1][1] != int64(east) {
			d.Zone = append(d.Zone, [2]int64{int64(i), int64(east)})
		}
		d.Request = append(d.Request, m.Requests)
		if sum(m.Failures) > 0 {
			d.Failure[strconv.Itoa(i)] = m.Failures
		}
		if n.Odoo {
			busy, _ := strconv.ParseFloat(strconv.FormatFloat(m.Busy, 'f', 1, 64), 64)
			d.Busy = append(d.Busy, busy)
		}
		if n.Latency != "" {
			d.Median, d.P95 = append(d.Median, milliseconds(m.Median)), append(d.P95, milliseconds(m.P95))
		}
	}
	return d
}

func milliseconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

package reports

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// sheet is what the template lays out. Every text in it that a stranger may have written has gone through visible.
type sheet struct {
	Policy    string
	Style     template.CSS
	Script    template.JS
	Title     string
	Where     []string
	Verdict   string
	More      string
	Figures   []figureBox
	Picture   *picture
	Incidents []listed
	Unlisted  string
	Stray     string
	Details   []account
	Outages   []account
	Watched   string
	Filters   []filter
	Causes    []causeRow
	Trend     *trend
	Routes    *table
	Queries   *table
	Actions   *table
	Late      *table
	LateSays  string
	Sources   []sourceBox
	Config    []text
	Gaps      []text
	Unknown   []unknownBox
	Notes     []text
	Missing   []missingRow
	Imprint   string
	Data      *pageData
}

// figureBox is a number, what it is, and what it is compared with.
type figureBox struct{ Label, Value, Beside string }

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
	switch days := int((n.From.Sub(n.Before.From) + 12*time.Hour) / (24 * time.Hour)); {
	case days > 1:
		return fmt.Sprintf("%d days before", days)
	case b.Sub(a) > 24*time.Hour:
		return "the same hours a day before"
	case a.Format(time.DateOnly) != b.Format(time.DateOnly):
		return "the night before"
	}
	return "the day before"
}

package reports

import (
	"bufio"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

// calendarMark stands at the end of a calendar, so that gatepost knows its own.
const calendarMark = "<!-- gatepost-calendar -->\n"

// IsCalendar reports whether a file ends as a calendar does.
func IsCalendar(end []byte) bool { return strings.HasSuffix(string(end), calendarMark) }

// calendar is what the template of the calendar lays out.
type calendar struct {
	Policy  string
	Style   template.CSS
	Title   string
	Where   string
	Verdict string
	Latest  *calendarNight
	Months  []month
	Imprint string
}

// month is a month with at least one page, the weeks from Monday to Sunday.
type month struct {
	ID, Name, Says string
	Weeks          [][]calendarDay
	Nights         []*calendarNight // that had failures, the newest first
}

// calendarDay is a field of the grid; Number is 0 outside of the month.
type calendarDay struct {
	Number int
	Night  *calendarNight // nil when there is no page
}

// calendarNight is a night with a page.
type calendarNight struct {
	*Mark
	Page, Name, Says string
	Hue, Share       string
	Count            string
}

var (
	calendarStyle  = pageStyle + pageFile("calendar.css")
	calendarPolicy = "default-src 'none'; style-src '" + hashSource(calendarStyle) + "'; img-src data:; base-uri 'none'; form-action 'none'"
)

// Calendar draws the index of a folder of pages: their nights by month, the newest first.
func Calendar(w io.Writer, marks []*Mark, version string) error {
	marks = slices.SortedFunc(slices.Values(marks), func(a, b *Mark) int { return strings.Compare(b.Day, a.Day) })
	c := &calendar{Policy: calendarPolicy, Style: template.CSS(calendarStyle), Title: "Nights", Verdict: "There is no page of a night yet.",
		Imprint: "gatepost " + visible(version) + " makes this page anew from the pages beside it, after each of them."}
	for _, k := range marks {
		day, err := time.Parse(time.DateOnly, k.Day)
		if err != nil {
			return fmt.Errorf("the day of a page: %w", err)
		}
		c.add(day, newCalendarNight(k, day))
	}
	if c.Latest != nil {
		c.Where = c.Latest.Host
		if c.Where != "" {
			c.Title += " of " + c.Where
		}
		c.Verdict = c.Latest.Name + ": " + c.Latest.Says
	}
	for i := range c.Months {
		c.Months[i].sum()
	}
	out := bufio.NewWriter(w)
	if err := pageTemplate.ExecuteTemplate(out, "calendar.tmpl", c); err != nil {
		return err
	}
	out.WriteString(calendarMark)
	return out.Flush()
}

func newCalendarNight(mark *Mark, day time.Time) *calendarNight {
	k := *mark
	k.Host, k.Cause = clip(visible(k.Host), 80), clip(visible(k.Cause), 2*labelLimit)
	n := &calendarNight{Mark: &k, Page: k.Day + ".html", Name: day.Format("Monday, 2 January 2006"), Hue: "grey", Count: count(k.Failures), Says: "nothing failed"}
	if k.Failures == 0 {
		return n
	}
	n.Hue = causeHue(mark.Cause)
	n.Says = counted(k.Failures, "request failed", "requests failed")
	if k.People > 0 {
		n.Says += " for " + counted(k.People, "person", "people")
	}
	n.Says += ", " + k.Cause
	if more := k.Causes - 1; more > 0 {
		n.Says += " and " + counted(more, "other cause", "other causes")
	}
	if k.Requests > 0 {
		n.Share = percent(int64(k.Failures), k.Requests) + " of " + counted(k.Requests, "request", "requests")
	}
	return n
}

// add puts a night into its month. Nights come the newest first.
func (c *calendar) add(day time.Time, n *calendarNight) {
	if c.Latest == nil {
		c.Latest = n
	}
	name := day.Format("January 2006")
	if last := len(c.Months) - 1; last < 0 || c.Months[last].Name != name {
		c.Months = append(c.Months, month{ID: day.Format("2006-01"), Name: name, Weeks: weeksOf(day)})
	}
	m := &c.Months[len(c.Months)-1]
	first := day.AddDate(0, 0, 1-day.Day())
	field := (int(first.Weekday())+6)%7 + day.Day() - 1
	m.Weeks[field/7][field%7].Night = n
	m.Nights = append(m.Nights, n)
}

// weeksOf is the grid of the month of a day.
func weeksOf(day time.Time) [][]calendarDay {
	first := day.AddDate(0, 0, 1-day.Day())
	before := (int(first.Weekday()) + 6) % 7 // Monday is the first
	days := first.AddDate(0, 1, -1).Day()
	weeks := make([][]calendarDay, (before+days+6)/7)
	for i := range weeks {
		weeks[i] = make([]calendarDay, 7)
	}
	for n := range days {
		weeks[(before+n)/7][(before+n)%7].Number = n + 1
	}
	return weeks
}

// sum says what a month came to, and leaves the nights with failures. What failed is not added up: a page goes to the morning on which it was made, and
// the next one begins at midnight.
func (m *month) sum() {
	all, worst := len(m.Nights), 0
	m.Nights = slices.DeleteFunc(m.Nights, func(n *calendarNight) bool {
		worst = max(worst, n.Failures)
		return n.Failures == 0
	})
	m.Says = counted(all, "night", "nights") + ", nothing failed"
	switch len(m.Nights) {
	case 0:
	case 1:
		m.Says = counted(worst, "request failed", "requests failed") + " in 1 of " + counted(all, "night", "nights")
	default:
		m.Says = "requests failed in " + count(len(m.Nights)) + " of " + counted(all, "night", "nights") + ", " + count(worst) + " in the worst"
	}
}

package reports

import (
	"fmt"
	"strings"
	"time"

	"gatepost"
)

// causeRow is a cause with its share of the failures.
type causeRow struct {
	Hue, Name     string
	Title         text
	Failed, Share string
	Bar           string // percent
}

// trend is the failures of the last days.
type trend struct {
	Says  string
	First string
	Last  string
	Days  int // that there is room for
	Marks []mark
	Keys  []key
	Top   int
	Table *table
}

const (
	trendHeight = 64
	trendLeast  = 14   // days that the trend has room for: a few would be broad bars
	dayWidth    = ".9" // of the bar of a day
)

// loadTables fills in what is not about incidents: causes, days, and where the time went.
func (t *tally) loadTables(s *sheet, told map[string]bool) {
	for _, c := range t.causes {
		s.Causes = append(s.Causes, causeRow{causeHue(c.name), clip(visible(c.name), 60), fold(t.titles[c.name], pageProse), count(c.failures),
			percent(int64(c.failures), int64(t.failures)), percentOf(float64(c.failures), float64(t.failures))})
	}
	n := t.Night
	if n == nil {
		return
	}
	s.Trend = t.newTrend(n)
	s.Routes, s.Queries, s.Actions, s.Late = t.routeTable(n), t.statementTable(n), t.actionTable(n, told), t.lateTable(n)
	if n.LateInAll > 0 {
		s.LateSays = "Odoo finished " + counted(n.LateInAll, "request", "requests") + " after the user had seen the error."
		if n.LateAgain > 0 {
			s.LateSays += " " + count(n.LateAgain) + " of them came once more from the same client: what they make may be there twice."
		}
		if more := n.LateInAll - len(n.Late); more > 0 {
			s.LateSays += " " + count(len(n.Late)) + " are listed."
		}
	}
}

// newTrend draws the last days, each in its place: of some the store may hold nothing.
func (t *tally) newTrend(n *gatepost.Night) *trend {
	if len(n.Days) < 2 {
		return nil
	}
	zone, last := t.clock.zone, n.Days[len(n.Days)-1].From
	day := func(t gatepost.Time) string { return t.Std().In(zone).Format("Mon 2 Jan") }
	ago := func(d *gatepost.Day) int { return int((last.Sub(d.From) + 12*time.Hour) / (24 * time.Hour)) }
	tr := &trend{Days: max(ago(&n.Days[0])+1, trendLeast), Last: day(last), Table: newTable("day", "#failed", "#requests", "#share", "causes")}
	tr.First = day(gatepost.TimeOf(last.Std().In(zone).AddDate(0, 0, 1-tr.Days)))
	place := func(d *gatepost.Day) int { return tr.Days - 1 - ago(d) }
	unjudged, all := make([]int, tr.Days), 0
	for i := range n.Days {
		d := &n.Days[i]
		tr.Top = max(tr.Top, int(d.Failures))
		left := max(int(d.Failures)-sum(d.Causes), 0)
		unjudged[place(d)] = left
		all += left
		var causes []string
		for c, k := range d.Causes {
			if k > 0 && c < len(n.Causes) {
				causes = append(causes, t.shortCause(n.Causes[c])+" "+count(k))
			}
		}
		if left > 0 {
			causes = append(causes, "not judged "+count(left))
		}
		tr.Table.row(day(d.From), count(d.Failures), count(d.Requests), percent(d.Failures, d.Requests), strings.Join(causes, ", "))
	}
	tr.Says = fmt.Sprintf("Failed requests of %s, at most %s a day", counted(len(n.Days), "day", "days"), count(tr.Top))
	base := make([]int, tr.Days)
	for c, name := range n.Causes {
		values, total := make([]int, tr.Days), 0
		for i := range n.Days {
			if d := &n.Days[i]; c < len(d.Causes) {
				values[place(d)] = d.Causes[c]
				total += d.Causes[c]
			}
		}
		if total > 0 {
			tr.Marks = append(tr.Marks, mark{causeHue(name), stack(values, base, tr.Top, trendHeight, dayWidth)})
			tr.Keys = append(tr.Keys, key{causeHue(name), t.shortCause(name), count(total)})
		}
	}
	if all > 0 {
		tr.Marks = append(tr.Marks, mark{"other", stack(unjudged, base, tr.Top, trendHeight, dayWidth)})
		tr.Keys = append(tr.Keys, key{"other", "not judged", count(all)})
	}
	return tr
}

// share draws the largest of a table's rows as a whole bar.
func share(d, most time.Duration) string {
	if d <= 0 || most <= 0 {
		return ""
	}
	return percentOf(max(float64(d), float64(most)/200), float64(most))
}

func (t *tally) routeTable(n *gatepost.Night) *table {
	if len(n.Routes) == 0 {
		return nil
	}
	list := newTable("route", "#requests", "#failed", "#half within", "#95 of 100 within", "#longest", "#in all")
	most := time.Duration(0)
	for i := range n.Routes {
		most = max(most, n.Routes[i].Total)
	}
	if most == 0 {
		list = newTable("route", "#requests", "#failed")
	}
	for i := range n.Routes {
		r := &n.Routes[i]
		row := []string{r.Route, count(r.Requests), count(r.Failures), periodOr(r.Median), periodOr(r.P95), period(r.Max), period(r.Total)}
		made := list.row(row[:len(list.Heads)]...)
		made.Cells[0].Code = true
		if _, path, ok := strings.Cut(r.Route, " "); ok {
			made.Route = clip(visible(path), 80)
		}
		made.Cells[len(made.Cells)-1].Share = share(r.Total, most)
	}
	return list
}

func (t *tally) statementTable(n *gatepost.Night) *table {
	if len(n.Statements) == 0 {
		return nil
	}
	list := newTable("statement", "database", "#slow runs", "#longest", "at", "#in all")
	most := n.Statements[0].Total
	for i := range n.Statements {
		q := &n.Statements[i]
		made := list.row(q.Statement, orUnknown(q.Database), count(q.Runs), period(q.Max), t.clock.at(q.At), period(q.Total))
		made.Cells[0].Code = true
		made.Cells[5].Share = share(q.Total, most)
	}
	return list
}

func (t *tally) actionTable(n *gatepost.Night, told map[string]bool) *table {
	if len(n.Actions) == 0 {
		return nil
	}
	list := newTable("scheduled action", "#runs", "#longest", "at", "#in all", "at the same time", "during")
	most := time.Duration(0)
	for i := range n.Actions {
		most = max(most, n.Actions[i].Max)
	}
	for i := range n.Actions {
		a := &n.Actions[i]
		runs := count(a.Runs)
		if a.Failed > 0 {
			runs += ", " + count(a.Failed) + " failed"
		}
		if a.Open > 0 {
			runs += ", " + count(a.Open) + " without an end"
		}
		longest, all := period(a.Max), period(a.Total)
		if a.Open == a.Runs {
			longest, all = "–", "–"
		}
		beside := strings.Join(a.Beside, ", ")
		if beside == "" {
			beside = "–"
		}
		name := a.Name
		if a.Database != "" && len(n.Databases) > 1 {
			name += " (" + a.Database + ")"
		}
		during := "–"
		if len(a.Incidents) > 0 {
			during = strings.Join(a.Incidents, ", ")
		}
		made := list.row(name, runs, longest, t.clock.at(a.At), all, beside, during)
		made.Cells[2].Share = share(a.Max, most)
		if len(a.Incidents) == 1 && told[anchor(a.Incidents[0])] {
			made.Cells[6].Link = anchor(a.Incidents[0])
		}
	}
	return list
}

func (t *tally) lateTable(n *gatepost.Night) *table {
	if len(n.Late) == 0 {
		return nil
	}
	list := newTable("error at", "request", "client", "finished", "sent again", "failure")
	for i := range n.Late {
		l := &n.Late[i]
		again := "–"
		if l.Again.Known() {
			again = "after " + period(l.Again.Sub(l.Time))
		}
		made := list.row(t.clock.at(l.Time), l.Method+" "+l.Path, l.Client, period(l.Finished.Sub(l.Time))+" later", again, l.ID)
		made.Cells[1].Code = true
		made.Route = clip(visible(string(gatepost.RouteOf(nil, firstBytes(l.Path, 300)))), 80)
	}
	return list
}

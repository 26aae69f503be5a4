package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"gatepost"
)

var _ = register(&Report{
	Name:   "text",
	Ext:    ".txt",
	Doc:    "a timeline for people: the answer first, then each outage with the lines that prove it",
	Render: renderTimeline,
})

// How much of an incident is shown. A long night must stay readable; explain shows the rest.
const (
	maxCited    = 20 // lines cited per incident
	maxAgainst  = 4  // of these, lines that speak against it
	maxRivals   = 5
	maxRequests = 5
	maxListed   = 8 // incidents on the first screen
	citedRows   = 3 // rows that one cited line may take
	proseRows   = 6
)

func renderTimeline(w io.Writer, m *gatepost.Model, o Options) error {
	t, err := newTally(m, newClock(m), maxRequests)
	if err != nil {
		return err
	}
	p := newPage(w, o)
	p.firstScreen(t)
	for i := range t.Incidents {
		p.incident(t, &t.Incidents[i])
	}
	for i := range t.Outages {
		if i == 0 {
			p.heading("Trouble without a " + t.watched(" or "))
		}
		p.outage(t, &t.Outages[i])
	}
	p.whatWasRead(t)
	return p.done()
}

func (p *page) firstScreen(t *tally) {
	p.para("", t.answer(), 0)
	p.blank()
	for _, f := range t.facts() {
		p.para("  "+p.paint(grey, pad(f.label, 12)), f.value, proseRows)
	}
	p.causeTable(t)
	p.incidentList(t)
}

// causeTable is causes by the number of failures, with what they mean where there is room.
func (p *page) causeTable(t *tally) {
	if len(t.causes) == 0 {
		return
	}
	const failed, share, gap, bars = 9, 10, 2, 12
	names, titles := len("cause"), 0
	for _, c := range t.causes {
		names = max(names, columns(visible(c.name)))
		titles = max(titles, columns(visible(t.titles[c.name])))
	}
	names = min(names, p.width-gap-failed-share)
	room := p.width - (gap + names + failed + share + gap)
	meaning := room >= bars+gap+titles
	p.blank()
	p.line("  " + p.paint(grey, pad("cause", names)+pad("failed", -failed)+pad("share", -share)))
	for _, c := range t.causes {
		color := causeColor(c.name)
		row := "  " + p.paint(color, pad(clip(visible(c.name), names), names)) + pad(count(c.failures), -failed) +
			pad(percent(int64(c.failures), int64(t.failures)), -share)
		if room >= bars/2 {
			row += "  " + p.paint(color, pad(bar(float64(c.failures)/float64(t.failures), min(room, bars)), bars))
		}
		if meaning {
			row += "  " + visible(t.titles[c.name])
		}
		p.line(row)
	}
}

// incidentList tells each incident in three rows. Of very many, the largest stand here.
func (p *page) incidentList(t *tally) {
	least := leastListed(t.Incidents, maxListed)
	left, leftFailures, listed := 0, 0, 0
	advised := map[string]string{} // advice, by the incident that it stands at
	for i := range t.Incidents {
		in := &t.Incidents[i]
		if in.Failures < least || listed == maxListed {
			left++
			leftFailures += in.Failures
			continue
		}
		listed++
		p.blank()
		p.incidentSummary(t, in, advised)
	}
	if left > 0 {
		p.blank()
		p.para("  ", fmt.Sprintf("and %s with %s, below", counted(left, "smaller outage", "smaller outages"),
			counted(leftFailures, "failed request", "failed requests")), proseRows)
	}
	if t.stray > 0 {
		p.blank()
		p.para("  ", counted(t.stray, "failed request belongs", "failed requests belong")+" to no outage; gatepost analyze --format csv lists them", proseRows)
	}
}

// leastListed is the number of failures from which an incident is among the n largest.
func leastListed(incidents []gatepost.Incident, n int) int {
	if len(incidents) <= n {
		return 0
	}
	return sortedSizes(incidents)[n-1]
}

func (p *page) incidentSummary(t *tally, in *gatepost.Incident, advised map[string]string) {
	head := "  " + p.paint(bold, pad(label(in.ID), 4)) + "  "
	indent := strings.Repeat(" ", columns(head))
	cost := count(in.Failures) + " failed"
	if in.Clients > 0 {
		cost += ", " + people(in.Clients)
	}
	p.para(head, t.clock.span(in.From, in.To)+"  "+cost, proseRows)
	p.causeRow(t, indent, in, 4)
	if len(in.Fix) == 0 {
		return
	}
	do := in.Fix[0].Do
	if before, ok := advised[do]; ok {
		do = "as for " + before
	} else {
		advised[do] = label(in.ID)
	}
	p.para(indent+p.paint(bold, "do: "), do, 3)
}

// causeRow names the cause of an incident; its bullet has the cause's colour.
func (p *page) causeRow(t *tally, indent string, in *gatepost.Incident, rows int) {
	p.para(indent+p.paint(causeColor(in.Cause), "● "), t.verdict(in), rows)
}

func (p *page) incident(t *tally, in *gatepost.Incident) {
	p.heading(label(in.ID) + "  " + t.clock.span(in.From, in.To))
	p.account(t, in, maxCited)
	p.requests(t, in)
}

func (p *page) outage(t *tally, in *gatepost.Incident) {
	p.blank()
	p.para(p.paint(bold, label(in.ID)+"  "), t.clock.span(in.From, in.To), proseRows)
	p.account(t, in, maxCited/2)
}

// account tells an incident: what happened, why, how that is known, and what to do.
func (p *page) account(t *tally, in *gatepost.Incident, left int) {
	p.para("", sentence(t.headline(in)), proseRows)
	p.para("", t.toll(in), proseRows)
	p.causeRow(t, "", in, proseRows)
	p.chain(t, in.Chain, &left)
	p.film(t, in, nil)
	p.evidence(t, in, left)
	p.rivals(rivalsTitle(in.Cause), in.Rivals, maxRivals)
	p.fix(in.Fix)
	p.list("What would make it surer", in.Missing)
}

// chain tells how an incident came about, and cites at most *left lines.
func (p *page) chain(t *tally, chain []gatepost.Step, left *int) {
	if len(chain) > 0 {
		p.part("How it came about")
	}
	for _, s := range chain {
		when := ""
		if known(s.Time) {
			when = ", " + t.clock.at(s.Time)
		}
		p.line("  " + p.paint(bold, label(s.Role)) + when)
		if s.Says != "" {
			p.para("    ", sentence(s.Says), proseRows)
		}
		if s.Ref.Known() && *left > 0 {
			p.cite("    ", t.where(s.Ref), s.Text, citedRows)
			*left--
		}
	}
}

// evidence cites what the chain has not cited yet.
func (p *page) evidence(t *tally, in *gatepost.Incident, left int) {
	support, against, hidden := weigh(in, left)
	p.proofs(t, "What proves it", support)
	p.proofs(t, "What speaks against it", against)
	if hidden > 0 {
		p.para("  ", "and "+count(hidden)+" more; "+t.seeMore(in), proseRows)
	}
}

func (p *page) proofs(t *tally, title string, list []proof) {
	if len(list) > 0 {
		p.part(title)
	}
	for _, proof := range list {
		p.para("  ", proof.says, proseRows)
		for _, e := range proof.lines {
			p.cite("    ", t.where(e.Ref), e.Text, citedRows)
		}
		if proof.more > 0 {
			p.line("    and " + count(proof.more) + " more such lines")
		}
	}
}

func (p *page) rivals(title string, rivals []gatepost.Rival, most int) {
	if len(rivals) > 0 {
		p.part(title)
	}
	for i, r := range rivals {
		if i == most {
			p.para("  ", "and "+count(len(rivals)-most)+" more", proseRows)
			return
		}
		name := p.paint(causeColor(r.Cause), clip(visible(r.Cause), p.width/2))
		p.hang("  "+name+" ", "    ", rivalWords(&r), proseRows)
	}
}

func (p *page) fix(fix []gatepost.Advice) {
	if len(fix) > 0 {
		p.part("What to do")
	}
	for i, a := range fix {
		number := strconv.Itoa(i+1) + ". "
		indent := strings.Repeat(" ", 2+len(number))
		p.para("  "+p.paint(bold, number), sentence(a.Do), proseRows)
		if a.Why != "" {
			p.para(indent+"why:   ", a.Why, proseRows)
		}
		if a.File != "" {
			p.para(indent+"file:  ", a.File, proseRows)
		}
		if a.Line != "" {
			for i, line := range strings.Split(a.Line, "\n") {
				p.para(indent+[]string{"line:  ", "       "}[min(i, 1)], line, proseRows)
			}
		}
		if a.Price != "" {
			p.para(indent+"price: ", a.Price, proseRows)
		}
	}
}

// requests shows the first failing requests, with the IDs that explain takes.
func (p *page) requests(t *tally, in *gatepost.Incident) {
	members := t.members[in.ID]
	if len(members) == 0 {
		return
	}
	p.part("Requests that failed")
	for i := range members {
		p.request(t, &members[i])
	}
	if more := in.Failures - len(members); more > 0 {
		p.para("  ", "and "+count(more)+" more; "+t.command("analyze --format csv")+" lists them all", proseRows)
	}
	p.para("  ", "The proof for one of them: "+t.explainHint(members[0].ID), proseRows)
}

// request tells a failing request, in one row where it fits, the path in a second where not.
func (p *page) request(t *tally, f *gatepost.Failure) {
	head := "  " + label(f.ID) + "  " + t.clock.at(f.Time) + "  " + strconv.Itoa(f.Status)
	if f.Duration >= 0 {
		head += "  after " + period(f.Duration)
	}
	what := visible(f.Method + " " + f.Path)
	if columns(head)+2+columns(what) <= p.width {
		p.line(head + "  " + what)
		return
	}
	p.line(clip(head, p.width))
	p.para("    ", what, 1)
}

func (p *page) whatWasRead(t *tally) {
	p.heading("What was read")
	if len(t.Sources) == 0 {
		p.line("Nothing.")
	}
	for _, s := range t.read {
		p.para("", s.Path, 2)
		for _, line := range t.sourceLines(s) {
			p.hang("  ", "    ", line, 3)
		}
	}
	p.unknown(t)
	p.list("Configuration", t.configuration())
	var gaps []string
	for i := range t.Gaps {
		gaps = append(gaps, t.gapLine(&t.Gaps[i]))
	}
	p.list("Gaps", gaps)
	p.list("Notes", t.notes())
	p.blank()
	p.para("", t.imprint(), proseRows)
}

// part is a title within a section.
func (p *page) part(title string) {
	p.blank()
	p.line(p.paint(bold, title))
}

// list writes items under a title, nothing when there is none.
func (p *page) list(title string, items []string) {
	if len(items) > 0 {
		p.part(title)
	}
	for _, s := range items {
		p.para("  - ", s, proseRows)
	}
}

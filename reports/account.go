package reports

import (
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
		if stored(t.Model) {
			a.MoreBy = visible(t.command("report --format csv"))
		}
	}
	a.Explain = visible(t.explainHint(label(members[0].ID)))
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

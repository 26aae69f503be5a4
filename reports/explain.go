package reports

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"

	"gatepost"
)

// explainRows is how many rows a raw line may take where the whole argument is shown.
const explainRows = 12

// Explain draws the whole argument for one failure of m: the request, the verdict, the evidence
// for and against it, the rivals and why they lost, the incident it belongs to, and what to do.
func Explain(w io.Writer, m *gatepost.Model, f *gatepost.Failure, o Options) error {
	t, err := newTally(m, newClock(m), maxRequests)
	if err != nil {
		return err
	}
	p := newPage(w, o)
	f = t.clock.failure(f)
	p.failure(t, f)
	p.verdict(t, f)
	var support, against []*gatepost.Evidence
	argument := f.Verdict.All()
	for i := range argument {
		if e := &argument[i]; e.Role == gatepost.Against {
			against = append(against, e)
		} else {
			support = append(support, e)
		}
	}
	p.argument(t, "Evidence for it", "None: no line proves a cause.", support)
	p.argument(t, "Evidence against it", "None.", against)
	p.rivals(rivalsTitle(f.Verdict.Cause), f.Verdict.Rivals, len(f.Verdict.Rivals))
	p.list("What would make it surer", f.Verdict.Missing)
	if in := t.incidentOf(f); in != nil {
		p.heading("The outage it belongs to: " + label(in.ID))
		p.para("", t.clock.span(in.From, in.To)+": "+sentence(t.headline(in)), proseRows)
		p.para("", t.toll(in), proseRows)
		left := maxCited
		p.film(t, in, f)
		p.chain(t, in.Chain, &left)
		p.fix(in.Fix)
	}
	return p.done()
}

func (p *page) failure(t *tally, f *gatepost.Failure) {
	p.para(p.paint(bold, label(f.ID)+"  "), fmt.Sprintf("%d  %s %s", f.Status, f.Method, f.Path), 4)
	p.blank()
	row := func(label, value string) {
		if value != "" {
			p.para("  "+p.paint(grey, pad(label, 10)), value, 3)
		}
	}
	row("logged", t.clock.exact(f.Time))
	if known(f.Start) {
		row("started", t.clock.exact(f.Start))
	}
	if f.Duration >= 0 {
		row("took", period(f.Duration))
	}
	row("client", f.Client)
	row("upstream", f.Upstream)
	if doc := phaseDocs[f.Phase]; doc != "" {
		row("phase", string(f.Phase)+": "+doc)
	} else {
		row("phase", string(f.Phase))
	}
	row("line", t.where(f.Ref))
}

func (p *page) verdict(t *tally, f *gatepost.Failure) {
	v := &f.Verdict
	p.heading("Verdict: " + verdictLine(v.Cause, v.Confidence, v.State))
	if v.Cause == gatepost.Undetermined {
		p.para("", "The evidence does not decide why this request failed.", proseRows)
	} else {
		p.para("", sentence(t.title(v.Cause)), proseRows)
	}
	if v.Instance != "" {
		p.para("", sentence(v.Instance), proseRows)
	}
	if v.Via != "" {
		p.para("", "How it reached this request: "+sentence(v.Via), proseRows)
	}
}

// argument shows evidence in full: where it stands, the raw line, what it proves, what ties it
// to the request, and what it does to the odds.
func (p *page) argument(t *tally, title, none string, evidence []*gatepost.Evidence) {
	p.part(title)
	if len(evidence) == 0 {
		p.line("  " + none)
	}
	for i, e := range evidence {
		if i > 0 {
			p.blank()
		}
		number := strconv.Itoa(i+1) + ". "
		indent := pad("", 2+len(number))
		p.para("  "+p.paint(bold, number), cmp.Or(sentence(e.Says), string(e.Kind)), proseRows)
		if e.Ref.Known() {
			p.cite(indent, t.where(e.Ref), e.Text, explainRows)
		}
		p.para(indent, sentence(weighing(e)), proseRows)
	}
}

// weighing says how much a piece of evidence counts, and what ties it to the request.
func weighing(e *gatepost.Evidence) string {
	s := strength(e)
	if e.Weight != 0 {
		s += fmt.Sprintf(" (weight %.1f)", math.Abs(float64(e.Weight))/1000)
	}
	if e.Join != "" {
		s = "joined by " + e.Join + "; " + s
	}
	return s
}

func (t *tally) incidentOf(f *gatepost.Failure) *gatepost.Incident {
	for i := range t.Incidents {
		if t.Incidents[i].ID == f.Incident {
			return &t.Incidents[i]
		}
	}
	return nil
}

package reports

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"gatepost"
)

var _ = register(&Report{
	Name:   "md",
	Ext:    ".md",
	Doc:    "the timeline as Markdown (GitHub's), for tickets and chat",
	Render: renderMarkdown,
})

// mdLineLimit bounds a line of a log, in columns: a ticket holds 65,536 characters in all.
const mdLineLimit = 500

func renderMarkdown(w io.Writer, m *gatepost.Model, _ Options) error {
	t, err := newTally(m, newClock(m), maxRequests)
	if err != nil {
		return err
	}
	d := &markdown{bufio.NewWriter(w), t}
	d.answer()
	d.causeTable()
	for i := range t.Incidents {
		d.incident(&t.Incidents[i], maxCited)
	}
	if len(t.Outages) > 0 {
		d.block("## Trouble without a " + t.watched(" or "))
	}
	for i := range t.Outages {
		d.incident(&t.Outages[i], maxCited/2)
	}
	d.whatWasRead()
	return d.w.Flush()
}

type markdown struct {
	w *bufio.Writer
	t *tally
}

// block writes finished Markdown, and the empty line that ends it.
func (d *markdown) block(s string) {
	d.w.WriteString(s)
	d.w.WriteString("\n\n")
}

// say makes strangers' text fit to stand in a paragraph.
func say(s string) string { return mdText(clip(visible(s), mdLineLimit)) }

func (d *markdown) answer() {
	d.block("**" + strings.TrimSpace(say(d.t.answer())) + "**")
	var list []string
	for _, f := range d.t.facts() {
		list = append(list, "- "+f.label+": "+say(f.value))
	}
	if len(list) > 0 {
		d.block(strings.Join(list, "\n"))
	}
}

func (d *markdown) causeTable() {
	if len(d.t.causes) == 0 {
		return
	}
	d.w.WriteString("| cause | failed | share | meaning |\n|---|---:|---:|---|\n")
	for _, c := range d.t.causes {
		fmt.Fprintf(d.w, "| %s | %s | %s | %s |\n", mdCell(mdCode(c.name)), count(c.failures),
			mdCell(say(percent(int64(c.failures), int64(d.t.failures)))), mdCell(say(d.t.titles[c.name])))
	}
	d.w.WriteString("\n")
}

func (d *markdown) incident(in *gatepost.Incident, left int) {
	t := d.t
	level := "##"
	if in.Failures == 0 {
		level = "###"
	}
	d.block(level + " " + say(in.ID+": "+t.headline(in)))
	facts := []string{
		"- when: " + say(t.clock.span(in.From, in.To)),
		"- why: " + say(t.verdict(in)),
	}
	if toll := t.toll(in); toll != "" {
		facts = append(facts, "- cost: "+say(toll))
	}
	d.block(strings.Join(facts, "\n"))
	d.chain(in.Chain, &left)
	d.evidence(in, left)
	d.rivals(rivalsTitle(in.Cause), in.Rivals)
	d.fix(in.Fix)
	d.list("What would make it surer", in.Missing)
	if members := t.members[in.ID]; len(members) > 0 {
		d.block("The proof for one request: " + mdCode(visible(t.explainHint(label(members[0].ID)))))
	}
}

func (d *markdown) chain(chain []gatepost.Step, left *int) {
	if len(chain) > 0 {
		d.block("**How it came about**")
	}
	for _, s := range chain {
		head := "*" + mdPlain(s.Role) + "*"
		if known(s.Time) {
			head += ", " + d.t.clock.at(s.Time)
		}
		d.block(head + ": " + say(s.Says))
		if s.Ref.Known() && *left > 0 {
			d.block(citation(d.t.where(s.Ref), s.Text))
			*left--
		}
	}
}

// mdPlain returns s without anything but letters and spaces, for words that stand in emphasis.
func mdPlain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

func (d *markdown) evidence(in *gatepost.Incident, left int) {
	support, against, hidden := weigh(in, left)
	d.proofs("What proves it", support)
	d.proofs("What speaks against it", against)
	if hidden > 0 {
		d.block("and " + count(hidden) + " more; " + say(d.t.seeMore(in)))
	}
}

func (d *markdown) proofs(title string, list []proof) {
	if len(list) > 0 {
		d.block("**" + title + "**")
	}
	for _, proof := range list {
		if proof.says != "" {
			d.block(say(proof.says))
		}
		for _, e := range proof.lines {
			d.block(citation(d.t.where(e.Ref), e.Text))
		}
		if proof.more > 0 {
			d.block("and " + count(proof.more) + " more such lines")
		}
	}
}

// citation fences where a line stands and the line as it stands there.
func citation(where, text string) string {
	lines := []string{clip(visible(where), mdLineLimit)}
	for line := range recordLines(text) {
		if len(lines) > citedRows {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, clip(visible(line), mdLineLimit))
	}
	return mdFence(lines)
}

func (d *markdown) rivals(title string, rivals []gatepost.Rival) {
	var list []string
	for _, r := range rivals[:min(len(rivals), maxRivals)] {
		list = append(list, r.Cause+" "+rivalWords(&r))
	}
	if more := len(rivals) - len(list); more > 0 {
		list = append(list, "and "+count(more)+" more")
	}
	d.list(title, list)
}

func (d *markdown) fix(fix []gatepost.Advice) {
	if len(fix) == 0 {
		return
	}
	d.block("**What to do**")
	var list []string
	for i, a := range fix {
		item := fmt.Sprintf("%d. %s", i+1, say(sentence(a.Do)))
		if a.Why != "" {
			item += " " + say(sentence(a.Why))
		}
		if a.File != "" {
			item += "\n   - in " + mdCode(clip(visible(a.File), mdLineLimit))
		}
		for line := range strings.SplitSeq(a.Line, "\n") {
			if line != "" {
				item += "\n   - " + mdCode(clip(visible(line), mdLineLimit))
			}
		}
		if a.Price != "" {
			item += "\n   - price: " + say(a.Price)
		}
		list = append(list, item)
	}
	d.block(strings.Join(list, "\n"))
}

func (d *markdown) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	d.block("**" + title + "**")
	var list []string
	for _, s := range items {
		list = append(list, "- "+say(s))
	}
	d.block(strings.Join(list, "\n"))
}

func (d *markdown) whatWasRead() {
	t := d.t
	d.block("<details><summary>What was read</summary>")
	if len(t.Sources) == 0 {
		d.block("Nothing.")
	} else {
		d.w.WriteString("| log | what |\n|---|---|\n")
	}
	for _, s := range t.read {
		fmt.Fprintf(d.w, "| %s | %s |\n", mdCell(mdCode(clip(visible(s.Path), mdLineLimit))),
			mdCell(say(strings.Join(t.sourceLines(s), "; "))))
	}
	d.w.WriteString("\n")
	d.unknown()
	d.list("Configuration", t.configuration())
	var gaps []string
	for i := range t.Gaps {
		gaps = append(gaps, t.gapLine(&t.Gaps[i]))
	}
	d.list("Gaps", gaps)
	d.list("Notes", t.notes())
	d.block("</details>")
	d.w.WriteString(say(t.imprint()) + "\n")
}

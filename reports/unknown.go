package reports

import (
	"fmt"
	"math"

	"gatepost"
)

// What was not understood is shown by kinds, so that it can be reported: a sample of each, and where it stands.

// understood is the share of a source's lines that are understood, down to a hundredth of a per cent: it is 1 only
// when all are.
func understood(s *gatepost.Source) float64 {
	switch {
	case s.Lines <= 0 && s.Format == "":
		return 0
	case s.Lines <= 0:
		return 1
	}
	share := float64(s.Lines-min(max(s.Unparsed, 0), s.Lines)) / float64(s.Lines)
	return math.Floor(share*1e4) / 1e4
}

// understoodShare says how much of a source is understood, "" where there is nothing to understand.
func understoodShare(s *gatepost.Source) string {
	switch {
	case s.Lines <= 0 || s.Format == "" && s.Strand == "":
		return ""
	case s.Unparsed <= 0:
		return "all understood"
	}
	return fmt.Sprintf("%s understood, %s not", percent(max(s.Lines-s.Unparsed, 0), s.Lines), count(s.Unparsed))
}

// unknownOf are the kinds of unknown lines of a source, the most frequent first.
func unknownOf(m *gatepost.Model, s *gatepost.Source) (all []gatepost.UnknownLine) {
	for _, x := range m.Unknown {
		if x.Ref.Source == s.ID {
			all = append(all, x)
		}
	}
	return all
}

const unknownTitle = "What was not understood"

// unknownWords says how many lines are of a kind, and which.
func unknownWords(x *gatepost.UnknownLine) string {
	n := counted(x.Count, "line", "lines")
	if x.Missed > 0 {
		n += " or more"
	}
	return n + " such as " + x.Kind
}

// unknown writes the kinds of unknown lines.
func (p *page) unknown(t *tally) {
	if len(t.Unknown) > 0 {
		p.part(unknownTitle)
	}
	for i := range t.Unknown {
		x := &t.Unknown[i]
		p.para("  ", unknownWords(x), 2)
		p.cite("    ", t.where(x.Ref), x.Sample, citedRows)
	}
}

func (d *markdown) unknown() {
	if len(d.t.Unknown) > 0 {
		d.block("**" + unknownTitle + "**")
	}
	for i := range d.t.Unknown {
		x := &d.t.Unknown[i]
		d.block(say(unknownWords(x)))
		d.block(citation(d.t.where(x.Ref), x.Sample))
	}
}

package reports

import (
	"slices"
	"strings"

	"gatepost"
)

// sourceBox is what was read of a source.
type sourceBox struct {
	Path  text
	Lines []text
	Bad   bool
}

func (t *tally) whatWasRead(s *sheet) {
	for _, src := range firsts(t.read, pageSources) {
		box := sourceBox{Path: fold(src.Path, pageProse), Bad: src.Problem != "" || src.Unparsed > 0}
		for _, line := range t.sourceLines(src) {
			box.Lines = append(box.Lines, t.newText(line))
		}
		s.Sources = append(s.Sources, box)
	}
	if more := len(t.read) - pageSources; more > 0 {
		s.Notes = append(s.Notes, text{Head: "and " + counted(more, "more source", "more sources")})
	}
	for _, c := range firsts(t.configuration(), pageSources) {
		s.Config = append(s.Config, t.newText(c))
	}
	for i := range firsts(t.Gaps, pageSources) {
		s.Gaps = append(s.Gaps, t.newText(t.gapLine(&t.Gaps[i])))
	}
	for i := range firsts(t.Unknown, pageSources) {
		x := &t.Unknown[i]
		s.Unknown = append(s.Unknown, unknownBox{t.newText(unknownWords(x)), fold(t.where(x.Ref), pageProse), fold(x.Sample, pageLine)})
	}
	for _, note := range firsts(t.notes(), pageSources) {
		s.Notes = append(s.Notes, t.newText(note))
	}
}

// unknownBox is a kind of lines that were not understood, and a sample of it.
type unknownBox struct{ Says, Place, Sample text }

// missingRow is a log or a setting that would make the next report surer, and whose outages lacked it.
type missingRow struct {
	Says text
	For  string
}

func (t *tally) missingRows() []missingRow {
	var all []string
	lacked := map[string][]string{}
	for _, group := range [][]gatepost.Incident{t.Incidents, t.Outages} {
		for i := range group {
			for _, m := range group[i].Missing {
				if len(lacked[m]) == 0 {
					all = append(all, m)
				}
				lacked[m] = append(lacked[m], label(group[i].ID))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return len(lacked[b]) - len(lacked[a]) })
	var rows []missingRow
	for _, m := range firsts(all, maxCited) {
		ids := lacked[m]
		said := strings.Join(firsts(ids, 8), ", ")
		if len(ids) > 8 {
			said += " and " + count(len(ids)-8) + " more"
		}
		rows = append(rows, missingRow{t.newText(sentence(m)), said})
	}
	return rows
}

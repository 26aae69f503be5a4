package reports

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"gatepost"
)

// quote is a line of a log: where it stands, and the line with what ties it to others marked.
type quote struct {
	Where string
	Brief string
	Text  []piece
	More  bool
}

type piece struct {
	Text string
	Mark bool
}

// briefColumns is how much of a line is seen before it is opened.
const briefColumns = 110

func (t *tally) newQuote(r gatepost.Ref, record, join string, marks *marks) *quote {
	q := &quote{Where: clip(visible(t.where(r)), pageProse)}
	var lines []string
	for line := range recordLines(record) {
		lines = append(lines, visible(line))
	}
	whole := strings.Join(lines, "\n")
	if len(lines) > 0 {
		q.Brief = clip(lines[0], briefColumns)
	}
	if head, rest := splitAt(whole, pageLine); rest != "" {
		whole, q.More = head, true
	}
	q.Text = marks.cut(whole, join)
	return q
}

// marks are the words by which the lines of an incident are tied together: pids that its sentences name, and paths of
// its requests.
type marks struct{ words *regexp.Regexp }

// namedPID is a process as the correlator's sentences name it.
var namedPID = regexp.MustCompile(`\b(?:pid|worker|process|backend|master|Worker|PID)s? (\d{2,8})\b`)

// clockTime is the time of day at the beginning of a line.
var clockTime = regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`)

func (t *tally) newMarks(in *gatepost.Incident) *marks {
	seen := map[string]bool{}
	name := func(s string) {
		for _, m := range namedPID.FindAllStringSubmatch(s, -1) {
			if len(seen) < 100 {
				seen[m[1]] = true
			}
		}
	}
	name(in.Instance)
	name(in.Title)
	for i := range in.Chain {
		name(in.Chain[i].Says)
	}
	for i := range in.Evidence {
		name(in.Evidence[i].Says)
	}
	var words []string
	for pid := range seen {
		words = append(words, `\b`+pid+`\b`)
	}
	members := t.members[in.ID]
	for i := range firsts(members, pageRequests) {
		path, _, _ := strings.Cut(visible(members[i].Path), "?")
		if len(path) > 1 && len(path) < 300 && !seen[path] {
			seen[path] = true
			words = append(words, regexp.QuoteMeta(path))
		}
	}
	if len(words) == 0 {
		return &marks{}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return &marks{regexp.MustCompile(strings.Join(words, "|"))}
}

// cut cuts a line at the words that are marked; of a line that is joined by its time, the time is.
func (m *marks) cut(line, join string) []piece {
	var at [][]int
	if m.words != nil {
		at = m.words.FindAllStringIndex(line, 20)
	}
	if join == "time" || len(at) == 0 {
		if first := clockTime.FindStringIndex(line); first != nil && (len(at) == 0 || first[1] <= at[0][0]) {
			at = slices.Insert(at, 0, first)
		}
	}
	var pieces []piece
	done := 0
	for _, x := range at {
		if x[0] > done {
			pieces = append(pieces, piece{Text: line[done:x[0]]})
		}
		pieces = append(pieces, piece{line[x[0]:x[1]], true})
		done = x[1]
	}
	if done < len(line) {
		pieces = append(pieces, piece{Text: line[done:]})
	}
	return pieces
}

package main

import (
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gatepost"
)

// score compares verdicts with the truth. Undetermined is a verdict that names no cause: it is not
// right, but it is not wrong either.
type score []scored

// scored is the verdict on one line of one incident's access log.
type scored struct {
	incident   string
	truth      truth
	cause      string
	confidence float64
}

func (v scored) right() bool { return v.truth.accepts(v.cause) }
func (v scored) named() bool { return v.cause != gatepost.Undetermined }
func (v scored) wrong() bool { return v.named() && !v.right() }

func (v scored) String() string {
	return fmt.Sprintf("%s line %d is %s, not %s (%.2f)", v.incident, v.truth.Line, v.truth.Cause, v.cause, v.confidence)
}

// judged adds the verdicts of a ledger; a line that is missing there counts as undetermined.
func (s *score) judged(in incident, l *ledger) {
	byLine := make(map[int]failure)
	for _, f := range l.failures {
		if filepath.Base(f.File) == "access.log" {
			byLine[f.Line] = f
		}
	}
	for _, line := range slices.Sorted(maps.Keys(in.truth)) {
		f, ok := byLine[line]
		if !ok {
			f.Cause = gatepost.Undetermined
		}
		*s = append(*s, scored{in.name, in.truth[line], f.Cause, f.Confidence})
	}
}

// told are the verdicts on lines whose cause the given logs can tell.
func (s score) told() score {
	return slices.DeleteFunc(slices.Clone(s), func(v scored) bool { return v.truth.Blind })
}

func (s score) count(is func(scored) bool) int {
	n := 0
	for _, v := range s {
		if is(v) {
			n++
		}
	}
	return n
}

func share(n, of int) float64 { return float64(n) / float64(max(of, 1)) }

func (s score) accuracy() float64 { return share(s.count(scored.right), len(s)) }
func (s score) coverage() float64 { return share(s.count(scored.named), len(s)) }
func (s score) wrongs() float64   { return share(s.count(scored.wrong), len(s)) }

// selective is how many of the verdicts that name a cause name the right one.
func (s score) selective() float64 { return 1 - share(s.count(scored.wrong), s.count(scored.named)) }

// macroF1 is the mean over all true causes of the harmonic mean of precision and recall: a rare
// cause counts as much as a frequent one.
func (s score) macroF1() float64 {
	type tally struct{ hit, missed, blamed int }
	tallies := make(map[string]*tally)
	for _, v := range s {
		tallies[v.truth.Cause] = &tally{}
	}
	for _, v := range s {
		if v.right() {
			tallies[v.truth.Cause].hit++
			continue
		}
		tallies[v.truth.Cause].missed++
		if c := tallies[v.cause]; c != nil {
			c.blamed++
		}
	}
	sum := 0.0
	for _, c := range tallies {
		sum += share(2*c.hit, 2*c.hit+c.missed+c.blamed)
	}
	return sum / float64(max(len(tallies), 1))
}

// wrongAbove yields the verdicts that name a wrong cause with at least that confidence.
func (s score) wrongAbove(confidence float64) iter.Seq[scored] {
	return func(yield func(scored) bool) {
		for _, v := range s {
			if v.wrong() && v.confidence >= confidence && !yield(v) {
				return
			}
		}
	}
}

// byIncident is a table of right verdicts per incident.
func (s score) byIncident() string {
	right, all := make(map[string]int), make(map[string]int)
	for _, v := range s {
		all[v.incident]++
		if v.right() {
			right[v.incident]++
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%-18s %3d of %3d right\n", name, right[name], all[name])
	}
	return b.String()
}

// figures are the score in one line.
func (s score) figures() string {
	return fmt.Sprintf("%6.3f %6.3f %6.3f %6.3f %6.3f", s.accuracy(), s.macroF1(), s.selective(), s.coverage(), s.wrongs())
}

const figuresHead = "  acc  macroF1 select cover  wrong"

// details say what is confused with what, and what a stated confidence is worth.
func (s score) details() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", figuresHead, s.figures())
	confusions := make(map[string]int)
	for _, v := range s {
		if !v.right() {
			confusions[v.truth.Cause+" named "+v.cause]++
		}
	}
	for _, c := range slices.Sorted(maps.Keys(confusions)) {
		fmt.Fprintf(&b, "confused: %d × %s\n", confusions[c], c)
	}
	b.WriteString("confidence  stated observed    n\n")
	for _, d := range s.deciles() {
		fmt.Fprintf(&b, "%.1f to %.1f   %6.3f   %6.3f %4d\n", d.from, d.from+0.1, d.stated, d.observed, d.n)
	}
	fmt.Fprintf(&b, "wrong at 0.95 or above: %d\n", len(slices.Collect(s.wrongAbove(0.95))))
	return b.String()
}

// decile is what confidences of one tenth were worth: the mean that was stated, and the share that
// was right.
type decile struct {
	from, stated, observed float64
	n                      int
}

// deciles groups the verdicts that name a cause by their confidence.
func (s score) deciles() []decile {
	var in [10]score
	for _, v := range s {
		if v.named() {
			tenth := min(int(v.confidence*10), 9)
			in[tenth] = append(in[tenth], v)
		}
	}
	var all []decile
	for i, group := range in {
		if len(group) == 0 {
			continue
		}
		stated := 0.0
		for _, v := range group {
			stated += v.confidence
		}
		all = append(all, decile{float64(i) / 10, stated / float64(len(group)), share(group.count(scored.right), len(group)), len(group)})
	}
	return all
}

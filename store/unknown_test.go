package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"gatepost"
)

// unknownBatch counts lines of some kinds.
func unknownBatch(source int, kinds ...string) *gatepost.Batch {
	b := &gatepost.Batch{}
	b.Reset(source)
	for i, kind := range kinds {
		b.Lines++
		b.UnparsedLines++
		b.Unknown.Add(gatepost.UnknownLine{Kind: kind, Count: 1, Weight: 1, Sample: "sample of " + kind, Ref: gatepost.Ref{Source: source, Offset: int64(100 * i), Length: 9, Line: int64(i + 1)}})
	}
	return b
}

// The kinds of unknown lines add up over batches and over runs, and belong to one transaction with the position.
func TestUnknownLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	src := gatepost.Source{Path: "odoo.log", Format: "odoo", HeadSize: 1, Head: 7}
	check(t, s.AddSource(t.Context(), &src))
	check(t, s.Append(t.Context(), &src, unknownBatch(src.ID, "a", "b", "a")))
	check(t, s.Append(t.Context(), &src, unknownBatch(src.ID, "b", "b", "b")))
	check(t, s.Close())

	s = open(t, path)
	check(t, s.AddSource(t.Context(), &src))
	check(t, s.Append(t.Context(), &src, unknownBatch(src.ID, "c", "a")))
	got, err := s.Unknown(t.Context(), src.ID)
	check(t, err)
	var words []string
	for _, x := range got {
		words = append(words, fmt.Sprint(x.Kind, x.Count, x.Missed, x.Sample, x.Ref.Source, x.Ref.Line))
	}
	equal(t, "kinds", words, []string{"b4 0sample of b1 2", "a3 0sample of a1 1", "c1 0sample of c1 1"})
	equal(t, "view", query(t, s, "SELECT source, file, count, at_most, kind, line FROM unknown ORDER BY count DESC LIMIT 1"), []string{"1|odoo.log|4|4|b|2"})

	// What a kill takes back is not counted.
	check(t, s.Flush(t.Context()))
	check(t, s.Append(t.Context(), &src, unknownBatch(src.ID, "d")))
	killed := open(t, snapshot(t, path))
	equal(t, "after a kill", query(t, killed, "SELECT sum(count) FROM unknown"), []string{"8"})
	check(t, s.Flush(t.Context()))
	equal(t, "after a flush", query(t, s, "SELECT sum(count) FROM unknown"), []string{"9"})

	// Whatever comes, a hundred rows are kept.
	for n := range 50 {
		var kinds []string
		for i := range 90 {
			kinds = append(kinds, fmt.Sprint("noise ", n, " ", i))
		}
		check(t, s.Append(t.Context(), &src, unknownBatch(src.ID, kinds...)))
	}
	check(t, s.Flush(t.Context()))
	equal(t, "rows", query(t, s, "SELECT count(*) FROM unknown"), []string{fmt.Sprint(gatepost.MaxUnknown)})
}

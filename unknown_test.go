package gatepost_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"gatepost"
)

func add(u *gatepost.UnknownLines, kind string, line int64) {
	if !u.Count([]byte(kind)) {
		u.Add(gatepost.UnknownLine{Kind: kind, Count: 1, Weight: 1, Sample: kind, Ref: gatepost.Ref{Source: 1, Line: line}})
	}
}

// A million kinds are no more to hold than a hundred, and what is frequent among them is found, with the count that the
// bound promises, also when the lines were counted in pieces that were then put together.
func TestUnknownLinesAreBounded(t *testing.T) {
	const lines = 1_000_000
	var whole, joined, piece gatepost.UnknownLines
	true3 := map[string]int64{"often": 0, "seldom": 0, "enough": 0}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range int64(lines) {
		kind := fmt.Sprintf("noise %d", i)
		switch n := rnd.IntN(1000); {
		case n < 300:
			kind = "often"
		case n < 312:
			kind = "enough" // somewhat more than a hundredth
		case n < 313:
			kind = "seldom"
		}
		if _, ok := true3[kind]; ok {
			true3[kind]++
		}
		add(&whole, kind, i)
		add(&piece, kind, i)
		if i%997 == 996 {
			joined.Merge(&piece)
			piece.Reset()
		}
	}
	joined.Merge(&piece)
	for name, u := range map[string]*gatepost.UnknownLines{"whole": &whole, "joined": &joined} {
		if u.Len() > 2*gatepost.MaxUnknown {
			t.Errorf("%s: %d kinds", name, u.Len())
		}
		all := u.Frequent()
		if len(all) != gatepost.MaxUnknown || all[0].Kind != "often" || all[1].Kind != "enough" {
			t.Fatalf("%s: %d kinds, first %+v %+v", name, len(all), all[0], all[1])
		}
		for _, x := range all[:2] {
			exact := true3[x.Kind]
			if x.Count > exact || x.Count+x.Missed < exact || x.Missed > lines/(gatepost.MaxUnknown+1) {
				t.Errorf("%s: %s counts %d and up to %d more, truly %d", name, x.Kind, x.Count, x.Missed, exact)
			}
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range int64(lines) {
		add(&whole, fmt.Sprintf("more noise %d", i), i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("another million kinds take %d bytes", grown)
	}
	runtime.KeepAlive(&whole)
}

// Counts that fit are exact, the sample is the first line, and Restore gives back what Frequent gave.
func TestUnknownLinesRestore(t *testing.T) {
	var u, again gatepost.UnknownLines
	for i := range int64(300) {
		add(&u, fmt.Sprint("kind ", i%7), i)
	}
	for _, x := range u.Frequent() {
		again.Restore(x)
	}
	for _, all := range [][]gatepost.UnknownLine{u.Frequent(), again.Frequent()} {
		if len(all) != 7 || all[0].Count != 43 || all[0].Kind != "kind 0" || all[0].Ref.Line != 0 || all[6].Count != 42 || all[6].Ref.Line != 6 || all[0].Missed != 0 {
			t.Errorf("%+v", all)
		}
	}
	u.Reset()
	if n := testing.AllocsPerRun(100, u.Reset); n != 0 || u.Len() != 0 {
		t.Errorf("%v allocations, %d kinds", n, u.Len())
	}
}

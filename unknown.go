package gatepost

import (
	"cmp"
	"slices"
	"strings"
)

// UnknownLine is a kind of lines that fit nothing: lines that are equal but for what varies from one to the
// next, such as numbers, stamps and what stands in quotes.
type UnknownLine struct {
	Kind   string // the text of such lines, with '*' for what varies
	Count  int64  // lines of the kind, at least
	Missed int64  // lines of it that may have been counted for nothing: see UnknownLines
	Weight int64  // what is left of Count beside the kinds that were given up
	Sample string // the beginning of the first such line
	Ref    Ref    // where that line stands
}

// UnknownLines counts the kinds of unknown lines of a source. Whatever the lines are, it holds no more than twice
// MaxUnknown of them: when there are more, the rare ones are given up, and all others become lighter by as much
// as the heaviest of those. So of n lines a kind of more than n/(MaxUnknown+1) is never given up, and no count
// is too small by more than that (Misra and Gries; merged as by Agarwal and others, "Mergeable Summaries").
// The zero UnknownLines is empty.
type UnknownLines struct {
	list   []UnknownLine
	at     map[string]int // place in list, by kind
	missed int64          // by how much counts may be too small
}

// MaxUnknown is how many kinds of unknown lines are kept of a source.
const MaxUnknown = 100

// Len is how many kinds there are.
func (u *UnknownLines) Len() int { return len(u.list) }

// Reset empties u and keeps its memory.
func (u *UnknownLines) Reset() {
	if len(u.list) == 0 && u.missed == 0 {
		return
	}
	clear(u.list) // lets go of the texts
	clear(u.at)
	u.list, u.missed = u.list[:0], 0
}

// Count counts one more line of a kind, and reports whether the kind is there; if not, the caller makes it one
// with Add. It does not keep kind.
func (u *UnknownLines) Count(kind []byte) bool {
	i, ok := u.at[string(kind)]
	if ok {
		u.list[i].Count++
		u.list[i].Weight++
	}
	return ok
}

// Add adds lines of a kind.
func (u *UnknownLines) Add(x UnknownLine) {
	if i, ok := u.at[x.Kind]; ok {
		u.list[i].Count += x.Count
		u.list[i].Weight += x.Weight
		return
	}
	if u.at == nil {
		u.at = make(map[string]int)
	}
	u.at[x.Kind] = len(u.list)
	u.list = append(u.list, x)
	if len(u.list) > 2*MaxUnknown {
		u.prune()
	}
}

// Merge adds what another one counted, of lines behind those of u.
func (u *UnknownLines) Merge(o *UnknownLines) {
	u.missed += o.missed
	for _, x := range o.list {
		u.Add(x)
	}
}

// prune gives up the lightest kinds, of equal ones the last.
func (u *UnknownLines) prune() {
	slices.SortStableFunc(u.list, func(a, b UnknownLine) int { return cmp.Compare(b.Weight, a.Weight) })
	lost := u.list[MaxUnknown].Weight
	u.missed += lost
	clear(u.list[MaxUnknown:])
	clear(u.at)
	u.list = u.list[:MaxUnknown]
	for i := range u.list {
		u.list[i].Weight -= lost
		u.at[u.list[i].Kind] = i
	}
}

// Frequent returns the kinds that are kept, the most frequent first. The list is the caller's.
func (u *UnknownLines) Frequent() []UnknownLine {
	if len(u.list) > MaxUnknown {
		u.prune()
	}
	all := slices.Clone(u.list)
	for i := range all {
		all[i].Missed = u.missed
	}
	slices.SortStableFunc(all, func(a, b UnknownLine) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Kind, b.Kind))
	})
	return all
}

// Restore adds a kind that Frequent returned.
func (u *UnknownLines) Restore(x UnknownLine) {
	u.missed = max(u.missed, x.Missed)
	x.Missed = 0
	u.Add(x)
}

// Move changes where the samples stand.
func (u *UnknownLines) Move(to func(Ref) Ref) {
	for i := range u.list {
		u.list[i].Ref = to(u.list[i].Ref)
	}
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatepost"
)

// A log that is read again and again can be rotated between two runs. When its older file is read too, it goes on there. When
// that is gone by the next run, or is not among the files that are given, what was written into it last is not read by anybody:
// what happened then cannot be known, so that is said.

// handover is how long a log may be silent between two of its files.
const handover = 5 * time.Second

// lost finds logs that are gone before they were read to their end, and forgets that of those that were found after all.
func (in *ingest) lost(ctx context.Context, sources []gatepost.Source) error {
	if in.db == "" || in.follows { // who follows looks for copies, too: see watch
		return nil
	}
	var gaps []gatepost.Gap
	var found []int
	for i := range in.before {
		k := &in.before[i]
		if in.files[k.ID] != nil {
			found = append(found, k.ID)
			continue
		}
		if k.Position == 0 || k.Format == "" || k.Rotated() || k.Stamps > gatepost.StampsLocal || !k.Last.Known() || !in.replaced(k) {
			continue
		}
		if g, ok := after(k.ID, sources); ok {
			gaps = append(gaps, g)
			in.note("%s: is another log than it was, and no file that was found goes on where the other ended: lines after %s may be lost", k.Path, g.From)
		}
	}
	// What was found once is not lost, though it may be left later while others are followed.
	in.before = slices.DeleteFunc(in.before, func(k gatepost.Source) bool { return slices.Contains(found, k.ID) })
	if err := in.store.Found(ctx, found); err != nil {
		return err
	}
	return in.store.AddLost(ctx, gaps)
}

// replaced reports whether another log, which no run has seen before, lies where a known one lay.
func (in *ingest) replaced(k *gatepost.Source) bool {
	for id, f := range in.files {
		isNew := !slices.ContainsFunc(in.before, func(b gatepost.Source) bool { return b.ID == id })
		if isNew && f.Growing && f.Path == k.Path {
			return true
		}
	}
	return false
}

// after is the time between a log and the next file of its series, if some lies between.
func after(id int, sources []gatepost.Source) (g gatepost.Gap, ok bool) {
	at := slices.IndexFunc(sources, func(s gatepost.Source) bool { return s.ID == id })
	if at < 0 {
		return g, false
	}
	k := &sources[at]
	end := k.Clock.At(k.Last)
	g = gatepost.Gap{Source: id, From: end, To: gatepost.NoTime}
	for i := range sources {
		s := &sources[i]
		if s.ID == id || s.Format != k.Format || s.Series() != k.Series() || !s.First.Known() {
			continue
		}
		if first := s.Clock.At(s.First); first >= end && (!g.To.Known() || first < g.To) {
			g.To = first
		}
	}
	g.Why = fmt.Sprintf("another log lies at %s now, and no file that was found goes on where the one before ended: lines may be lost", k.Path)
	return g, g.To.Known() && g.To.Sub(end) > handover
}

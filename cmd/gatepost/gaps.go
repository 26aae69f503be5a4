package main

import (
	"context"
	"slices"

	"gatepost"
	"gatepost/correlate"
	"gatepost/store"
)

// silences finds when a log was silent although another was not, and keeps that beside the verdicts, which do not depend on it.
func (in *ingest) silences(ctx context.Context, h correlate.Rhythm, sources []gatepost.Source, o correlate.Options) error {
	gaps, err := correlate.Silences(ctx, h, sources, o)
	if err != nil {
		return err
	}
	return in.store.AddGaps(ctx, gaps)
}

// gapsOf returns the gaps that a store tells of and that reach into a time.
func gapsOf(ctx context.Context, st *store.Store, sources []gatepost.Source, q gatepost.Query) ([]gatepost.Gap, error) {
	gaps, err := st.Gaps(ctx)
	if err != nil {
		return nil, err
	}
	for _, src := range sources {
		if src.Problem != "" && src.Last.Known() {
			gaps = append(gaps, gatepost.Gap{Source: src.ID, From: src.Clock.At(src.Last), To: gatepost.NoTime, Why: src.Problem})
		}
	}
	return slices.DeleteFunc(gaps, func(g gatepost.Gap) bool {
		early := g.To.Known() && q.From.Known() && g.To < q.From
		late := g.From.Known() && q.To.Known() && q.To != 0 && g.From > q.To
		return early || late
	}), nil
}

package main

import (
	"context"

	"gatepost"
	"gatepost/correlate"
	"gatepost/parser/source"
)

// evidenceLimit is how many bytes of a line are quoted.
const evidenceLimit = 2000

// quote fills in the text of all lines that a result cites: from the files where they lie, or,
// when they were read by an earlier run, from what that run kept of them.
func (in *ingest) quote(ctx context.Context, result *correlate.Result) error {
	var refs []gatepost.Ref
	away := false
	for e := range cited(result.Failures, result.Incidents, result.Outages) {
		if e.Ref.Known() {
			refs = append(refs, e.Ref)
			away = away || in.files[e.Ref.Source] == nil
		}
	}
	texts, err := source.Lines(refs, func(id int) *source.File { return in.files[id] }, evidenceLimit)
	if err != nil {
		in.note("some lines could not be read again: %v", err)
	}
	kept := make(map[gatepost.Ref]string)
	if away {
		if kept, err = in.kept(ctx); err != nil {
			return err
		}
	}
	for e := range cited(result.Failures, result.Incidents, result.Outages) {
		text, ok := texts[e.Ref]
		if !ok {
			text = kept[e.Ref]
		}
		e.Text = text
	}
	return nil
}

// kept returns the lines that the store has.
func (in *ingest) kept(ctx context.Context) (map[gatepost.Ref]string, error) {
	failures, err := in.store.Failures(ctx)
	if err != nil {
		return nil, err
	}
	incidents, outages, err := in.store.Incidents(ctx)
	if err != nil {
		return nil, err
	}
	texts := make(map[gatepost.Ref]string)
	for e := range cited(failures, incidents, outages) {
		if e.Text != "" {
			texts[e.Ref] = e.Text
		}
	}
	return texts, nil
}

// cited yields every piece of evidence, to be changed in place.
func cited(failures []gatepost.Failure, groups ...[]gatepost.Incident) func(yield func(*gatepost.Evidence) bool) {
	return func(yield func(*gatepost.Evidence) bool) {
		for i := range failures {
			for j := range failures[i].Verdict.Evidence {
				if !yield(&failures[i].Verdict.Evidence[j]) {
					return
				}
			}
		}
		for _, incidents := range groups {
			for i := range incidents {
				for j := range incidents[i].Evidence {
					if !yield(&incidents[i].Evidence[j]) {
						return
					}
				}
			}
		}
	}
}

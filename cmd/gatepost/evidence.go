package main

import (
	"context"
	"iter"

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
	for ref := range cited(result.Failures, result.Incidents, result.Outages) {
		refs = append(refs, ref)
		away = away || in.files[ref.Source] == nil
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
	for ref, line := range cited(result.Failures, result.Incidents, result.Outages) {
		text, ok := texts[ref]
		if !ok {
			text = kept[ref]
		}
		*line = text
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
	for ref, line := range cited(failures, incidents, outages) {
		if *line != "" {
			texts[ref] = *line
		}
	}
	return texts, nil
}

// cited yields every line that is cited, with the place of its text, to be changed there.
func cited(failures []gatepost.Failure, groups ...[]gatepost.Incident) iter.Seq2[gatepost.Ref, *string] {
	return func(yield func(gatepost.Ref, *string) bool) {
		evidence := func(all []gatepost.Evidence) bool {
			for i := range all {
				if all[i].Ref.Known() && !yield(all[i].Ref, &all[i].Text) {
					return false
				}
			}
			return true
		}
		chain := func(steps []gatepost.Step) bool {
			for i := range steps {
				if steps[i].Ref.Known() && !yield(steps[i].Ref, &steps[i].Text) {
					return false
				}
			}
			return true
		}
		var last *gatepost.Evidence // of what the failure before rests on
		for i := range failures {
			v := &failures[i].Verdict
			if v.Symptom.Ref.Known() && !yield(v.Symptom.Ref, &v.Symptom.Text) {
				return
			}
			if len(v.Evidence) == 0 || &v.Evidence[0] == last {
				continue
			}
			last = &v.Evidence[0]
			if !evidence(v.Evidence) {
				return
			}
		}
		for _, incidents := range groups {
			for i := range incidents {
				if !evidence(incidents[i].Evidence) || !chain(incidents[i].Chain) {
					return
				}
			}
		}
	}
}

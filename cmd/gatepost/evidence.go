package main

import (
	"context"
	"iter"

	"gatepost"
	"gatepost/parser/source"
	"gatepost/store"
)

// evidenceLimit is how many bytes of a line are quoted.
const evidenceLimit = 2000

// quotes fills in the text of the lines that verdicts cite: from the files where they lie, or,
// when they were read by an earlier run, from what the store kept of them.
type quotes struct {
	*ingest
	lines source.Lines
	told  bool // that some could not be read again
}

func newQuotes(in *ingest) *quotes {
	return &quotes{ingest: in, lines: source.Lines{File: func(id int) *source.File { return in.files[id] }, Limit: evidenceLimit}}
}

// close frees the files. They were read before, and so well.
func (q *quotes) close() { q.lines.Close() }

func (q *quotes) fill(ctx context.Context, all iter.Seq2[gatepost.Ref, *string]) error {
	var refs []gatepost.Ref
	for ref, line := range all {
		if *line == "" { // an argument that goes on from one stretch to the next has its lines
			refs = append(refs, ref)
		}
	}
	texts, err := q.lines.Text(refs)
	if err != nil && !q.told {
		q.told = true
		q.note("some lines could not be read again: %v", err)
	}
	for ref, line := range all {
		if *line != "" {
			continue
		}
		text, ok := texts[ref]
		if !ok {
			if text, err = kept(ctx, q.store, ref, texts); err != nil {
				return err
			}
		}
		*line = text
	}
	return nil
}

// kept returns what the store kept of a line.
func kept(ctx context.Context, st *store.Store, ref gatepost.Ref, texts map[gatepost.Ref]string) (string, error) {
	text, err := st.Line(ctx, ref)
	texts[ref] = text
	return text, err
}

// citedBy yields every line that failures cite, with the place of its text, to be changed there. An argument
// that neighbours share is passed once.
func citedBy(failures []gatepost.Failure) iter.Seq2[gatepost.Ref, *string] {
	return func(yield func(gatepost.Ref, *string) bool) {
		var last *gatepost.Evidence
		for i := range failures {
			v := &failures[i].Verdict
			if v.Symptom.Ref.Known() && !yield(v.Symptom.Ref, &v.Symptom.Text) {
				return
			}
			if len(v.Evidence) == 0 || &v.Evidence[0] == last {
				continue
			}
			last = &v.Evidence[0]
			if !each(v.Evidence, yield) {
				return
			}
		}
	}
}

// citedIn yields every line that incidents cite.
func citedIn(groups ...[]gatepost.Incident) iter.Seq2[gatepost.Ref, *string] {
	return func(yield func(gatepost.Ref, *string) bool) {
		for _, incidents := range groups {
			for i := range incidents {
				if !each(incidents[i].Evidence, yield) {
					return
				}
				for j := range incidents[i].Chain {
					if s := &incidents[i].Chain[j]; s.Ref.Known() && !yield(s.Ref, &s.Text) {
						return
					}
				}
			}
		}
	}
}

func each(all []gatepost.Evidence, yield func(gatepost.Ref, *string) bool) bool {
	for i := range all {
		if all[i].Ref.Known() && !yield(all[i].Ref, &all[i].Text) {
			return false
		}
	}
	return true
}

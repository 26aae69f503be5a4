package main

import (
	"context"

	"gatepost"
	"gatepost/store"
)

// shownUnknown is how many kinds of unknown lines of a source a report shows; the store has more.
const shownUnknown = 5

// unknownLines returns the most frequent kinds of the lines that were not understood, source by source.
func unknownLines(ctx context.Context, st *store.Store, sources []gatepost.Source) ([]gatepost.UnknownLine, error) {
	var all []gatepost.UnknownLine
	for i := range sources {
		if sources[i].Unparsed == 0 {
			continue
		}
		kinds, err := st.Unknown(ctx, sources[i].ID)
		if err != nil {
			return nil, err
		}
		all = append(all, kinds[:min(len(kinds), shownUnknown)]...)
	}
	return all, nil
}

// strange keeps how many lines the file has of programs that no format knows, and their kinds: each program is a source without
// a format.
func (r *fileReading) strange(ctx context.Context) error {
	sorter := r.parser.Sorter()
	if sorter == nil {
		return nil
	}
	for st := range sorter.Strands() {
		seen, size, ok := st.Strange()
		if !ok {
			continue
		}
		name := strandName{st.Name, st.Host}
		src := r.strands[name]
		if src == nil {
			src = &gatepost.Source{Path: r.file.Path, Strand: st.Name, Stamps: gatepost.StampsNone, Host: st.Host, HeadSize: r.src.HeadSize, Head: strandHead(r.src, st.Name, st.Host)}
			if err := r.store.AddSource(ctx, src); err != nil {
				return err
			}
			r.strands[name] = src
		}
		if src.Format != "" {
			continue // it was known by more lines than there are now
		}
		src.Bytes += size
		if err := r.store.Append(ctx, src, &seen); err != nil {
			return err
		}
	}
	return nil
}

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

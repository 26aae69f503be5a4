package store

import (
	"context"

	"gatepost"
)

// sourceTables hold what was read of the sources, in a column source.
var sourceTables = [...]string{"_events", "_chunks", "_seconds", "_statuses", "_unparsed", "_unknown", "_beats", "_gaps", "_lost"}

// Forget takes back all that was read of a source, as if it were new: for a log that shows itself to be of another kind than its beginning
// told. It keeps its ID, its path, and the head by which it is known.
func (s *Store) Forget(ctx context.Context, src *gatepost.Source) error {
	return s.replace(ctx, "forget "+src.Path, func(w *writer) error {
		delete(w.sources, src.ID)
		for _, table := range sourceTables {
			if _, err := w.exec("DELETE FROM "+table+" WHERE source = ?", src.ID); err != nil {
				return err
			}
		}
		*src = gatepost.Source{
			ID: src.ID, Path: src.Path, Host: src.Host, Strand: src.Strand, HeadSize: src.HeadSize, Head: src.Head,
			First: gatepost.NoTime, Last: gatepost.NoTime,
		}
		return w.updateSource(src, 0)
	})
}

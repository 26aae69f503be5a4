package store

import (
	"context"

	"gatepost"
)

const unknownColumns = "source, kind, count, missed, weight, sample, offset, length, line"

const (
	selectUnknownOf = "SELECT " + unknownColumns + " FROM _unknown WHERE source = ? ORDER BY count DESC, kind"
	forgetUnknown   = "DELETE FROM _unknown WHERE source = ?"
)

var insertUnknown = newInsertion(orFail, "_unknown ("+unknownColumns+")", "")

// unknown is what the writer holds of the unknown lines of a source.
type unknown struct {
	gatepost.UnknownLines
	changed bool // since the last commit
}

// loadUnknown reads what earlier commits counted.
func (w *writer) loadUnknown(st *sourceState) error {
	rows, err := w.conn.QueryContext(context.Background(), selectUnknownOf, st.id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scanUnknown(rows)
		if err != nil {
			return err
		}
		st.unknown.Restore(x)
	}
	return rows.Err()
}

// addUnknown counts the unknown lines of a batch.
func (st *sourceState) addUnknown(u *gatepost.UnknownLines) {
	if u.Len() > 0 {
		st.unknown.Merge(u)
		st.unknown.changed = true
	}
}

// saveUnknown writes the kinds anew, where there are others: a hundred rows at most.
func (w *writer) saveUnknown(st *sourceState) error {
	if !st.unknown.changed {
		return nil
	}
	if _, err := w.exec(forgetUnknown, st.id); err != nil {
		return err
	}
	rows := w.bulk(insertUnknown)
	for _, x := range st.unknown.Frequent() {
		if err := rows.add(st.id, x.Kind, x.Count, x.Missed, x.Weight, x.Sample, x.Ref.Offset, x.Ref.Length, x.Ref.Line); err != nil {
			return err
		}
	}
	st.unknown.changed = false
	return rows.flush()
}

// scanUnknown reads unknownColumns.
func scanUnknown(row scanner) (x gatepost.UnknownLine, err error) {
	err = row.Scan(&x.Ref.Source, &x.Kind, &x.Count, &x.Missed, &x.Weight, &x.Sample, &x.Ref.Offset, &x.Ref.Length, &x.Ref.Line)
	return x, err
}

// Unknown returns the kinds of lines of a source that fit nothing, the most frequent first.
func (s *Store) Unknown(ctx context.Context, source int) ([]gatepost.UnknownLine, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	all, err := collect(ctx, s, scanUnknown, selectUnknownOf, source)
	return all, s.fail("read unknown lines", err)
}

package store

import (
	"context"

	"gatepost"
)

// Late is a failure that a line of Odoo finished after the proxy had logged it, as its verdict says.
type Late struct {
	ID       string
	Line     gatepost.Ref
	Finished gatepost.Time
}

// selectLate reads the evidence once and the failures once: many failures share an argument, few arguments hold such a line.
const selectLate = `WITH finished AS MATERIALIZED (
	SELECT argument, source, offset, length, line, time FROM _evidence WHERE kind = ?1 AND joined = 'request' AND role = 'for')
	SELECT f.id, l.source, l.offset, l.length, l.line, l.time FROM _failures f CROSS JOIN finished l ON l.argument = f.argument
	WHERE l.time > f.time ORDER BY f.at, f.source, f.offset, l.time LIMIT ?2`

// LateFailures returns failures that Odoo finished when the user had seen the error already, by time, at most so many. Whether it
// finished them well, the lines tell.
func (s *Store) LateFailures(ctx context.Context, most int) ([]Late, error) {
	if err := s.complete(ctx); err != nil {
		return nil, s.fail("read late failures", err)
	}
	all, err := collect(ctx, s, func(row scanner) (l Late, err error) {
		err = row.Scan(&l.ID, &l.Line.Source, &l.Line.Offset, &l.Line.Length, &l.Line.Line, &l.Finished)
		return l, err
	}, selectLate, string(gatepost.OdooRequest), most)
	return all, s.fail("read late failures", err)
}

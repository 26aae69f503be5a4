package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatepost"
)

const sourceColumns = "path, host, strand, format, dialect, bytes, lines, requests, events, unparsed, first, last, stamps, resolution, " +
	"shift, steps, zone, how, votes, sigma, position, position_line, head_size, head, tail_size, tail, kept, kept_line, cursor, problem"

// AddSource finds the source that begins with the same bytes as src, or creates it. Sources are
// known by content, not by name: the same Head over the same HeadSize. A HeadSize of 0 matches
// nothing, and heads of different sizes are not compared, so a caller hashes a file that was
// shorter than it likes over the size it had then.
//
// For a known source src is filled in with all that is stored, Position included, but keeps its
// Path, and its Host and Bytes where it has them: they are newer. For a new one src gets its ID,
// First and Last become NoTime while it has no lines, and the rest is stored as it is.
func (s *Store) AddSource(ctx context.Context, src *gatepost.Source) error {
	return s.replace(ctx, "add source "+src.Path, func(w *writer) error {
		if src.HeadSize > 0 {
			known, err := w.findSource(src)
			if err == nil {
				known.Path = src.Path
				if src.Host != "" {
					known.Host = src.Host
				}
				if src.Bytes != 0 {
					known.Bytes = src.Bytes
				}
				*src = known
				delete(w.lost, src.ID)
				return w.updateSource(src, 0)
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if src.Lines == 0 {
			src.First, src.Last = gatepost.NoTime, gatepost.NoTime
		}
		args, err := sourceArgs(src)
		if err != nil {
			return err
		}
		id, err := w.insert("INSERT INTO _sources ("+sourceColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", args...)
		src.ID = int(id)
		return err
	})
}

const findSource = "SELECT id, " + sourceColumns + " FROM _sources WHERE head = ? AND head_size = ? ORDER BY id LIMIT 1"

func (w *writer) findSource(src *gatepost.Source) (gatepost.Source, error) {
	return scanSource(w.conn.QueryRowContext(context.Background(), findSource, int64(src.Head), src.HeadSize))
}

// SaveSource stores everything about a source as it is, the clock and the problem included.
func (s *Store) SaveSource(ctx context.Context, src *gatepost.Source) error {
	return s.replace(ctx, "save source "+src.Path, func(w *writer) error {
		return w.updateSource(src, 0)
	})
}

const updateSource = `UPDATE _sources SET path = ?, host = ?, strand = ?, format = ?, dialect = ?, bytes = ?, lines = ?, requests = ?, events = ?,
	unparsed = ?, first = ?, last = ?, stamps = ?, resolution = ?, shift = ?, steps = ?, zone = ?, how = ?, votes = ?, sigma = ?,
	position = ?, position_line = ?, head_size = ?, head = ?, tail_size = ?, tail = ?, kept = ?, kept_line = ?, cursor = ?, problem = ?, span = max(span, ?)
	WHERE id = ?`

// updateSource writes the row of a source; span widens the one that is known.
func (w *writer) updateSource(src *gatepost.Source, span float64) error {
	args, err := sourceArgs(src)
	if err != nil {
		return err
	}
	r, err := w.exec(updateSource, append(args, span, src.ID)...)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("no source %d", src.ID))
	}
	return nil
}

// sourceArgs are the values of sourceColumns.
func sourceArgs(src *gatepost.Source) ([]any, error) {
	steps := make([][2]int64, 0, len(src.Clock.Steps))
	for _, s := range src.Clock.Steps {
		steps = append(steps, [2]int64{int64(s.From), int64(s.Shift)})
	}
	text, err := json.Marshal(steps)
	if err != nil {
		return nil, err
	}
	c := &src.Clock
	return []any{src.Path, src.Host, src.Strand, src.Format, src.Dialect, src.Bytes, src.Lines, src.Requests, src.Events, src.Unparsed,
		int64(src.First), int64(src.Last), int64(src.Stamps), int64(src.Resolution), int64(c.Shift), string(text), c.Zone, c.How,
		c.Votes, int64(c.Sigma), src.Position, src.PositionLine, src.HeadSize, int64(src.Head), src.TailSize, int64(src.Tail), src.Kept, src.KeptLine, src.Cursor, src.Problem}, nil
}

// scanner is a row of a result.
type scanner interface{ Scan(dst ...any) error }

// scanSource reads id and sourceColumns.
func scanSource(row scanner) (src gatepost.Source, err error) {
	var steps string
	var head, tail int64
	c := &src.Clock
	err = row.Scan(&src.ID, &src.Path, &src.Host, &src.Strand, &src.Format, &src.Dialect, &src.Bytes, &src.Lines, &src.Requests, &src.Events, &src.Unparsed,
		&src.First, &src.Last, &src.Stamps, &src.Resolution, &c.Shift, &steps, &c.Zone, &c.How,
		&c.Votes, &c.Sigma, &src.Position, &src.PositionLine, &src.HeadSize, &head, &src.TailSize, &tail, &src.Kept, &src.KeptLine, &src.Cursor, &src.Problem)
	if err != nil {
		return src, err
	}
	src.Head, src.Tail = uint64(head), uint64(tail)
	var list [][2]int64
	if err := json.Unmarshal([]byte(steps), &list); err != nil {
		return src, fmt.Errorf("clock of source %d: %w", src.ID, err)
	}
	for _, s := range list {
		c.Steps = append(c.Steps, gatepost.ClockStep{From: gatepost.Time(s[0]), Shift: time.Duration(s[1])})
	}
	return src, nil
}

const selectSources = "SELECT id, " + sourceColumns + " FROM _sources ORDER BY id"

// Sources returns all sources by their ID.
func (s *Store) Sources(ctx context.Context) ([]gatepost.Source, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	sources, err := collect(ctx, s, scanSource, selectSources)
	return sources, s.fail("read sources", err)
}

// collect runs a query and returns all its rows.
func collect[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := eachRow(ctx, s, func(row scanner) error {
		v, err := scan(row)
		if err == nil {
			all = append(all, v)
		}
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachRow runs a query and hands its rows to f, to the end or to f's first error.
func eachRow(ctx context.Context, s *Store, f func(scanner) error, query string, args ...any) error {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// prepared prepares a statement of the program's own reading once: of these there are a dozen.
func (s *Store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, ok := s.stmts.Load(query); ok {
		return known.(*sql.Stmt), nil
	}
	stmt, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if known, again := s.stmts.LoadOrStore(query, stmt); again {
		return known.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

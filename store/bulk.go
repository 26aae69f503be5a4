package store

import (
	"context"
	"database/sql/driver"
	"strings"
)

// insertion is a statement that inserts rows, for one row and for many.
type insertion struct {
	one, many string
	columns   int
}

// bulkRows is how many rows one statement inserts, to share what the driver does for each.
const bulkRows = 16

// orFail is for tables in which a conflict is an error: it ends the transaction, so SQLite need not be able to take back
// a statement's rows alone.
const orFail = "OR FAIL"

// newInsertion makes an insertion into a table, all of whose columns are named: "_lines (source, text)". A
// conflict is handled as or says, "OR FAIL" or "OR IGNORE", or by a clause at the end.
func newInsertion(or, into, conflict string) *insertion {
	columns := strings.Count(into, ",") + 1
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	head := "INSERT " + or + " INTO " + into + " VALUES " + row
	return &insertion{head + conflict, head + strings.Repeat(", "+row, bulkRows-1) + conflict, columns}
}

// bulk gathers rows for an insertion. It goes past database/sql, which looks at each value twice: a third of the
// time that a row takes.
type bulk struct {
	*insertion
	w     *writer
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// bulk returns what gathers rows for an insertion. It is empty.
func (w *writer) bulk(into *insertion) *bulk {
	b := w.bulks[into]
	if b == nil {
		b = &bulk{insertion: into, w: w, stmts: make(map[string]driver.Stmt)}
		w.bulks[into] = b
	}
	b.args = b.args[:0]
	return b
}

// add adds a row: of int, int64, float64, bool and string.
func (b *bulk) add(values ...driver.Value) error {
	for _, v := range values {
		if n, ok := v.(int); ok {
			v = int64(n)
		}
		b.args = append(b.args, driver.NamedValue{Ordinal: len(b.args) + 1, Value: v})
	}
	if len(b.args) < bulkRows*b.columns {
		return nil
	}
	err := b.exec(b.many, b.args)
	b.args = b.args[:0]
	return err
}

// flush inserts the rows that are left.
func (b *bulk) flush() error {
	for args := b.args; len(args) > 0; args = args[b.columns:] {
		row := args[:b.columns]
		for i := range row {
			row[i].Ordinal = i + 1
		}
		if err := b.exec(b.one, row); err != nil {
			return err
		}
	}
	b.args = b.args[:0]
	return nil
}

func (b *bulk) exec(query string, args []driver.NamedValue) error {
	return b.w.conn.Raw(func(conn any) error {
		s, ok := b.stmts[query]
		if !ok {
			var err error
			if s, err = conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query); err != nil {
				return err
			}
			b.stmts[query] = s
		}
		_, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args)
		return err
	})
}

// close frees the statements.
func (b *bulk) close() (err error) {
	for _, s := range b.stmts {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}
	return err
}

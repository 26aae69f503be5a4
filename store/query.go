package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"gatepost"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Rows is the answer to a query of the user's.
type Rows struct {
	Columns []string
	// Rows yields the rows once: integers as int64, reals as float64, text as string, blobs as
	// []byte, NULL as nil. Each row is the caller's. Breaking off is fine; a caller that never
	// starts keeps a connection until Close.
	Rows iter.Seq2[[]any, error]
}

// Query runs one statement that reads: over the tables and views of the store, and over the
// virtual table requests. Anything that could write, to the store or to any other file, is
// refused. The SQL functions hash(text) and key(method, path) make the hashes that requests has
// in the columns client and key.
//
// What is committed while the rows are read may show in requests and not in the tables.
func (s *Store) Query(ctx context.Context, statement string) (*Rows, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.life, stop)
	rows, err := s.query.QueryContext(ctx, statement)
	if err != nil {
		unhook()
		stop()
		return nil, s.fail("query", s.refused(err))
	}
	names, err := rows.Columns()
	if err == nil && len(names) == 0 {
		err = errors.New("the statement returns no rows")
	}
	if err != nil {
		unhook()
		stop()
		return nil, s.fail("query", errors.Join(err, rows.Close()))
	}
	if s.hide != nil { // an expression is the name of its column
		for i := range names {
			names[i] = fmt.Sprint(s.hide("", 0, names[i]))
		}
	}
	return &Rows{Columns: names, Rows: func(yield func([]any, error) bool) {
		defer stop()
		defer unhook()
		defer rows.Close()
		for rows.Next() {
			row, err := scanRow(rows, len(names))
			for i := range row {
				if s.hide != nil { // a statement may hold a value itself
					row[i] = s.hide("", 0, row[i])
				}
			}
			if !yield(row, s.fail("query", err)) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, s.fail("query", s.refused(err)))
		}
	}}, nil
}

func scanRow(rows *sql.Rows, n int) ([]any, error) {
	row, dst := make([]any, n), make([]any, n)
	for i := range row {
		dst[i] = &row[i]
	}
	return row, rows.Scan(dst...)
}

// refused explains an error that SQLite only hints at.
func (s *Store) refused(err error) error {
	if p := s.tableErr.Swap(nil); p != nil {
		return *p
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY:
		if s.hide != nil {
			return errors.New("the store can only be read here, and while people are hidden only its views and requests: sources, events, failures, …")
		}
		return errors.New("the store can only be read here: SELECT, WITH, VALUES, EXPLAIN, and pragmas that describe tables")
	}
	return err
}

// connector makes connections of one driver. sql.OpenDB takes it without a registration, which
// would be for the whole process and for ever.
type connector struct {
	driver *sqlite.Driver
	dsn    string
	setup  func(driver.Conn) error // runs on every new connection, nil for none
}

func (c connector) Driver() driver.Driver { return c.driver }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := c.driver.Open(c.dsn)
	if err != nil || c.setup == nil {
		return conn, err
	}
	if err := c.setup(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// outlook is what a statement of the user's sees and may call.
type outlook struct {
	functions map[string]function
	setup     []string // statements that run on every new connection
	allow     sqlite.AuthorizerFn
}

// wholeOutlook shows the store as it is.
var wholeOutlook = outlook{functions, []string{"CREATE VIRTUAL TABLE temp." + requestsTable + " USING " + requestsTable}, authorize}

// openQuery makes the pool for Query: connections with the virtual table and the functions, and
// with every way to write closed, first by query_only, then by an authorizer that knows what
// reading is. It also stops ATTACH and the like, which would reach other files.
func (s *Store) openQuery(o outlook) (*sql.DB, error) {
	d := &sqlite.Driver{}
	if err := d.RegisterModule(requestsTable, &requestsModule{s}); err != nil {
		return nil, err
	}
	for name, f := range o.functions {
		if err := d.RegisterDeterministicScalarFunction(name, f.args, f.call); err != nil {
			return nil, err
		}
	}
	setup := func(conn driver.Conn) error {
		for _, statement := range append(slices.Clone(o.setup), "PRAGMA query_only = 1") {
			if _, err := conn.(driver.ExecerContext).ExecContext(context.Background(), statement, nil); err != nil {
				return err
			}
		}
		return conn.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(o.allow)
	}
	db := sql.OpenDB(connector{driver: d, dsn: dsn(s.file), setup: setup})
	db.SetMaxIdleConns(2)
	return db, nil
}

// readPragmas describe the schema; those that take a value name a table with it.
var readPragmas = []string{
	"application_id", "collation_list", "compile_options", "database_list", "encoding", "foreign_key_list", "function_list", "index_info",
	"index_list", "index_xinfo", "module_list", "page_count", "page_size", "pragma_list", "table_info", "table_list", "table_xinfo", "user_version",
}

// setPragmas are those among readPragmas that would set something if they were given a value.
var setPragmas = []string{"application_id", "encoding", "page_size", "user_version"}

// authorize allows what reads.
func authorize(action sqlite.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite.AuthorizerReturnCode {
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRead, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthFunction:
		if !strings.EqualFold(arg2, "load_extension") {
			return sqlite.AuthorizerOK
		}
	case sqlite.AuthPragma:
		name := strings.ToLower(arg1)
		if slices.Contains(readPragmas, name) && (arg2 == "" || !slices.Contains(setPragmas, name)) {
			return sqlite.AuthorizerOK
		}
	}
	return sqlite.AuthorizerDeny
}

type function struct {
	args int32
	call func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error)
}

var functions = map[string]function{
	"hash": {1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return int64(gatepost.HashOf(fmt.Sprint(args[0]))), nil
	}},
	"key": {2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return int64(gatepost.KeyOf(fmt.Sprint(args[0]), fmt.Sprint(args[1]))), nil
	}},
}

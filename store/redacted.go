package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

// Redaction hides what is personal in a value of a column ("failures.client") of a row about a source, 0 for none. Without a
// column the value is one that a statement made. It is called from several goroutines.
type Redaction func(column string, source int64, value any) any

const (
	selectRedactionKey = "SELECT key FROM _redaction"
	selectViewColumns  = "SELECT v.name, c.name FROM sqlite_schema v, pragma_table_info(v.name) c WHERE v.type = 'view' ORDER BY v.name, c.cid"
	selectBeneath      = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
)

// RedactionKey returns the key that the store keeps for stand-ins. When it has none yet, that is fresh from now on.
func (s *Store) RedactionKey(ctx context.Context, fresh []byte) (key []byte, err error) {
	err = s.replace(ctx, "keep the key of stand-ins", func(w *writer) error {
		if _, err := w.exec("INSERT INTO _redaction (key) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM _redaction)", fresh); err != nil {
			return err
		}
		return w.conn.QueryRowContext(ctx, selectRedactionKey).Scan(&key)
	})
	return key, err
}

// Redact makes Query show redacted rows from now on. The views that a statement sees are then others of the same names and columns, so that
// whatever it computes is made of stand-ins; what lies beneath cannot be read. The functions hash and key return what the columns client
// and key of requests show.
func (s *Store) Redact(ctx context.Context, hide Redaction) error {
	o, err := s.redactedOutlook(ctx, hide)
	if err != nil {
		return s.fail("redact", err)
	}
	redacted, err := s.openQuery(o)
	if err != nil {
		return s.fail("redact", err)
	}
	whole := s.query
	s.query, s.hide = redacted, hide
	return s.fail("redact", whole.Close())
}

// openColumns are passed on as they are: times, counts and words of this program's own. Whatever is not among them is
// hidden, a column that is added later too. An index serves conditions on these only.
var openColumns = []string{
	"time", "start", "began", "ended", "first", "last", "duration", "sql", "status", "bytes", "lane", "pid", "pids", "by", "queries", "number",
	"source", "line", "offset", "length", "cause", "confidence", "finished", "state", "incident", "phase", "kind", "db", "outage", "failures", "clients",
	"statuses", "ordinal", "role", "joined", "weight", "failure", "requests", "s499", "s500", "s502", "s503", "s504", "events", "lines", "unparsed",
	"count", "at_most", "format", "shift", "votes", "sigma", "position", "program", "scope",
}

// rawRequests is the name of the virtual table beneath the redacted requests.
const rawRequests = "_requests"

// hideFunction calls a Redaction in SQL: with a column, a source and a value.
const hideFunction = "_hide"

// redactedOutlook lays redacted views over those of the store. What lies beneath can be read through them only: that keeps a statement from
// showing it by mistake. Who is bent on it gives a common table expression the name of a view; he has the store anyway.
func (s *Store) redactedOutlook(ctx context.Context, hide Redaction) (outlook, error) {
	o := outlook{
		functions: map[string]function{
			hideFunction: {3, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
				column, _ := args[0].(string)
				source, _ := args[1].(int64)
				return hide(column, source, args[2]), nil
			}},
			"hash": functions["hash"].redacted(hide, "requests.client"),
			"key":  functions["key"].redacted(hide, "requests.key"),
		},
		setup: []string{"CREATE VIRTUAL TABLE temp." + rawRequests + " USING " + requestsTable},
	}
	columns := map[string][]string{requestsTable: requestsColumns()}
	_, err := collect(ctx, s, func(row scanner) (none struct{}, err error) {
		var view, column string
		err = row.Scan(&view, &column)
		columns[view] = append(columns[view], column)
		return none, err
	}, selectViewColumns)
	if err != nil {
		return o, err
	}
	for view, list := range columns {
		raw := "main." + view
		if view == requestsTable {
			raw = "temp." + rawRequests
		}
		o.setup = append(o.setup, "CREATE TEMP VIEW "+view+" AS SELECT "+redactedColumns(view, list)+" FROM "+raw)
	}
	beneath, err := collect(ctx, s, func(row scanner) (name string, err error) { err = row.Scan(&name); return name, err }, selectBeneath)
	o.allow = func(action sqlite.AuthorizerActionCode, table, column, database, from string) sqlite.AuthorizerReturnCode {
		raw := table == rawRequests || database == "main" && slices.Contains(beneath, table)
		// Without a column rows are counted, or joined where no value of them is used.
		if action == sqlite.AuthRead && raw && column != "" && columns[from] == nil {
			return sqlite.AuthorizerDeny
		}
		return authorize(action, table, column, database, from)
	}
	return o, err
}

// redacted is a function whose value is shown as that of a column.
func (f function) redacted(hide Redaction, column string) function {
	call := f.call
	f.call = func(c *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		v, err := call(c, args)
		return hide(column, 0, v), err
	}
	return f
}

func requestsColumns() []string {
	_, list, _ := strings.Cut(requestsSchema, "(")
	var names []string
	for c := range strings.SplitSeq(list, ",") {
		names = append(names, strings.Fields(c)[0])
	}
	return names
}

func redactedColumns(view string, columns []string) string {
	source := "0"
	if slices.Contains(columns, "source") {
		source = "source"
	}
	var list []string
	for _, c := range columns {
		open := slices.Contains(openColumns, c) || c == "id" && view != "routes"
		if view == "unknown" && c == "kind" {
			open = false // it is no word of ours, as the kind of an event is, but text of a log
		}
		if !open {
			c = fmt.Sprintf("%s('%s.%s', %s, \"%s\") AS \"%s\"", hideFunction, view, c, source, c, c)
		} else {
			c = `"` + c + `"`
		}
		list = append(list, c)
	}
	return strings.Join(list, ", ")
}

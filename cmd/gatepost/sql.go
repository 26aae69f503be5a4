package main

import (
	"io"

	"github.com/spf13/cobra"

	"gatepost/reports"
	"gatepost/store"
)

const sqlDoc = `Answer a question of your own with a statement in SQL (SQLite's), read-only.

Tables and views: sources, events, failures, incidents, evidence, seconds (counters of
each second), unknown (lines that fit no format, by kinds), gaps (times of which lines are
missing), and requests (every request line of all logs). The statement is asked of
the store given with --db, or of the logs at PATH.`

const sqlExamples = `  gatepost sql 'SELECT cause, count(*) FROM failures GROUP BY cause' logs/
  gatepost sql --db night.db "SELECT * FROM failures WHERE path LIKE '/web/export%'"
  gatepost sql --db night.db --format csv 'SELECT * FROM events' > events.csv`

func newSQL(e *env) *cobra.Command {
	in := readingFlags{whole: true} // a statement may ask for any line
	var format, output string
	cmd := &cobra.Command{
		Use:     "sql STATEMENT [PATH...]",
		Short:   "ask the logs or a store in SQL",
		Long:    sqlDoc,
		Example: sqlExamples,
		GroupID: groupReading,
		Args:    atLeast(1, "the statement"),
		RunE: func(cmd *cobra.Command, args []string) error {
			draw := tables[format]
			if draw == nil {
				return usage("--format table, csv or json", "--format: unknown format %q", format)
			}
			statement, paths := args[0], args[1:]
			do := func(a *analysis) error {
				rows, err := a.store.Query(cmd.Context(), statement)
				if err != nil {
					return failed("gatepost sql --help names the tables", "%w", err)
				}
				return look{}.write(e, output, func(out io.Writer, _ reports.Options) error { return draw(out, rows) })
			}
			if in.db != "" && len(paths) == 0 {
				return e.stored(cmd.Context(), in.db, do)
			}
			return e.reads(cmd.Context(), &in, paths, do)
		},
	}
	in.add(cmd)
	e.redaction.add(cmd)
	cmd.Flags().StringVarP(&format, "format", "f", "table", "`FORMAT` of the answer: table, csv, json")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, whole or not at all")
	completeWith(cmd, "format", func() []string { return []string{"table", "csv", "json"} })
	return cmd
}

// tables are the ways to draw rows.
var tables = map[string]func(io.Writer, *store.Rows) error{
	"table": drawTable,
	"csv":   drawCSV,
	"json":  drawJSON,
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/store"
)

func newReport(e *env) *cobra.Command {
	var db string
	var out writingFlags
	cmd := &cobra.Command{
		Use:   "report --db FILE",
		Short: "report what a store has, without reading logs",
		Long: `Draw the report of the last analysis that was kept with --db, without reading any log.

The lines that prove the causes are in the store, so the logs may be gone. The report is about
the time that the analysis was asked for; where the store holds the days before, the page
of --html compares it with them.`,
		Example: `  gatepost report --db night.db
  gatepost report --db night.db --html night.html
  gatepost report --db night.db --format csv --output failures.csv`,
		GroupID: groupReading,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := out.resolve(e)
			if err != nil {
				return err
			}
			if db == "" {
				return usage("gatepost report --db gatepost.db", "report: --db FILE is missing")
			}
			return e.stored(cmd.Context(), db, func(a *analysis) error { return w.write(e, a.model) })
		},
	}
	addDB(cmd, &db, "the store, a `FILE` that analyze --db made")
	e.redaction.add(cmd)
	out.add(cmd)
	return cmd
}

// stored does something with the analysis that a store has.
func (e *env) stored(ctx context.Context, db string, do func(*analysis) error) error {
	a := &analysis{env: e}
	return a.finish(ctx, a.load(ctx, db), do)
}

func (a *analysis) load(ctx context.Context, db string) error {
	if _, err := os.Stat(db); err != nil {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			hint = "gatepost analyze --db " + db + " PATH..."
		}
		return failed(hint, "%s: %w", db, reason(err))
	}
	var err error
	if a.store, err = store.Open(ctx, db); err != nil {
		return err
	}
	a.history = &history{Store: a.store}
	if a.model, err = a.env.model(ctx, a.history); err != nil {
		return err
	}
	m := a.model
	m.Paths = []string{"--db", db}
	scope, err := a.store.Scope(ctx)
	if err != nil {
		return err
	}
	if m.Watched = scope.Watched; m.Watched == nil {
		if m.Watched, err = watchedIn(m.Failures); err != nil {
			return err
		}
	}
	return a.within(ctx, scope.Since, scope.Until)
}

// watchedIn returns the statuses that counted as failures when an older gatepost made a store, as far as the
// failures in it tell.
func watchedIn(failures gatepost.Ledger) ([]int, error) {
	all := []int{502, 504}
	for f, err := range failures.Entries() {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, f.Status) {
			all = append(all, f.Status)
		}
	}
	slices.Sort(all)
	return all, nil
}

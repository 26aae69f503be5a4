package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/store"
)

func newReport(e *env) *cobra.Command {
	var in storedFlags
	var out nightlyFlags
	cmd := &cobra.Command{
		Use:   "report --db FILE",
		Short: "report what a store has, without reading logs",
		Long: `Draw the report of the last analysis that was kept with --db, without reading any log.

The lines that prove the causes are in the store, so the logs may be gone. The report is about
the time that the last analysis was asked for, or with --since and --until about any that an
analysis was asked for once; where the store holds the days before, the page of --html compares
it with them.`,
		Example: `  gatepost report --db night.db
  gatepost report --db night.db --since 2026-11-18 --until 2026-11-18 --html night.html
  gatepost report --db night.db --format csv --output failures.csv`,
		GroupID: groupReading,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.db == "" {
				return usage("gatepost report --db gatepost.db", "report: --db FILE is missing")
			}
			r, err := in.resolve(e)
			if err != nil {
				return err
			}
			w, err := out.resolve(e, in.db)
			if err != nil {
				return err
			}
			a := &analysis{env: e}
			err = a.load(cmd.Context(), in.db, r)
			if err == nil {
				err = a.judged(cmd.Context())
			}
			return a.finish(cmd.Context(), err, func(a *analysis) error { return w.deliver(cmd.Context(), a) })
		},
	}
	in.add(cmd)
	e.redaction.add(cmd)
	out.add(cmd)
	return cmd
}

// storedFlags are the options of a command that reports what a store has, as they were typed.
type storedFlags struct{ db, since, until, zone string }

func (f *storedFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	addDB(cmd, &f.db, "the store, a `FILE` that analyze --db made")
	fs.StringVar(&f.since, "since", "", "report failures from `TIME` on: "+momentForms)
	fs.StringVar(&f.until, "until", "", "report failures up to `TIME`; a day is meant to its end")
	fs.StringVar(&f.zone, "tz", "", "`ZONE` of the times in the report: Europe/Paris, +01:00")
}

func (f *storedFlags) resolve(e *env) (*reading, error) {
	return (&readingFlags{since: f.since, until: f.until, zone: f.zone}).resolve(e)
}

// stored does something with the analysis that a store has.
func (e *env) stored(ctx context.Context, db string, do func(*analysis) error) error {
	a := &analysis{env: e}
	return a.finish(ctx, a.load(ctx, db, nil), do)
}

// load makes a model of what a store has: of the time that is asked for, else of that of the last analysis. Without a reading it is of all times.
func (a *analysis) load(ctx context.Context, db string, r *reading) error {
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
	since, until := gatepost.NoTime, gatepost.NoTime
	if r != nil {
		if since, until = r.since, r.until; !since.Known() && !until.Known() {
			last, err := a.store.Scope(ctx)
			if err != nil {
				return err
			}
			since, until = last.Since, last.Until
		}
	}
	if a.model, err = a.env.model(ctx, a.history, since, until); err != nil {
		return a.unfinished(ctx, err)
	}
	if r != nil && r.zone != nil {
		a.model.Zone = r.zone
	}
	a.model.Paths = []string{"--db", db}
	all, err := a.store.Judged(ctx)
	if err == nil {
		a.model.Watched, err = watchedIn(all, a.model)
	}
	return err
}

// unfinished tells a store whose verdicts are being made from one whose analysis broke off.
func (a *analysis) unfinished(ctx context.Context, err error) error {
	if !errors.Is(err, store.ErrUnfinished) {
		return err
	}
	if busy := a.store.Lock(ctx); errors.Is(busy, store.ErrBusy) {
		return failed("the same again when that has ended", "%w", busy)
	}
	return err
}

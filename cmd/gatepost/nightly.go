package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatepost"
)

const nightlyDoc = `

Where --html names a folder, which is there or ends with a slash, the page goes to
FOLDER/2026-11-21.html, by the day of --since, and FOLDER/index.html becomes a calendar of all
nights that are there. With --keep 90d the pages of older nights are removed, and what the
store has of older times; which logs were read how far it does not forget.`

// nightlyFlags are the options of a command that runs every night and writes reports, as they were typed.
type nightlyFlags struct {
	writingFlags
	mail mailFlags
	keep string
}

func (f *nightlyFlags) add(cmd *cobra.Command) {
	f.writingFlags.add(cmd)
	cmd.Flags().StringVar(&f.keep, "keep", "", "remove pages in the folder of --html, and what the store has, that are older than `AGE`: 90d, 12w")
	cmd.Long += nightlyDoc
	f.mail.add(cmd)
}

// nightly is what nightlyFlags mean: reports, and what is done when they are written.
type nightly struct {
	*writing
	mail *mailing      // nil for none
	keep time.Duration // 0: everything
}

// leastKept is the least that may be kept: the page compares with the night before.
const leastKept = 2 * 24 * time.Hour

// resolve takes the store too, "" for none.
func (f *nightlyFlags) resolve(e *env, db string) (*nightly, error) {
	n := &nightly{}
	var err error
	if n.mail, err = f.mail.resolve(e); err != nil {
		return nil, err
	}
	f.quiet = n.mail != nil
	if n.writing, err = f.writingFlags.resolve(e); err != nil {
		return nil, err
	}
	e.night = e.night || n.mail != nil
	if f.keep == "" {
		return n, nil
	}
	var ok bool
	switch n.keep, ok = age(f.keep); {
	case !ok:
		return nil, usage("--keep 90d", "--keep: %q is no length of time", f.keep)
	case n.keep < leastKept:
		return nil, usage("--keep 90d", "--keep: %s is too short: a night is compared with the one before", f.keep)
	case db == "" && n.nights == nil:
		return nil, usage("--keep 90d --db night.db", "--keep: there is neither a --db nor a folder of --html")
	}
	return n, nil
}

// deliver writes the reports of an analysis, mails them, and removes what is too old. What goes wrong when the reports are written is said,
// and does not take them back.
func (n *nightly) deliver(ctx context.Context, a *analysis) error {
	before := n.before(a)
	condition := n.write(a.env, a.model, a.day(before))
	if x, ok := errors.AsType[*exit](condition); condition != nil && (!ok || x.status != statusCondition) {
		return condition
	}
	afterwards := true
	if n.mail != nil {
		if err := n.mail.send(ctx, a.env, a.model, nightOf(a.model)); err != nil {
			a.env.complain(fmt.Sprintf("the report was not mailed: %v", err), "")
			afterwards = false
		}
	}
	if before.Known() && a.store != nil {
		if err := n.prune(ctx, a, before); err != nil {
			a.env.complain(fmt.Sprintf("what is too old was not removed: %v", err), remedy(err))
			afterwards = false
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !afterwards:
		return &exit{status: statusAfterwards}
	}
	return condition
}

func (n *nightly) prune(ctx context.Context, a *analysis, before gatepost.Time) error {
	if err := a.store.Lock(ctx); err != nil {
		return err
	}
	return a.store.Prune(ctx, before)
}

// before is the beginning of the first day that is kept: never later than what the report is about. It is NoTime when everything is kept.
func (n *nightly) before(a *analysis) gatepost.Time {
	if n.keep == 0 {
		return gatepost.NoTime
	}
	y, m, d := a.env.now().In(a.model.Zone).Add(-n.keep).Date()
	before := gatepost.TimeOf(time.Date(y, m, d, 0, 0, 0, 0, a.model.Zone))
	if a.model.Since.Known() && a.model.Since != 0 {
		before = min(before, a.model.Since)
	}
	return before
}

// day is the day of the report's zone that a time lies in, "" for none.
func (a *analysis) day(t gatepost.Time) string {
	if !t.Known() {
		return ""
	}
	return t.Std().In(a.model.Zone).Format(time.DateOnly)
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/store"
)

const tailDoc = `Follow logs, and say of each failing request why it failed, as it happens.

It reads what analyze reads, and goes on reading: files that grow, are rotated or
truncated, vanish and come back, and new ones in a directory. Without a PATH the logs of
this machine are found. It begins at the end of the logs, with the last hour of them
read beforehand so that the first verdict knows what went before; --from-start says
what is in them from the beginning, and with --db it goes on where the last run ended.

A verdict is provisional until no later line can change it, some twenty minutes after
the failure; when a line makes it another one before that, this is said, with the line.
At the end, with Ctrl-C or SIGTERM, everything is judged once more as analyze does.`

const tailExamples = `  gatepost tail
  gatepost tail /var/log/nginx /var/log/odoo/odoo-server.log
  gatepost tail --db /var/lib/gatepost/gatepost.db --format ndjson
  journalctl -f -o export | gatepost tail /var/log/nginx -`

func newTail(e *env) *cobra.Command {
	var in readingFlags
	var fromStart bool
	cmd := &cobra.Command{
		Use:     "tail [PATH...]",
		Short:   "follow logs, and say why requests fail as they do",
		Long:    tailDoc,
		Example: tailExamples,
		GroupID: groupReading,
		RunE: func(cmd *cobra.Command, paths []string) error {
			r, err := in.resolve(e)
			if err != nil {
				return err
			}
			return e.tail(cmd.Context(), r, paths, fromStart, func(gatepost.Change) {})
		},
	}
	in.add(cmd)
	cmd.Flags().BoolVar(&fromStart, "from-start", false, "say what is in the logs from their beginning")
	e.redaction.add(cmd)
	return cmd
}

// contextBefore is how much before its beginning is read when nobody asks for it: what a verdict may need to know.
const contextBefore = time.Hour

// tail follows logs until ctx ends.
func (e *env) tail(ctx context.Context, r *reading, args []string, fromStart bool, tell func(gatepost.Change)) error {
	l, a, err := e.follow(ctx, r, args, fromStart, tell)
	if err == nil {
		err = errors.Join(l.run(ctx), l.end(context.WithoutCancel(ctx), a))
	}
	return errors.Join(err, a.close())
}

// follow reads what there is of the logs, and prepares to follow them. The caller closes the analysis, also beside an error.
func (e *env) follow(ctx context.Context, r *reading, args []string, fromStart bool, tell func(gatepost.Change)) (*live, *analysis, error) {
	began := gatepost.TimeOf(e.now())
	if !fromStart && r.db == "" && !r.since.Known() {
		r.since = began.Add(-contextBefore)
	}
	a, in := &analysis{env: e}, &ingest{reading: r, progress: newProgress(e), goesOn: true}
	var err error
	if a.files, a.paths, err = e.find(ctx, in, args); err != nil {
		return nil, a, err
	}
	if err := a.read(ctx, in); err != nil {
		return nil, a, err
	}
	l := &live{ingest: in, tell: tell, open: make(map[string]*openFailure), settled: make(map[string]string), began: began}
	if l.options, err = a.options(ctx, in); err != nil {
		return nil, a, err
	}
	goesOn, err := l.remember(a.store.Ledger(ctx))
	if err != nil {
		return nil, a, err
	}
	if fromStart || goesOn {
		l.began = gatepost.NoTime
	}
	l.setup = l.options.Setup
	l.watch = newWatch(in, a.paths)
	l.watch.saw, l.watch.missed = l.saw, l.missed
	l.watch.configured = func() { l.options.Setup, l.news = l.setup, notable }
	in.left = nil // the followers read it again
	l.news, l.newsFrom = notable, l.now()
	l.hear()
	return l, a, nil
}

// remember takes the failures that a store has verdicts of as said, and reports whether there are any.
func (l *live) remember(ledger gatepost.Ledger) (some bool, err error) {
	now := gatepost.TimeOf(l.now())
	for f, err := range ledger.Entries() {
		if errors.Is(err, store.ErrUnfinished) {
			break
		}
		if err != nil {
			return some, err
		}
		some = true
		if now >= f.Time.Add(settledAfter) {
			l.settled[f.ID] = f.Verdict.Cause
		} else {
			l.open[f.ID] = &openFailure{Failure: f, said: true}
		}
	}
	return some, nil
}

// missed says that a part of a log was gone before it was read, and keeps that with its source, which is nil when nothing at all was read
// of it.
func (l *live) missed(ctx context.Context, path string, src *gatepost.Source, why string) error {
	now := gatepost.TimeOf(l.now())
	gap := &gatepost.Gap{From: gatepost.NoTime, To: now, Why: why}
	if src != nil {
		gap.Source, gap.From = src.ID, src.Clock.At(src.Last)
		src.Problem = why
		if err := l.store.SaveSource(ctx, src); err != nil {
			return err
		}
		l.knows(src)
	}
	l.gaps++
	l.tell(gatepost.Change{Kind: gatepost.Missed, Time: now, Text: path + ": " + why, Gap: gap})
	return nil
}

const (
	// pollEvery is how often files are looked at when nothing tells that they changed.
	pollEvery = 250 * time.Millisecond
	// tryAgain is how long nothing is tried after something went wrong that may pass: a full disk, a store that is locked.
	tryAgain = 2 * time.Second
)

// run follows the logs until ctx ends. What goes wrong is said, and tried again: an outage is when disks are full.
func (l *live) run(ctx context.Context) error {
	wake := newWaker()
	defer wake.close()
	trouble := ""
	for ctx.Err() == nil {
		wake.watch(l.watch.dirs())
		wait, err := l.turn(ctx)
		switch {
		case err == nil && trouble != "":
			trouble = ""
			l.note("it goes on")
			l.hear()
		case err != nil && ctx.Err() == nil:
			if err.Error() != trouble {
				trouble = err.Error()
				l.note("%s; it is tried again", trouble)
				l.hear()
			}
			wait = tryAgain
			if err := l.again(ctx); err != nil {
				wait = 2 * tryAgain
			}
		}
		l.watch.stirred = wake.wait(ctx, wait) || l.watch.stirred
	}
	return nil
}

// turn reads what is new and judges it if it is time for that, and returns how long nothing has to be done.
func (l *live) turn(ctx context.Context) (wait time.Duration, err error) {
	if _, err := l.poll(ctx); err != nil {
		return 0, err
	}
	due, ok := l.due()
	if ok && due == 0 {
		if err := l.judge(ctx); err != nil {
			return 0, err
		}
		due, ok = l.due()
	}
	if err := l.pass(ctx); err != nil {
		return 0, err
	}
	if ok {
		return min(due, pollEvery), nil
	}
	return pollEvery, nil
}

// again begins again at the positions that are stored, after an error that took back what was read.
func (l *live) again(ctx context.Context) (err error) {
	if l.known, err = l.store.Sources(ctx); err != nil {
		return err
	}
	for _, f := range l.watch.followers {
		f.forget()
	}
	return nil
}

// end judges all that was followed once more, as analyze does, and says what that makes another verdict.
func (l *live) end(ctx context.Context, a *analysis) error {
	if err := l.finish(ctx); err != nil {
		return err
	}
	defer l.watch.close()
	if l.logs == 0 && len(l.watch.followers) == 0 {
		return nil
	}
	if err := a.verdicts(ctx, l.ingest); err != nil {
		return err
	}
	now := gatepost.TimeOf(l.now())
	for f, err := range a.model.Failures.Failures() {
		if err != nil {
			return err
		}
		o := l.open[f.ID]
		was, settled := l.settled[f.ID]
		switch {
		case o == nil && !settled:
			if !l.began.Known() || f.Time >= l.began {
				l.tell(gatepost.Change{Kind: gatepost.Failed, Time: now, Failure: &f})
			}
		case settled && was != f.Verdict.Cause:
			l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: &f, Was: &gatepost.Verdict{Cause: was}})
		case o != nil && o.said && o.Verdict.Cause != f.Verdict.Cause:
			l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: &f, Was: &o.Verdict, Because: newEvidence(&o.Verdict, &f.Verdict)})
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/correlate"
	"gatepost/parser/source"
	"gatepost/reports"
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
	var out tailFlags
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
			audience, machines, err := out.resolve(e)
			if err != nil {
				return err
			}
			return e.tail(cmd.Context(), r, paths, out.fromStart, audience, machines)
		},
	}
	in.add(cmd)
	out.add(cmd)
	e.redaction.add(cmd)
	return cmd
}

// tailFlags are the options of tail about what it says, as they were typed.
type tailFlags struct {
	fromStart bool
	format    string
	plain     bool
	look      lookFlags
	live      liveFlags
}

func (f *tailFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.fromStart, "from-start", false, "say what is in the logs from their beginning")
	fs.StringVarP(&f.format, "format", "f", "text", "`FORMAT` of what is said: text, ndjson")
	fs.BoolVar(&f.plain, "plain", false, "write lines on a terminal too, instead of a view that is kept up to date")
	f.look.add(cmd)
	f.live.add(cmd)
	completeWith(cmd, "format", func() []string { return []string{"text", "ndjson"} })
}

func (f *tailFlags) resolve(e *env) (audience, *machines, error) {
	if f.format != "text" && f.format != "ndjson" {
		return audience{}, nil, usage("--format text or --format ndjson", "--format: tail does not know %q", f.format)
	}
	look, err := f.look.resolve(e)
	if err != nil {
		return audience{}, nil, err
	}
	m, err := f.live.resolve(e)
	return audience{programs: f.format == "ndjson", plain: f.plain, look: look.stdout}, m, err
}

// contextBefore is how much before its beginning is read when nobody asks for it: what a verdict may need to know.
const contextBefore = time.Hour

// tail follows logs until ctx ends, or the audience has seen enough.
func (e *env) tail(ctx context.Context, r *reading, args []string, fromStart bool, audience audience, m *machines) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	l := e.newLive(r)
	l.beat = m.beat
	if err := m.start(engineView{status: l.status, sources: func() []gatepost.Source { return l.told }}); err != nil {
		return err
	}
	defer m.stop()
	err := l.begin(ctx, args, fromStart)
	if err == nil {
		zone := r.zone
		if zone == nil {
			zone = e.zone
		}
		l.listeners = append(m.listeners(), audience.listener(ctx, e, reports.NewLive(zone, correlate.Docs(), l.path), l.status, quit))
		err = errors.Join(l.run(ctx), l.end(context.WithoutCancel(ctx)))
		for _, heard := range l.listeners {
			err = errors.Join(err, heard.close())
		}
	}
	return errors.Join(err, l.a.close())
}

// newLive makes a live analysis of nothing yet.
func (e *env) newLive(r *reading) *live {
	now := e.now()
	l := &live{
		ingest: &ingest{reading: r, progress: newProgress(e), follows: true}, a: &analysis{env: e},
		open: make(map[string]*openFailure), settled: make(map[string]string), counted: make(map[failedAs]int64), awaited: make(map[uint64]int),
		started: gatepost.TimeOf(now), saved: now, beat: func() {}, stopped: func() bool { return false },
	}
	l.shown.Store(&status{now: l.started, began: l.started, busy: -1})
	l.paths.Store(&map[int]string{})
	return l
}

// begin reads what there is of the logs, and prepares to follow them. The caller closes the analysis, also after an error.
func (l *live) begin(ctx context.Context, args []string, fromStart bool) error {
	in, a := l.ingest, l.a
	if l.began = l.started; !fromStart && l.db == "" && !l.since.Known() {
		l.since = l.began.Add(-contextBefore)
	}
	paths, streams := streamsAmong(args)
	var err error
	if len(streams) == 0 || len(paths) > 0 {
		if a.files, a.paths, err = a.env.find(ctx, in, paths); err != nil {
			return err
		}
	}
	l.progress.beat = l.beat
	if err := a.read(ctx, in); err != nil {
		return err
	}
	if l.options, err = a.options(ctx, in); err != nil {
		return err
	}
	goesOn, err := l.remember(a.store.Ledger(ctx))
	if err != nil {
		return err
	}
	if fromStart || goesOn {
		l.began = gatepost.NoTime
	}
	if l.hide, err = a.hider(ctx); err != nil {
		return err
	}
	l.setup = l.options.Setup
	l.watch = newWatch(in, a.paths)
	l.watch.saw, l.watch.held, l.watch.missed = l.saw, l.held, l.missed
	l.watch.configured = func() { l.options.Setup, l.news = l.setup, notable }
	in.left = nil // the followers read it again
	l.news, l.newsFrom = notable, l.now()
	if err := l.pour(ctx, streams); err != nil {
		return err
	}
	l.show()
	return nil
}

// tell says a change to all who listen, with people hidden where that is asked for.
func (l *live) tell(c gatepost.Change) {
	if l.hide != nil {
		c = l.hide.Change(c)
	}
	for _, heard := range l.listeners {
		heard.hear(c)
	}
}

// streamsAmong takes from arguments what can be read only once: standard input, and named pipes.
func streamsAmong(args []string) (paths, streams []string) {
	for _, arg := range args {
		if info, err := os.Stat(arg); arg == "-" || err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			streams = append(streams, arg)
		} else {
			paths = append(paths, arg)
		}
	}
	return paths, streams
}

// pour follows streams, and what of the machine is in no file.
func (l *live) pour(ctx context.Context, streams []string) error {
	for _, name := range streams {
		from := l.a.env.stdin
		if name != "-" {
			// Open for writing as well, a pipe does not end with the program that writes into it: the next one goes on.
			pipe, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				return failed(remedy(err), "%s: %w", name, reason(err))
			}
			from = pipe
		}
		f, err := source.Pour(name, from, "", l.now())
		if err != nil {
			return err
		}
		l.watch.follow(f)
	}
	l.pourSystem(ctx)
	return nil
}

// pourSystem follows what of the machine is in no file.
func (l *live) pourSystem(ctx context.Context) {
	l.watch.again = time.Time{}
	f, err := l.followSystem(ctx, l.now())
	if err != nil {
		l.trouble(remedy(err), "%v", err)
	}
	if f != nil {
		l.watch.follow(f)
	}
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
	gap := gatepost.Gap{From: gatepost.NoTime, To: now, Why: why}
	if src != nil {
		gap.Source, gap.From = src.ID, src.Clock.At(src.Last)
		src.Problem = why
		if err := l.store.SaveSource(ctx, src); err != nil {
			return err
		}
		l.knows(src)
	}
	l.gaps++
	l.tell(gatepost.Change{Kind: gatepost.Missed, Time: now, Text: path + ": " + why, Gap: &gap})
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
	// A turn that has begun comes to its end: half of one would leave what was read and not stored.
	l.stopped = func() bool { return ctx.Err() != nil }
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil && !l.over() {
		wake.watch(l.watch.dirs())
		wait, err := l.turn(whole)
		l.beat()
		switch {
		case err == nil && trouble != "":
			trouble = ""
			l.note("it goes on")
			l.hear()
		case err != nil:
			if err.Error() != trouble {
				trouble = err.Error()
				l.note("%s; it is tried again", trouble)
				l.hear()
			}
			wait = tryAgain
			if err := l.again(whole); err != nil {
				wait = 2 * tryAgain
			}
			l.beat() // it goes on, though not well
		}
		l.watch.stirred = wake.wait(ctx, wait) || l.watch.stirred
	}
	return nil
}

// over reports whether nothing more can come: there were only streams, and they have ended.
func (l *live) over() bool {
	return len(l.a.paths) == 0 && len(l.watch.followers) == 0 && l.watch.again.IsZero()
}

// turn reads what is new and judges it if it is time for that, and returns how long nothing has to be done.
func (l *live) turn(ctx context.Context) (wait time.Duration, err error) {
	if at := l.watch.again; !at.IsZero() && l.now().After(at) {
		l.pourSystem(ctx)
	}
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
	if l.unsaved && l.db != "" && l.now().Sub(l.saved) >= saveEvery {
		if err := l.save(ctx, l.unfinished()); err != nil {
			return 0, err
		}
	}
	l.show()
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

// end judges all that was followed once more, as analyze does.
func (l *live) end(ctx context.Context) error {
	if err := l.finish(ctx); err != nil {
		return err
	}
	defer l.watch.close()
	if l.logs == 0 && len(l.watch.followers) == 0 {
		return nil
	}
	return l.save(ctx, l.left)
}

// save makes the verdicts of the store anew, by all that there is and what is left of logs, and says what that makes another verdict.
func (l *live) save(ctx context.Context, left []*gatepost.Batch) error {
	l.left = left
	if err := l.a.verdicts(ctx, l.ingest); err != nil {
		return err
	}
	l.saved, l.unsaved = l.now(), false
	l.show()
	now := gatepost.TimeOf(l.now())
	for f, err := range l.a.model.Failures.Failures() {
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
			l.settled[f.ID] = f.Verdict.Cause
		case settled && was != f.Verdict.Cause:
			l.settled[f.ID] = f.Verdict.Cause
			l.revised++
			l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: &f, Was: &gatepost.Verdict{Cause: was}})
		case o != nil && o.Verdict.Cause != f.Verdict.Cause:
			before := o.Verdict
			o.Verdict = f.Verdict
			if o.said {
				l.revised++
				l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: &f, Was: &before, Because: newEvidence(&before, &f.Verdict)})
			}
		}
	}
	return nil
}

// show makes the status anew, with people hidden where that is asked for.
func (l *live) show() {
	now := l.now()
	s := &status{now: gatepost.TimeOf(now), began: l.started, failures: make(map[failedAs]int64), revised: l.revised, gaps: l.gaps, judging: l.cost}
	s.requests = l.pace.requests
	s.rate, s.busy = l.pace.rates(now)
	for as, n := range l.counted {
		s.failures[as] = n
	}
	for _, o := range l.incidents {
		if !o.closed {
			s.open = append(s.open, *o.now())
		}
	}
	if n, ok := l.options.Setup.Number("odoo", "workers"); ok {
		s.workers = int(n)
	}
	sources := slices.Clone(l.known)
	place := make(map[int]int) // of a source among them
	for i := range sources {
		place[sources[i].ID] = i
	}
	for _, f := range l.watch.followers {
		for _, src := range f.sources() {
			if i, ok := place[src.ID]; ok {
				sources[i] = *src
				continue
			}
			place[src.ID] = len(sources)
			sources = append(sources, *src)
		}
	}
	if l.hide != nil {
		m := &gatepost.Model{Sources: sources, Setup: l.options.Setup, Paths: l.a.paths}
		if hidden, err := l.hide.Model(m); err == nil { // it has no failures, of which alone one can come
			sources, s.open = hidden.Sources, l.hide.Incidents(s.open)
		}
	}
	paths := make(map[int]string)
	for i := range sources {
		paths[sources[i].ID] = sources[i].Path
	}
	for _, f := range l.watch.followers {
		behind := f.behind()
		for _, src := range f.sources() {
			shown := &sources[place[src.ID]]
			st := sourceStatus{path: shown.Path, strand: shown.Strand, format: src.Format, lines: src.Lines, unparsed: src.Unparsed, last: src.Clock.At(src.Last)}
			if src == f.src {
				st.behind = behind
				if behind > 0 {
					st.lag = now.Sub(f.read)
				}
			}
			s.sources = append(s.sources, st)
		}
	}
	l.told = sources
	l.shown.Store(s)
	l.paths.Store(&paths)
}

// status is the last one that was made. It may be asked for by anybody at any time.
func (l *live) status() status { return *l.shown.Load() }

// path is where a log lies, "" when that is not known.
func (l *live) path(source int) string { return (*l.paths.Load())[source] }

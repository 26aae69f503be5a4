package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatepost"
	"gatepost/correlate"
	"gatepost/parser/source"
	"gatepost/store"
)

// analysis is a store with verdicts in it, and all that reading it brought.
type analysis struct {
	env      *env
	store    *store.Store
	history  *history
	model    *gatepost.Model
	files    []*source.File
	paths    []string // as the user named them
	troubles []trouble
}

// close frees the store and the copies of streams.
func (a *analysis) close() error {
	var errs []error
	for _, f := range a.files {
		errs = append(errs, f.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// analyze is the way from paths to a model: find, read, align the clocks, judge, and keep the
// lines that prove it. The caller closes what it returns, also beside an error.
func (e *env) analyze(ctx context.Context, r *reading, paths []string) (*analysis, error) {
	a := &analysis{env: e}
	in := &ingest{reading: r, progress: newProgress(e)}
	var err error
	if a.files, a.paths, err = e.find(ctx, in, paths); err != nil {
		return a, err
	}
	return a, a.judge(ctx, in)
}

// analyzeFiles is analyze for files that were found already.
func (e *env) analyzeFiles(ctx context.Context, r *reading, files []*source.File) (*analysis, error) {
	a := &analysis{env: e, files: files}
	return a, a.judge(ctx, &ingest{reading: r, progress: newProgress(e)})
}

// judge reads the files of the analysis, and judges what is in them.
func (a *analysis) judge(ctx context.Context, in *ingest) error {
	if err := a.read(ctx, in); err != nil {
		return err
	}
	if in.logs == 0 {
		return a.nothing(in)
	}
	return a.verdicts(ctx, in)
}

// read reads the files of the analysis into its store.
func (a *analysis) read(ctx context.Context, in *ingest) error {
	var err error
	if a.store, err = store.Open(ctx, in.db); err != nil {
		return err
	}
	if in.follows {
		if err := a.store.Last(ctx); err != nil {
			return err
		}
	}
	if err := a.store.Lock(ctx); err != nil {
		return err
	}
	in.store, in.now = a.store, a.env.now
	system, err := in.read(ctx, a.files)
	a.files, a.troubles = append(a.files, system...), in.troubles
	return err
}

// verdicts judges all that was read, and fills the model.
func (a *analysis) verdicts(ctx context.Context, in *ingest) error {
	options, err := a.options(ctx, in)
	if err != nil {
		return err
	}
	a.history = &history{in.store, in.left, in.progress.beat}
	counting, err := in.counting(ctx, a.history)
	if err != nil {
		return err
	}
	if err := align(ctx, a.history, counting, options); err != nil {
		return err
	}
	if err := in.zonesOfErrors(ctx, a.history); err != nil {
		return err
	}
	sources, err := a.history.Sources(ctx)
	if err != nil {
		return err
	}
	if err := in.lost(ctx, sources); err != nil {
		return err
	}
	result, err := in.judge(ctx, counting, sources, options)
	if err != nil {
		return err
	}
	a.model, err = a.env.model(ctx, a.history, in.since, in.until)
	if err != nil {
		return err
	}
	a.model.Watched, a.model.Paths = in.watched, in.again(a.paths)
	if in.zone != nil {
		a.model.Zone = in.zone
	}
	a.model.Notes = slices.Concat(in.notes, a.withoutLedger(), result.Notes)
	return nil
}

// options are what the correlator is told beside the logs.
func (a *analysis) options(ctx context.Context, in *ingest) (correlate.Options, error) {
	setup, err := in.settings(ctx)
	if err != nil {
		return correlate.Options{}, err
	}
	o := in.correlation(setup)
	o.AtOnce = a.env.atOnce
	return o, nil
}

// again are the arguments with which another command sees the same logs, given the paths that were read.
func (in *ingest) again(paths []string) []string {
	switch {
	case in.db != "":
		return []string{"--db", in.db}
	case in.machine == nil:
		return paths
	case in.root != "":
		return []string{"--root", in.root}
	}
	return nil
}

// judge gives the failures their verdicts, with the lines that prove them, and keeps them in the store.
func (in *ingest) judge(ctx context.Context, h correlate.Rhythm, sources []gatepost.Source, o correlate.Options) (*correlate.Result, error) {
	scope := gatepost.Scope{Since: in.since, Until: in.until, Watched: in.watched}
	var err error
	if o.Last, err = in.store.BeginVerdicts(ctx, scope); err != nil {
		return nil, err
	}
	q := newQuotes(in)
	defer q.close()
	result, err := correlate.Judge(ctx, h, sources, o, func(failures []gatepost.Failure) error {
		if in.progress.beat != nil {
			in.progress.beat()
		}
		if err := q.fill(ctx, citedBy(failures)); err != nil {
			return err
		}
		return in.store.AddFailures(ctx, failures)
	})
	if err != nil {
		return nil, err
	}
	if err := q.fill(ctx, citedIn(result.Incidents, result.Outages)); err != nil {
		return nil, err
	}
	if err := in.silences(ctx, h, sources, o); err != nil {
		return nil, err
	}
	if last := lastOf(sources); !scope.Until.Known() || scope.Until > last {
		scope.Until = last // of what is read later nobody knows yet
	}
	return result, in.store.EndVerdicts(ctx, result.Incidents, result.Outages, scope)
}

// lastOf is the time of the last access line, NoTime when there is none.
func lastOf(sources []gatepost.Source) gatepost.Time {
	last := gatepost.NoTime
	for i := range sources {
		if src := &sources[i]; src.Last.Known() && holdsFailures(src.Format) {
			last = max(last, src.Clock.At(src.Last))
		}
	}
	return last
}

// nothing is the error of an input without a single log in it. What is wrong with each file has
// been found already; one trouble alone is the error itself.
func (a *analysis) nothing(in *ingest) error {
	switch {
	case len(in.troubles) == 1:
		a.troubles = nil
		return failed(in.troubles[0].hint, "%s", in.troubles[0].what)
	case len(in.troubles) == 0 && len(in.notes) > 0:
		return failed("gatepost analyze DIR-or-FILE... with the log of the night in question: rotated logs are called .1 or .1.gz", "no log to read: %s", strings.Join(in.notes, "; "))
	}
	return failed("gatepost analyze DIR-or-FILE... with at least an access log of nginx, HAProxy or Traefik", "no log to read: nothing that was found is one")
}

// settings returns the configuration that holds: what was found now, or the store's.
func (in *ingest) settings(ctx context.Context) (gatepost.Setup, error) {
	if len(in.setup) == 0 {
		return in.store.Setup(ctx)
	}
	return in.setup, in.store.SaveSetup(ctx, in.setup)
}

// align finds the clocks of all sources by what counts of a history, and sets them in the store.
func align(ctx context.Context, h *history, counting correlate.History, o correlate.Options) error {
	stored, err := h.Store.Sources(ctx)
	if err != nil {
		return err
	}
	// The correlator must see the stamps as they are, whatever an earlier run made of them.
	for i := range stored {
		if err := setClock(ctx, h.Store, &stored[i], gatepost.Clock{}); err != nil {
			return err
		}
	}
	sources, err := h.Sources(ctx)
	if err != nil {
		return err
	}
	clocks, err := correlate.Align(ctx, counting, sources, o)
	if err != nil {
		return err
	}
	for i := range stored {
		if err := setClock(ctx, h.Store, &stored[i], clocks[stored[i].ID]); err != nil {
			return err
		}
	}
	return nil
}

func setClock(ctx context.Context, st *store.Store, src *gatepost.Source, c gatepost.Clock) error {
	src.Clock = c
	return st.SaveSource(ctx, src)
}

// model fills a Model with what a history alone knows of a time.
func (e *env) model(ctx context.Context, h *history, since, until gatepost.Time) (*gatepost.Model, error) {
	q := gatepost.Query{From: since, To: until}
	m := &gatepost.Model{
		Since:   since,
		Until:   until,
		Version: version(),
		Made:    gatepost.TimeOf(e.now()),
		Zone:    e.zone,
		Causes:  correlate.Docs(),
	}
	var err error
	if m.Sources, err = h.Sources(ctx); err != nil {
		return nil, err
	}
	byFile(m.Sources)
	if m.Setup, err = h.Setup(ctx); err != nil {
		return nil, err
	}
	counts, err := h.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	m.Statuses = make(map[int]int64)
	seen := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	for _, c := range counts {
		m.Requests += c.Requests
		m.Statuses[c.Status] += c.Requests
		seen.See(c.First)
		seen.See(c.Last)
	}
	m.From, m.To = seen.First, seen.Last
	m.Failures = h.Ledger(ctx, q)
	if m.Incidents, m.Outages, err = h.Incidents(ctx, q); err != nil {
		return nil, err
	}
	if m.Unknown, err = unknownLines(ctx, h.Store, m.Sources); err != nil {
		return nil, err
	}
	if m.Gaps, err = gapsOf(ctx, h.Store, m.Sources, q); err != nil {
		return nil, err
	}
	return m, nil
}

// byFile puts the strands of a file side by side, in the order of the files. They are numbered as they are met, and files are read side by side.
func byFile(sources []gatepost.Source) {
	first := make(map[string]int)
	for i := range sources {
		if _, ok := first[sources[i].Path]; !ok {
			first[sources[i].Path] = i
		}
	}
	slices.SortStableFunc(sources, func(a, b gatepost.Source) int { return cmp.Compare(first[a.Path], first[b.Path]) })
}

// withoutLedger says so when no log can hold a failure at all.
func (a *analysis) withoutLedger() []string {
	for _, src := range a.model.Sources {
		if holdsFailures(src.Format) {
			return nil
		}
	}
	return []string{"there is no access log of nginx, HAProxy or Traefik among the logs, so there can be no failures in this report"}
}

// shownTroubles bounds what is said of a directory that is full of other things.
const shownTroubles = 20

// complain says what was not read; a hint that holds for many of them is given once.
func (a *analysis) complain() {
	said := make(map[string]bool)
	for i, t := range a.troubles {
		if i == shownTroubles {
			a.env.complain(fmt.Sprintf("and %d more were not read", len(a.troubles)-i), "")
			return
		}
		kind, _, _ := strings.Cut(t.hint, "=")
		if said[kind] {
			t.hint = ""
		}
		said[kind] = true
		a.env.complain(t.what, t.hint)
	}
}

// reads is what a command that reads logs does: analyze them, and do something with that.
func (e *env) reads(ctx context.Context, flags *readingFlags, paths []string, do func(*analysis) error) error {
	r, err := flags.resolve(e)
	if err != nil {
		return err
	}
	a, err := e.analyze(ctx, r, paths)
	return a.finish(ctx, err, do)
}

// finish does what an analysis is for, if it succeeded, says what is not in it, and closes it. All commands that read logs or
// a store end here, so here people are hidden.
func (a *analysis) finish(ctx context.Context, err error, do func(*analysis) error) error {
	if err == nil {
		err = a.count(ctx)
	}
	if err == nil {
		err = a.redact(ctx)
	}
	if err == nil {
		err = do(a)
	}
	return a.conclude(err)
}

// conclude says what was not read, and closes the analysis.
func (a *analysis) conclude(err error) error {
	a.complain()
	if cerr := a.close(); err == nil {
		err = cerr
	}
	if err == nil && len(a.troubles) > 0 {
		err = &exit{status: statusPartial}
	}
	return err
}

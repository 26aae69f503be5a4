package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"gatepost"
	"gatepost/correlate"
	"gatepost/parser/source"
	"gatepost/redact"
	"gatepost/store"
)

// live follows logs, and judges what fails as it happens.
//
//	watch     which files there are, and what became of them         watch.go
//	follower  one file: what is new of it goes into the store        follower.go
//	live      the failures that are new, or whose verdict can change, judged by what is there
//	listener  who hears of it: people, and machines
//
// A verdict is a function of the history, so judging again when lines came gives in the end what reading everything afterwards gives. What
// is judged again is bounded: failures whose verdict can still change, by what lies about them.
type live struct {
	*ingest
	a         *analysis
	watch     *watch
	hide      *redact.Redactor // nil when nobody is to be hidden
	stopped   func() bool      // nothing is to be read any more, but what was read is to be kept
	listeners []listener
	beat      func() // says that following goes on
	options   correlate.Options

	open      map[string]*openFailure // by their ID: those whose verdict can still change
	settled   map[string]string       // causes of the others
	awaited   map[uint64]int          // how many of the open ones Odoo may still finish, by the key of its line
	incidents []*openIncident
	opened    int // incidents in all

	aligned  int64                  // lines that the clocks were found by
	clocks   map[int]gatepost.Clock // as they were found
	sources  []gatepost.Source      // as they were when judged last
	cost     time.Duration          // of judging, the last time
	judged   time.Time              // when that was
	news     urgency                // what came since
	newsFrom time.Time              // when it came first
	pace     throughput             // of requests
	started  gatepost.Time          // when following began
	began    gatepost.Time          // what failed before is not said; NoTime when all is
	earliest gatepost.Time          // from when on failures are judged when none is open; older ones are said when all are judged, in save
	counted  map[failedAs]int64     // what was said, by the verdicts as they are now
	gaps     int64
	revised  int64
	distress distress

	unsaved bool                   // something was said that the store's verdicts do not have
	saved   time.Time              // when they were made, zero when they are to be now
	saving  time.Duration          // how long that took
	shown   atomic.Pointer[status] // for who looks at it
	showed  time.Time
	paths   atomic.Pointer[map[int]string]
	told    []gatepost.Source // as listeners may see them
}

const (
	// pollEvery is how often files are looked at when nothing tells that they changed.
	pollEvery = 250 * time.Millisecond
	// tryAgain is how long nothing is tried after something went wrong that may pass: a full disk, a store that is locked.
	tryAgain = 2 * time.Second
	// saveEvery is how often the verdicts of the store are made anew while something fails, for who looks at the store meanwhile; when that takes long,
	// saveRest times as long is rested. When an incident is over they are at once.
	saveEvery = 30 * time.Second
	saveRest  = 20
)

// contextBefore is how much before its beginning is read when nobody asks for it: what a verdict may need to know.
const contextBefore = time.Hour

// newLive makes a live analysis of nothing yet.
func (e *env) newLive(r *reading) *live {
	now := e.now()
	l := &live{
		ingest: &ingest{reading: r, progress: newProgress(e), follows: true}, a: &analysis{env: e},
		open: make(map[string]*openFailure), settled: make(map[string]string), counted: make(map[failedAs]int64), awaited: make(map[uint64]int),
		started: gatepost.TimeOf(now), unsaved: true, beat: func() {}, stopped: func() bool { return false },
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
	l.watch = newWatch(in, a.paths)
	if err := a.read(ctx, in); err != nil {
		return err
	}
	if l.options, err = a.options(ctx, in); err != nil {
		return err
	}
	goesOn, err := l.remember(a.store.Ledger(ctx, gatepost.Query{}))
	if err != nil {
		return err
	}
	l.earliest = l.started.Add(-contextBefore)
	if fromStart {
		l.earliest = gatepost.NoTime
	}
	if fromStart || goesOn {
		l.began = gatepost.NoTime
	}
	if l.hide, err = a.hider(ctx); err != nil {
		return err
	}
	l.setup = l.options.Setup
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

// tell says a change to all who listen, with people hidden where that is asked for.
func (l *live) tell(c gatepost.Change) {
	switch c.Kind {
	case gatepost.Failed:
		l.counted[countedAs(c.Failure)]++
	case gatepost.Revised:
		l.revised++
		if was := (failedAs{c.Was.Cause, c.Failure.Status}); l.counted[was] > 0 { // it may have been said before following began
			l.counted[was]--
		}
		l.counted[countedAs(c.Failure)]++
	case gatepost.Missed:
		l.gaps++
	}
	if l.hide != nil {
		c = l.hide.Change(c)
	}
	for _, heard := range l.listeners {
		heard.hear(c)
	}
}

// hear says what reading has to say.
func (l *live) hear() {
	say := func(notes []string, troubles []trouble) {
		for _, text := range notes {
			l.tell(gatepost.Change{Kind: gatepost.Noted, Time: gatepost.TimeOf(l.now()), Text: text})
		}
		for _, t := range troubles {
			l.tell(gatepost.Change{Kind: gatepost.Noted, Time: gatepost.TimeOf(l.now()), Text: t.what})
		}
	}
	for _, f := range l.watch.followers {
		say(f.notes, f.troubles)
		f.notes, f.troubles = nil, nil
	}
	say(l.notes, l.troubles)
	l.notes, l.troubles = nil, nil
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
	l.tell(gatepost.Change{Kind: gatepost.Missed, Time: now, Text: path + ": " + why, Gap: &gap})
	return nil
}

// run follows the logs until ctx ends. What goes wrong is said, and tried again: an outage is when disks are full.
func (l *live) run(ctx context.Context) error {
	wake := newWaker()
	defer wake.close()
	// A turn that has begun comes to its end: half of one would leave what was read and not stored.
	l.stopped = func() bool { return ctx.Err() != nil }
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil && !l.over() {
		wake.watch(l.watch.dirs())
		wait, err := l.turn(whole)
		l.beat()
		if news := l.distress.of(cmp.Or(err, l.stuck())); news != "" {
			l.note("%s", news)
			l.hear()
			l.show()
		}
		if err != nil {
			wait = tryAgain
			if err := l.again(whole); err != nil {
				wait = 2 * tryAgain
			}
			l.show()
			l.beat() // it goes on, though not well
		}
		l.watch.stirred = wake.wait(ctx, wait) || l.watch.stirred
	}
	return nil
}

// stuck is why a stream cannot be copied, nil when all are.
func (l *live) stuck() error {
	for _, f := range l.watch.followers {
		if err := f.following.Stuck(); err != nil {
			return err
		}
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
		l.show() // before it, since it may take long
		if err := l.judge(ctx); err != nil {
			return 0, err
		}
		due, ok = l.due()
	}
	if err := l.pass(ctx); err != nil {
		return 0, err
	}
	if l.unsaved && l.db != "" && l.now().Sub(l.saved) >= max(saveEvery, saveRest*l.saving) {
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

// poll reads all that is new, and reports whether there was anything. What a truncation left is looked at once more, since it may have been
// written into already.
func (l *live) poll(ctx context.Context) (any bool, err error) {
	for again := true; again && err == nil; {
		var some bool
		some, again, err = l.pollOnce(ctx)
		any = any || some
	}
	l.hear()
	return any, err
}

func (l *live) pollOnce(ctx context.Context) (any, again bool, err error) {
	if err := l.watch.look(ctx); err != nil {
		return false, false, err
	}
	for more := true; more && !l.stopped(); {
		more = false
		for _, f := range l.watch.followers {
			l.beat()
			n, err := f.step(ctx)
			if err != nil {
				return any, false, err
			}
			more = more || n > 0
		}
		any = any || more
		if more && l.now().Sub(l.showed) >= pollEvery {
			l.show() // who catches up says how far it is
		}
	}
	if err := l.store.Flush(ctx); err != nil { // a record that was held is stored when nothing more comes
		return any, false, err
	}
	again, err = l.watch.fates(ctx)
	return any, again, err
}

// behind reports whether text waits to be read.
func (l *live) behind() bool {
	return slices.ContainsFunc(l.watch.followers, func(f *follower) bool { return f.feed != nil && f.behind() > 0 })
}

// unfinished is what the followers read and the store does not have.
func (l *live) unfinished() (all []*gatepost.Batch) {
	for _, f := range l.watch.followers {
		all = append(all, f.left...)
	}
	return all
}

// again begins again at the positions that are stored, after an error that took back what was read.
func (l *live) again(ctx context.Context) (err error) {
	l.judged, l.news, l.newsFrom = time.Time{}, notable, l.now() // what was to be judged is not known any more
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
	defer l.watch.close()
	if err := l.finish(ctx); err != nil {
		return err
	}
	if l.logs == 0 && len(l.watch.followers) == 0 {
		return nil
	}
	return l.save(ctx, l.left)
}

// finish reads all logs to their end, as they would be read afterwards. After an error nothing more is tried, since whoever waits for the end does so
// in vain: what is not stored is read by the next run.
func (l *live) finish(ctx context.Context) error {
	if _, err := l.poll(ctx); err != nil {
		return err
	}
	for _, f := range l.watch.followers {
		hold := source.Nothing
		if l.db != "" && f.following.Fate() == source.Stays {
			hold = f.mayGoOn()
		}
		if err := f.finish(ctx, hold); err != nil {
			return err
		}
		if err := f.save(ctx); err != nil {
			return err
		}
		l.left = append(l.left, f.left...)
	}
	return nil
}

// save makes the verdicts of the store anew, by all that there is and what is left of logs, and says what that makes another verdict.
func (l *live) save(ctx context.Context, left []*gatepost.Batch) error {
	l.left = left
	began := l.now()
	if err := l.a.verdicts(ctx, l.ingest); err != nil {
		return err
	}
	l.saved, l.unsaved = l.now(), false
	l.saving = l.saved.Sub(began)
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
			l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: &f, Was: &gatepost.Verdict{Cause: was}})
		case o != nil && o.Verdict.Cause != f.Verdict.Cause:
			before := o.Verdict
			o.Verdict = f.Verdict
			if o.said {
				l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: &f, Was: &before, Because: newEvidence(&before, &f.Verdict)})
			}
		}
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"gatepost"
	"gatepost/correlate"
)

// What is said of failures and incidents, and when it is said otherwise.

// openFailure is a failure whose verdict can still change.
type openFailure struct {
	gatepost.Failure
	incident *openIncident
	said     bool
	seen     time.Time // when it was judged first
}

// openIncident is an incident as it was last said. It goes by the failures in it: those of an incident that is judged again are mostly those
// of one that was said.
type openIncident struct {
	gatepost.Incident
	number   int                // in the order in which they were said
	judgedAs *gatepost.Incident // what it is in the judgement in hand, nil when it is not in it
	grew     time.Time          // when something was said of it last
	closed   bool
}

// now is the incident as it is, for others to keep; nil when there is none.
func (o *openIncident) now() *gatepost.Incident {
	if o == nil {
		return nil
	}
	in := o.Incident
	return &in
}

// urgency is how soon what was read asks for a judgement.
type urgency int

const (
	nothing  urgency = iota
	ordinary         // requests and the like, which may change a verdict by and by
	notable          // an event that can be a cause, or a failure
)

const (
	// settledAfter is how long after a failure no line can change its verdict any more: Odoo finishes a request up to twenty minutes after nginx gave up
	// on it, and a minute is left for what is written late.
	settledAfter = 21 * time.Minute
	// closedAfter is how long after its last failure an incident is over.
	closedAfter = 5 * time.Minute
	// lingers is how long what failed long ago is open all the same, when it is read only now: other logs may be read a little later.
	lingers = 2 * time.Minute
	// together is how long lines of one instant are waited for: several logs tell of it, each written by another program.
	together = 30 * time.Millisecond
	// byAndBy is how long ordinary lines wait for a judgement.
	byAndBy = time.Second
	// rest is how many times as long as judging takes it rests, so that it does not take the machine from what it judges. Of news only what is beyond
	// together counts: that long is waited anyway, which leaves half of a core to others.
	rest, restOfNews = 20, 3
)

// saw takes what a follower read.
func (l *live) saw(b *gatepost.Batch) {
	now := l.now()
	l.pace.add(now, b)
	u := urgencyOf(b)
	for i := range b.Requests {
		if len(l.awaited) == 0 {
			break
		}
		if r := &b.Requests[i]; r.Lane == gatepost.LaneOdoo && l.finished(r.Key) {
			u = notable
		}
	}
	l.heard(now, u)
}

// held takes the last record of a log, which may have more lines: a verdict does not wait for those. It comes again when it is whole.
func (l *live) held(b *gatepost.Batch) {
	u := urgencyOf(b)
	for i := range b.Requests {
		if r := &b.Requests[i]; r.Lane == gatepost.LaneOdoo && l.awaited[r.Key] > 0 {
			u = notable
		}
	}
	l.heard(l.now(), u)
}

func urgencyOf(b *gatepost.Batch) urgency {
	switch {
	case len(b.Events) > 0:
		return notable
	case len(b.Requests) > 0:
		return ordinary
	}
	return nothing
}

// heard notes that something came which asks for a judgement.
func (l *live) heard(now time.Time, u urgency) {
	if u > nothing && l.news == nothing {
		l.newsFrom = now
	}
	l.news = max(l.news, u)
}

// finished notes that Odoo finished a request on which nginx may have given up, and reports whether one like it was awaited. It decides of what
// is one of so many: each failure asks for a judgement once.
func (l *live) finished(key uint64) bool {
	n := l.awaited[key]
	if n > 1 {
		l.awaited[key] = n - 1
	} else {
		delete(l.awaited, key)
	}
	return n > 0
}

// mayFinish reports whether Odoo may still finish the request, and the key of its line then.
func (f *openFailure) mayFinish() (key uint64, ok bool) {
	return gatepost.KeyOf(f.Method, f.Path), f.Status == http.StatusGatewayTimeout
}

// due is how long it is until what was read is judged, 0 when that is now; ok is false when nothing asks for it.
func (l *live) due() (wait time.Duration, ok bool) {
	first := slices.ContainsFunc(l.watch.followers, func(f *follower) bool { return f.first.Known() })
	if l.news == nothing || len(l.open) == 0 && !first && !l.judged.IsZero() {
		return 0, false
	}
	at, rested := l.newsFrom.Add(together), l.judged.Add(restOfNews*max(0, l.cost-together))
	if l.news == ordinary && !first {
		at, rested = l.newsFrom.Add(byAndBy), l.judged.Add(rest*l.cost)
	}
	if rested.After(at) {
		at = rested
	}
	return max(0, at.Sub(l.now())), true
}

// judge judges the failures that are new or whose verdict can still change, and says what changed.
func (l *live) judge(ctx context.Context) error {
	began := l.now()
	h := &history{l.store, l.unfinished(), l.beat}
	whole, err := l.align(ctx, h)
	if err != nil {
		return err
	}
	if l.sources, err = h.Sources(ctx); err != nil {
		return err
	}
	from := l.from(whole)
	l.news = nothing
	counting, err := l.counting(ctx, h)
	if err != nil {
		return err
	}
	o := l.options
	o.Since = max(from, o.Since)
	failures, result, err := verdictsOf(ctx, recentOf(counting, l.sources, from), l.sources, o)
	if err != nil {
		return err
	}
	l.show() // who listens asks where the logs lie
	q := newQuotes(l.ingest)
	defer q.close()
	if err := l.compare(ctx, q, failures, result.Incidents); err != nil {
		return err
	}
	l.judged = l.now()
	l.cost = l.judged.Sub(began)
	return nil
}

// verdictsOf gives the failures of a history, which are few, their verdicts.
func verdictsOf(ctx context.Context, h correlate.History, sources []gatepost.Source, o correlate.Options) (all []gatepost.Failure, result *correlate.Result, err error) {
	result, err = correlate.Judge(ctx, h, sources, o, func(failures []gatepost.Failure) error {
		all = append(all, failures...)
		return nil
	})
	return all, result, err
}

// from is the time of the first failure that is to be judged: of those that are open, and of those that may have come. Where clocks are
// others than they were, and in the beginning, these are all that may be.
func (l *live) from(whole bool) gatepost.Time {
	seen := gatepost.Batch{First: gatepost.NoTime}
	for _, f := range l.open {
		seen.See(f.Time)
	}
	for _, f := range l.watch.followers {
		if f.first.Known() {
			i := slices.IndexFunc(l.sources, func(s gatepost.Source) bool { return s.ID == f.src.ID })
			seen.See(l.sources[i].Clock.At(f.first))
			f.first = gatepost.NoTime
		}
	}
	if whole || l.judged.IsZero() {
		return l.earliest
	}
	return seen.First
}

// align finds the clocks again when there are a tenth more lines than they were found by, and reports whether one is another than it was.
func (l *live) align(ctx context.Context, h *history) (changed bool, err error) {
	sources, err := h.Sources(ctx)
	if err != nil {
		return false, err
	}
	lines := int64(0)
	for i := range sources {
		lines += sources[i].Lines
	}
	if lines < l.aligned+l.aligned/10+1 {
		return false, nil
	}
	l.aligned = lines
	counting, err := l.counting(ctx, h)
	if err != nil {
		return false, err
	}
	if err := align(ctx, h, counting, l.options); err != nil {
		return false, err
	}
	if err := l.zonesOfErrors(ctx, h); err != nil {
		return false, err
	}
	if sources, err = l.store.Sources(ctx); err != nil {
		return false, err
	}
	clocks := make(map[int]gatepost.Clock)
	for _, s := range sources {
		clocks[s.ID] = s.Clock
		was, known := l.clocks[s.ID]
		changed = changed || known && (was.Shift != s.Clock.Shift || !slices.Equal(was.Steps, s.Clock.Steps))
	}
	l.clocks = clocks
	return changed, nil
}

// compare says what a judgement has that was not said, or was said otherwise.
func (l *live) compare(ctx context.Context, q *quotes, failures []gatepost.Failure, incidents []gatepost.Incident) error {
	byID := make(map[string]*gatepost.Incident)
	for i := range incidents {
		byID[incidents[i].ID] = &incidents[i]
	}
	var changed []gatepost.Failure // share their arguments with the others
	for i := range failures {
		f := &failures[i]
		if _, ok := l.settled[f.ID]; ok {
			continue
		}
		if o := l.open[f.ID]; o == nil || o.Verdict.Cause != f.Verdict.Cause {
			changed = append(changed, *f)
		}
	}
	if err := q.fill(ctx, citedBy(changed)); err != nil {
		return err
	}
	if err := q.fill(ctx, citedIn(incidents)); err != nil {
		return err
	}
	l.unsaved = l.unsaved || len(changed) > 0
	l.match(failures, byID)
	now := gatepost.TimeOf(l.now())
	for i := range failures {
		f := &failures[i]
		if _, ok := l.settled[f.ID]; ok {
			continue
		}
		f.Verdict.State = gatepost.Provisional
		o := l.open[f.ID]
		incident := l.belongs(f, byID)
		if incident != nil {
			f.Incident = incident.ID
		}
		if o == nil {
			o = &openFailure{incident: incident, seen: l.now()}
			l.open[f.ID] = o
			if !l.began.Known() || f.Time >= l.began {
				o.said = true
				l.tell(gatepost.Change{Kind: gatepost.Failed, Time: now, Failure: f, Incident: incident.now()})
			}
		} else if o.Verdict.Cause != f.Verdict.Cause && o.said {
			was := o.Verdict
			l.tell(gatepost.Change{Kind: gatepost.Revised, Time: now, Failure: f, Was: &was, Because: newEvidence(&was, &f.Verdict), Incident: incident.now()})
		}
		isNew := o.ID == ""
		o.Failure, o.incident = *f, incident
		if key, ok := o.mayFinish(); ok && isNew {
			l.awaited[key]++
		}
	}
	return nil
}

// newEvidence is the first line of a verdict for it that the one before did not have, nil when there is none.
func newEvidence(was, is *gatepost.Verdict) *gatepost.Evidence {
	had := was.All()
	for _, e := range is.All() {
		if e.Role == gatepost.For && e.Ref.Known() && !slices.ContainsFunc(had, func(h gatepost.Evidence) bool { return h.Ref == e.Ref && h.Kind == e.Kind }) {
			return &e
		}
	}
	return nil
}

// match finds for each incident of a judgement the one that was said, by the failures in both, and says what is new about it.
func (l *live) match(failures []gatepost.Failure, byID map[string]*gatepost.Incident) {
	votes := make(map[*gatepost.Incident]map[*openIncident]int)
	for i := range failures {
		f := &failures[i]
		in := byID[f.Incident]
		if in == nil {
			continue
		}
		if votes[in] == nil {
			votes[in] = make(map[*openIncident]int)
		}
		if o := l.open[f.ID]; o != nil && o.incident != nil {
			votes[in][o.incident]++
		}
	}
	for _, o := range l.incidents {
		o.judgedAs = nil
	}
	now := gatepost.TimeOf(l.now())
	for _, in := range slices.SortedFunc(maps.Keys(votes), func(a, b *gatepost.Incident) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID)) }) {
		var o *openIncident
		for c, n := range votes[in] {
			if c.judgedAs == nil && (o == nil || n > votes[in][o] || n == votes[in][o] && c.number < o.number) {
				o = c
			}
		}
		if l.began.Known() && in.To < l.began {
			continue // it was over before anybody looked
		}
		kind := gatepost.Grown
		switch {
		case o == nil:
			l.opened++
			o = &openIncident{number: l.opened}
			l.incidents = append(l.incidents, o)
			kind = gatepost.Opened
		case o.Cause != in.Cause:
			kind = gatepost.Altered
		case o.Failures == in.Failures:
			kind = ""
		}
		was := o.Incident
		o.judgedAs, o.Incident = in, *in
		o.ID = fmt.Sprintf("i-%02d", o.number)
		o.State = gatepost.Provisional
		if o.closed && kind != "" {
			o.closed, kind = false, gatepost.Opened // it goes on
		}
		if kind != "" {
			o.grew = l.now()
			c := gatepost.Change{Kind: kind, Time: now, Incident: o.now()}
			if kind == gatepost.Altered {
				c.Was = &gatepost.Verdict{Cause: was.Cause, Instance: was.Instance, Confidence: was.Confidence}
			}
			l.tell(c)
		}
	}
	// What became part of another is no incident any more.
	l.incidents = slices.DeleteFunc(l.incidents, func(o *openIncident) bool {
		return o.judgedAs == nil && !o.closed && !slices.ContainsFunc(slices.Collect(maps.Values(l.open)), func(f *openFailure) bool { return f.incident == o })
	})
}

// belongs is the incident, as it was said, to which a failure belongs by its judgement.
func (l *live) belongs(f *gatepost.Failure, byID map[string]*gatepost.Incident) *openIncident {
	i := byID[f.Incident]
	if i == nil {
		return nil
	}
	j := slices.IndexFunc(l.incidents, func(o *openIncident) bool { return o.judgedAs == i })
	if j < 0 {
		return nil
	}
	return l.incidents[j]
}

// pass lets time pass: it closes incidents, and settles the verdicts that no line can change any more.
func (l *live) pass(ctx context.Context) error {
	now := gatepost.TimeOf(l.now())
	for _, o := range l.incidents {
		if !o.closed && now >= o.To.Add(closedAfter) && l.now().Sub(o.grew) >= lingers && !l.behind() {
			o.closed = true
			l.saved = time.Time{}
			l.tell(gatepost.Change{Kind: gatepost.Closed, Time: now, Incident: o.now()})
		}
	}
	if l.behind() || l.news != nothing {
		return nil
	}
	var over []*openFailure
	for id, f := range l.open {
		if now >= f.Time.Add(settledAfter) && l.now().Sub(f.seen) >= lingers {
			over = append(over, f)
			l.settled[id] = f.Verdict.Cause
			delete(l.open, id)
			if key, ok := f.mayFinish(); ok {
				l.finished(key) // it did not, or will not matter any more
			}
		}
	}
	slices.SortFunc(over, func(a, b *openFailure) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Ref.Line, b.Ref.Line))
	})
	for _, f := range over {
		f.Verdict.State = gatepost.Final
		if f.said {
			l.tell(gatepost.Change{Kind: gatepost.Settled, Time: now, Failure: &f.Failure, Incident: f.incident.now()})
		}
	}
	l.incidents = slices.DeleteFunc(l.incidents, func(o *openIncident) bool {
		return o.closed && now >= o.To.Add(settledAfter)
	})
	return nil
}

package correlate

import (
	"context"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"gatepost"
)

// scene is a stretch of the history as the causes see it: indexed, joined, and not changed any more once it is
// built.
type scene struct {
	*world
	stretch stretch
	built   stage

	near  map[gatepost.Kind][]*gatepost.Event // the frequent kinds, each by time
	locks []*lockWait
	cases []*Case                      // of the stretch, and beside it
	works map[*server]*timeline[*work] // executions near failures
}

func newScene(w *world, t stretch) *scene {
	s := &scene{world: w, stretch: t, near: make(map[gatepost.Kind][]*gatepost.Event), works: make(map[*server]*timeline[*work])}
	for _, sv := range w.servers {
		s.works[sv] = newTimeline((*work).span, (*work).compare)
	}
	return s
}

// build goes on with a scene from where it is.
func (s *scene) build(ctx context.Context, upTo stage) error {
	if s.built == begun {
		s.built = matched
		s.findServersOfCases()
		if err := s.buildWorks(ctx); err != nil {
			return err
		}
	}
	if s.built == whole || upTo != whole {
		return nil
	}
	s.built = whole
	for _, q := range []gatepost.Query{
		s.stretch.query(before, horizon, gatepost.PgStatement, gatepost.PgLockWait, gatepost.PgLockAcquired),
		s.stretch.query(lead, horizon, gatepost.OdooRetry, gatepost.OdooBadQuery),
	} {
		if err := s.read(ctx, q); err != nil {
			return err
		}
	}
	for _, build := range []func(){
		s.unmatchEarly, s.findRetries, s.buildLocks, s.assignDowntimes, s.pairDeaths, s.matchGhosts, s.matchUnfinished, s.assignLocks, s.buildQueues,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		build()
	}
	return nil
}

// readCases reads the failures of the stretch, and joins them with their error lines.
func (s *scene) readCases(ctx context.Context) error {
	for _, q := range []gatepost.Query{s.stretch.query(0, 0, gatepost.NginxRequest), s.stretch.query(firstTries, 0, gatepost.NginxError)} {
		if s.opt.Since.Known() {
			q.From = max(q.From, s.opt.Since.Add(-triesBefore))
		}
		if s.opt.Until.Known() && (q.To == 0 || q.To > s.opt.Until.Add(beside)) {
			q.To = s.opt.Until.Add(beside)
		}
		if err := s.read(ctx, q); err != nil {
			return err
		}
	}
	s.joinCases()
	return nil
}

// read takes events of frequent kinds into the scene. Of nginx's requests only failures are of use.
func (s *scene) read(ctx context.Context, q gatepost.Query) error {
	for _, k := range q.Kinds {
		q.Sources = append(q.Sources, s.tellers[k]...)
	}
	if q.Sources == nil {
		return nil // nobody tells
	}
	watched := s.watched()
	words := make(map[string]string)
	for e, err := range s.history.Events(ctx, q) {
		if err != nil {
			return err
		}
		if !e.Time.Known() || s.stamps(e.Ref.Source) == gatepost.StampsNone || e.Kind == gatepost.NginxRequest && !watched(&e) {
			continue
		}
		if e.Kind == gatepost.NginxError && !explains(&e, s.near[gatepost.NginxRequest]) {
			continue
		}
		kept := e
		slim(&kept, words)
		s.near[e.Kind] = append(s.near[e.Kind], &kept)
	}
	return nil
}

// own are the cases of the stretch itself.
func (s *scene) own() []*Case {
	own := s.cases
	if s.stretch != endless {
		own = s.casesIn(s.stretch.from, s.stretch.to-1)
	}
	return own
}

// leave takes back what the scene wrote into the world, so that the next one begins anew.
func (s *scene) leave() {
	for _, sv := range s.servers {
		for _, d := range sv.deaths {
			d.hit = d.hit || d.c != nil
			d.c = nil
		}
	}
}

// slim lets go of what no cause looks at, and of copies of words that many events have in common: a night
// of outages has a million events of nginx.
func slim(e *gatepost.Event, words map[string]string) {
	switch e.Kind {
	case gatepost.NginxRequest:
		e.Text = ""
	case gatepost.NginxError:
		// What comes behind is in fields of its own.
		if says, _, ok := strings.Cut(e.Text, ", client: "); ok {
			e.Text = says
		}
		e.Text = shared(e.Text, words)
	}
	e.Kind, e.Phase = gatepost.Kind(shared(string(e.Kind), words)), gatepost.Phase(shared(string(e.Phase), words))
	for _, word := range []*string{&e.Method, &e.Client, &e.Upstream, &e.DB, &e.Name} {
		*word = shared(*word, words)
	}
}

// shared returns one copy of equal words, of the first some ten thousand different ones.
func shared(word string, words map[string]string) string {
	if one, ok := words[word]; ok {
		return one
	}
	if len(words) < 50_000 {
		one := strings.Clone(word)
		words[one] = one
		return one
	}
	return word
}

func (w *world) stamps(source int) gatepost.Stamps {
	if src := w.sources[source]; src != nil {
		return src.Stamps
	}
	return gatepost.StampsAbsolute
}

// events returns all events of the given kinds, by time.
func (w *world) events(kinds ...gatepost.Kind) []*gatepost.Event {
	return together(w.byKind, kinds...)
}

// together merges the events of several kinds.
func together(byKind map[gatepost.Kind][]*gatepost.Event, kinds ...gatepost.Kind) []*gatepost.Event {
	if len(kinds) == 1 {
		return byKind[kinds[0]]
	}
	var all []*gatepost.Event
	for _, k := range kinds {
		all = append(all, byKind[k]...)
	}
	sortEvents(all)
	return all
}

func sortEvents(all []*gatepost.Event) {
	slices.SortFunc(all, func(a, b *gatepost.Event) int { return compareEvents(a, b) })
}

func compareEvents(a, b *gatepost.Event) int {
	switch {
	case a.Time != b.Time:
		return sign(a.Time < b.Time)
	case a.Ref.Source != b.Ref.Source:
		return a.Ref.Source - b.Ref.Source
	case a.Ref.Offset != b.Ref.Offset:
		return sign(a.Ref.Offset < b.Ref.Offset)
	}
	return strings.Compare(string(a.Kind), string(b.Kind))
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

// within returns the events of a kind with from <= time <= to, of a frequent kind those of the scene.
func (s *scene) within(k gatepost.Kind, from, to gatepost.Time) []*gatepost.Event {
	if frequent[k] {
		return between(s.near[k], from, to)
	}
	return s.world.within(k, from, to)
}

// within returns the events of a kind that is not frequent.
func (w *world) within(k gatepost.Kind, from, to gatepost.Time) []*gatepost.Event {
	return between(w.byKind[k], from, to)
}

func between(all []*gatepost.Event, from, to gatepost.Time) []*gatepost.Event {
	i := sort.Search(len(all), func(i int) bool { return all[i].Time >= from })
	j := sort.Search(len(all), func(i int) bool { return all[i].Time > to })
	if i >= j {
		return nil
	}
	return all[i:j]
}

// covers reports whether a log of that program was demonstrably being written around t: silence
// of a source that was never there proves nothing.
func (w *world) covers(format string, t gatepost.Time) bool {
	for _, src := range w.sources {
		if src.Format != format || !src.First.Known() {
			continue
		}
		if src.Clock.At(src.First) <= t.Add(time.Minute) && t.Add(-time.Minute) <= src.Clock.At(src.Last) {
			return true
		}
	}
	return false
}

// has reports whether any log of that format was read at all.
func (w *world) has(format string) bool {
	for _, src := range w.sources {
		if src.Format == format && src.First.Known() {
			return true
		}
	}
	return false
}

// kernelSeen reports whether a kernel log that reaches over t was read. A ring buffer holds what
// happened until it was printed, and is silent in good times, so only its beginning counts; of a
// rotated file the end counts too, and of a syslog or journal that it has lines of the kernel.
func (w *world) kernelSeen(t gatepost.Time) bool {
	for _, src := range w.sources {
		if !src.First.Known() || src.Clock.At(src.First) > t || src.Clock.Sigma > time.Minute {
			continue
		}
		switch src.Format {
		case "kernel":
			if !rotated(src.Path) || src.Clock.At(src.Last) >= t.Add(-time.Minute) {
				return true
			}
		case "syslog":
			if w.kernelLines()[src.ID] && src.Clock.At(src.Last) >= t.Add(-time.Minute) {
				return true
			}
		}
	}
	return false
}

// kernelLines are the sources that have lines of the kernel, with the other files that they were rotated to.
func (w *world) kernelLines() map[int]bool {
	has, named := make(map[int]bool), make(map[string]bool)
	for _, k := range []gatepost.Kind{gatepost.KernelOOM, gatepost.KernelBoot, gatepost.KernelSegfault, gatepost.KernelOverflow, gatepost.KernelStall, gatepost.KernelDisk, gatepost.KernelNetwork} {
		for _, e := range w.byKind[k] {
			has[e.Ref.Source] = true
			if src := w.sources[e.Ref.Source]; src != nil {
				named[stem(src.Path)] = true
			}
		}
	}
	for id, src := range w.sources {
		if named[stem(src.Path)] {
			has[id] = true
		}
	}
	return has
}

// resolution is how coarse the stamps of a source are: an instant t of its lines lies in
// [t, t+resolution).
func (w *world) resolution(source int) time.Duration {
	if src := w.sources[source]; src != nil && src.Resolution > 0 {
		return src.Resolution
	}
	return time.Millisecond
}

var (
	rotation = regexp.MustCompile(`([.-](\d{1,3}|\d{8}(-\d+)?|\d{4}-\d\d-\d\d))*` + ending + `$`)
	packed   = regexp.MustCompile(ending + `$`)
)

const ending = `(\.(gz|xz|bz2|zst|lz4|zip))?`

// rotated reports whether a log has a name that rotation gives. One that is packed, or lies in an archive, need not be.
func rotated(path string) bool {
	name := path[strings.LastIndexByte(path, '!')+1:]
	return stem(name) != packed.ReplaceAllString(name, "")
}

// stem is the name of a log whatever rotation made of it: "odoo.log.2.gz" is "odoo.log".
func stem(path string) string {
	if i := strings.LastIndexByte(path, '!'); i >= 0 {
		path = path[i+1:]
	}
	path = rotation.ReplaceAllString(path, "")
	path = datedName.ReplaceAllString(path, "$1")
	return archiveDir.ReplaceAllString(path, "/")
}

var (
	datedName  = regexp.MustCompile(`[-_.]\d{4}-?\d\d-?\d\d(\.[a-z]+)$`)
	archiveDir = regexp.MustCompile(`/(archives?|old|rotated|backups?)/`)
)

// cite makes a piece of evidence of an event.
func cite(role gatepost.Role, e *gatepost.Event, weight int, join, says string) gatepost.Evidence {
	return gatepost.Evidence{Role: role, Kind: e.Kind, Ref: e.Ref, Time: e.Time, Join: join, Says: says, Weight: weight}
}

// absence is evidence that something is not there.
func absence(role gatepost.Role, weight int, says string) gatepost.Evidence {
	return gatepost.Evidence{Role: role, Time: gatepost.NoTime, Join: "silence", Says: says, Weight: weight}
}

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

// scene is the history as the causes see it: indexed, joined, and not changed any more once
// newScene returns.
type scene struct {
	opt     Options
	sources map[int]*gatepost.Source
	byKind  map[gatepost.Kind][]*gatepost.Event // each by time
	undated []*gatepost.Event                   // text on standard error

	servers    []*server
	database   *database
	locks      []*lockWait
	crons      []*cronRun
	cronsByEnd []*cronRun
	cases      []*Case
	failures   []gatepost.Failure // of the cases, in their order
	routes     map[uint64]*sketch // how long each route normally takes in Odoo
	portsTold  bool               // nginx names ports on which Odoo says that it listens
	usual      patience           // nginx's timeout where no configuration tells it
	atLeast    time.Duration      // and what it surely is not less than
}

func newScene(ctx context.Context, h History, sources []gatepost.Source, o Options) (*scene, error) {
	s := &scene{
		opt:     o,
		sources: make(map[int]*gatepost.Source),
		byKind:  make(map[gatepost.Kind][]*gatepost.Event),
		routes:  make(map[uint64]*sketch),
	}
	for i := range sources {
		s.sources[sources[i].ID] = &sources[i]
	}
	words := make(map[string]string)
	for e, err := range h.Events(ctx, gatepost.Query{}) {
		if err != nil {
			return nil, err
		}
		slim(&e, words)
		if !e.Time.Known() || s.stamps(e.Ref.Source) == gatepost.StampsNone {
			s.undated = append(s.undated, &e)
			continue
		}
		s.byKind[e.Kind] = append(s.byKind[e.Kind], &e)
	}
	s.buildServers()
	s.buildCases()
	if err := s.buildWorks(ctx, h); err != nil {
		return nil, err
	}
	for _, build := range []func(){
		s.buildDatabase, s.findRetries, s.buildCrons, s.buildLocks, s.buildDowntimes, s.buildDeaths, s.matchGhosts, s.matchUnfinished, s.assignLocks, s.buildQueues,
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		build()
	}
	return s, nil
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

func (s *scene) stamps(source int) gatepost.Stamps {
	if src := s.sources[source]; src != nil {
		return src.Stamps
	}
	return gatepost.StampsAbsolute
}

// events returns all events of the given kinds, by time.
func (s *scene) events(kinds ...gatepost.Kind) []*gatepost.Event {
	if len(kinds) == 1 {
		return s.byKind[kinds[0]]
	}
	var all []*gatepost.Event
	for _, k := range kinds {
		all = append(all, s.byKind[k]...)
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

// within returns the events of a kind with from <= time <= to.
func (s *scene) within(k gatepost.Kind, from, to gatepost.Time) []*gatepost.Event {
	all := s.byKind[k]
	i := sort.Search(len(all), func(i int) bool { return all[i].Time >= from })
	j := sort.Search(len(all), func(i int) bool { return all[i].Time > to })
	if i >= j {
		return nil
	}
	return all[i:j]
}

// covers reports whether a log of that program was demonstrably being written around t: silence
// of a source that was never there proves nothing.
func (s *scene) covers(format string, t gatepost.Time) bool {
	for _, src := range s.sources {
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
func (s *scene) has(format string) bool {
	for _, src := range s.sources {
		if src.Format == format && src.First.Known() {
			return true
		}
	}
	return false
}

// kernelSeen reports whether a kernel log that reaches over t was read. A ring buffer holds what
// happened until it was printed, and is silent in good times, so only its beginning counts; of a
// rotated file the end counts too, and of a syslog or journal that it has lines of the kernel.
func (s *scene) kernelSeen(t gatepost.Time) bool {
	for _, src := range s.sources {
		if !src.First.Known() || src.Clock.At(src.First) > t || src.Clock.Sigma > time.Minute {
			continue
		}
		switch src.Format {
		case "kernel":
			if stem(src.Path) == src.Path || src.Clock.At(src.Last) >= t.Add(-time.Minute) {
				return true
			}
		case "syslog":
			if s.kernelLines()[src.ID] && src.Clock.At(src.Last) >= t.Add(-time.Minute) {
				return true
			}
		}
	}
	return false
}

// kernelLines are the sources that have lines of the kernel.
func (s *scene) kernelLines() map[int]bool {
	has := make(map[int]bool)
	for _, k := range []gatepost.Kind{gatepost.KernelOOM, gatepost.KernelBoot, gatepost.KernelSegfault, gatepost.KernelOverflow, gatepost.KernelStall, gatepost.KernelDisk, gatepost.KernelNetwork} {
		for _, e := range s.byKind[k] {
			has[e.Ref.Source] = true
		}
	}
	return has
}

// resolution is how coarse the stamps of a source are: an instant t of its lines lies in
// [t, t+resolution).
func (s *scene) resolution(source int) time.Duration {
	if src := s.sources[source]; src != nil && src.Resolution > 0 {
		return src.Resolution
	}
	return time.Millisecond
}

var rotation = regexp.MustCompile(`([.-](\d{1,3}|\d{8}(-\d+)?|\d{4}-\d\d-\d\d))*(\.(gz|xz|bz2|zst|zip))?$`)

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

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// The torture suite: docs/tailing.md says what is done to the logs, and what came of it. The long form is
//
//	GATEPOST_TORTURE=1000 go test -run TestTorture -v ./cmd/gatepost
//
// where the number is how many rotations each run has, and GATEPOST_SEED repeats a run.
func rotations(short int) int {
	if n, err := strconv.Atoi(os.Getenv("GATEPOST_TORTURE")); err == nil {
		return n
	}
	return short
}

func seed(t *testing.T) uint64 {
	n, err := strconv.ParseUint(os.Getenv("GATEPOST_SEED"), 10, 64)
	switch {
	case err == nil:
	case rotations(0) > 0:
		n = uint64(time.Now().UnixNano()) % 1_000_000
	default:
		n = 12 // the short form is the same every time
	}
	t.Logf("GATEPOST_SEED=%d repeats this", n)
	return n
}

// TestTorture handles two logs as badly as it can while they are followed, kills the reader at any time, and counts in the end what is in the store.
// Each line is there once. What is not, was taken away before anybody could read it, and lies in a gap that was said.
func TestTorture(t *testing.T) {
	for i, kind := range []string{"files", "folder", "links"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			torture(t, kind, rand.New(rand.NewPCG(seed(t), uint64(i))), rotations(150))
		})
	}
}

// tortured is a reader that is killed now and then.
type tortured struct {
	*replayed
	clock   *time.Time
	paths   []string
	db      string
	machine *machine // whose journal is read
	kills   int
	gaps    []gatepost.Gap
	scribes []*scribe
	seen    map[*scribe]int          // the last line that was there when the reader looked last
	last    map[*scribe]map[int]bool // that line, when the reader was killed then: it may go on, so it was not in the store yet
	trace   []string
	where   map[int][]string
}

func (p *tortured) say(format string, args ...any) {
	p.trace = append(p.trace, p.clock.Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// start begins where the last reader was killed.
func (p *tortured) start(t *testing.T) {
	t.Helper()
	e := &env{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		now: func() time.Time { return *p.clock }, zone: time.UTC, getenv: func(string) string { return "" },
	}
	r, err := (&readingFlags{db: p.db}).resolve(e)
	if err != nil {
		t.Fatal(err)
	}
	p.replayed = &replayed{t: t, live: e.newLive(r)}
	p.listeners, p.replayed.machine = []listener{p}, p.machine
	if err := p.begin(t.Context(), p.paths, true); err != nil {
		t.Fatal(err)
	}
}

func (p *tortured) hear(c gatepost.Change) {
	switch c.Kind {
	case gatepost.Missed:
		p.gaps = append(p.gaps, *c.Gap)
		p.say("missed %s from %s", c.Text, c.Gap.From)
	case gatepost.Noted:
		p.say("noted %s", c.Text)
	}
}

// kill leaves the reader as kill -9 does: what the next one gets of the store is what lies on the disk, without what was not committed.
func (p *tortured) kill(t *testing.T) {
	t.Helper()
	p.kills++
	next := filepath.Join(t.TempDir(), "gatepost.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(p.db + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(next+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range mustDo(p.store.Sources(t.Context())) {
		p.say("AT KILL %d %s position %d head %d", k.ID, k.Path, k.Position, k.HeadSize)
	}
	p.watch.close()
	p.a.close()
	for _, suffix := range []string{"", "-wal", "-shm", "-lock"} {
		os.Remove(p.db + suffix)
	}
	p.db = next
}

// turns lets the reader have some turns.
func (p *tortured) turns(t *testing.T, n int, judged bool) {
	t.Helper()
	for range n {
		*p.clock = p.clock.Add(300 * time.Millisecond)
		p.watch.stirred = true
		var err error
		if judged {
			_, err = p.turn(t.Context())
		} else {
			_, err = p.poll(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.scribes {
			p.seen[s] = len(s.written) - 1
		}
	}
}

func torture(t *testing.T, kind string, rnd *rand.Rand, rotations int) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	p := &tortured{seen: make(map[*scribe]int), last: make(map[*scribe]map[int]bool), clock: &now, db: filepath.Join(t.TempDir(), "gatepost.db")}
	clock := func() time.Time { return now }
	access := newScribe(t, rnd, clock, filepath.Join(dir, "access.log"), serialLine)
	access.extreme = 20 << 20
	odoo := newScribe(t, rnd, clock, filepath.Join(dir, "odoo.log"), odooRecord)
	scribes := []*scribe{access, odoo}
	p.scribes = scribes
	switch kind {
	case "files":
		p.paths = []string{access.path, odoo.path}
	case "folder":
		p.paths = []string{dir}
	case "links":
		other := t.TempDir()
		for _, s := range scribes {
			link := filepath.Join(other, "current-"+filepath.Base(s.path))
			if err := os.Symlink(s.path, link); err != nil {
				t.Fatal(err)
			}
			p.paths = append(p.paths, link)
		}
	}
	looks := func() {
		if !access.down {
			p.turns(t, 1+rnd.IntN(3), false)
			for _, s := range scribes {
				s.look()
			}
		}
	}
	settles := func() {
		if !access.down {
			p.turns(t, 1, false)
			now = now.Add(3 * time.Second)
			p.turns(t, 2, rnd.IntN(20) == 0)
			for _, s := range scribes {
				s.look()
				s.settled()
			}
		}
	}
	access.write(30)
	odoo.write(30)
	p.start(t)
	for access.rotated+odoo.rotated < rotations {
		s := scribes[rnd.IntN(2)]
		now = now.Add(time.Duration(rnd.IntN(1500)) * time.Millisecond)
		for range 1 + rnd.IntN(4) {
			lines := 1 + rnd.IntN(20)
			if rnd.IntN(60) == 0 {
				lines = 2000
			}
			s.write(lines)
			if rnd.IntN(2) == 0 {
				looks()
			}
		}
		p.say("%s: %d lines written, the reader down: %t", filepath.Base(s.path), len(s.written)-1, s.down)
		switch kind := rnd.IntN(12); kind {
		default:
			s.rotate(kind, looks, settles)
		case 9:
			away := dir + ".away"
			s.must(os.Rename(dir, away))
			if !s.down { // a file that is new is not seen while its directory is away
				p.turns(t, 2+rnd.IntN(3), false)
			}
			s.must(os.Rename(away, dir))
			s.did("directory away")
		case 10:
			if !access.down {
				for _, s := range scribes {
					if p.last[s] == nil {
						p.last[s] = make(map[int]bool)
					}
					p.last[s][p.seen[s]] = true
				}
				p.kill(t)
				p.say("killed")
				for _, s := range scribes {
					s.killed()
				}
			}
		case 11:
			settles()
			if !s.down {
				s.keep(8)
			}
		}
		p.say("%s: %v", filepath.Base(s.path), s.ops)
		if access.down && rnd.IntN(4) == 0 {
			for _, s := range scribes {
				s.down = false
			}
			p.start(t)
			p.say("started")
			looks()
		}
	}
	if access.down {
		for _, s := range scribes {
			s.down = false
		}
		p.start(t)
	}
	for _, s := range scribes {
		s.finish()
	}
	for range 3 {
		settles()
	}
	if err := p.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.watch.close()
	requests, records := p.counts(t)
	bad := p.check(t, access, requests[gatepost.LaneNginx])
	records[0] = 0
	for n, c := range requests[gatepost.LaneOdoo] {
		records[n] += c
	}
	bad = p.check(t, odoo, records) || bad
	for _, src := range mustDo(p.store.Sources(t.Context())) {
		if src.Format != "nginx_access" && src.Format != "odoo" {
			t.Errorf("%s is taken for %q: %s", src.Path, src.Format, src.Problem)
		}
	}
	t.Logf("%d rotations, %d kills, %d gaps said, %d and %d lines; %v %v", access.rotated+odoo.rotated, p.kills, len(p.gaps), len(access.written)-1, len(odoo.written)-1, access.ops, odoo.ops)
	if bad {
		for _, src := range mustDo(p.store.Sources(t.Context())) {
			p.trace = append(p.trace, fmt.Sprintf("SOURCE %d %s head %d position %d lines %d unparsed %d %s..%s %s", src.ID, src.Path, src.HeadSize, src.Position, src.Lines, src.Unparsed, src.First, src.Last, src.Problem))
		}
		for _, s := range scribes {
			p.trace = append(p.trace, s.told...)
		}
		slices.Sort(p.trace)
		path := filepath.Join(os.TempDir(), "torture-"+kind+".txt")
		os.WriteFile(path, []byte(strings.Join(p.trace, "\n")), 0o644)
		t.Logf("what happened is in %s", path)
	}
}

func mustDo[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var serialIn = regexp.MustCompile(`^odoo\.addons\.n(\d+)$`)

// counts counts the serials in the store: of the requests by their lane, and those in records of several lines.
func (p *tortured) counts(t *testing.T) (requests map[gatepost.Lane]map[int]int, records map[int]int) {
	t.Helper()
	requests = map[gatepost.Lane]map[int]int{gatepost.LaneNginx: {}, gatepost.LaneOdoo: {}}
	records = make(map[int]int)
	p.where = make(map[int][]string)
	for r, err := range p.store.Requests(t.Context(), gatepost.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		serial := int(r.Bytes)
		if r.Lane == gatepost.LaneOdoo {
			serial = int(r.Queries)
		}
		requests[r.Lane][serial]++
		p.where[serial] = append(p.where[serial], fmt.Sprint(r.Lane, ": source ", r.Ref.Source, " offset ", r.Ref.Offset))
	}
	for e, err := range p.store.Events(t.Context(), gatepost.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if m := serialIn.FindStringSubmatch(e.Name); m != nil {
			records[mustDo(strconv.Atoi(m[1]))]++
		}
	}
	return requests, records
}

// check compares what a scribe wrote with what was counted of it.
func (p *tortured) check(t *testing.T, s *scribe, counted map[int]int) (bad bool) {
	t.Helper()
	var lost, doubled, unsaid []int
	for n := 1; n < len(s.written); n++ {
		if (counted[n] == 0 && !s.gone[n] || counted[n] > 1) && (counted[n-1] == 1 || n == 1) {
			p.trace = append(p.trace, fmt.Sprintf("BAD %d at %s: %v", n, s.written[n].Format("15:04:05.000"), p.where[n]))
		}
	}
	for n := 1; n < len(s.written); n++ {
		switch counted[n] {
		case 0:
			if !s.gone[n] && !(p.wasHeld(s, n, counted) && p.said(s.written[n])) {
				lost = append(lost, n)
			} else if !p.said(s.written[n]) {
				if len(unsaid) == 0 || unsaid[len(unsaid)-1] < n-1 {
					p.trace = append(p.trace, fmt.Sprintf("UNSAID %d at %s", n, s.written[n].Format("15:04:05.000")))
				}
				unsaid = append(unsaid, n)
			}
		case 1:
		default:
			doubled = append(doubled, n)
		}
	}
	name := filepath.Base(s.path)
	for what, all := range map[string][]int{"lost": lost, "doubled": doubled, "taken away and in no gap": unsaid} {
		if len(all) > 0 {
			bad = true
			t.Errorf("%s: %d lines %s: %s", name, len(all), what, ranges(all))
		}
	}
	return bad
}

// wasHeld reports whether a line that is lost may have been the last one of a file when the reader was killed: it may go on, so it is stored
// only after two seconds, and the file may be gone by then.
func (p *tortured) wasHeld(s *scribe, n int, counted map[int]int) bool {
	return p.last[s][n] || counted[n-1] > 0 && (counted[n+1] > 0 || s.gone[n+1])
}

// said reports whether a time lies in a gap that was said. Stamps are of a second.
func (p *tortured) said(at time.Time) bool {
	t := gatepost.TimeOf(at.Truncate(time.Second))
	return slices.ContainsFunc(p.gaps, func(g gatepost.Gap) bool {
		return (!g.From.Known() || g.From.Std().Truncate(time.Second).Compare(t.Std()) <= 0) && t <= g.To
	})
}

// ranges writes numbers shortly.
func ranges(all []int) string {
	var parts []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		parts = append(parts, fmt.Sprintf("%d-%d", all[i], all[j]))
		i = j + 1
		if len(parts) == 12 {
			return strings.Join(append(parts, "…"), " ")
		}
	}
	return strings.Join(parts, " ")
}

package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatepost"
	"gatepost/store"
)

// history makes random logs and keeps all that it made: the model against which the store is
// held.
type history struct {
	rng      *rand.Rand
	sources  []*gatepost.Source
	requests []gatepost.Request // raw stamps, Source set
	events   []gatepost.Event
	at       []gatepost.Time // raw time of each source
}

const start = gatepost.Time(1_795_000_000e9) // November 2026

func newHistory(seed uint64, sources int) *history {
	h := &history{rng: rand.New(rand.NewPCG(seed, 2))}
	for i := range sources {
		h.sources = append(h.sources, &gatepost.Source{Path: fmt.Sprintf("access.%d.log", i), Head: seed, HeadSize: i + 1})
		h.at = append(h.at, start.Add(time.Duration(h.rng.IntN(7200))*time.Second))
	}
	return h
}

var kinds = []gatepost.Kind{gatepost.NginxError, gatepost.OdooWorkerTimeout, gatepost.KernelOOM, gatepost.PgLockWait}

// batch makes n lines of source i. The stamps are nearly in order, jump at times, and one in
// twenty lines is an event; some events carry no stamp, some share a line.
func (h *history) batch(i, n int) *gatepost.Batch {
	src, rng := h.sources[i], h.rng
	b := &gatepost.Batch{Lines: int64(n), Resolution: time.Second, Stamps: gatepost.StampsLocal}
	b.Reset(src.ID)
	b.Lines, b.Resolution, b.Stamps = int64(n), time.Second, gatepost.StampsLocal
	offset, line := src.Position, src.PositionLine
	for range n {
		line++
		h.at[i] = h.at[i].Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
		if rng.IntN(500) == 0 {
			h.at[i] = h.at[i].Add(time.Duration(rng.IntN(7200)-1800) * time.Second)
		}
		ref := gatepost.Ref{Offset: offset, Length: 80 + rng.IntN(200), Line: line}
		offset += int64(ref.Length) + 1
		raw := h.at[i].Add(-time.Duration(rng.IntN(4)) * time.Second)
		b.See(raw)
		if rng.IntN(20) > 0 {
			b.Requests = append(b.Requests, h.request(ref, raw))
			continue
		}
		for range 1 + rng.IntN(2) {
			if rng.IntN(10) == 0 {
				raw = gatepost.NoTime
			}
			b.Events = append(b.Events, gatepost.NewEvent(kinds[rng.IntN(len(kinds))], ref, raw))
		}
	}
	b.End, b.EndLine = offset, line
	return b
}

func (h *history) request(ref gatepost.Ref, raw gatepost.Time) gatepost.Request {
	rng := h.rng
	r := gatepost.Request{Ref: ref, End: raw, Duration: gatepost.Unknown, SQL: gatepost.Unknown, Bytes: -1, Queries: -1,
		Key: gatepost.HashOf(fmt.Sprint(rng.IntN(300))), Client: gatepost.HashOf(fmt.Sprint(rng.IntN(90))), Status: 200}
	r.Route = r.Key % 17
	if rng.IntN(3) > 0 {
		r.Duration, r.Bytes = time.Duration(rng.IntN(90_000))*time.Millisecond, rng.Int64N(1<<20)
	}
	if rng.IntN(4) == 0 {
		r.Lane, r.PID, r.SQL, r.Queries = gatepost.LaneOdoo, 4000+rng.Int32N(8), time.Duration(rng.IntN(1e9)), rng.Int32N(400)
	}
	if rng.IntN(30) == 0 {
		r.Status = uint16(499 + rng.IntN(6))
	}
	return r
}

func (h *history) addSources(t testing.TB, s *store.Store) {
	t.Helper()
	for _, src := range h.sources {
		check(t, s.AddSource(t.Context(), src))
	}
}

// append makes a batch, stores it, and remembers it.
func (h *history) append(t testing.TB, s *store.Store, i, n int) {
	t.Helper()
	src := h.sources[i]
	b := h.batch(i, n)
	src.Position, src.PositionLine = b.End, b.EndLine
	check(t, s.Append(t.Context(), src, b))
	for _, r := range b.Requests {
		r.Ref.Source = src.ID
		h.requests = append(h.requests, r)
	}
	for _, e := range b.Events {
		e.Ref.Source = src.ID
		h.events = append(h.events, e)
	}
}

// appendAll makes total lines in batches of at most size, the sources in random order.
func (h *history) appendAll(t testing.TB, s *store.Store, total, size int) {
	t.Helper()
	h.addSources(t, s)
	for total > 0 {
		n := min(total, 1+h.rng.IntN(size))
		h.append(t, s, h.rng.IntN(len(h.sources)), n)
		total -= n
	}
}

// setClocks gives every source a random clock; half have steps, in either direction.
func (h *history) setClocks(t testing.TB, s *store.Store) map[int]*gatepost.Clock {
	t.Helper()
	clocks := map[int]*gatepost.Clock{}
	for _, src := range h.sources {
		c := gatepost.Clock{Shift: time.Duration(h.rng.IntN(36_000)-18_000) * time.Second}
		for from := start; h.rng.IntN(2) == 0; {
			from = from.Add(time.Duration(h.rng.IntN(3600)) * time.Second)
			c.Steps = append(c.Steps, gatepost.ClockStep{From: from, Shift: c.Shift + time.Duration(h.rng.IntN(10_000)-5_000)*time.Second})
		}
		src.Clock = c
		check(t, s.SaveSource(t.Context(), src))
		clocks[src.ID] = &src.Clock
	}
	return clocks
}

// selects says whether q selects something by the definition of Query.
func selects(q gatepost.Query, at gatepost.Time, source int) bool {
	if !q.Wants(source) {
		return false
	}
	if q.From == 0 && q.To == 0 {
		return true
	}
	return at.Known() && q.From <= at && at <= q.To
}

func (h *history) wantRequests(clocks map[int]*gatepost.Clock, q gatepost.Query) (want []gatepost.Request) {
	for _, r := range h.requests {
		r.End = clocks[r.Ref.Source].At(r.End)
		if selects(q, r.End, r.Ref.Source) && (q.Lanes == nil || slices.Contains(q.Lanes, r.Lane)) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b gatepost.Request) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Ref.Source, b.Ref.Source), cmp.Compare(a.Ref.Offset, b.Ref.Offset))
	})
	return want
}

func (h *history) wantEvents(clocks map[int]*gatepost.Clock, q gatepost.Query) (want []gatepost.Event) {
	for _, e := range h.events {
		e.Time = clocks[e.Ref.Source].At(e.Time)
		if selects(q, e.Time, e.Ref.Source) && (q.Kinds == nil || slices.Contains(q.Kinds, e.Kind)) {
			want = append(want, e)
		}
	}
	slices.SortStableFunc(want, func(a, b gatepost.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Ref.Source, b.Ref.Source), cmp.Compare(a.Ref.Offset, b.Ref.Offset))
	})
	return want
}

func (h *history) query() gatepost.Query {
	var q gatepost.Query
	rng := h.rng
	if rng.IntN(4) > 0 {
		q.From = start.Add(time.Duration(rng.IntN(80_000)-30_000) * time.Second)
		q.To = q.From.Add(time.Duration(rng.IntN(rng.IntN(20_000)+1)) * time.Second)
	}
	if rng.IntN(3) == 0 {
		q.Sources = []int{1 + rng.IntN(len(h.sources))}
	}
	if rng.IntN(3) == 0 {
		q.Lanes = []gatepost.Lane{gatepost.Lane(rng.IntN(3))}
	}
	if rng.IntN(3) == 0 {
		q.Kinds = kinds[:1+rng.IntN(3)]
	}
	return q
}

func gather[T any](t testing.TB, seq func(func(T, error) bool)) (all []T) {
	t.Helper()
	for x, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

func sameList[T any](t testing.TB, what string, q gatepost.Query, got, want []T, same func(a, b T) bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%+v: %d %s, want %d", q, len(got), what, len(want))
	}
	for i := range got {
		if !same(got[i], want[i]) {
			t.Fatalf("%+v: %s %d of %d\n got %+v\nwant %+v", q, what, i, len(got), got[i], want[i])
		}
	}
}

// Whatever the clocks, the batches and the order of the sources, a query gives what a search
// through a list would.
func TestHistoryAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gatepost.db")
			s := open(t, path)
			h := newHistory(seed, 1+int(seed)%4)
			h.appendAll(t, s, 20_000, []int{10_000, 700, 20_000}[seed%3])
			clocks := h.setClocks(t, s)
			rows, hits := 0, 0
			for n := range 50 {
				if n == 25 { // the second half reads what another process wrote
					check(t, s.Close())
					s = open(t, path)
				}
				q := h.query()
				requests := h.wantRequests(clocks, q)
				sameList(t, "requests", q, gather(t, s.Requests(t.Context(), q)), requests, func(a, b gatepost.Request) bool { return a == b })
				events := h.wantEvents(clocks, q)
				sameList(t, "events", q, gather(t, s.Events(t.Context(), q)), events, func(a, b gatepost.Event) bool {
					return a.Kind == b.Kind && a.Ref == b.Ref && a.Time == b.Time
				})
				rows += len(requests) + len(events)
				if len(requests) > 0 && len(requests) < len(h.requests) && len(events) > 0 {
					hits++
				}
			}
			if hits < 12 {
				t.Fatalf("only %d of 50 queries cut anything out (%d rows)", hits, rows)
			}
		})
	}
}

// A loop over the history may use the store, and may break off.
func TestHistoryReentrant(t *testing.T) {
	s := open(t, "")
	h := newHistory(3, 3)
	h.appendAll(t, s, 3000, 500)
	n := 0
	for e, err := range s.Events(t.Context(), gatepost.Query{From: 1, To: 1 << 62}) {
		check(t, err)
		near := gatepost.Query{From: e.Time.Add(-time.Minute), To: e.Time.Add(time.Minute)}
		for _, err := range s.Requests(t.Context(), near) {
			check(t, err)
			n++
			break
		}
		check(t, s.SaveSource(t.Context(), h.sources[0]))
	}
	if n < 100 {
		t.Errorf("%d inner hits", n)
	}
}

func TestStatusesAndSeconds(t *testing.T) {
	s := open(t, "")
	h := newHistory(5, 2)
	h.appendAll(t, s, 4000, 300)
	clocks := map[int]*gatepost.Clock{1: {}, 2: {}}
	want := map[[2]int]*gatepost.StatusCount{}
	var requests, failed, bytes int64
	inSecond := map[[2]int64]bool{}
	for _, r := range h.wantRequests(clocks, gatepost.Query{Lanes: []gatepost.Lane{gatepost.LaneNginx}}) {
		c := want[[2]int{r.Ref.Source, int(r.Status)}]
		if c == nil {
			c = &gatepost.StatusCount{Source: r.Ref.Source, Status: int(r.Status), First: r.End}
			want[[2]int{r.Ref.Source, int(r.Status)}] = c
		}
		c.Requests++
		c.Last = r.End
		requests++
		bytes += max(r.Bytes, 0)
		if r.Status == 502 || r.Status == 504 {
			failed++
		}
		inSecond[[2]int64{int64(r.Ref.Source), r.End.Second()}] = true
	}
	got, err := s.Statuses(t.Context())
	check(t, err)
	equal(t, "statuses", len(got), len(want))
	for _, c := range got {
		equal(t, "status", c, *want[[2]int{c.Source, c.Status}])
	}
	equal(t, "seconds", query(t, s, "SELECT count(*), sum(requests), sum(s502 + s504), sum(bytes) FROM seconds"),
		[]string{fmt.Sprintf("%d|%d|%d|%d", len(inSecond), requests, failed, bytes)})
	for i, src := range h.sources {
		if src.Lines == 0 || src.Requests == 0 || src.Events == 0 || src.Resolution != time.Second || src.Stamps != gatepost.StampsLocal {
			t.Errorf("counters of source %d: %+v", i+1, src)
		}
	}
}

func TestRoutesAndUnparsed(t *testing.T) {
	s := open(t, "")
	src := gatepost.Source{Path: "access.log"}
	check(t, s.AddSource(t.Context(), &src))
	id := gatepost.HashOf("GET /web/image/*")
	b := gatepost.Batch{Routes: []gatepost.Route{{ID: id, Name: "GET /web/image/*"}}}
	b.Skip(gatepost.Ref{Offset: 10, Length: 5, Line: 2}, 1)
	b.Skip(gatepost.Ref{Offset: 16, Length: 7, Line: 3}, 1)
	b.First, b.Last = gatepost.NoTime, gatepost.NoTime
	for range 2 { // another source may name the route again
		check(t, s.Append(t.Context(), &src, &b))
	}
	routes, err := s.Routes(t.Context())
	check(t, err)
	equal(t, "routes", routes, map[uint64]string{id: "GET /web/image/*"})
	equal(t, "unparsed", query(t, s, "SELECT file, line, offset, length FROM unparsed"), []string{"access.log|2|10|13"})
	if src.Unparsed != 4 {
		t.Errorf("unparsed lines %d", src.Unparsed)
	}
}

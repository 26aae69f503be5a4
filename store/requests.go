package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"gatepost"
)

// Requests yields the requests that q selects, End on the common clock, by End, source and
// offset. Only chunks that overlap the time asked for are decoded, each when its time comes. The
// loop may use the store. An error ends the iteration.
func (s *Store) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	return func(yield func(gatepost.Request, error) bool) {
		m, err := s.mergeRequests(ctx, q)
		if err != nil {
			yield(gatepost.Request{}, s.fail("read requests", err))
			return
		}
		defer m.close()
		for {
			r, err := m.next(ctx)
			if err != nil {
				yield(gatepost.Request{}, s.fail("read requests", err))
				return
			}
			if r == nil || !yield(*r, nil) {
				return
			}
		}
	}
}

// chunkRef is a chunk that is still to be decoded.
type chunkRef struct {
	id     int64
	source *gatepost.Source
	lane   gatepost.Lane
	// earliest is a bound on the common clock before which the chunk holds nothing.
	earliest gatepost.Time
}

// run is what is left of a decoded chunk, in order.
type run struct {
	left   []gatepost.Request
	memory []gatepost.Request
}

// requestMerge merges chunks, which overlap where files do and where a file is not quite in order.
type requestMerge struct {
	s      *Store
	window window
	chunks []chunkRef // by earliest
	runs   heap[*run]
	spent  []*run // memory to use again
	unpack *unpacker
	now    gatepost.Request // what next returned last
}

// selectChunks finds the chunks of a source that overlap a raw range: source, from, to, lanes as
// JSON or NULL.
const selectChunks = `SELECT id, lane, first FROM _chunks
	WHERE source = ?1 AND first BETWEEN ?2 - (SELECT span FROM _sources WHERE id = ?1) AND ?3 AND last >= ?2
	AND (?4 IS NULL OR lane IN (SELECT value FROM json_each(?4)))`

const selectChunk = "SELECT data FROM _chunks WHERE id = ?"

func (s *Store) mergeRequests(ctx context.Context, q gatepost.Query) (*requestMerge, error) {
	sources, err := s.Sources(ctx)
	if err != nil {
		return nil, err
	}
	m := &requestMerge{s: s, window: windowOf(q), runs: heap[*run]{less: earlierRun}}
	var lanes any
	if len(q.Lanes) > 0 {
		numbers := make([]int, 0, len(q.Lanes))
		for _, l := range q.Lanes {
			numbers = append(numbers, int(l))
		}
		if lanes, err = jsonList(numbers); err != nil {
			return nil, err
		}
	}
	for i := range sources {
		if !q.Wants(sources[i].ID) {
			continue
		}
		if err := m.find(ctx, &sources[i], lanes); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(m.chunks, func(a, b chunkRef) int { return cmp.Compare(a.earliest, b.earliest) })
	m.unpack = s.dec.Get().(*unpacker)
	return m, nil
}

// find adds the chunks of a source that overlap the window.
func (m *requestMerge) find(ctx context.Context, src *gatepost.Source, lanes any) error {
	parts := partsOf(src, m.window)
	if len(parts) == 0 {
		return nil
	}
	raw, shift := parts[0].window, parts[0].shift
	for _, p := range parts {
		raw.from, raw.to = min(raw.from, p.from), max(raw.to, p.to)
		shift = min(shift, p.shift)
	}
	if raw.from != gatepost.NoTime && (!src.First.Known() || src.Last < raw.from || raw.to < src.First) {
		return nil
	}
	refs, err := collect(ctx, m.s, func(row scanner) (chunkRef, error) {
		c := chunkRef{source: src}
		err := row.Scan(&c.id, &c.lane, &c.earliest)
		c.earliest = c.earliest.Add(shift)
		return c, err
	}, selectChunks, src.ID, int64(raw.from), int64(raw.to), lanes)
	m.chunks = append(m.chunks, refs...)
	return err
}

func (m *requestMerge) close() {
	m.s.dec.Put(m.unpack)
}

// next takes the earliest request, nil at the end. It is valid until the next call.
func (m *requestMerge) next(ctx context.Context) (*gatepost.Request, error) {
	for len(m.chunks) > 0 && (len(m.runs.items) == 0 || m.chunks[0].earliest <= m.runs.items[0].left[0].End) {
		if err := m.decode(ctx, &m.chunks[0]); err != nil {
			return nil, err
		}
		m.chunks = m.chunks[1:]
	}
	if len(m.runs.items) == 0 {
		return nil, nil
	}
	r := m.runs.items[0]
	m.now = r.left[0]
	if r.left = r.left[1:]; len(r.left) == 0 {
		m.spent = append(m.spent, r)
		m.runs.pop()
	} else if len(m.runs.items) > 1 {
		m.runs.fix()
	}
	return &m.now, nil
}

// decode makes a run of the requests of a chunk that lie in the window.
func (m *requestMerge) decode(ctx context.Context, c *chunkRef) error {
	r := &run{}
	if n := len(m.spent); n > 0 {
		r, m.spent = m.spent[n-1], m.spent[:n-1]
	}
	if err := m.load(ctx, m.unpack, c, r); err != nil {
		return err
	}
	if len(r.left) == 0 {
		m.spent = append(m.spent, r)
		return nil
	}
	if !slices.IsSortedFunc(r.left, compareRequests) {
		slices.SortFunc(r.left, compareRequests)
	}
	m.runs.push(r)
	return nil
}

// load puts the requests of a chunk that lie in the window into a run, in the order of the file.
func (m *requestMerge) load(ctx context.Context, unpack *unpacker, c *chunkRef, r *run) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.memory, err = m.s.unpackChunk(ctx, unpack, r.memory[:0], c); err != nil {
		return err
	}
	clock, kept := &c.source.Clock, r.memory[:0]
	for i := range r.memory {
		r.memory[i].End = clock.At(r.memory[i].End)
		if m.window.holds(r.memory[i].End) {
			if len(kept) < i {
				r.memory[len(kept)] = r.memory[i]
			}
			kept = r.memory[:len(kept)+1]
		}
	}
	r.left = kept
	return nil
}

// unpackChunk appends the requests of a chunk to dst, with their raw stamps.
func (s *Store) unpackChunk(ctx context.Context, unpack *unpacker, dst []gatepost.Request, c *chunkRef) ([]gatepost.Request, error) {
	err := eachRow(ctx, s, func(row scanner) (err error) {
		var data sql.RawBytes // unpacked where SQLite's driver has it
		if err = row.Scan(&data); err == nil {
			dst, err = unpack.unpack(dst, data, c.source.ID, c.lane)
		}
		return err
	}, selectChunk, c.id)
	if err != nil {
		return dst, fmt.Errorf("chunk %d: %w", c.id, err)
	}
	return dst, nil
}

// EachChunk hands over the requests that q selects, End on the common clock, some thousands at once and in no order: counting needs none,
// and to order them costs as much as to read them. They are valid until f returns. The calls may read the store.
func (s *Store) EachChunk(ctx context.Context, q gatepost.Query, f func([]gatepost.Request) error) error {
	m, err := s.mergeRequests(ctx, q)
	if err != nil {
		return s.fail("read requests", err)
	}
	defer m.close()
	cores := min(runtime.GOMAXPROCS(0), len(m.chunks))
	var next atomic.Int64
	free, full := make(chan *run, cores+1), make(chan *run)
	for range cores + 1 {
		free <- &run{}
	}
	unpacking, inner := errgroup.WithContext(ctx)
	for range cores {
		unpacking.Go(func() error {
			unpack := s.dec.Get().(*unpacker)
			defer s.dec.Put(unpack)
			for i := next.Add(1) - 1; i < int64(len(m.chunks)); i = next.Add(1) - 1 {
				r := <-free
				if err := m.load(inner, unpack, &m.chunks[i], r); err != nil {
					return err
				}
				select {
				case full <- r:
				case <-inner.Done():
					return nil
				}
			}
			return nil
		})
	}
	// What is made of them is made by one, and its error ends the unpacking.
	unpacking.Go(func() error {
		for range m.chunks {
			select {
			case r := <-full:
				if err := f(r.left); err != nil {
					return told{err}
				}
				free <- r
			case <-inner.Done():
				return nil
			}
		}
		return nil
	})
	err = cmp.Or(unpacking.Wait(), ctx.Err())
	if t, ok := err.(told); ok {
		return t.error
	}
	return s.fail("read requests", err)
}

// told is an error of whom requests are handed over to.
type told struct{ error }

func compareRequests(a, b gatepost.Request) int {
	return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Ref.Source, b.Ref.Source), cmp.Compare(a.Ref.Offset, b.Ref.Offset))
}

func earlierRun(a, b *run) bool { return compareRequests(a.left[0], b.left[0]) < 0 }

// Routes names the routes by their id.
func (s *Store) Routes(ctx context.Context) (map[uint64]string, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	routes, err := s.routes(ctx)
	return routes, s.fail("read routes", err)
}

const selectRoutes = "SELECT id, name FROM _routes"

func (s *Store) routes(ctx context.Context) (map[uint64]string, error) {
	list, err := collect(ctx, s, func(row scanner) (r gatepost.Route, err error) {
		var id int64
		err = row.Scan(&id, &r.Name)
		r.ID = uint64(id)
		return r, err
	}, selectRoutes)
	routes := make(map[uint64]string, len(list))
	for _, r := range list {
		routes[r.ID] = r.Name
	}
	return routes, err
}

const selectStatuses = "SELECT source, status, requests, first, last FROM _statuses ORDER BY source, status"

// Statuses counts the access lines of every source by status, by source and status.
func (s *Store) Statuses(ctx context.Context) ([]gatepost.StatusCount, error) {
	sources, err := s.Sources(ctx)
	if err != nil {
		return nil, err
	}
	clocks := map[int]*gatepost.Clock{}
	for i := range sources {
		clocks[sources[i].ID] = &sources[i].Clock
	}
	counts, err := collect(ctx, s, func(row scanner) (c gatepost.StatusCount, err error) {
		err = row.Scan(&c.Source, &c.Status, &c.Requests, &c.First, &c.Last)
		c.First, c.Last = clocks[c.Source].At(c.First), clocks[c.Source].At(c.Last)
		return c, err
	}, selectStatuses)
	return counts, s.fail("read totals", err)
}

func newUnpacker() any { return &unpacker{codec: newCodec()} }

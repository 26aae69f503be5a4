package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatepost"
	"gatepost/store"
)

// snapshot copies the files of a store as a kill at this moment would leave them.
func snapshot(t *testing.T, path string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "killed.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		check(t, err)
		check(t, os.WriteFile(copied+suffix, data, 0o600))
	}
	return copied
}

// Killed at any time, a store holds exactly the lines in front of the position it names, and
// reading on from there gives what an undisturbed reading gives.
func TestKillSafety(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	h := newHistory(11, 3)
	h.addSources(t, s)
	partial := 0 // snapshots that are behind what was appended
	for n := range 32 {
		// Batches of several sizes: some stay in an open chunk, some fill several.
		h.append(t, s, h.rng.IntN(3), []int{50, 900, 7000, 30_000}[h.rng.IntN(4)])
		if n%7 == 0 {
			check(t, s.Flush(t.Context()))
		}
		if n%5 == 4 && checkSnapshot(t, h, snapshot(t, path)) {
			partial++
		}
	}
	if partial < 3 {
		t.Errorf("only %d snapshots caught the store between two commits", partial)
	}
}

// checkSnapshot compares a killed store with what lies in front of its positions. It reports
// whether anything appended was not yet durable.
func checkSnapshot(t *testing.T, h *history, path string) (behind bool) {
	t.Helper()
	k, err := store.Open(t.Context(), path)
	check(t, err)
	defer k.Close()
	sources, err := k.Sources(t.Context())
	check(t, err)
	position := map[int]int64{}
	var seconds int64
	for i, src := range sources {
		position[src.ID] = src.Position
		behind = behind || src.Position < h.sources[i].Position
	}
	before := func(r gatepost.Ref) bool { return r.Offset < position[r.Source] }
	var requests []gatepost.Request
	for _, r := range h.wantRequests(noClocks(sources), gatepost.Query{}) {
		if before(r.Ref) {
			requests = append(requests, r)
			if r.Lane == gatepost.LaneNginx {
				seconds++
			}
		}
	}
	events := slices.DeleteFunc(h.wantEvents(noClocks(sources), gatepost.Query{}), func(e gatepost.Event) bool { return !before(e.Ref) })
	sameList(t, "requests", gatepost.Query{}, gather(t, k.Requests(t.Context(), gatepost.Query{})), requests, func(a, b gatepost.Request) bool { return a == b })
	sameList(t, "events", gatepost.Query{}, gather(t, k.Events(t.Context(), gatepost.Query{})), events, func(a, b gatepost.Event) bool {
		return a.Kind == b.Kind && a.Ref == b.Ref && a.Time == b.Time
	})
	equal(t, "counters", query(t, k, "SELECT sum(requests), sum(events), (SELECT coalesce(sum(requests), 0) FROM seconds) FROM sources"),
		[]string{fmt.Sprintf("%d|%d|%d", len(requests), len(events), seconds)})
	return behind
}

func noClocks(sources []gatepost.Source) map[int]*gatepost.Clock {
	clocks := map[int]*gatepost.Clock{}
	for _, src := range sources {
		clocks[src.ID] = &gatepost.Clock{}
	}
	return clocks
}

// A batch that cannot be stored takes back what was not committed. The sources that lost by it
// are refused until their readers have gone back to the position that is stored.
func TestAppendError(t *testing.T) {
	s := open(t, "")
	h := newHistory(13, 2)
	h.addSources(t, s)
	h.append(t, s, 0, 500)
	check(t, s.Flush(t.Context()))
	h.append(t, s, 1, 300)
	unknown := gatepost.Source{ID: 99, Path: "gone.log"}
	if err := s.Append(t.Context(), &unknown, h.batch(0, 10)); err == nil || unknown.Lines != 0 {
		t.Errorf("unknown source: error %v, source %+v", err, unknown)
	}
	ahead := h.sources[1]
	if err := s.Append(t.Context(), ahead, h.batch(1, 10)); err == nil || !strings.Contains(err.Error(), "read on from the position") {
		t.Errorf("a source that is ahead of the store: %v", err)
	}
	again := gatepost.Source{Head: ahead.Head, HeadSize: ahead.HeadSize}
	check(t, s.AddSource(t.Context(), &again))
	if again.ID != ahead.ID || again.Position != 0 || again.Lines != 0 {
		t.Errorf("after the error: %+v", again)
	}
	h.sources[1] = &again
	h.append(t, s, 0, 200) // the other source had lost nothing
	h.append(t, s, 1, 200)
	sources, err := s.Sources(t.Context())
	check(t, err)
	equal(t, "stored", sources, []gatepost.Source{*h.sources[0], again})
	if n := len(gather(t, s.Requests(t.Context(), gatepost.Query{}))); int64(n) != sources[0].Requests+sources[1].Requests {
		t.Errorf("%d requests, the sources count %d and %d", n, sources[0].Requests, sources[1].Requests)
	}
}

// Several goroutines read logs into a store, others look at it meanwhile, and several processes
// may open it at the same moment.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	var path string
	var wg sync.WaitGroup
	run := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 20 { // what goes wrong here goes wrong rarely
		path = filepath.Join(dir, fmt.Sprint(i, ".db"))
		for range 4 {
			run(func() error {
				s, err := store.Open(t.Context(), path)
				if err != nil {
					return err
				}
				return s.Close()
			})
		}
		wg.Wait()
	}
	s := open(t, path)
	const lines = 20_000
	for i := range 4 {
		h := newHistory(uint64(100+i), 1)
		h.addSources(t, s)
		run(func() error {
			src := h.sources[0]
			for src.Lines < lines {
				b := h.batch(0, 500)
				src.Position, src.PositionLine = b.End, b.EndLine
				if err := s.Append(t.Context(), src, b); err != nil {
					return err
				}
			}
			return nil
		})
		run(func() error {
			for range 20 {
				for _, err := range s.Requests(t.Context(), gatepost.Query{Sources: []int{i + 1}}) {
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	wg.Wait()
	equal(t, "lines", query(t, s, "SELECT sum(lines), sum(requests) = (SELECT count(*) FROM requests), sum(events) = (SELECT count(*) FROM events) FROM sources"),
		[]string{fmt.Sprint(4*lines, "|1|1")})
}

// A program that follows a file flushes every few lines and still fills its chunks.
func TestSmallFlushesShareChunks(t *testing.T) {
	s := open(t, "")
	h := newHistory(17, 1)
	h.addSources(t, s)
	for range 300 {
		h.append(t, s, 0, 5)
		check(t, s.Flush(t.Context()))
	}
	equal(t, "chunks per lane", query(t, s, "SELECT lane, count(*) FROM _chunks GROUP BY lane"), []string{"0|1", "1|1"})
	sameList(t, "requests", gatepost.Query{}, gather(t, s.Requests(t.Context(), gatepost.Query{})),
		h.wantRequests(map[int]*gatepost.Clock{1: {}}, gatepost.Query{}), func(a, b gatepost.Request) bool { return a == b })
}

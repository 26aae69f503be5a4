package store_test

import (
	"math"
	"testing"
	"time"

	"gatepost"
	"gatepost/store"
)

// extreme requests hold the least and greatest value of every field, next to ordinary ones.
func extreme() []gatepost.Request {
	least := gatepost.Request{End: gatepost.NoTime, Duration: math.MinInt64, SQL: math.MinInt64, Bytes: math.MinInt64,
		Queries: math.MinInt32, PID: math.MinInt32}
	most := gatepost.Request{Ref: gatepost.Ref{Offset: math.MaxInt64 - 1<<32, Length: math.MaxInt32, Line: math.MaxInt64}, End: math.MaxInt64,
		Duration: math.MaxInt64, SQL: math.MaxInt64, Bytes: math.MaxInt64, Key: math.MaxUint64, Client: math.MaxUint64, Route: math.MaxUint64,
		Queries: math.MaxInt32, PID: math.MaxInt32, Status: math.MaxUint16}
	all := append(traffic(300, true), least, most, least)
	for i := range all {
		all[i].Ref.Source = 1
	}
	// Two routes of one key, as odd escapes make them.
	all[7].Key, all[7].Route = all[6].Key, all[6].Route+1
	all[8].Duration, all[8].End = 1500*time.Nanosecond, all[8].End+123_456_789
	return all
}

func TestChunkRoundTrip(t *testing.T) {
	all := extreme()
	for _, reqs := range [][]gatepost.Request{all, all[:1], all[300:301], all[:300]} {
		got, err := store.Unpack(store.Pack(reqs))
		check(t, err)
		sameList(t, "requests", gatepost.Query{}, got, reqs, func(a, b gatepost.Request) bool { return a == b })
	}
}

// Requests at the ends of time are stored and found.
func TestExtremeRequests(t *testing.T) {
	s := open(t, "")
	src := gatepost.Source{Path: "access.log"}
	check(t, s.AddSource(t.Context(), &src))
	reqs := extreme()
	check(t, s.Append(t.Context(), &src, &gatepost.Batch{Requests: reqs, First: gatepost.NoTime, Last: gatepost.NoTime}))
	for q, want := range map[int]struct {
		gatepost.Query
		n int
	}{
		0: {gatepost.Query{}, len(reqs)},
		1: {gatepost.Query{From: start.Add(time.Hour)}, 1},
		2: {gatepost.Query{To: start.Add(time.Hour)}, 300},
		3: {gatepost.Query{From: math.MaxInt64, To: math.MaxInt64}, 1},
		4: {gatepost.Query{From: gatepost.NoTime, To: gatepost.NoTime}, len(reqs)},
	} {
		if n := len(gather(t, s.Requests(t.Context(), want.Query))); n != want.n {
			t.Errorf("query %d: %d requests, want %d", q, n, want.n)
		}
	}
}

// Whatever a chunk holds, reading it neither panics nor takes memory without bound.
func FuzzUnpack(f *testing.F) {
	f.Add(store.Pack(extreme()))
	f.Add(store.Pack(traffic(50, false)))
	f.Fuzz(func(t *testing.T, data []byte) {
		reqs, err := store.Unpack(data)
		if err == nil && (len(reqs) == 0 || len(reqs) > 1<<16) {
			t.Errorf("%d requests", len(reqs))
		}
	})
}

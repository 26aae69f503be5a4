package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatepost"
)

// traffic makes n lines like those of a busy access log: 200 requests a second, 2,000 clients of
// which few make most requests, 120 routes of which a third name one of 5,000 records, sizes
// that repeat for a quarter of the routes and are random for the others. The combined format has
// no duration; timed adds one in milliseconds.
func traffic(n int, timed bool) []gatepost.Request {
	rng := rand.New(rand.NewPCG(1, 2))
	clients, routes := rand.NewZipf(rng, 1.2, 4, 1999), rand.NewZipf(rng, 1.3, 3, 119)
	reqs := make([]gatepost.Request, n)
	at, offset := int64(start), int64(0)
	for i := range reqs {
		at += int64(rng.ExpFloat64() * 5e6)
		route := routes.Uint64()
		path := fmt.Sprint("/route/", route)
		if route%3 == 0 {
			path += fmt.Sprint("/", rng.IntN(5000))
		}
		r := gatepost.Request{
			Ref: gatepost.Ref{Source: 1, Offset: offset, Length: 170 + len(path) + rng.IntN(60), Line: int64(i + 1)},
			End: gatepost.Time(at / 1e9 * 1e9), Duration: gatepost.Unknown, SQL: gatepost.Unknown, Queries: -1,
			Bytes: int64(rng.ExpFloat64() * 5000), Status: 200,
			Key: gatepost.KeyOf("GET", path), Route: gatepost.KeyOf("GET", gatepost.RouteOf(nil, path)),
			Client: gatepost.HashOf(fmt.Sprint("10.0.0.", clients.Uint64())),
		}
		if route%4 == 1 {
			r.Bytes = int64(route) * 331
		}
		if timed {
			r.Duration = time.Duration(rng.ExpFloat64()*80) * time.Millisecond
		}
		switch x := rng.IntN(100); {
		case x < 8:
			r.Status, r.Bytes = 304, 0
		case x < 10:
			r.Status = 404
		}
		offset += int64(r.Ref.Length) + 1
		reqs[i] = r
	}
	return reqs
}

// go test ./store -run '^$' -bench .
func BenchmarkAppend(b *testing.B) {
	for name, timed := range map[string]bool{"combined": false, "timed": true} {
		b.Run(name, func(b *testing.B) { benchmarkAppend(b, traffic(1_000_000, timed)) })
	}
}

// benchmarkAppend stores all requests in batches of a block, into a new store each time.
func benchmarkAppend(b *testing.B, reqs []gatepost.Request) {
	const batch = 5000
	end := reqs[len(reqs)-1].Ref
	raw := end.Offset + int64(end.Length) + 1
	var stored int64
	b.SetBytes(raw)
	b.ReportAllocs()
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "gatepost.db")
		s := open(b, path)
		src := gatepost.Source{Path: "access.log"}
		check(b, s.AddSource(b.Context(), &src))
		for i := 0; i < len(reqs); i += batch {
			check(b, s.Append(b.Context(), &src, &gatepost.Batch{Requests: reqs[i : i+batch], First: gatepost.NoTime, Last: gatepost.NoTime}))
		}
		check(b, s.Close())
		info, err := os.Stat(path)
		check(b, err)
		stored = info.Size()
	}
	b.ReportMetric(float64(b.N*len(reqs))/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(stored)/float64(len(reqs)), "stored-B/request")
	b.ReportMetric(100*float64(stored)/float64(raw), "%-of-log")
}

func BenchmarkAppendEvents(b *testing.B) {
	batch := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	for i := range 1000 {
		e := gatepost.NewEvent(gatepost.NginxError, gatepost.Ref{Offset: int64(300 * i), Length: 299, Line: int64(i)}, start.Add(time.Duration(i)*time.Millisecond))
		e.Method, e.Path, e.Client, e.Upstream = "POST", "/web/dataset/call_kw", "10.20.2.46", "http://127.0.0.1:8069/web/dataset/call_kw"
		e.Text = "upstream prematurely closed connection while reading response header from upstream"
		batch.Events = append(batch.Events, e)
	}
	s := open(b, "")
	src := gatepost.Source{Path: "error.log"}
	check(b, s.AddSource(b.Context(), &src))
	for b.Loop() {
		for i := range batch.Events {
			e := &batch.Events[i]
			e.Time, e.Ref.Offset = e.Time.Add(time.Second), e.Ref.Offset+300_000
		}
		check(b, s.Append(b.Context(), &src, &batch))
	}
	check(b, s.Flush(b.Context()))
	b.ReportMetric(float64(b.N*len(batch.Events))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRequests decodes: everything, and a window of a minute as the correlator asks for it.
func BenchmarkRequests(b *testing.B) {
	reqs := traffic(1_000_000, true)
	s := open(b, "")
	src := gatepost.Source{Path: "access.log"}
	check(b, s.AddSource(b.Context(), &src))
	check(b, s.Append(b.Context(), &src, &gatepost.Batch{Requests: reqs, First: gatepost.NoTime, Last: gatepost.NoTime}))
	mid := reqs[len(reqs)/2].End
	for name, q := range map[string]gatepost.Query{"all": {}, "minute": {From: mid, To: mid.Add(time.Minute)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for _, err := range s.Requests(b.Context(), q) {
					if err != nil { // check would cost more than the decoding
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
		})
	}
	b.Run("sql", func(b *testing.B) {
		for b.Loop() {
			query(b, s, "SELECT status, count(*), sum(bytes) FROM requests GROUP BY status")
		}
		b.ReportMetric(float64(b.N*len(reqs))/b.Elapsed().Seconds(), "requests/s")
	})
}

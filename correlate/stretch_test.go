package correlate

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"gatepost"
)

// memory is a History of events alone.
type memory []gatepost.Event

func (m memory) Events(_ context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	return func(yield func(gatepost.Event, error) bool) {
		for _, e := range m {
			in := (q.From == 0 || e.Time >= q.From) && (q.To == 0 || e.Time <= q.To) && q.Wants(e.Ref.Source)
			if in && (len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) && !yield(e, nil) {
				return
			}
		}
	}
}

func (memory) Requests(context.Context, gatepost.Query) iter.Seq2[gatepost.Request, error] {
	return func(func(gatepost.Request, error) bool) {}
}

func (memory) Statuses(context.Context) ([]gatepost.StatusCount, error) { return nil, nil }

// TestFirstTries: a request that was tried on two servers keeps the error line about the first, though a minute and a
// cut lie between that and its end.
func TestFirstTries(t *testing.T) {
	var h memory
	add := func(source int, k gatepost.Kind, seconds int, path string, change func(*gatepost.Event)) {
		e := gatepost.NewEvent(k, gatepost.Ref{Source: source, Offset: int64(len(h)) * 100, Length: 99, Line: int64(len(h) + 1)}, at.Add(time.Duration(seconds)*time.Second))
		e.Method, e.Path, e.Client, e.Key, e.Hash = "GET", path, "10.0.0.1", gatepost.KeyOf("GET", path), uint64(len(h))
		change(&e)
		h = append(h, e)
	}
	fails := func(seconds int, path string, took time.Duration) {
		add(1, gatepost.NginxRequest, seconds, path, func(e *gatepost.Event) { e.Status, e.Duration = 502, took })
	}
	tried := func(seconds int, path string, phase gatepost.Phase) {
		add(2, gatepost.NginxError, seconds, path, func(e *gatepost.Event) { e.Phase = phase })
	}
	for i := range 40 {
		fails(i, "/before", 0)
	}
	tried(0, "/both", gatepost.PhaseHeaderTimeout)
	tried(60, "/both", gatepost.PhaseRefused)
	fails(60, "/both", time.Minute)
	slices.SortStableFunc(h, func(a, b gatepost.Event) int { return cmp.Compare(a.Time, b.Time) })
	sources := []gatepost.Source{{ID: 1, Path: "access.log", Format: "nginx_access", First: at, Last: at.Add(time.Minute)}, {ID: 2, Path: "error.log", Format: "nginx_error", First: at, Last: at.Add(time.Minute)}}
	for _, atOnce := range []int{0, 2} {
		var last gatepost.Failure
		_, err := Judge(t.Context(), h, sources, Options{Since: gatepost.NoTime, Until: gatepost.NoTime, AtOnce: atOnce}, func(all []gatepost.Failure) error {
			last = all[len(all)-1]
			return nil
		})
		if err != nil || last.Path != "/both" || last.Phase != gatepost.PhaseHeaderTimeout {
			t.Errorf("%d at once: %s failed in %s, %v", atOnce, last.Path, last.Phase, err)
		}
	}
}

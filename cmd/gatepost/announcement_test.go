package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatepost"
)

// outOfMemory is an incident as an engine tells of it, with a hostile title.
func outOfMemory() *gatepost.Incident {
	at := gatepost.TimeOf(time.Date(2026, time.November, 22, 14, 10, 38, 0, time.UTC))
	ref := gatepost.Ref{Source: 3, Line: 61, Offset: 5000, Length: 80}
	return &gatepost.Incident{
		ID: "i-07", From: at, To: at.Add(40 * time.Second), Cause: "oom_kill", Instance: "kernel killed pid 23976 (odoo) at 14:10:38",
		Title: "out of memory: \x1b[31mred\u202e\n<b>", Confidence: 0.99, State: gatepost.Provisional, Failures: 3, Clients: 2,
		Statuses: map[int]int{200: 12, 502: 3},
		Chain:    []gatepost.Step{{Role: "root cause", Time: at, Says: "the kernel killed a worker", Ref: ref, Text: "Killed process 23976"}},
		Evidence: []gatepost.Evidence{{Role: gatepost.For, Kind: "kernel_oom", Ref: ref, Time: at, Join: "pid", Says: "the worker is gone", Text: "Killed process 23976", Weight: 5000}},
	}
}

func changeOf(kind gatepost.ChangeKind, i *gatepost.Incident) gatepost.Change {
	return gatepost.Change{Kind: kind, Time: i.To.Add(time.Second), Incident: i}
}

// mailbag is a receiver that keeps what arrives, once it is let.
type mailbag struct {
	mu     sync.Mutex
	all    []*announcement
	err    error
	gate   chan struct{} // nil: always open
	closed bool
}

func (b *mailbag) kind() string { return "bag" }

func (b *mailbag) deliver(ctx context.Context, a *announcement) error {
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, a)
	return b.err
}

func (b *mailbag) end() { b.closed = true }

func noLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newAnnouncer tells receivers of incidents at a pace.
func newAnnouncer(p pace, to ...receiver) *announcer {
	a := &announcer{host: "erp1", log: noLog(), now: p.now, sources: func() []gatepost.Source {
		return []gatepost.Source{{ID: 3, Path: "/var/log/kern.log", Format: "kernel"}}
	}}
	for _, r := range to {
		o := newOutbox(r, noLog(), p)
		o.start()
		a.out = append(a.out, o)
	}
	return a
}

// What opens, changes and closes is told in order, each with the whole incident; all else is not.
func TestAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bag := &mailbag{}
		a := newAnnouncer(newPace(time.Now), bag)
		i := outOfMemory()
		a.hear(changeOf(gatepost.Opened, i))
		a.hear(gatepost.Change{Kind: gatepost.Failed, Failure: &gatepost.Failure{}, Incident: i})
		a.hear(changeOf(gatepost.Grown, i))
		a.hear(gatepost.Change{Kind: gatepost.Noted, Text: "a file appeared"})
		i.Cause = "memory_limit" // the engine goes on with its incident; what was told stays what it was
		a.hear(changeOf(gatepost.Altered, i))
		i.Cause = "oom_kill"
		c := changeOf(gatepost.Altered, i)
		c.Was = &gatepost.Verdict{Cause: "memory_limit", Instance: "limit_memory_hard of pid 23976"}
		a.hear(c)
		a.hear(changeOf(gatepost.Closed, i))
		synctest.Wait()
		if err := a.close(); err != nil {
			t.Error(err)
		}
		if !bag.closed {
			t.Error("the receiver is not told that nothing more comes")
		}
		var said []string
		for _, told := range bag.all {
			var got struct {
				Type, ID, At, Host string
				Incident           struct {
					Type, ID, Cause, Title string
					Evidence               []struct {
						File string
						Line int
					}
				}
				Was *wasRecord
			}
			if err := json.Unmarshal(told.body, &got); err != nil {
				t.Fatalf("%s: %v", told.body, err)
			}
			if i := strings.IndexFunc(string(told.body), func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' }); i >= 0 {
				t.Errorf("a control stands in %s", told.body)
			}
			if got.Host != "erp1" || got.At != "2026-11-22T14:11:19Z" || got.ID != told.ID || got.Incident.Type != "incident" || got.Incident.Title != i.Title {
				t.Errorf("%s", told.body)
			}
			if e := got.Incident.Evidence; len(e) != 1 || e[0].File != "/var/log/kern.log" || e[0].Line != 61 {
				t.Errorf("evidence %+v", e)
			}
			s := got.Type + " " + got.Incident.Cause
			if got.Was != nil {
				s += " was " + got.Was.Cause + " " + got.Was.Instance
			}
			said = append(said, s)
		}
		want := []string{
			"incident_opened oom_kill",
			"incident_changed memory_limit was oom_kill ",
			"incident_changed oom_kill was memory_limit limit_memory_hard of pid 23976",
			"incident_closed oom_kill",
		}
		if !slices.Equal(said, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
		if len(a.causes) != 0 {
			t.Errorf("closed incidents are remembered: %v", a.causes)
		}
	})
}

// What is said again has the same name, and nothing else has.
func TestAnnouncementID(t *testing.T) {
	m := newMoments()
	name := func(kind gatepost.ChangeKind, change func(*gatepost.Incident)) string {
		i := outOfMemory()
		change(i)
		c := changeOf(kind, i)
		told, err := newAnnouncer(m.pace()).announcement(announced[kind], &c)
		if err != nil {
			t.Fatal(err)
		}
		return told.ID
	}
	same := func(*gatepost.Incident) {}
	first := name(gatepost.Opened, same)
	m.sleep(t.Context(), time.Hour)
	if again := name(gatepost.Opened, same); again != first {
		t.Errorf("%s, and again %s", first, again)
	}
	for _, other := range []string{name(gatepost.Closed, same), name(gatepost.Opened, func(i *gatepost.Incident) { i.Failures++ })} {
		if other == first {
			t.Errorf("two announcements have the name %s", first)
		}
	}
}

// An outbox never keeps waiting who puts something in. When it is full the oldest goes, and is counted.
func TestOutboxOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bag := &mailbag{gate: make(chan struct{})}
		o := newOutbox(bag, noLog(), newPace(time.Now))
		o.room = 3
		o.start()
		put := func(id string) {
			o.put(&announcement{ID: id})
			synctest.Wait()
		}
		for _, id := range strings.Split("abcdefg", "") {
			put(id)
		}
		if d := o.deliveries(); d != (deliveries{dropped: 3, waiting: 3}) {
			t.Errorf("%+v", d)
		}
		close(bag.gate)
		synctest.Wait()
		var got string
		for _, a := range bag.all {
			got += a.ID
		}
		if got != "aefg" { // a was on its way
			t.Errorf("%q arrived", got)
		}
		err := o.close()
		if err == nil || err.Error() != "bag: 3 of 7 announcements did not arrive" {
			t.Error(err)
		}
		put("late")
		if d := o.deliveries(); d != (deliveries{delivered: 4, dropped: 4}) {
			t.Errorf("%+v", d)
		}
	})
}

// Closing waits for a receiver that hangs only a moment; what had not arrived by then is counted.
func TestOutboxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bag := &mailbag{gate: make(chan struct{})}
		a := newAnnouncer(newPace(time.Now), bag, &mailbag{}, &mailbag{err: errors.New("no")})
		for range 3 {
			a.hear(changeOf(gatepost.Opened, outOfMemory()))
		}
		var log safeBuffer
		a.log = newLog(&log, logText, time.Now, 0)
		begin := time.Now()
		err := a.close()
		if err != nil || strings.Count(log.String(), "3 of 3 announcements did not arrive") != 2 {
			t.Errorf("%v, %s", err, log.String())
		}
		if took := time.Since(begin); took != lastMoment {
			t.Errorf("it took %s", took)
		}
		if err := a.out[0].close(); err == nil || a.close() != nil || time.Since(begin) != lastMoment || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("closing twice: %v, %s", err, log.String())
		}
	})
	// One that was never started closes as well.
	o := newOutbox(&mailbag{}, noLog(), newMoments().pace())
	if err := o.close(); err != nil {
		t.Error(err)
	}
}

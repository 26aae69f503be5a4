package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/vt"

	"gatepost"
	"gatepost/correlate"
	"gatepost/reports"
)

var onTerminal = flag.Bool("look", false, "show the scripted evening on this terminal: go test -c -o look ./cmd/gatepost && ./look -test.run TestLook -look")

// An evening as a live analysis would tell it: a restart, workers that turn out to have died of memory, a scheduled action, one
// request that nobody can explain, and a gap.

var eveningBegan = gatepost.TimeOf(time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))

// evening is the changes with the status after each.
type evening struct {
	changes []gatepost.Change
	status  status
	states  []status
}

func scriptedEvening() *evening {
	e := &evening{status: status{began: eveningBegan, rate: 51.3, workers: 4, busy: 1.2, failures: map[failedAs]int64{}, sources: []sourceStatus{
		{path: "/var/log/nginx/access.log", last: eveningBegan}, {path: "/var/log/odoo/odoo.log"}, {path: "/dev/kmsg"},
	}}}
	at := func(seconds float64) gatepost.Time {
		return eveningBegan.Add(time.Duration(seconds * float64(time.Second)))
	}
	say := func(c gatepost.Change) {
		e.status.sources[0].last = c.Time
		e.changes = append(e.changes, c)
		s := e.status
		s.failures, s.open = map[failedAs]int64{}, append([]gatepost.Incident(nil), e.status.open...)
		for k, n := range e.status.failures {
			s.failures[k] = n
		}
		s.sources = append([]sourceStatus(nil), e.status.sources...)
		e.states = append(e.states, s)
	}
	fail := func(seconds float64, status int, what, client, cause, instance string, confidence float64, incident string) {
		method, path, _ := strings.Cut(what, " ")
		e.status.failures[failedAs{cause, status}]++
		f := &gatepost.Failure{
			ID: fmt.Sprintf("f-%012x", len(e.changes)), Ref: gatepost.Ref{Source: 1, Line: int64(1000 + len(e.changes))}, Time: at(float64(int(seconds))), Status: status, Method: method, Path: path,
			Client: client, Incident: incident, Verdict: gatepost.Verdict{Cause: cause, Instance: instance, Confidence: confidence, State: gatepost.Provisional},
		}
		c := gatepost.Change{Kind: gatepost.Failed, Time: at(seconds), Failure: f}
		if n := len(e.status.open); n > 0 && incident != "" {
			in := &e.status.open[n-1]
			in.Failures++
			in.Clients = min(in.Failures, 12)
			in.To = f.Time
			copied := *in
			c.Incident = &copied
		}
		say(c)
	}
	turn := func(seconds float64, kind gatepost.ChangeKind, in gatepost.Incident) {
		if kind == gatepost.Opened {
			e.status.open = append(e.status.open, in)
		} else if kind == gatepost.Altered {
			e.status.open[len(e.status.open)-1] = in
		} else {
			in = e.status.open[0]
			e.status.open = e.status.open[1:]
		}
		say(gatepost.Change{Kind: kind, Time: at(seconds), Incident: &in})
	}
	say(gatepost.Change{Kind: gatepost.Noted, Time: at(0), Text: "following 3 logs"})
	fail(11, 502, "GET /web", "10.20.2.9", gatepost.Undetermined, "", 0.41, "")
	stopped := "systemctl stopped odoo.service at 2026-11-22T14:00:30Z"
	e.status.busy = 0
	turn(31, gatepost.Opened, gatepost.Incident{ID: "i-01", From: at(30), Cause: "service_down_restart", Instance: stopped, Confidence: 0.98,
		Chain: []gatepost.Step{{Role: "root cause", Time: at(30), Ref: gatepost.Ref{Source: 2, Line: 2101}, Text: "2026-11-22 14:00:30,118 4711 INFO ? odoo.service.server: Initiating shutdown"}},
		Fix:   []gatepost.Advice{{Do: "restart outside of office hours, or let nginx hold requests while Odoo starts"}}})
	for i := range 40 {
		fail(31.1+float64(i)/8, 502, "POST /web/dataset/call_kw/sale.order/web_search_read", fmt.Sprintf("10.20.2.%d", 40+i%12), "service_down_restart", stopped, 0.98, "i-01")
	}
	turn(60, gatepost.Closed, gatepost.Incident{})
	e.status.busy = 4
	fail(98, 502, "POST /web/export/xlsx/sale.order?fields=name,partner_id\x1b]8;;http://evil\x07,\u202eamount_total,date_order", "10.20.3.38", "workers_busy", "", 0.81, "")
	oom := gatepost.Incident{ID: "i-02", From: at(98), Failures: 1, Clients: 1, Cause: "workers_busy", Confidence: 0.81, Fix: []gatepost.Advice{{Do: "raise workers from 4 to 6"}}}
	turn(98.5, gatepost.Opened, oom)
	killed := "kernel killed pid 7324 (odoo) at 2026-11-22T14:01:38Z"
	line := "Memory cgroup out of memory: Killed process 7324 (odoo) total-vm:579592kB, anon-rss:440808kB"
	revised := *e.changes[len(e.changes)-2].Failure
	was := revised.Verdict
	revised.Incident, revised.Verdict = "i-02", gatepost.Verdict{Cause: "oom_kill", Instance: killed, Confidence: 0.999}
	e.status.failures[failedAs{"workers_busy", 502}]--
	e.status.failures[failedAs{"oom_kill", 502}]++
	say(gatepost.Change{Kind: gatepost.Revised, Time: at(99), Failure: &revised, Was: &was, Because: &gatepost.Evidence{Ref: gatepost.Ref{Source: 3, Line: 83}, Text: line}})
	oom.Cause, oom.Instance, oom.Confidence, oom.Fix = "oom_kill", killed, 0.999, []gatepost.Advice{{Do: "lower limit_memory_hard so that Odoo ends the request before the kernel ends the worker"}}
	oom.Chain = []gatepost.Step{{Role: "root cause", Time: at(98), Ref: gatepost.Ref{Source: 3, Line: 83}, Text: line}}
	turn(99, gatepost.Altered, oom)
	e.status.gaps++
	e.status.sources[1].behind, e.status.sources[1].lag = 2_100_000, 4*time.Second
	say(gatepost.Change{Kind: gatepost.Missed, Time: at(130), Text: "2.1 MB of /var/log/nginx/access.log were rotated away before they were read"})
	cron := "«Inventory: Run Scheduler», pid 29545"
	turn(301, gatepost.Opened, gatepost.Incident{ID: "i-03", From: at(240), Cause: "long_cron", Instance: cron, Confidence: 0.93, Fix: []gatepost.Advice{{Do: "move «Inventory: Run Scheduler» from 15:04 to 04:00"}}})
	for i := range 4 {
		fail(301.1+7*float64(i), 504, "POST /web/dataset/call_kw/stock.picking/button_validate", fmt.Sprintf("10.20.1.%d", i), "long_cron", cron, 0.93, "i-03")
	}
	return e
}

func liveLook() *reports.Live {
	paths := []string{"", "/var/log/nginx/access.log", "/var/log/odoo/odoo.log", "/dev/kmsg"}
	return reports.NewLive(time.UTC, correlate.Docs(), func(id int) string {
		if id < len(paths) {
			return paths[id]
		}
		return ""
	})
}

const patienceOfTests = time.Minute

// screenTest is a view on a terminal that is not there. Nothing in it waits for time: the view looks when it is told to.
type screenTest struct {
	*liveView
	t        *testing.T
	drawing  sync.Mutex
	terminal *vt.Emulator
	written  chan struct{} // holds one
	glance   chan time.Time
	quits    chan struct{}
	state    status
	at       gatepost.Time
}

// known is the status; what the view reads is changed under its lock.
func (s *screenTest) known() status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *screenTest) set(state status, at gatepost.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.at = state, at
}

func (s *screenTest) Write(p []byte) (int, error) {
	s.drawing.Lock()
	_, err := s.terminal.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))) // as a line discipline does that nobody has set to raw
	s.drawing.Unlock()
	select {
	case s.written <- struct{}{}:
	default:
	}
	return len(p), err
}

func newScreenTest(t *testing.T, width, height int) *screenTest {
	s := &screenTest{
		t: t, terminal: vt.NewEmulator(width, height), written: make(chan struct{}, 1), glance: make(chan time.Time), quits: make(chan struct{}),
		state: status{began: eveningBegan, busy: -1}, at: eveningBegan,
	}
	s.liveView = &liveView{live: liveLook(), status: s.known, now: func() gatepost.Time { return s.at }, glances: s.glance, rest: func() {}}
	s.start(s, func() { close(s.quits) }, func() {}, tea.WithInput(s.terminal), tea.WithWindowSize(width, height), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
	return s
}

// picture is what stands on the terminal.
func (s *screenTest) picture() string {
	s.drawing.Lock()
	defer s.drawing.Unlock()
	return s.terminal.String()
}

// shows waits until the terminal shows all of some texts.
func (s *screenTest) shows(texts ...string) string {
	s.t.Helper()
	late := time.After(patienceOfTests)
	for {
		screen, missing := s.picture(), ""
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				missing = text
			}
		}
		if missing == "" {
			return screen
		}
		select {
		case <-s.written:
		case <-late:
			s.t.Fatalf("%q is not shown:\n%s", missing, screen)
		}
	}
}

func (s *screenTest) resize(width, height int) {
	s.drawing.Lock()
	s.terminal.Resize(width, height)
	s.drawing.Unlock()
	s.program.Send(tea.WindowSizeMsg{Width: width, Height: height})
}

func (s *screenTest) press(keys string) { s.terminal.SendText(keys) }

func (s *screenTest) ends() {
	s.t.Helper()
	select {
	case <-s.quits:
	case <-time.After(patienceOfTests):
		s.t.Fatal("it does not end")
	}
	if err := s.close(); err != nil {
		s.t.Error(err)
	}
}

// A reader sees what happens, goes back, pauses, asks for help, makes the window smaller, and quits.
func TestView(t *testing.T) {
	s := newScreenTest(t, 80, 24)
	s.shows("nothing failed since 14:00:00", "what fails is told here")
	e := scriptedEvening()
	s.set(e.status, s.at)
	for _, c := range e.changes {
		s.hear(c)
	}
	screen := s.shows("4 of 4 workers busy", "1 of 3 logs behind", "46 failed", "● long_cron 4", "i-03", "do: move «Inventory", "14:05:22  504  POST")
	if n := len(strings.Split(strings.TrimRight(screen, "\n"), "\n")); n != 24 {
		t.Errorf("%d rows", n)
	}
	s.press("?")
	s.shows("quit: following ends")
	s.press("?")
	s.shows("14:05:22  504  POST")
	s.press("g")
	s.shows("following 3 logs", "rows follow")
	s.press("G")
	s.shows("14:05:22  504  POST", "q quit")
	s.press("kk")
	s.shows("2 rows follow")
	s.press("G")
	s.shows("q quit")
	s.press("p")
	s.shows("paused, 0 changes since")
	s.hear(gatepost.Change{Kind: gatepost.Noted, Time: s.at, Text: "said while it was paused"})
	if strings.Contains(s.shows("paused, 1 change since"), "said while") {
		t.Error("what is paused moves")
	}
	s.press("p")
	s.shows("note  said while it was paused")
	s.resize(20, 5)
	s.shows("2 outages are open")
	s.resize(200, 60)
	s.shows("following 3 logs", `\x1b]8;;http://evil\x07,\u202e`, "said while it was paused")
	s.press("q")
	s.ends()
}

// The end of the analysis gives the terminal back, and Ctrl-C is the end as well.
func TestViewEnds(t *testing.T) {
	s := newScreenTest(t, 80, 24)
	s.shows("nothing failed")
	if err := s.close(); err != nil {
		t.Error(err)
	}
	s.ends()
	s = newScreenTest(t, 80, 24)
	s.shows("nothing failed")
	s.press("\x03")
	s.ends()
}

// Requests that are counted are told though nothing more happens: the view looks now and then.
func TestViewTellsWhatIsHeld(t *testing.T) {
	s := newScreenTest(t, 80, 24)
	e := scriptedEvening()
	for _, c := range e.changes[:30] {
		s.set(e.status, c.Time)
		s.hear(c)
	}
	s.shows("an outage began")
	s.set(e.status, s.at.Add(time.Minute))
	s.glance <- time.Time{}
	s.shows("more like it")
	s.press("q")
	s.ends()
}

// A view that is heard by nobody stays small.
func TestViewIsBounded(t *testing.T) {
	v := &liveView{wake: make(chan struct{}, 1)}
	for range 3 * keptSayings {
		v.hear(gatepost.Change{Kind: gatepost.Noted, Time: eveningBegan, Text: "something"})
	}
	if len(v.told) != keptSayings {
		t.Errorf("%d sayings wait", len(v.told))
	}
}

func TestViewable(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		term     string
		want     bool
	}{{true, "xterm-256color", true}, {true, "dumb", false}, {true, "", false}, {false, "xterm", false}} {
		e := env{stdoutTerminal: c.terminal, getenv: func(string) string { return c.term }}
		if e.viewable() != c.want {
			t.Errorf("%+v", c)
		}
	}
}

// Without a terminal people get lines, one for a failure; programs get the ledger.
func TestAudience(t *testing.T) {
	for _, c := range []struct {
		audience
		term, want string
	}{
		{audience{programs: true}, "xterm", `{"type":"note","said":"2026-11-22T14:00:00Z","text":"following 3 logs"}`},
		{audience{plain: true}, "xterm", "14:00:11  502  GET /web  10.20.2.9  ● undetermined (0.41)\n"},
		{audience{}, "dumb", "note  following 3 logs\n"},
	} {
		var b bytes.Buffer
		e := &env{stdout: &b, stdoutTerminal: true, now: time.Now, getenv: func(string) string { return c.term }}
		l := c.listener(context.Background(), e, liveLook(), nil, nil)
		for _, change := range scriptedEvening().changes {
			l.hear(change)
		}
		if err := l.close(); err != nil || !strings.Contains(b.String(), c.want) {
			t.Errorf("%+v: %v, %s", c.audience, err, b.String())
		}
	}
}

type tellerFunc func(*gatepost.Change) error

func (f tellerFunc) Change(c *gatepost.Change) error { return f(c) }
func (f tellerFunc) Tick(gatepost.Time) error        { return nil }
func (f tellerFunc) Done() error                     { return f(&gatepost.Change{Text: "done"}) }

// Everything that was heard is written by the end, in order; a reader who goes away is told of once, and holds nothing up.
func TestLines(t *testing.T) {
	var got []string
	l := &lines{to: tellerFunc(func(c *gatepost.Change) error { got = append(got, c.Text); return nil }), ctx: context.Background()}
	l.start(func() {})
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprint(i))
		l.hear(gatepost.Change{Text: fmt.Sprint(i)})
	}
	if err := l.close(); err != nil || strings.Join(got, " ") != strings.Join(append(want, "done"), " ") {
		t.Errorf("%v, %d of %d", err, len(got), len(want))
	}

	told := 0
	l = &lines{to: tellerFunc(func(*gatepost.Change) error { return io.ErrClosedPipe }), ctx: context.Background(), failed: func(error) { told++ }}
	l.start(func() {})
	for range 3 * mostWaiting {
		l.hear(gatepost.Change{})
	}
	if err := l.close(); !errors.Is(err, io.ErrClosedPipe) || told != 1 {
		t.Errorf("%v, told %d times", err, told)
	}
}

// A reader who stops reading holds the analysis up, but not its end.
func TestLinesStuck(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	n := 0
	l := &lines{to: tellerFunc(func(*gatepost.Change) error { <-release; n++; return nil }), ctx: ctx}
	l.start(func() {})
	heard := make(chan struct{})
	go func() {
		for range mostWaiting + 10 {
			l.hear(gatepost.Change{})
		}
		close(heard)
	}()
	cancel()
	<-heard
	close(release)
	if err := l.close(); err != nil || n < mostWaiting {
		t.Errorf("%v after %d", err, n)
	}
}

// TestLook shows the evening: frames as text with -v, and on a terminal with -look.
func TestLook(t *testing.T) {
	e := scriptedEvening()
	var b bytes.Buffer
	s := reports.NewStream(&b, liveLook(), reports.Options{Width: 80})
	for i := range e.changes {
		if err := s.Change(&e.changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Done(); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", b.String())
	if !*onTerminal {
		return
	}
	at := 0
	began := time.Now()
	machine := env{stdout: os.Stdout, now: func() time.Time { return eveningBegan.Std().Add(10 * time.Since(began)) }, getenv: os.Getenv, stdoutTerminal: true}
	options, err := (&lookFlags{color: "auto"}).resolve(&machine)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	states := make(chan status, 1)
	states <- status{began: eveningBegan, busy: -1}
	v := newView(&machine, liveLook(), options.stdout, func() status { s := <-states; states <- s; return s }, func() { close(done) })
	for {
		select {
		case <-done:
			if err := v.close(); err != nil {
				t.Error(err)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
		for ; at < len(e.changes) && e.changes[at].Time.Std().Before(machine.now()); at++ {
			<-states
			states <- e.states[at]
			v.hear(e.changes[at])
		}
	}
}

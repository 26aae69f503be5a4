package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// systemd is the other end of NOTIFY_SOCKET.
func systemd(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func datagram(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// systemd hears that the service is ready with the first step, what it does when that changes, that it lives as long as there are
// steps, and that it ends: over a socket with a name and over one of Linux's without.
func TestNotify(t *testing.T) {
	names := []string{filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		names = append(names, "@gatepost-test-"+strconv.Itoa(os.Getpid()))
	}
	for _, name := range names {
		c := systemd(t, name)
		m := newMoments()
		pulse := newPulse(m.now)
		asleep, step := make(chan bool), make(chan time.Duration)
		p := m.pace()
		var slept []time.Duration
		p.sleep = func(ctx context.Context, d time.Duration) {
			slept = append(slept, d)
			asleep <- true
			select {
			case d := <-step:
				m.sleep(ctx, d)
			case <-ctx.Done():
			}
		}
		vars := map[string]string{notifySocket: name, watchdogTime: "8000000", watchdogPID: "42"}
		n := newNotifier(func(v string) string { return vars[v] }, 42, noLog(), p, pulse)
		says := "following 1 logs"
		n.status = func() string { return says }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			n.run(ctx)
		}()
		expect := func(want string) {
			t.Helper()
			if got := datagram(t, c); got != want {
				t.Errorf("systemd hears %q, want %q", got, want)
			}
		}
		pass := func(d time.Duration) {
			step <- d
			<-asleep // again
		}
		pulse.beat()
		expect("READY=1\nSTATUS=following 1 logs")
		<-asleep
		pass(4 * time.Second)
		expect("WATCHDOG=1")
		says = "two\nlines"
		pass(4 * time.Second)
		expect("WATCHDOG=1\nSTATUS=two lines")
		pass(stepLimit) // the engine is stuck: no word
		pass(0)
		pulse.beat()
		pass(0)
		expect("WATCHDOG=1")
		stop()
		expect("STOPPING=1")
		<-ended
		if len(slept) == 0 || slept[0] != 4*time.Second {
			t.Errorf("it looks every %v, want half of the watchdog's time", slept)
		}
	}
}

// Whose watchdog it is says WATCHDOG_PID; nonsense is none; and without a socket nothing happens at all.
func TestNotifyVariables(t *testing.T) {
	for vars, want := range map[string]time.Duration{
		"8000000":             8 * time.Second,
		"8000000 42":          8 * time.Second,
		"8000000 41":          0,
		"-1":                  0,
		"soon":                0,
		"9223372036854775807": 0,
		"":                    0,
	} {
		usec, pid, _ := strings.Cut(vars, " ")
		n := newNotifier(func(v string) string { return map[string]string{watchdogTime: usec, watchdogPID: pid}[v] }, 42, noLog(), pace{}, newPulse(time.Now))
		if n.watchdog != want {
			t.Errorf("%q: %s, want %s", vars, n.watchdog, want)
		}
		n.run(t.Context()) // returns
	}
}

// A socket that is not there hurts nobody, and one that comes back hears all that it missed; the log says both once.
func TestNotifyNobody(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	var log safeBuffer
	m := newMoments()
	n := newNotifier(func(v string) string { return map[string]string{notifySocket: name}[v] }, 1, newLog(&log, logText, m.now, 0), m.pace(), newPulse(m.now))
	n.status = func() string { return "here" }
	n.tell()
	n.tell()
	c := systemd(t, name)
	n.tell()
	if got := datagram(t, c); got != "READY=1\nSTATUS=here" {
		t.Error(got)
	}
	n.conn.Close()
	if s := log.String(); strings.Count(s, "does not work") != 1 || strings.Count(s, "works again") != 1 || strings.Count(s, "\n") != 2 {
		t.Error(s)
	}
}

// Without steps it is not ready, and ends all the same.
func TestNotifyNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNotifier(func(string) string { return "/nowhere/notify" }, 1, noLog(), newPace(time.Now), newPulse(time.Now))
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		n.run(ctx)
	})
}

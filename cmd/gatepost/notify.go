package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// The variables with which systemd says how it wants to hear of a service.
const (
	notifySocket = "NOTIFY_SOCKET"
	watchdogTime = "WATCHDOG_USEC"
	watchdogPID  = "WATCHDOG_PID"
)

// statusInterval is how often systemd is told what "systemctl status" shows.
const statusInterval = 10 * time.Second

// notifier tells systemd that the service is ready, what it does, and that it lives. The protocol is a datagram with a few
// words; see sd_notify(3).
type notifier struct {
	socket   string        // "" when nobody wants to know
	watchdog time.Duration // in which systemd must hear of it, 0 for never
	pace     pace
	pulse    *pulse
	status   func() string

	complaint complaint
	conn      net.Conn
	ready     bool   // it was said
	said      string // of the status
}

func newNotifier(getenv func(string) string, pid int, log *slog.Logger, p pace, pulse *pulse) *notifier {
	n := &notifier{socket: getenv(notifySocket), pace: p, pulse: pulse, complaint: complaint{log: log.With("socket", getenv(notifySocket)), now: p.now}}
	if usec, err := strconv.ParseInt(getenv(watchdogTime), 10, 64); err == nil && 0 < usec && usec < int64(1<<62/time.Microsecond) {
		if of := getenv(watchdogPID); of == "" || of == strconv.Itoa(pid) {
			n.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	return n
}

// run tells systemd until the context ends. It is ready with the first step of the engine, and alive as long as there are steps: a
// watchdog that is fed by a goroutine of its own would watch only that.
func (n *notifier) run(ctx context.Context) {
	if n.socket == "" {
		return
	}
	defer func() {
		n.send("STOPPING=1")
		if n.conn != nil {
			n.conn.Close()
		}
	}()
	select {
	case <-n.pulse.began:
	case <-ctx.Done():
		return
	}
	interval := statusInterval
	if n.watchdog > 0 {
		interval = min(interval, n.watchdog/2)
	}
	for ctx.Err() == nil {
		n.tell()
		n.pace.sleep(ctx, interval)
	}
}

// tell sends what there is to say. What did not get through is said again the next time: a service whose being ready nobody heard is
// killed.
func (n *notifier) tell() {
	var words []string
	if !n.ready {
		words = append(words, "READY=1")
	} else if n.watchdog > 0 && n.pulse.alive() {
		words = append(words, "WATCHDOG=1")
	}
	text := oneLine(n.status())
	if text != n.said {
		words = append(words, "STATUS="+text)
	}
	if len(words) > 0 && n.send(strings.Join(words, "\n")) {
		n.ready, n.said = true, text
	}
}

// send writes a datagram, and reports whether it got through. A name that begins with @ is one of Linux's abstract sockets, which package
// net knows. Where systemd does not listen nothing else suffers; the log says so once.
func (n *notifier) send(text string) bool {
	var err error
	if n.conn == nil {
		n.conn, err = net.Dial("unixgram", n.socket)
	}
	if err == nil {
		n.conn.SetWriteDeadline(time.Now().Add(time.Second)) // a full queue must not hold the end up
		_, err = n.conn.Write([]byte(text))
	}
	if err == nil {
		n.complaint.works()
		return true
	}
	n.complaint.failed(err)
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
	return false
}

// inWords is a status for "systemctl status".
func (s *status) inWords() string {
	if s.distress != "" {
		return "in trouble: " + s.distress
	}
	behind := make(map[string]int64, len(s.sources)) // by log, which may have several strands
	for i := range s.sources {
		l := &s.sources[i]
		behind[l.path] = max(behind[l.path], l.behind)
	}
	text := fmt.Sprintf("following %d logs, %.1f requests/s, %d failures", len(behind), s.rate, s.failed())
	all := int64(0)
	for _, n := range behind {
		all += n
	}
	if all > 0 {
		text += fmt.Sprintf(", %d bytes behind", all)
	}
	switch len(s.open) {
	case 0:
		return text + ", no incident open"
	case 1:
		return text + ", open: " + s.open[0].Cause
	}
	return fmt.Sprintf("%s, open: %s and %d more", text, s.open[0].Cause, len(s.open)-1)
}

// failed is how many requests failed.
func (s *status) failed() (all int64) {
	for _, n := range s.failures {
		all += n
	}
	return all
}

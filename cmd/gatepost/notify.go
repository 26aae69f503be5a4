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
	log      *slog.Logger
	pace     pace
	pulse    *pulse
	status   func() string
	conn     net.Conn
	said     string
}

func newNotifier(getenv func(string) string, pid int, log *slog.Logger, p pace, pulse *pulse) *notifier {
	n := &notifier{socket: getenv(notifySocket), log: log, pace: p, pulse: pulse}
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
	n.send("READY=1" + n.statusLine())
	interval := statusInterval
	if n.watchdog > 0 {
		interval = min(interval, n.watchdog/2)
	}
	for {
		n.pace.sleep(ctx, interval)
		if ctx.Err() != nil {
			return
		}
		text := n.statusLine()
		if n.watchdog > 0 && n.pulse.alive() {
			text = "WATCHDOG=1" + text
		}
		if text = strings.TrimPrefix(text, "\n"); text != "" {
			n.send(text)
		}
	}
}

// statusLine is what it does, when that is something else than before.
func (n *notifier) statusLine() string {
	text := oneLine(n.status())
	if text == n.said {
		return ""
	}
	n.said = text
	return "\nSTATUS=" + text
}

// send writes a datagram. A name that begins with @ is one of Linux's abstract sockets, which package net knows. Where systemd does
// not listen nothing else suffers; the log says so.
func (n *notifier) send(text string) {
	var err error
	if n.conn == nil {
		n.conn, err = net.Dial("unixgram", n.socket)
	}
	if err == nil {
		n.conn.SetWriteDeadline(time.Now().Add(time.Second)) // a full queue must not hold the end up
		_, err = n.conn.Write([]byte(text))
	}
	if err != nil {
		n.log.Debug("systemd does not listen", "error", err)
		if n.conn != nil {
			n.conn.Close()
			n.conn = nil
		}
	}
}

// inWords is a status for "systemctl status".
func (s *status) inWords() string {
	text := fmt.Sprintf("following %d logs, %.1f requests/s, %d failures", len(s.sources), s.rate, s.failed())
	if behind := s.behind(); behind > 0 {
		text += fmt.Sprintf(", %d bytes behind", behind)
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

// behind is how many bytes wait to be read.
func (s *status) behind() (all int64) {
	for i := range s.sources {
		all += s.sources[i].behind
	}
	return all
}

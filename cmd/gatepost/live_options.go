package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"gatepost"
)

// liveFlags are the options for programs that want to hear of a live analysis, as they were typed.
type liveFlags struct {
	webhooks  []string
	execs     []string
	listen    string
	logFormat string
}

func (f *liveFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.webhooks, "webhook", nil, "post JSON to `URL` when an incident opens, gets another cause, or closes; signed with "+webhookSecret+"; repeatable")
	fs.StringArrayVar(&f.execs, "exec", nil, "run `CMD` then, with the JSON on standard input; no shell reads it, so write \"sh -c '...'\" for one; repeatable")
	fs.StringVar(&f.listen, "listen", "", "serve /metrics for Prometheus and /healthz at `ADDR`, such as 127.0.0.1:9502")
	fs.StringVar(&f.logFormat, "log-format", logText, "`FORMAT` of the service's log on standard error: "+logText+", "+logJSON)
	completeWith(cmd, "log-format", func() []string { return []string{logText, logJSON} })
}

// machines are the programs that hear of a live analysis, and who asks for its state: webhooks, commands, Prometheus, systemd.
type machines struct {
	log       *slog.Logger
	pace      pace
	pulse     *pulse
	announcer *announcer
	notifier  *notifier
	listen    string
	host      string

	server *server
	cancel context.CancelFunc
	ended  sync.WaitGroup
	stops  sync.Once
}

// engineView is what machines see of the engine. With --redact all that its functions return is hidden, as changes are.
type engineView struct {
	status  func() status            // called from any goroutine; must not wait for a step of the engine, or nobody can say that one is stuck
	sources func() []gatepost.Source // for the names of files; called by who calls hear. nil: lines have none
}

func (f *liveFlags) resolve(e *env) (*machines, error) {
	if f.logFormat != logText && f.logFormat != logJSON {
		return nil, usage("--log-format text or --log-format json", "--log-format: unknown value %q", f.logFormat)
	}
	least := slog.LevelInfo
	if e.stderrTerminal {
		least = slog.LevelWarn // who watches sees the rest
	}
	m := &machines{listen: f.listen, log: newLog(e.stderr, f.logFormat, e.now, least), pace: newPace(e.now), pulse: newPulse(e.now)}
	if f.listen != "" {
		if err := checkAddress(f.listen); err != nil {
			return nil, usage("--listen 127.0.0.1:9502", "--listen: %w", err)
		}
	}
	if host, err := os.Hostname(); err == nil {
		m.host = host
	}
	m.announcer = &announcer{host: m.host, log: m.log, now: e.now}
	for _, target := range f.webhooks {
		w, err := newWebhook(target, e.getenv(webhookSecret), m.log, m.pace)
		if err != nil {
			return nil, usage("--webhook https://HOST/PATH", "--webhook: %w", err)
		}
		m.announcer.out = append(m.announcer.out, newOutbox(w, w.complaint.log, m.pace))
	}
	for _, line := range f.execs {
		c, err := newCommand(line, os.Environ(), m.log, m.pace)
		if err != nil {
			return nil, usage(`--exec /usr/local/bin/notify, or --exec "sh -c 'COMMANDS'"`, "--exec: %w", err)
		}
		m.announcer.out = append(m.announcer.out, newOutbox(c, c.log, m.pace))
	}
	m.notifier = newNotifier(e.getenv, os.Getpid(), m.log, m.pace, m.pulse)
	return m, nil
}

// checkAddress wants HOST:PORT, where HOST may be empty for all addresses of the machine.
func checkAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		if ae, ok := errors.AsType[*net.AddrError](err); ok {
			return fmt.Errorf("%q: %s", addr, ae.Err)
		}
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: %q is no port", addr, port)
	}
	return nil
}

// start begins to serve and to tell. It fails where --listen cannot: before anything is followed.
func (m *machines) start(v engineView) error {
	m.announcer.sources = v.sources
	if m.listen != "" {
		registry := newRegistry(&metrics{status: v.status, pulse: m.pulse, told: func() map[string]deliveries { return deliveriesByKind(m.announcer.out) }})
		var err error
		if m.server, err = serve(m.listen, pages(registry, m.pulse, m.host, v.status), m.log); err != nil {
			return usage("another port, or ask who has it: ss -ltnp", "--listen: %s: %w", m.listen, err)
		}
	}
	for _, o := range m.announcer.out {
		o.start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.notifier.status = func() string {
		s := v.status()
		return s.inWords()
	}
	m.ended.Go(func() { m.notifier.run(ctx) })
	return nil
}

// listeners are who must hear every change; none when no option asks for it.
func (m *machines) listeners() []listener {
	if len(m.announcer.out) == 0 {
		return nil
	}
	return []listener{m.announcer}
}

// beat is to be called after every step of the engine, also when it had nothing to do: at least every few seconds, and between the
// blocks of a long catch-up. Health and watchdog go by it.
func (m *machines) beat() { m.pulse.beat() }

// stop tells systemd, lets what was heard arrive for a moment, and ends all that start began. It may be called again.
func (m *machines) stop() {
	m.stops.Do(func() {
		if m.cancel == nil { // it never started
			return
		}
		m.cancel()
		m.ended.Wait()
		m.announcer.close() // where the engine has not done it
		if m.server != nil {
			m.server.stop()
		}
	})
}

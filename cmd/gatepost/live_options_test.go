package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"gatepost"
)

// liveMachines are the machines that options make.
func liveMachines(t *testing.T, e *env, args ...string) (*machines, error) {
	t.Helper()
	var f liveFlags
	cmd := &cobra.Command{Use: "tail"}
	f.add(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f.resolve(e)
}

func serviceEnv(stderr io.Writer, vars map[string]string) *env {
	m := newMoments()
	return &env{stderr: stderr, now: m.now, getenv: func(v string) string { return vars[v] }}
}

// What is wrong with an option is said before anything begins, and shows no secret.
func TestLiveOptions(t *testing.T) {
	for args, want := range map[string]string{
		"--webhook ftp://u:hunter2@h/": `--webhook: "ftp" is neither http nor https`,
		"--webhook https:///hunter2":   "--webhook: has no host",
		"--exec no-such-program":       "--exec: no-such-program: executable file not found in $PATH",
		"--exec 'sh":                   "--exec: a ' has no end",
		"--listen 9502":                `--listen: "9502": missing port in address`,
		"--listen localhost:":          `--listen: "localhost:": "" is no port`,
		"--listen [::1]:99999":         `--listen: "[::1]:99999": "99999" is no port`,
		"--log-format xml":             `--log-format: unknown value "xml"`,
	} {
		option, value, _ := strings.Cut(args, " ")
		_, err := liveMachines(t, serviceEnv(io.Discard, nil), option, value)
		x, ok := err.(*exit)
		if !ok || x.status != statusUsage || x.Error() != want || x.hint == "" {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	addr := taken.Listener.Addr().String()
	m, err := liveMachines(t, serviceEnv(io.Discard, nil), "--listen", addr)
	if err != nil {
		t.Fatal(err)
	}
	err = m.start(engineView{status: busyStatus})
	if x, ok := err.(*exit); !ok || x.status != statusUsage || x.Error() != "--listen: "+addr+": bind: address already in use" {
		t.Error(err)
	}
	m.stop()
}

// Without options nothing listens and nobody is told.
func TestLiveNothing(t *testing.T) {
	var log safeBuffer
	m, err := liveMachines(t, serviceEnv(&log, nil))
	if err != nil {
		t.Fatal(err)
	}
	if l := m.listeners(); len(l) != 0 {
		t.Errorf("%v listen", l)
	}
	if err := m.start(engineView{status: busyStatus}); err != nil {
		t.Fatal(err)
	}
	m.beat()
	m.stop()
	m.stop()
	if log.String() != "" {
		t.Error(log.String())
	}
}

// A whole life: an incident opens and closes, and a webhook, a command, Prometheus and systemd hear of it.
func TestLiveMachines(t *testing.T) {
	got := make(chan string, 2)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := "sha256=" + sign([]byte("s3cret"), r.Header.Get("X-Gatepost-Timestamp"), body); r.Header.Get("X-Gatepost-Signature") != want {
			t.Errorf("%v", r.Header)
		}
		got <- r.Header.Get("X-Gatepost-Event")
	}))
	defer hook.Close()
	dir := t.TempDir()
	c := systemd(t, filepath.Join(dir, "notify"))
	var log safeBuffer
	e := serviceEnv(&log, map[string]string{webhookSecret: "s3cret", notifySocket: filepath.Join(dir, "notify")})
	m, err := liveMachines(t, e, "--webhook", hook.URL, "--exec", script(t, `echo "$GATEPOST_TYPE" >>"$1"`)+" "+dir+"/told", "--listen", "127.0.0.1:0", "--log-format", "json")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.start(engineView{status: busyStatus}); err != nil {
		t.Fatal(err)
	}
	defer m.stop()
	m.beat()
	if s := datagram(t, c); s != "READY=1\nSTATUS=following 3 logs, 33.4 requests/s, 17 failures, 4173 bytes behind, open: lock_wait and 2 more" {
		t.Error(s)
	}
	for _, kind := range []gatepost.ChangeKind{gatepost.Opened, gatepost.Closed} {
		for _, l := range m.listeners() {
			l.hear(changeOf(kind, outOfMemory()))
		}
	}
	for _, want := range []string{"incident_opened", "incident_closed"} {
		if s := <-got; s != want {
			t.Errorf("the webhook hears %s, want %s", s, want)
		}
	}
	addr := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(log.String())
	if addr == nil {
		t.Fatal(log.String())
	}
	resp, err := http.Get("http://" + addr[1] + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 200 || err != nil {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	m.stop()
	if s := datagram(t, c); s != "STOPPING=1" {
		t.Error(s)
	}
	var left bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&left, 2)
	for _, own := range []string{"(*outbox)", "(*webhook)", "(*command)", "(*notifier)", "main.serve"} {
		if strings.Contains(left.String(), own) {
			t.Errorf("a goroutine of %s goes on", own)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "told")); string(b) != "incident_opened\nincident_closed\n" || err != nil {
		t.Errorf("the command heard %q, %v", b, err)
	}
	for line := range strings.Lines(log.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "WARN") {
			t.Error(line)
		}
	}
}

// At a terminal only trouble is logged: who sits there sees the rest.
func TestLiveTerminal(t *testing.T) {
	var log safeBuffer
	e := serviceEnv(&log, nil)
	e.stderrTerminal = true
	m, err := liveMachines(t, e, "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.start(engineView{status: busyStatus}); err != nil {
		t.Fatal(err)
	}
	m.stop()
	if log.String() != "" {
		t.Error(log.String())
	}
}

// The unit is one that systemd takes, and gives options that there are. The program is put where this test lies, since verify wants
// to find it.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join("..", "..", "deploy", "gatepost-tail.service"))
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=(\S+) tail (.*)$`).FindSubmatch(unit)
	if start == nil {
		t.Fatal("the unit starts no gatepost tail")
	}
	var f liveFlags
	cmd := &cobra.Command{Use: "tail", FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}}
	f.add(cmd)
	argv, err := splitArgv(string(start[2]))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(argv); err != nil || f.listen == "" {
		t.Errorf("%q: %v", argv, err)
	}
	watchdog := regexp.MustCompile(`(?m)^WatchdogSec=(\S+)$`).FindSubmatch(unit)
	if watchdog == nil {
		t.Fatal("the unit has no watchdog")
	}
	if d, err := time.ParseDuration(string(watchdog[1])); err != nil || d < stepLimit {
		t.Errorf("a watchdog of %s would not outlast a step", watchdog[1])
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed (Debian: systemd)")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gatepost-tail.service")
	if err := os.WriteFile(path, bytes.ReplaceAll(unit, start[1], []byte(self)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

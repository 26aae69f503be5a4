package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"gatepost"
)

// busyStatus is a status with all that a status can have, names of strangers among it.
func busyStatus() status {
	at := gatepost.TimeOf(time.Date(2026, time.November, 22, 14, 10, 38, 500e6, time.UTC))
	return status{
		now: at, began: at.Add(-time.Hour), requests: 120_345, rate: 33.4,
		failures: map[failedAs]int64{{"oom_kill", 502}: 3, {"lock_wait", 504}: 11, {"lock_wait", 502}: 1, {gatepost.Undetermined, 504}: 2},
		revised:  4, workers: 6, busy: 5.25,
		open: []gatepost.Incident{{ID: "i-07", Cause: "lock_wait"}, {ID: "i-08", Cause: "lock_wait"}, {ID: "i-09", Cause: "oom_kill"}},
		sources: []sourceStatus{
			{path: "/var/log/nginx/access.log", format: "nginx_access", lines: 120_345, behind: 4096, lag: 1500 * time.Millisecond, last: at},
			{path: "/var/log/syslog", strand: "kernel", format: "kernel", lines: 10, unparsed: 1, behind: 77, last: gatepost.NoTime},
			{path: "/var/log/syslog", strand: "postgres", format: "postgresql", lines: 20, unparsed: 2, behind: 77, last: at},
			{path: "/logs/\"a\\b\"\n\x1b[31m\xff.log", format: "odoo", last: gatepost.NoTime},
		},
		gaps: 1, judging: 42 * time.Millisecond,
	}
}

// page is what a handler says.
func page(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

// newPages are the pages of an engine, and its pulse.
func newPages(m *moments, status func() status) (http.Handler, *pulse) {
	p := newPulse(m.now)
	told := func() map[string]deliveries {
		return map[string]deliveries{"webhook": {delivered: 7, failed: 1, dropped: 2, waiting: 3}}
	}
	return pages(newRegistry(&metrics{status: status, pulse: p, told: told}), p, "erp1", status), p
}

// versions differ from build to build.
var versions = regexp.MustCompile(`(?m)^(gatepost_build_info\{).*(\} 1)$`)

// TestMetrics keeps /metrics equal to testdata/machines/metrics.txt, of which -update writes a new one. The figures of Go and of the process
// change from run to run, and are looked for only.
func TestMetrics(t *testing.T) {
	m := newMoments()
	h, pulse := newPages(m, busyStatus)
	pulse.beat()
	m.sleep(t.Context(), 250*time.Millisecond)
	code, text := page(t, h, "GET", "/metrics")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	checkMetrics(t, text)
	var ours strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "gatepost_") {
			ours.WriteString(line)
		}
	}
	got := versions.ReplaceAllString(ours.String(), `${1}goversion="go",version="v"$2`)
	path := filepath.Join("..", "..", "testdata", "machines", "metrics.txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("/metrics says\n%s\nwant\n%s", got, want)
	}
	for _, name := range []string{"\ngo_goroutines ", "\nprocess_start_time_seconds ", "\npromhttp_metric_handler_requests_total{"} {
		if !strings.Contains(text, name) {
			t.Errorf("there is no %q", name)
		}
	}
}

// checkMetrics holds metrics against Prometheus's rules, and where promtool is installed lets that do it as well.
func checkMetrics(t *testing.T, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not installed (Debian: prometheus), so only its rules were checked")
		return
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// What is not known is not there, and nothing breaks over a status without anything in it.
func TestMetricsUnknown(t *testing.T) {
	h, _ := newPages(newMoments(), func() status { return status{busy: -1} })
	code, text := page(t, h, "GET", "/metrics")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	checkMetrics(t, text)
	for _, name := range []string{"\ngatepost_workers", "\ngatepost_source_", "\ngatepost_last_step", "\ngatepost_failures{"} {
		if strings.Contains(text, name) {
			t.Errorf("there is %s", name)
		}
	}
	for _, line := range []string{`gatepost_failed_requests_total{status="502"} 0`, `gatepost_incidents_open{cause="undetermined"} 0`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

// Ten thousand logs are two hundred series and one for the rest; names that look alike as labels are one.
func TestMetricsManySources(t *testing.T) {
	s := status{}
	for n := range 10_000 {
		s.sources = append(s.sources, sourceStatus{path: fmt.Sprintf("/%s/odoo.log.%d", strings.Repeat("ä", 200), n), lines: 1, behind: 2, last: gatepost.NoTime})
	}
	s.sources = append(s.sources, sourceStatus{path: "/x\x01", last: gatepost.NoTime}, sourceStatus{path: "/x\x02", last: gatepost.NoTime})
	h, _ := newPages(newMoments(), func() status { return s })
	code, text := page(t, h, "GET", "/metrics")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	checkMetrics(t, text)
	if n := strings.Count(text, "\ngatepost_source_lines_total{"); n != maxSourceLabels+1 {
		t.Errorf("%d series", n)
	}
	for _, line := range []string{`gatepost_source_lines_total{source="(others)"} 9800`, `gatepost_source_lag_bytes{source="(others)"} 19600`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	for _, l := range labelled(s.sources) {
		if len(l.path) > maxLabel {
			t.Errorf("a label of %d bytes", len(l.path))
		}
	}
	two := []sourceStatus{{path: "/x\x01", lines: 1}, {path: "/x\x02", lines: 2}}
	if l := labelled(two); len(l) != 1 || l[0].lines != 3 || two[0].path != "/x\x01" {
		t.Errorf("%+v of %+v", l, two)
	}
}

// Health is whether the engine takes steps, whatever else still answers.
func TestHealth(t *testing.T) {
	m := newMoments()
	h, pulse := newPages(m, busyStatus)
	expect := func(code int, text string) {
		t.Helper()
		for _, method := range []string{"GET", "HEAD"} {
			if gotCode, got := page(t, h, method, "/healthz"); gotCode != code || got != text {
				t.Errorf("%d %q, want %d %q", gotCode, got, code, text)
			}
		}
	}
	expect(503, "not yet: the first step is not done\n")
	pulse.beat()
	expect(200, "ok: the last step was 0s ago\n")
	m.sleep(t.Context(), stepLimit)
	expect(200, "ok: the last step was 30s ago\n")
	m.sleep(t.Context(), 1500*time.Millisecond)
	expect(503, "stuck: the last step was 31.5s ago, more than 30s\n")
	pulse.beat()
	expect(200, "ok: the last step was 0s ago\n")
	m.sleep(t.Context(), -time.Hour) // somebody sets the clock
	expect(200, "ok: the last step was 0s ago\n")
}

func TestPages(t *testing.T) {
	h, _ := newPages(newMoments(), busyStatus)
	code, text := page(t, h, "GET", "/")
	want := "gatepost " + version() + " on erp1\nfollowing 3 logs, 33.4 requests/s, 17 failures, 4173 bytes behind, open: lock_wait and 2 more\n\n" +
		"/metrics  for Prometheus\n/healthz  200 while it works, 503 when it is stuck\n"
	if code != 200 || text != want {
		t.Errorf("%d %s, want %s", code, text, want)
	}
	for _, path := range []string{"/nothing", "/metrics/x"} {
		if code, _ := page(t, h, "GET", path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	for _, path := range []string{"/", "/metrics", "/healthz"} {
		if code, _ := page(t, h, "POST", path); code != 405 {
			t.Errorf("POST %s: %d", path, code)
		}
	}
}

// A server answers until it is stopped, and one address has one server.
func TestServe(t *testing.T) {
	var log safeBuffer
	m := newMoments()
	h, _ := newPages(m, busyStatus)
	s, err := serve("127.0.0.1:0", h, newLog(&log, logText, m.now, 0))
	if err != nil {
		t.Fatal(err)
	}
	addr := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(log.String())
	if addr == nil {
		t.Fatal(log.String())
	}
	if _, err := serve(addr[1], h, noLog()); err == nil || err.Error() != "bind: address already in use" {
		t.Error(err)
	}
	resp, err := http.Get("http://" + addr[1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 200 || !bytes.Contains(body, []byte("gatepost_requests_total 120345\n")) {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	s.stop()
	if c, err := net.Dial("tcp", addr[1]); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	http.DefaultClient.CloseIdleConnections()
	if strings.Contains(log.String(), "nobody listens") {
		t.Error(log.String())
	}
}

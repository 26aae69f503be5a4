package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// toldFailure is a failure as "gatepost tail --format ndjson" told it.
type toldFailure struct {
	ID    string `json:"id"`
	Path  string `json:"path"`
	Cause string `json:"cause"`
	at    time.Time
}

// tailing is "gatepost tail" as it runs.
type tailing struct {
	cmd    *exec.Cmd
	stderr safeBuffer
	read   chan struct{} // closed when it has said all
	mu     sync.Mutex
	said   []toldFailure
	others []string // what else it said
}

// tail starts the program.
func (s *site) tail() *tailing {
	return startTail(s.t, exec.Command("itself", "tail", "--from-start", "--format", "ndjson", s.logs))
}

// startTail starts it with arguments that write the ledger's objects.
func startTail(t *testing.T, cmd *exec.Cmd) *tailing {
	t.Helper()
	p := &tailing{cmd: cmd, read: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go func() {
		defer close(p.read)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			now := time.Now()
			if err != nil {
				return
			}
			var head struct {
				Type string `json:"type"`
				toldFailure
			}
			if err := json.Unmarshal(line, &head); err != nil {
				t.Errorf("%v: %s", err, line)
			}
			p.mu.Lock()
			if head.Type == "failure" {
				head.at = now
				p.said = append(p.said, head.toldFailure)
			} else if head.Type != "incident" {
				p.others = append(p.others, string(line))
			}
			p.mu.Unlock()
		}
	}()
	return p
}

// end ends it as Ctrl-C does, and returns the last that it said of each failure.
func (p *tailing) end(t *testing.T) map[string]toldFailure {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.read:
	case <-time.After(mostPatient):
		t.Fatal("tail does not end")
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("tail: %v\n%s", err, p.stderr.String())
	}
	last := map[string]toldFailure{}
	for _, f := range p.said {
		last[f.ID] = f
	}
	return last
}

// named is when a request was first told with a cause, after which it was never told with another.
func (p *tailing) named(path, cause string) (at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.said {
		if f.Path != path {
			continue
		}
		if f.Cause != cause {
			at = time.Time{}
		} else if at.IsZero() {
			at = f.at
		}
	}
	return at
}

// causes are all that were told of a request.
func (p *tailing) causes(path string) (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.said {
		if f.Path == path {
			all = append(all, f.Cause)
		}
	}
	return all
}

// scene is what was done to some requests.
type scene struct {
	*site
	*tailing
	want   map[string]string          // the true cause, by path
	lags   map[string][]time.Duration // from the line that decides it to what is told, by cause
	asking sync.Mutex                 // of want
}

// fails asks for paths at once, which must fail with a status.
func (x *scene) fails(cause string, status int, paths ...string) map[string]time.Time {
	x.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	answered := map[string]time.Time{}
	for _, path := range paths {
		x.asking.Lock()
		x.want[path] = cause
		x.asking.Unlock()
		all.Go(func() {
			got, at := x.ask(path)
			if got != status {
				x.t.Errorf("%s: status %d, want %d", path, got, status)
			}
			mu.Lock()
			defer mu.Unlock()
			answered[path] = at
		})
	}
	all.Wait()
	return answered
}

// deciding waits for a line in Odoo's log, and returns when it was seen.
func (x *scene) deciding(text string) time.Time {
	x.t.Helper()
	x.soon(text, func() error {
		b, err := os.ReadFile(x.odoo.Log)
		if err == nil && !bytes.Contains(b, []byte(text)) {
			err = fmt.Errorf("is not in Odoo's log")
		}
		return err
	})
	return time.Now()
}

// count is how often a text stands in Odoo's log.
func (x *scene) count(text string) int {
	b, err := os.ReadFile(x.odoo.Log)
	if err != nil {
		x.t.Fatal(err)
	}
	return bytes.Count(b, []byte(text))
}

// queue asks for more at once than there are workers. Who is served first is left to chance.
func (x *scene) queue() {
	x.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	answered := map[string]time.Time{}
	asked := 2 * httpWorkers
	for n := range asked {
		path := fmt.Sprintf("/web/dataset/call_kw/sale.order/search_read?work=2s&q=%d", n)
		all.Go(func() {
			status, at := x.ask(path)
			mu.Lock()
			defer mu.Unlock()
			if status == http.StatusGatewayTimeout {
				x.want[path], answered[path] = "workers_busy", at
			}
		})
	}
	all.Wait()
	if len(answered) < asked-httpWorkers {
		x.t.Errorf("%d of %d requests waited too long, with %d workers", len(answered), asked, httpWorkers)
	}
	var decided time.Time
	for n := range asked {
		decided = x.deciding(fmt.Sprintf("&q=%d HTTP", n))
	}
	x.names(answered, decided)
}

// names waits until the cause of each request is told, and keeps how long that took from the line that decides it.
func (x *scene) names(answered map[string]time.Time, decided time.Time) {
	x.t.Helper()
	for path, at := range answered {
		if decided.After(at) {
			at = decided
		}
		x.asking.Lock()
		cause := x.want[path]
		x.asking.Unlock()
		x.soon(path+" is told to be "+cause, func() error {
			named := x.named(path, cause)
			if named.IsZero() {
				return fmt.Errorf("it is told as %v", x.causes(path))
			}
			x.lags[cause] = append(x.lags[cause], max(0, named.Sub(at)).Round(time.Millisecond))
			return nil
		})
	}
}

// TestEndToEnd lets real parts fail: Debian's nginx and PostgreSQL, their logs rotated by its logrotate, and a small prefork server between them, which
// refuses, dies in the middle of requests, lets them queue, waits for a lock, finds no connection, and answers too late. "gatepost tail" names
// the cause of each failure as it happens. In the end every failing line of nginx's is told exactly once, with the cause that is true and that analyze finds.
func TestEndToEnd(t *testing.T) {
	began := time.Now()
	s := newSite(t)
	s.startOdoo()
	s.serving()
	x := &scene{site: s, tailing: s.tail(), want: map[string]string{}, lags: map[string][]time.Duration{}}
	all := []string{"access.log", "error.log", "odoo.log", "odoo-stderr.log", "postgresql.log"}

	// Two requests wait for a lock that somebody holds outside of Odoo. Meanwhile the logs get other names.
	holder := s.session("odoo")
	s.exec(holder, "BEGIN")
	s.exec(holder, "UPDATE stock_quant SET quantity = 0 WHERE id = 7")
	waiting := make(chan map[string]time.Time)
	go func() {
		waiting <- x.fails("lock_wait", http.StatusGatewayTimeout, "/shop/checkout?lock=7&n=1", "/shop/checkout?lock=7&n=2")
	}()
	x.soon("somebody waits for the lock", func() error {
		b, err := os.ReadFile(filepath.Join(s.logs, "postgresql.log"))
		if err == nil && bytes.Count(b, []byte("still waiting for")) < 2 {
			err = fmt.Errorf("nobody does")
		}
		return err
	})
	s.rotate("create", "access.log", "error.log", "odoo.log")
	gaveUp := <-waiting
	s.exec(holder, "ROLLBACK")
	holder.Close(context.Background())
	x.deciding("n=1 HTTP")
	x.names(gaveUp, x.deciding("n=2 HTTP"))
	s.ordinary(12)

	// The worker of a request is killed by somebody.
	workers := x.count("WorkerHTTP")
	killed := x.fails("worker_crash", http.StatusBadGateway, "/web/image?kill")
	x.soon("another worker is there", func() error {
		if x.count("WorkerHTTP") == workers {
			return fmt.Errorf("none came")
		}
		return nil
	})
	x.names(killed, time.Now())
	s.ordinary(12)

	// One request ends after nginx has given up on it, and the watchdog kills the worker of another.
	late, limit := make(chan map[string]time.Time), make(chan map[string]time.Time)
	go func() { late <- x.fails("proxy_timeout_too_low", http.StatusGatewayTimeout, "/web/export?work=4s") }()
	go func() { limit <- x.fails("worker_time_limit", http.StatusBadGateway, "/report/pdf?work=60s") }()
	x.names(<-late, x.deciding("/web/export?work=4s"))
	x.names(<-limit, x.deciding(" timeout after 5s"))
	s.ordinary(12)

	// More requests than workers: the first are answered in time, the others wait for too long.
	x.queue()
	s.ordinary(12)

	// Between two requests all logs are copied and truncated.
	s.rotate("copytruncate", all...)
	s.ordinary(12)

	// The master is killed, and its workers leave when they see that.
	s.back.Process.Kill()
	s.ended()
	x.names(x.fails("service_down_crash", http.StatusBadGateway, "/web?crash=1", "/web?crash=2", "/web?crash=3"), time.Time{})
	s.startOdoo()
	s.serving()

	// It is stopped, as for a new version.
	s.back.Process.Signal(syscall.SIGTERM)
	s.ended()
	x.names(x.fails("service_down_restart", http.StatusBadGateway, "/web?stop=1", "/web?stop=2", "/web?stop=3"), time.Time{})
	s.startOdoo()
	s.serving()

	// Others take all connections, and Odoo is started anew.
	s.back.Process.Signal(syscall.SIGTERM)
	s.ended()
	var others []*pgconn.PgConn
	for {
		conn, err := pgconn.Connect(context.Background(), s.pg+" user=odoo")
		if err != nil {
			break
		}
		others = append(others, conn)
	}
	s.startOdoo()
	<-s.gone
	x.names(x.fails("pg_too_many_connections", http.StatusBadGateway, "/web?full=1", "/web?full=2", "/web?full=3"), time.Time{})
	for _, conn := range others {
		conn.Close(context.Background())
	}
	s.soon("a connection is free", func() error {
		conn, err := pgconn.Connect(context.Background(), s.pg+" user=odoo")
		if err == nil {
			conn.Close(context.Background())
		}
		return err
	})
	s.startOdoo()
	s.serving()

	x.check(x.end(t))
	for _, cause := range slices.Sorted(maps.Keys(x.lags)) {
		slices.Sort(x.lags[cause])
		t.Logf("%-26s told %v after the line that decides it", cause, x.lags[cause])
	}
	t.Logf("all took %.1f s", time.Since(began).Seconds())
}

// soonEnough is how long after the line that decides it a cause is told at the latest, on a machine that does much else.
const soonEnough = time.Second

// check compares what was told last of each failure with what nginx logged, what was done, and what analyze says.
func (x *scene) check(last map[string]toldFailure) {
	x.t.Helper()
	for cause, lags := range x.lags {
		if slices.Min(lags) > soonEnough {
			x.t.Errorf("%s was told only %v after the line that decides it", cause, lags)
		}
	}
	for _, text := range x.others {
		if strings.Contains(text, `"type":"gap"`) {
			x.t.Errorf("a gap: %s", text)
		}
	}
	logged := x.logged()
	byPath := map[string][]toldFailure{}
	for _, f := range last {
		byPath[f.Path] = append(byPath[f.Path], f)
	}
	if len(last) != len(logged) || len(logged) != len(x.want) {
		x.t.Errorf("%d failures were told, nginx logged %d, %d requests failed", len(last), len(logged), len(x.want))
	}
	for _, path := range logged {
		if all := byPath[path]; len(all) != 1 || all[0].Cause != x.want[path] {
			x.t.Errorf("%s is told as %v, want %s once", path, all, x.want[path])
		}
	}

	afterwards := analyzedCauses(x.t, x.logs)
	live := map[string]string{}
	for id, f := range last {
		live[id] = f.Cause
	}
	if !maps.Equal(live, afterwards) {
		x.t.Errorf("live:\n%v\nafterwards:\n%v", live, afterwards)
	}
}

// analyzedCauses runs "gatepost analyze", and returns the causes of all failures by their IDs.
func analyzedCauses(t *testing.T, dir string) map[string]string {
	t.Helper()
	out, err := exec.Command("itself", "analyze", "--format", "ndjson", dir).Output()
	if err != nil {
		t.Fatalf("analyze: %v", err)
	}
	afterwards := map[string]string{}
	for line := range bytes.Lines(out) {
		var f struct {
			Type string `json:"type"`
			toldFailure
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Type == "failure" {
			if _, twice := afterwards[f.ID]; twice {
				t.Errorf("analyze has %s twice", f.Path)
			}
			afterwards[f.ID] = f.Cause
		}
	}
	return afterwards
}

// logged are the paths of all failing requests in nginx's access logs.
func (x *scene) logged() (paths []string) {
	x.t.Helper()
	files, err := filepath.Glob(filepath.Join(x.logs, "access.log*"))
	if err != nil || len(files) != 3 {
		x.t.Fatalf("rotated twice, the access logs are %v (%v)", files, err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			x.t.Fatal(err)
		}
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				x.t.Fatal(err)
			}
		}
		b, err := io.ReadAll(r)
		if err != nil {
			x.t.Fatal(err)
		}
		for _, m := range failedLine.FindAllSubmatch(b, -1) {
			paths = append(paths, string(m[1]))
		}
	}
	return paths
}

var failedLine = regexp.MustCompile(`(?m)^[^"\n]*"GET (\S+) HTTP/1\.1" 50[24] `)

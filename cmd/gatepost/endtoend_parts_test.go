package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// site is a small site on loopback: Debian's nginx and PostgreSQL, rotated by its logrotate, and a prefork server between them.
type site struct {
	t     *testing.T
	dir   string
	logs  string
	nginx string // HOST:PORT
	pid   int    // of nginx
	pg    string // how to connect, as the superuser or as odoo: pg + " user=odoo"
	odoo  prefork
	// back is the master of the prefork server, and gone is closed when it has ended.
	back  *exec.Cmd
	gone  <-chan struct{}
	asked atomic.Int64
}

const (
	readTimeout = 3 * time.Second // of nginx
	longTimeout = 30 * time.Second
	timeReal    = 5 * time.Second // limit_time_real
	slots       = 12              // max_connections
	httpWorkers = 3
)

// newSite starts nginx and PostgreSQL. It skips the test where they are not installed.
func newSite(t *testing.T) *site {
	t.Helper()
	for _, need := range []string{"nginx", "logrotate"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("without %s this cannot be shown", need)
		}
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(installed) == 0 {
		t.Skip("without PostgreSQL this cannot be shown")
	}
	// PostgreSQL does not run as root, and nobody else may enter t.TempDir.
	dir, err := os.MkdirTemp("", "gatepost-endtoend-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{t: t, dir: dir, logs: filepath.Join(dir, "logs")}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	s.startPostgres(filepath.Dir(installed[len(installed)-1]))
	s.startNginx()
	return s
}

// freePort is a port of loopback on which nobody listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// log opens a log as a shell's >> does.
func (s *site) log(name string) *os.File {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.logs, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { f.Close() })
	return f
}

// asPostgres makes a command run as the user postgres, since PostgreSQL refuses to be root.
func (s *site) asPostgres(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	if os.Geteuid() != 0 {
		return cmd
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		s.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd
}

func (s *site) startPostgres(bin string) {
	s.t.Helper()
	data := filepath.Join(s.dir, "pg")
	if os.Geteuid() == 0 {
		// The folder must be the user's own.
		if err := os.Mkdir(data, 0o700); err != nil {
			s.t.Fatal(err)
		}
		id := s.asPostgres(exec.Command("true")).SysProcAttr.Credential
		if err := os.Chown(data, int(id.Uid), int(id.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
	if out, err := s.asPostgres(exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")).CombinedOutput(); err != nil {
		s.t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(s.t)
	cmd := s.asPostgres(exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", "", "-h", "127.0.0.1",
		"-c", "fsync=off", "-c", "log_timezone=UTC", "-c", "log_line_prefix=%m [%p] %q%u@%d ",
		"-c", "max_connections="+strconv.Itoa(slots), "-c", "log_lock_waits=on", "-c", "deadlock_timeout=200ms", "-c", "log_min_duration_statement=500"))
	cmd.Stderr = s.log("postgresql.log") // as pg_ctlcluster has it
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cmd.Process.Signal(syscall.SIGINT); cmd.Wait() })
	s.pg = fmt.Sprintf("host=127.0.0.1 port=%d sslmode=disable dbname=postgres", port)
	var admin *pgconn.PgConn
	s.soon("PostgreSQL answers", func() (err error) {
		admin, err = pgconn.Connect(context.Background(), s.pg+" user=postgres")
		return err
	})
	defer admin.Close(context.Background())
	for _, sql := range []string{"CREATE ROLE odoo LOGIN", "CREATE DATABASE prod OWNER odoo"} {
		s.exec(admin, sql)
	}
	s.pg = strings.Replace(s.pg, "dbname=postgres", "dbname=prod", 1)
	conn := s.session("odoo")
	s.exec(conn, "CREATE TABLE stock_quant AS SELECT id, 100 AS quantity FROM generate_series(1, 100) id")
	conn.Close(context.Background())
}

// session opens a session of PostgreSQL.
func (s *site) session(user string) *pgconn.PgConn {
	s.t.Helper()
	conn, err := pgconn.Connect(context.Background(), s.pg+" user="+user)
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

func (s *site) exec(conn *pgconn.PgConn, sql string) {
	s.t.Helper()
	if _, err := conn.Exec(context.Background(), sql).ReadAll(); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

const nginxConf = `OWNER
worker_processes 2;
daemon off;
pid DIR/nginx.pid;
error_log LOGS/error.log error;
events { worker_connections 256; }
http {
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    'msec=$msec rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ua="$upstream_addr" us="$upstream_status"';
  access_log LOGS/access.log timed;
  upstream odoo { server BACK; }
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_read_timeout 3s;
  server {
    listen FRONT;
    server_name erp.example.com;
    location / { proxy_pass http://odoo; }
    location /report/ { proxy_pass http://odoo; proxy_read_timeout 30s; }
  }
}
`

func (s *site) startNginx() {
	s.t.Helper()
	s.nginx = fmt.Sprintf("127.0.0.1:%d", freePort(s.t))
	s.odoo = prefork{Addr: fmt.Sprintf("127.0.0.1:%d", freePort(s.t)), Log: filepath.Join(s.logs, "odoo.log"), Database: s.pg + " user=odoo", Workers: httpWorkers, TimeReal: timeReal}
	owner := ""
	if os.Geteuid() == 0 {
		owner = "user root;"
	}
	conf := strings.NewReplacer("OWNER", owner, "DIR", s.dir, "LOGS", s.logs, "FRONT", s.nginx, "BACK", s.odoo.Addr).Replace(nginxConf)
	path := filepath.Join(s.logs, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		s.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.odoo.Addr)
	odooConf := fmt.Sprintf("[options]\nhttp_port = %s\nproxy_mode = True\nworkers = %d\nlimit_time_real = %d\nlogfile = %s\n", port, httpWorkers, int(timeReal.Seconds()), s.odoo.Log)
	if err := os.WriteFile(filepath.Join(s.logs, "odoo.conf"), []byte(odooConf), 0o644); err != nil {
		s.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("nginx", "-p", s.dir, "-c", path)
	cmd.Env = append(os.Environ(), "TZ=CET-1") // its error log has another zone than the other logs, and does not say so
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	s.t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	s.soon("nginx listens", func() error {
		c, err := net.Dial("tcp", s.nginx)
		if err != nil {
			return fmt.Errorf("%w %s", err, stderr.String())
		}
		return c.Close()
	})
}

// startOdoo runs the prefork server.
func (s *site) startOdoo() {
	s.t.Helper()
	var err error
	if s.back, s.gone, err = s.odoo.start(s.dir, s.log("odoo-stderr.log")); err != nil {
		s.t.Fatal(err)
	}
	back := s.back
	s.t.Cleanup(func() { back.Process.Kill() })
}

// serving waits until the server has served for a while: outages that follow one another within a second or two are one.
func (s *site) serving() {
	s.t.Helper()
	s.soon("the server listens", func() error {
		c, err := net.Dial("tcp", s.odoo.Addr)
		if err != nil {
			return err
		}
		return c.Close() // a worker reads nothing of it
	})
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		s.ordinary(1)
	}
}

// ended waits until nobody listens any more, which workers do a little longer than their master.
func (s *site) ended() {
	s.t.Helper()
	<-s.gone
	s.soon("the server listens no more", func() error {
		c, err := net.Dial("tcp", s.odoo.Addr)
		if err != nil {
			return nil
		}
		c.Close()
		return fmt.Errorf("somebody listens")
	})
}

// ask asks nginx for a path, as one of several people, and returns the status and when it came.
func (s *site) ask(path string) (int, time.Time) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(10+s.asked.Add(1)%20))}
	c := http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: from}).DialContext, DisableKeepAlives: true}}
	r, err := c.Get("http://" + s.nginx + path)
	if err != nil {
		s.t.Errorf("%s: %v", path, err)
		return 0, time.Now()
	}
	r.Body.Close()
	return r.StatusCode, time.Now()
}

// ordinary are requests that are answered at once.
func (s *site) ordinary(n int) {
	s.t.Helper()
	for range n {
		if status, _ := s.ask("/web/dataset/call_kw/stock.quant/search_read?work=5ms"); status != http.StatusOK {
			s.t.Errorf("an ordinary request: status %d", status)
		}
	}
}

// rotate runs logrotate on some of the logs, with a directive that says how.
func (s *site) rotate(how string, names ...string) {
	s.t.Helper()
	var paths []string
	for _, name := range names {
		paths = append(paths, fmt.Sprintf("%q", filepath.Join(s.logs, name)))
	}
	conf := fmt.Sprintf("%s {\n rotate 9\n compress\n delaycompress\n %s\n sharedscripts\n postrotate\n  kill -USR1 %d\n endscript\n}\n", strings.Join(paths, " "), how, s.pid)
	path := filepath.Join(s.dir, "logrotate.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command("logrotate", "--force", "--state", filepath.Join(s.dir, "logrotate.state"), path).CombinedOutput(); err != nil {
		s.t.Fatalf("logrotate: %v\n%s", err, out)
	}
}

// mostPatient is how long a test waits for what must happen, on a machine that does much else.
const mostPatient = 30 * time.Second

// soon tries until something succeeds.
func (s *site) soon(what string, try func() error) {
	s.t.Helper()
	for until := time.Now().Add(mostPatient); ; time.Sleep(5 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			s.t.Fatalf("%s: %v", what, err)
		}
	}
}

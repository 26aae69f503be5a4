package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// prefork is a server that behaves towards nginx, PostgreSQL and its own log as Odoo 16 with workers does: a master that listens and watches, worker
// processes that share its socket and serve one request at a time, each with a session of PostgreSQL. What a request does stands in its address:
//
//	?lock=ID   updates a row, and waits for whoever has locked it
//	?work=2s   computes
//	?kill      has its worker killed, as from outside: it writes nothing
//
// The master is run as "prefork CONFIG", a worker as "prefork CONFIG worker" with the socket as its third file and the master's pipe as its fourth.
type prefork struct {
	Addr     string        `json:"addr"`
	Log      string        `json:"log"` // Odoo's logfile; standard error is standard error
	Database string        `json:"database"`
	Workers  int           `json:"workers"`
	TimeReal time.Duration `json:"limit_time_real"`
}

func preforkMain() {
	var p prefork
	b, err := os.ReadFile(os.Args[1])
	if err = errors.Join(err, json.Unmarshal(b, &p)); err != nil {
		panic(err)
	}
	if len(os.Args) > 2 {
		os.Exit(p.worker())
	}
	os.Exit(p.master())
}

// line writes a record as Odoo does: one write, to the file that has the name of the log now, as Python's WatchedFileHandler finds it.
func (p *prefork) line(level, db, logger, format string, args ...any) {
	f, err := os.OpenFile(p.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %d %s %s %s: %s\n", time.Now().UTC().Format("2006-01-02 15:04:05,000"), os.Getpid(), level, db, logger, fmt.Sprintf(format, args...))
}

func (p *prefork) connect(ctx context.Context) (*pgconn.PgConn, error) {
	return pgconn.Connect(ctx, fmt.Sprintf("%s application_name=odoo-%d", p.Database, os.Getpid()))
}

// child is a worker as its master sees it.
type child struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	at  time.Time // of its last sign of life, which it gives between two requests
}

func (c *child) hear(pipe io.Reader) {
	for b := make([]byte, 64); ; {
		if _, err := pipe.Read(b); err != nil {
			return
		}
		c.mu.Lock()
		c.at = time.Now()
		c.mu.Unlock()
	}
}

func (c *child) silent() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.at)
}

func (p *prefork) master() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	p.line("INFO", "?", "odoo", "Odoo version 16.0 ")
	p.line("INFO", "?", "odoo", "Using configuration file at /etc/odoo/odoo.conf ")
	p.line("INFO", "?", "odoo", "addons paths: ['/opt/odoo/odoo/addons', '/srv/odoo/addons'] ")
	p.line("INFO", "?", "odoo", "database: odoo@127.0.0.1:5432 ")
	began := time.Now()
	conn, err := p.connect(context.Background())
	if err != nil {
		p.line("INFO", "?", "odoo.sql_db", "Connection to the database failed ")
		fmt.Fprintf(os.Stderr, "Traceback (most recent call last):\n"+
			"  File \"/usr/bin/odoo\", line 8, in <module>\n    odoo.cli.main()\n"+
			"  File \"/usr/lib/python3/dist-packages/odoo/sql_db.py\", line 669, in borrow\n    result = psycopg2.connect(\n"+
			"psycopg2.OperationalError: %s\n\n", inLibpqsWords(err))
		return 1
	}
	conn.Close(context.Background())
	l, err := net.Listen("tcp", p.Addr)
	if err != nil {
		panic(err)
	}
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		panic(err)
	}
	l.Close()
	p.line("INFO", "?", "odoo.service.server", "HTTP service (werkzeug) running on %s ", p.Addr)
	p.line("INFO", "prod", "odoo.modules.loading", "Modules loaded. ")
	p.line("INFO", "prod", "odoo.modules.registry", "Registry loaded in %.3fs ", time.Since(began).Seconds())

	children := map[*child]bool{}
	ended := make(chan *child)
	fork := func() {
		hear, tell, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		c := &child{cmd: exec.Command("prefork", os.Args[1], "worker"), at: time.Now()}
		c.cmd.Stderr, c.cmd.ExtraFiles = os.Stderr, []*os.File{socket, tell}
		if err := c.cmd.Start(); err != nil {
			panic(err)
		}
		tell.Close()
		children[c] = true
		go func() {
			c.hear(hear)
			hear.Close()
			c.cmd.Wait()
			ended <- c
		}()
	}
	for range p.Workers {
		fork()
	}
	stopping := false
	for !stopping || len(children) > 0 {
		select {
		case <-signals:
			p.line("INFO", "prod", "odoo.service.server", "Stopping gracefully ")
			stopping = true
			socket.Close()
			for c := range children {
				c.cmd.Process.Signal(syscall.SIGINT)
			}
		case c := <-ended:
			delete(children, c)
			if !stopping {
				fork()
			}
		case <-time.After(50 * time.Millisecond):
			for c := range children {
				if c.silent() > p.TimeReal {
					p.line("ERROR", "prod", "odoo.service.server", "WorkerHTTP (%d) timeout after %ds ", c.cmd.Process.Pid, int(p.TimeReal.Seconds()))
					c.cmd.Process.Kill()
				}
			}
		}
	}
	return 0
}

// inLibpqsWords is what the server said, in libpq's words.
func inLibpqsWords(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Sprintf(`connection to server at "127.0.0.1", port 5432 failed: %s:  %s`, e.Severity, e.Message)
	}
	return err.Error()
}

func (p *prefork) worker() int {
	pid, master, served := os.Getpid(), os.Getppid(), 0
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT)
	tell := os.NewFile(4, "master")
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		panic(err)
	}
	conn, err := p.connect(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, inLibpqsWords(err))
		return 1
	}
	p.line("INFO", "prod", "odoo.service.server", "Worker WorkerHTTP (%d) alive ", pid)
	// Whoever makes another worker makes the shared socket block (see os.File.Fd), so signs of life come from beside it.
	var serving sync.Mutex
	go func() {
		for ; ; time.Sleep(50 * time.Millisecond) {
			if !serving.TryLock() {
				continue
			}
			tell.WriteString(".")
			select {
			case <-stop:
				p.line("INFO", "prod", "odoo.service.server", "Worker (%d) exiting. request_count: %d, registry count: 1. ", pid, served)
				conn.Close(context.Background())
				os.Exit(0)
			default:
			}
			if os.Getppid() != master {
				p.line("INFO", "prod", "odoo.service.server", "Worker (%d) Parent changed ", pid)
				os.Exit(0)
			}
			serving.Unlock()
		}
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		serving.Lock()
		p.serve(c, conn)
		served++
		serving.Unlock()
	}
}

func (p *prefork) serve(c net.Conn, conn *pgconn.PgConn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return // who connected said nothing
	}
	began := time.Now()
	io.Copy(io.Discard, r.Body)
	if r.URL.Query().Has("kill") {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	sql := `SELECT sum(quantity) FROM stock_quant`
	if id, err := strconv.Atoi(r.URL.Query().Get("lock")); err == nil {
		sql = fmt.Sprintf(`UPDATE "stock_quant" SET "quantity" = quantity - 1 WHERE id IN (%d)`, id)
	}
	status := http.StatusOK
	if _, err := conn.Exec(context.Background(), sql).ReadAll(); err != nil {
		status = http.StatusInternalServerError
	}
	inSQL := time.Since(began)
	if work, err := time.ParseDuration(r.URL.Query().Get("work")); err == nil {
		time.Sleep(work)
	}
	rest := time.Since(began) - inSQL
	p.line("INFO", "prod", "werkzeug", `%s - - [%s] "%s %s HTTP/1.0" %d - 1 %.3f %.3f`, r.Header.Get("X-Forwarded-For"),
		time.Now().UTC().Format("02/Jan/2006 15:04:05"), r.Method, r.URL.RequestURI(), status, inSQL.Seconds(), rest.Seconds())
	fmt.Fprintf(c, "HTTP/1.0 %d %s\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n", status, http.StatusText(status))
}

// start runs the master, which is ready when it answers, and returns it with a channel that closes when it has ended.
func (p *prefork) start(dir string, stderr io.Writer) (*exec.Cmd, <-chan struct{}, error) {
	path := filepath.Join(dir, "prefork.json")
	b, err := json.Marshal(p)
	if err = errors.Join(err, os.WriteFile(path, b, 0o600)); err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("prefork", path)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	return cmd, ended, nil
}

// Command makelogs writes the logs of a busy night, for measuring: an nginx access log, and on request
// Odoo's log of the same requests and nginx's error log of the failing ones. The same arguments
// always make the same bytes.
//
//	go run ./bench/makelogs -lines 5000000 DIR
//	go run ./bench/makelogs -lines 5000000 -odoo -failing 0.01 DIR
//
// Measuring is all they are for: they say nothing about whether a verdict is right.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	night := night{rand: rand.New(rand.NewPCG(1, 2))}
	flag.IntVar(&night.lines, "lines", 5_000_000, "lines of the access log; 5 million are 1.0 GB")
	flag.Float64Var(&night.failing, "failing", 0, "share of lines that are 502 or 504")
	flag.BoolVar(&night.odoo, "odoo", false, "write Odoo's log too")
	flag.BoolVar(&night.postgresql, "postgresql", false, "write PostgreSQL's log of slow statements too, one for each tenth request")
	flag.BoolVar(&night.bad, "bad", false, "every request with a URL and a client of its own, lines of 20 MB and random bytes in between")
	flag.DurationVar(&night.length, "length", 12*time.Hour, "how long the night is")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: makelogs [options] DIR")
		flag.PrintDefaults()
		os.Exit(2)
	}
	if err := night.write(flag.Arg(0)); err != nil {
		fmt.Fprintf(os.Stderr, "makelogs: %v\n", err)
		os.Exit(1)
	}
}

// night is what is to be written.
type night struct {
	lines   int
	failing float64
	odoo    bool

	postgresql bool
	bad        bool
	length     time.Duration
	rand       *rand.Rand

	access, errors, server, database *log
	number                           []byte
}

// log is a file that is being written. The first error stays, as bufio has it.
type log struct {
	*bufio.Writer
	file *os.File
}

func create(path string) (*log, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &log{bufio.NewWriterSize(f, 1<<20), f}, nil
}

func (l *log) close() error {
	if err := l.Flush(); err != nil {
		return err
	}
	return l.file.Close()
}

func (n *night) write(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]**log{"access.log": &n.access}
	if n.failing > 0 {
		files["error.log"] = &n.errors
	}
	if n.odoo {
		files["odoo.log"] = &n.server
	}
	if n.postgresql {
		files["postgresql.log"] = &n.database
	}
	for name, l := range files {
		if *l, err = create(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	n.requests()
	for _, l := range files {
		if err := (*l).close(); err != nil {
			return err
		}
	}
	return nil
}

// route is a kind of request: what it asks for, how often, and how long it takes.
type route struct {
	method, path string // a path ends in a number where it says #
	share        int
	millis       float64
	bytes        int
	static       bool // served by nginx
}

var routes = []route{
	{"POST", "/web/dataset/call_kw/sale.order/web_search_read", 20, 60, 8200, false},
	{"POST", "/web/dataset/call_kw/res.partner/read", 14, 25, 1400, false},
	{"POST", "/web/dataset/call_kw/account.move/onchange", 8, 110, 2600, false},
	{"POST", "/web/dataset/call_button", 4, 300, 420, false},
	{"POST", "/mail/thread/messages", 8, 35, 3100, false},
	{"GET", "/web/image/res.partner/#/avatar_128", 14, 8, 2900, false},
	{"GET", "/web/assets/#/web.assets_backend.min.js", 4, 0, 1480211, true},
	{"GET", "/web/static/img/logo.png", 8, 0, 2901, true},
	{"GET", "/my/orders/#?access_token=5f1c6a3e-8f0b-4d43-9a55-0c3d8b7d1a22", 6, 90, 15200, false},
	{"GET", "/shop/product/office-chair-#", 10, 120, 38000, false},
	{"GET", "/web/login", 3, 15, 4107, false},
	{"GET", "/report/pdf/sale.report_saleorder/#", 1, 1800, 88000, false},
}

var agents = []string{
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
	"Odoo-Mobile/17.0 (Android 15; SM-S921B)",
	"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
}

const (
	workers   = 16
	firstPID  = 4700
	clients   = 3000
	badSpells = 40 // failures come in spells, as outages do
)

var begin = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

// requests writes all requests in the order of their ends.
func (n *night) requests() {
	var table []*route
	for i := range routes {
		for range routes[i].share {
			table = append(table, &routes[i])
		}
	}
	if n.server != nil {
		n.start(begin)
	}
	down := false
	step := n.length / time.Duration(n.lines)
	for i := range n.lines {
		at := begin.Add(time.Duration(i) * step)
		r := table[n.rand.IntN(len(table))]
		id := n.rand.IntN(20_000)
		client := n.rand.IntN(clients)
		if n.bad {
			n.badLines(at, i)
			continue
		}
		fails := n.fails(i)
		if down && !fails && n.server != nil {
			n.start(at)
		}
		if down = fails; fails && !r.static {
			n.failure(at, r, id, client)
			continue
		}
		took := time.Duration(r.millis * (0.5 + n.rand.ExpFloat64()*0.5) * float64(time.Millisecond))
		n.accessLine(at, r, id, client, 200, r.bytes+n.rand.IntN(200))
		if n.server != nil && !r.static {
			n.odooLine(at, r, id, client, took)
		}
		if n.database != nil && i%10 == 0 {
			n.statement(at, id, client)
		}
	}
}

// badLines is what scanners and broken disks leave in a log.
func (n *night) badLines(at time.Time, i int) {
	w := n.access
	switch {
	case i%100_000 == 99_999:
		for range 20 << 20 {
			w.WriteByte('x')
		}
	case i%1000 == 999:
		for range 200 {
			w.WriteByte(byte(n.rand.IntN(256)))
		}
	default:
		fmt.Fprintf(w, "10.%d.%d.%d - - [%s] \"GET /%x/%d.php HTTP/1.1\" 404 146 \"-\" \"-\"", i>>16&255, i>>8&255, i&255,
			at.Format("02/Jan/2006:15:04:05 -0700"), n.rand.Uint64(), i)
	}
	w.WriteByte('\n')
}

// fails spreads the failures over spells.
func (n *night) fails(i int) bool {
	if n.failing == 0 {
		return false
	}
	spell := n.lines / badSpells
	return float64(i%spell) < float64(spell)*n.failing
}

// failure is a request that is refused, or that nginx gives up on.
func (n *night) failure(at time.Time, r *route, id, client int) {
	status, says := 502, "connect() failed (111: Connection refused) while connecting to upstream"
	if n.rand.IntN(4) == 0 {
		status, says = 504, "upstream timed out (110: Connection timed out) while reading response header from upstream"
	}
	n.accessLine(at, r, id, client, status, 157)
	w := n.errors
	w.Write(at.AppendFormat(n.number[:0], "2006/01/02 15:04:05"))
	w.WriteString(" [error] 4100#4100: *")
	n.int(w, int(at.Sub(begin)/time.Millisecond))
	w.WriteByte(' ')
	w.WriteString(says)
	w.WriteString(", client: ")
	n.client(w, client)
	w.WriteString(`, server: erp.example.com, request: "`)
	w.WriteString(r.method)
	w.WriteByte(' ')
	n.path(w, r, id)
	w.WriteString(` HTTP/1.1", upstream: "http://127.0.0.1:8069`)
	n.path(w, r, id)
	w.WriteString("\", host: \"erp.example.com\"\n")
}

func (n *night) accessLine(at time.Time, r *route, id, client, status, size int) {
	w := n.access
	n.client(w, client)
	w.WriteString(" - - [")
	w.Write(at.AppendFormat(n.number[:0], "02/Jan/2006:15:04:05 -0700"))
	w.WriteString(`] "`)
	w.WriteString(r.method)
	w.WriteByte(' ')
	n.path(w, r, id)
	w.WriteString(` HTTP/1.1" `)
	n.int(w, status)
	w.WriteByte(' ')
	n.int(w, size)
	w.WriteString(` "https://erp.example.com/web" "`)
	w.WriteString(agents[client%len(agents)])
	w.WriteString("\"\n")
}

// odooLine is the line that the worker writes when it has answered.
func (n *night) odooLine(at time.Time, r *route, id, client int, took time.Duration) {
	n.head(at, firstPID+1+n.rand.IntN(workers))
	w := n.server
	w.WriteString("prod werkzeug: ")
	n.client(w, client)
	w.WriteString(" - - [")
	w.Write(at.AppendFormat(n.number[:0], "02/Jan/2006 15:04:05"))
	w.WriteString(`] "`)
	w.WriteString(r.method)
	w.WriteByte(' ')
	n.path(w, r, id)
	w.WriteString(` HTTP/1.0" 200 - `)
	n.int(w, 3+id%40)
	sql := took / 3
	w.WriteByte(' ')
	w.Write(strconv.AppendFloat(n.number[:0], sql.Seconds(), 'f', 3, 64))
	w.WriteByte(' ')
	w.Write(strconv.AppendFloat(n.number[:0], (took - sql).Seconds(), 'f', 3, 64))
	w.WriteByte('\n')
}

// statement is one that took long enough to be logged, by PostgreSQL.
func (n *night) statement(at time.Time, id, client int) {
	w := n.database
	w.Write(at.AppendFormat(n.number[:0], "2006-01-02 15:04:05.000 MST ["))
	n.int(w, 20_000+client%workers)
	w.WriteString("] odoo@prod LOG:  duration: ")
	w.Write(strconv.AppendFloat(n.number[:0], 200+n.rand.ExpFloat64()*150, 'f', 3, 64))
	w.WriteString(" ms  statement: SELECT \"sale_order\".\"id\", \"sale_order\".\"name\", \"sale_order\".\"state\" FROM \"sale_order\" WHERE (\"sale_order\".\"partner_id\" IN (")
	n.int(w, id)
	w.WriteString(")) ORDER BY \"sale_order\".\"date_order\" DESC LIMIT 80\n")
}

// start writes what Odoo says when it comes up: at the beginning, and after each spell, since it had died
// without a word.
func (n *night) start(at time.Time) {
	for _, text := range []string{
		"? odoo: Odoo version 17.0",
		"? odoo.service.server: HTTP service (werkzeug) running on 127.0.0.1:8069",
		"prod odoo.modules.loading: Modules loaded.",
	} {
		n.head(at, firstPID)
		n.server.WriteString(text + "\n")
	}
	for i := range workers {
		n.head(at, firstPID+1+i)
		fmt.Fprintf(n.server, "prod odoo.service.server: Worker WorkerHTTP (%d) alive\n", firstPID+1+i)
	}
}

func (n *night) head(at time.Time, pid int) {
	w := n.server
	w.Write(at.AppendFormat(n.number[:0], "2006-01-02 15:04:05,000 "))
	n.int(w, pid)
	w.WriteString(" INFO ")
}

func (n *night) path(w *log, r *route, id int) {
	for i := range len(r.path) {
		if r.path[i] == '#' {
			n.int(w, id)
			continue
		}
		w.WriteByte(r.path[i])
	}
}

func (n *night) client(w *log, i int) {
	w.WriteString("10.20.")
	n.int(w, i/250)
	w.WriteByte('.')
	n.int(w, 1+i%250)
}

func (n *night) int(w *log, v int) { w.Write(strconv.AppendInt(n.number[:0], int64(v), 10)) }

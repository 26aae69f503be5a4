package parser

import (
	"bytes"
	"time"

	"gatepost"
)

var _ = Register(Format{
	Name:    "haproxy",
	Title:   "HAProxy log",
	Program: "haproxy",
	Doc: "option httplog with or without captured headers, option httpslog, option httplog clf; HTTP/2 and TLS as well; and what it says of its " +
		"servers (is DOWN, is UP, has no server available). The termination state names the phase of a failure; a request that the client " +
		"gave up before any status (-1) counts as 499, which is nginx's word for it. Such a line tells when the request came in, in local " +
		"time without a zone; it ended the last timer later. option tcplog knows no requests. Facts: HAProxy's configuration manual, sections 8.2 to 8.6.",
	Kinds:  []gatepost.Kind{gatepost.NginxRequest, gatepost.HAProxyServer},
	Sniff:  sniffHAProxy,
	Starts: haproxyLine,
	Parse:  parseHAProxy,
})

// A line about a server has no stamp of its own where syslog put one before it, so it belongs to the request line before
// it, as further lines of that record: it was written when that request had ended.

// haproxyDialect is which of its two notations a source has: their stamps are not of one clock.
type haproxyDialect struct{ clf bool }

func sniffHAProxy(sample []byte, _ *Options) (score int, dialect string, state any) {
	d := &haproxyDialect{}
	lines, requests, clf, known := 0, 0, 0, 0
	for line := range bytes.Lines(sample) {
		line = trimEOL(line)
		if blank(line) {
			continue
		}
		lines++
		var h haproxyRequest
		switch {
		case h.read(line):
			requests++
			if h.clf {
				clf++
			}
		case haproxyNews(line).says != nil:
			known++
		}
	}
	if d.clf = clf*2 > requests; d.clf {
		dialect = "httplog clf"
	} else {
		dialect = "httplog"
	}
	if requests+known > 0 {
		score = (requests + known) * 1000 / lines
	}
	return score, dialect, d
}

// haproxyFormat is how HAProxy escapes what it logs of a request.
var haproxyFormat = &logFormat{name: "haproxy", raw: true, hashes: true}

var haproxyLines = accessNotation{read: readHAProxy, other: appendHAProxyNews}

func parseHAProxy(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	if p.access == nil {
		p.access = &accessReader{}
	}
	haproxyLines.parse(p, b, out)
	if out.Stamps = gatepost.StampsLocal; p.State.(*haproxyDialect).clf {
		out.Stamps = gatepost.StampsAbsolute
	}
}

// haproxyLine reports whether a line is about a request.
func haproxyLine(line []byte) bool {
	var h haproxyRequest
	return h.read(line)
}

// haproxyRequest is a line about a request. Its words are pieces of it.
type haproxyRequest struct {
	client          []byte
	came            gatepost.Time
	backend, server []byte
	timers          [5]time.Duration // TR, Tw, Tc, Tr and Ta; Unknown for -1
	status          int              // 0 for -1
	size            int64
	state           []byte // four letters
	request         []byte
	clf             bool
}

// read reads a line in either notation.
func (h *haproxyRequest) read(line []byte) bool {
	i := bytes.IndexByte(line, ' ')
	if i <= 0 || i+3 > len(line) {
		return false
	}
	h.client = line[:i]
	if line[i+1] == '[' {
		return h.readNative(line[i+2:])
	}
	return hasPrefix(line[i:], " - - [") && h.readCLF(line[i+len(" - - ["):])
}

// readNative reads what stands behind `10.20.1.47:33317 [` of option httplog:
//
//	22/Nov/2026:14:10:38.123] web~ odoo/o1 0/0/0/84/85 200 2947 - - ---- 3/2/1/1/0 0/0 {erp.example.com} "GET /web HTTP/1.1"
func (h *haproxyRequest) readNative(s []byte) bool {
	const stamp = "22/Nov/2026:14:10:38.123"
	if len(s) < len(stamp)+2 || s[len(stamp)] != ']' || !h.readCame(s) {
		return false
	}
	colon := bytes.LastIndexByte(h.client, ':')
	if colon <= 0 {
		return false
	}
	h.client = h.client[:colon]
	var w [9][]byte // from the frontend to the connections
	s = s[len(stamp)+1:]
	for i := range w {
		if len(s) == 0 || s[0] != ' ' {
			return false
		}
		w[i], s = s[1:1+wordLength(s[1:])], s[1+wordLength(s[1:]):]
	}
	slash := bytes.IndexByte(w[1], '/')
	if slash < 0 {
		return false
	}
	h.backend, h.server, h.state = w[1][:slash], w[1][slash+1:], w[7]
	timers := w[2]
	for i := range h.timers {
		var n int
		if h.timers[i], n = haproxyTimer(timers); n == 0 {
			return false
		}
		if timers = timers[n:]; i+1 < len(h.timers) {
			if len(timers) == 0 || timers[0] != '/' {
				return false
			}
			timers = timers[1:]
		}
	}
	if len(timers) > 0 || !h.readStatus(w[3]) || len(h.state) != 4 || bytes.IndexByte(w[8], '/') < 0 {
		return false
	}
	h.readSize(w[4])
	// Captured headers may hold blanks, but no quotes: the first one opens the request.
	if i := bytes.IndexByte(s, '"'); i >= 0 {
		h.request, _ = quoteEnd(s[i+1:])
	}
	return true
}

// readCame reads "22/Nov/2026:14:10:38.123", which is local time.
func (h *haproxyRequest) readCame(s []byte) bool {
	if s[2] != '/' || s[6] != '/' || s[11] != ':' || s[20] != '.' {
		return false
	}
	day, mon, year, sod := d2(s), month(s[3:]), d4(s[7:]), clock(s[12:])
	ns, n := fraction(s[20:24])
	if day < 1 || day > 31 || mon == 0 || year < 1970 || sod < 0 || n != 4 {
		return false
	}
	h.came = nano(civil(year, mon, day, 0, 0, 0)+int64(sod), ns)
	return true
}

// readCLF reads what stands behind `10.20.1.47 - - [` of option httplog clf:
//
//	22/Nov/2026:14:10:38 +0000] "GET /web HTTP/1.1" 200 2947 "" "" 33317 123 "web" "odoo" "o1" 0 0 0 84 85 "----" 3 2 1 1 0 0 0 "-" "-"
func (h *haproxyRequest) readCLF(s []byte) bool {
	if len(s) < timeLocal+2 || s[timeLocal] != ']' {
		return false
	}
	stamp := readAccessStamp(s[:timeLocal])
	s = s[timeLocal+1:]
	if !hasPrefix(s, ` "`) || stamp.at == gatepost.NoTime {
		return false
	}
	h.request, s = quoteEnd(s[2:])
	var w [15][]byte // from the status to the termination state
	for i := range w {
		if len(s) < 2 || s[0] != ' ' {
			return false
		}
		if s = s[1:]; s[0] == '"' {
			w[i], s = quoteEnd(s[1:])
		} else {
			n := wordLength(s)
			w[i], s = s[:n], s[n:]
		}
	}
	if len(w[2])+len(w[3]) > 0 || len(w[14]) != 4 || !h.readStatus(w[0]) {
		return false
	}
	for i := range h.timers {
		var n int
		if h.timers[i], n = haproxyTimer(w[9+i]); n == 0 || n < len(w[9+i]) {
			return false
		}
	}
	ms, n := atoi(w[5])
	if n == 0 || ms > 999 {
		return false
	}
	h.came = stamp.at.Add(time.Duration(ms) * time.Millisecond)
	h.backend, h.server, h.state, h.clf = w[7], w[8], w[14], true
	h.readSize(w[1])
	return true
}

// wordLength is how long the word is that s begins with.
func wordLength(s []byte) int {
	if i := bytes.IndexByte(s, ' '); i >= 0 {
		return i
	}
	return len(s)
}

// quoteEnd splits s around the quote that ends a string. A string that was cut off has none.
func quoteEnd(s []byte) (text, rest []byte) {
	if i := bytes.IndexByte(s, '"'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, nil
}

// maxTimer is the longest time that a timer is believed to tell, in milliseconds: a year.
const maxTimer = 366 * 86400 * 1000

// haproxyTimer reads a timer: "-1" is Unknown, and a plus sign before one says that the request went on (option logasap). n is
// its length, 0 when it is none.
func haproxyTimer(s []byte) (d time.Duration, n int) {
	if hasPrefix(s, "-1") {
		return gatepost.Unknown, 2
	}
	plus := 0
	if hasPrefix(s, "+") {
		plus = 1
	}
	ms, n := atoi(s[plus:])
	if n == 0 || ms > maxTimer {
		return 0, 0
	}
	return time.Duration(ms) * time.Millisecond, plus + n
}

func (h *haproxyRequest) readStatus(s []byte) bool {
	if string(s) == "-1" {
		h.status = 0
		return true
	}
	status, n := atoi(s)
	h.status = int(status)
	return n == 3 && len(s) == 3
}

func (h *haproxyRequest) readSize(s []byte) {
	h.size = -1
	if size, n := atoi(bytes.TrimPrefix(s, []byte("+"))); n > 0 {
		h.size = size
	}
}

// The timers of a line.
const (
	haproxyTR = iota // until the request's header was there
	haproxyTw        // in HAProxy's queues
	haproxyTc        // connecting
	haproxyTr        // until the answer's header was there
	haproxyTa        // all of it
)

// readHAProxy is for the notation of the source alone: the other has stamps of another clock.
func readHAProxy(r *accessReader, p *Parser, line []byte) bool {
	var h haproxyRequest
	if !h.read(line) {
		return false
	}
	if h.clf != p.State.(*haproxyDialect).clf || h.timers[haproxyTa] == gatepost.Unknown {
		r.ended = gatepost.NoTime
		return false
	}
	r.values, r.plain = accessLine{}, false
	r.values[varRequest] = h.request
	r.format, r.status, r.size, r.client = haproxyFormat, h.status, h.size, h.client
	r.took = h.timers[haproxyTa]
	r.stamp = accessStamp{at: h.came.Add(r.took), resolution: time.Millisecond}
	if h.status == 0 && (h.state[0] == 'C' || h.state[0] == 'c') {
		r.status = 499
	}
	r.hop = h.hop()
	return true
}

// hop is what the line says of HAProxy's last try.
func (h *haproxyRequest) hop() hop {
	one := hop{told: true, backend: h.backend, server: h.server, phase: h.phase(), state: h.state,
		connect: h.timers[haproxyTc], header: gatepost.Unknown, response: h.timers[haproxyTa]}
	if hasPrefix(h.server, "<") {
		one.server = nil // <NOSRV>: none was chosen
	}
	for _, before := range [...]int{haproxyTR, haproxyTw} {
		if t := h.timers[before]; t != gatepost.Unknown {
			one.response -= t
		}
	}
	one.response = max(one.response, 0)
	if one.connect != gatepost.Unknown && h.timers[haproxyTr] != gatepost.Unknown {
		one.header = one.connect + h.timers[haproxyTr]
	}
	return one
}

// phase reads the first two letters of the termination state: what ended the request, and in which state. What the client, a
// rule or HAProxy itself ended has no phase.
func (h *haproxyRequest) phase() gatepost.Phase {
	none := hasPrefix(h.server, "<")
	switch string(h.state[:2]) {
	case "sH":
		return gatepost.PhaseHeaderTimeout
	case "sD":
		return gatepost.PhaseBodyTimeout
	case "sC":
		return gatepost.PhaseConnectTimeout
	case "sQ":
		return gatepost.PhaseQueueTimeout
	case "SH":
		return gatepost.PhasePremature
	case "SC", "SQ":
		if none {
			return gatepost.PhaseNoLive
		}
		return gatepost.PhaseRefused
	case "DQ", "DC", "DH":
		return gatepost.PhaseNoLive // a check found the server down, and HAProxy let go of its requests
	case "PH":
		return gatepost.PhaseProtocol
	case "--":
		if h.timers[haproxyTr] != gatepost.Unknown && !none && (h.status == 502 || h.status == 503 || h.status == 504) {
			return gatepost.PhaseUpstreamAnswer
		}
	}
	return ""
}

// unescapeHashes appends s to dst with HAProxy's escapes, #HH, decoded.
func unescapeHashes(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '#')
		if i < 0 {
			return append(dst, s...)
		}
		dst, s = append(dst, s[:i]...), s[i+1:]
		if v, ok := hex(s, 2); ok {
			dst, s = append(dst, byte(v)), s[2:]
		} else {
			dst = append(dst, '#')
		}
	}
}

// haproxyNewsLine is a line that is not about a request.
type haproxyNewsLine struct {
	says  []byte // without the head that it has on standard error; nil: HAProxy says no such thing
	name  string // what became of a server; "" for what matters to no verdict
	about []byte // backend and server, or the backend
}

// haproxyNews recognises what HAProxy says of its servers and of itself.
func haproxyNews(line []byte) haproxyNewsLine {
	n := haproxyNewsLine{says: withoutLevel(line)}
	switch {
	case hasPrefix(n.says, "Server "), hasPrefix(n.says, "Backup Server "):
		about, rest, ok := cut(n.says[bytes.Index(n.says, []byte("Server "))+len("Server "):], " is ")
		switch {
		case !ok || bytes.IndexByte(about, '/') < 0:
			return haproxyNewsLine{}
		case hasPrefix(rest, "DOWN"):
			n.name, n.about = "down", about
		case hasPrefix(rest, "UP"):
			n.name, n.about = "up", about
		}
	case hasPrefix(n.says, "backend ") && contains(n.says, " has no server available"):
		about, _, _ := cut(n.says[len("backend "):], " has no server")
		n.name, n.about = "none", bytes.Trim(about, "'")
	case hasPrefix(n.says, "Health check for "), hasPrefix(n.says, "Connect from "),
		hasPrefix(n.says, "Proxy ") && (contains(n.says, " started") || contains(n.says, " stopped")),
		hasPrefix(n.says, "Stopping ") && contains(n.says, " in "), hasPrefix(n.says, "Pausing "), hasPrefix(n.says, "Loading success"),
		hasPrefix(n.says, "New worker "), hasPrefix(n.says, "Current worker "), hasPrefix(n.says, "Former worker "):
	case len(n.says) < len(line): // a level stands before it
	case haproxyRefusal(line):
	default:
		return haproxyNewsLine{}
	}
	return n
}

// withoutLevel cuts "[WARNING] 325/141038 (3012) : " off, as HAProxy writes on standard error.
func withoutLevel(line []byte) []byte {
	if !hasPrefix(line, "[") {
		return line
	}
	level, rest, ok := cut(line[1:], "]")
	switch string(level) {
	case "ALERT", "WARNING", "NOTICE", "INFO":
		if _, says, found := cut(rest, ") : "); ok && found {
			return says
		}
	}
	return line
}

// haproxyRefusal reports whether a line is about a connection on which no request came:
// `10.0.0.1:56059 [22/Nov/2026:14:10:38.380] web/1: SSL handshake failure`.
func haproxyRefusal(line []byte) bool {
	_, rest, ok := cut(line, " [")
	var h haproxyRequest
	if !ok || len(rest) < 27 || rest[24] != ']' || rest[25] != ' ' || !h.readCame(rest) {
		return false
	}
	listener := rest[26:]
	n := wordLength(listener)
	return n > 1 && listener[n-1] == ':' && bytes.IndexByte(listener[:n], '/') > 0
}

func appendHAProxyNews(p *Parser, out *gatepost.Batch, ref gatepost.Ref, line []byte) bool {
	n := haproxyNews(line)
	if n.name != "" {
		e := gatepost.NewEvent(gatepost.HAProxyServer, ref, p.access.ended)
		e.Hash = gatepost.HashOf(line)
		e.Name, e.Upstream, e.Text = n.name, clip(n.about), clip(n.says)
		out.Events = append(out.Events, e)
	}
	return n.says != nil
}

package parser

import (
	"bytes"
	"time"

	"gatepost"
)

var nginxErrorKinds = []gatepost.Kind{gatepost.NginxError, gatepost.NginxTrouble, gatepost.NginxNotice}

var _ = Register(Format{
	Name:    "nginx_error",
	Title:   "nginx error log",
	Program: "nginx",
	Doc: "the one format that nginx has, and its 'nginx: [emerg]' lines on standard error. The request in a line is not " +
		"escaped and the line is cut at 2048 bytes. A line about a request that is not about an upstream server " +
		"(a limit, a missing file) has no phase. Facts: ngx_log.c, ngx_http_request.c, ngx_http_upstream.c.",
	Kinds: nginxErrorKinds,
	Sniff: sniffError,
	Parse: parseError,
})

func sniffError(sample []byte, _ *Options) (score int, dialect string, state any) {
	var lines, errors int
	for rec := range records(&gatepost.Block{Data: sample}, nil) {
		if blank(rec.line) {
			continue
		}
		lines++
		if isErrorLine(rec.line) {
			errors++
		}
	}
	if errors == 0 {
		return 0, "", nil
	}
	return errors * 1000 / lines, "", nil
}

func parseError(_ *Parser, b *gatepost.Block, out *gatepost.Batch) {
	out.Stamps, out.Resolution = gatepost.StampsLocal, time.Second
	for rec := range records(b, nil) {
		if !blank(rec.line) && !appendErrorLine(out, rec.ref, rec.line, 0) {
			out.Skip(rec.ref, 1)
		}
	}
}

// errorLine is a line of the error log; its parts are pieces of the line.
type errorLine struct {
	at         gatepost.Time
	level      string
	pid        int
	connection int64
	message    []byte // without the fields behind it
	action     []byte // what stands behind "while"
	errno      int

	client, server, request, upstream []byte
	whole                             bool // the request is not cut off
}

func isErrorLine(line []byte) bool {
	var e errorLine
	_, ok := e.readHead(line)
	return ok
}

// appendErrorLine adds what a line says to out, and reports whether it is an error-log line. Many
// are none of anybody's business and add nothing.
func appendErrorLine(out *gatepost.Batch, ref gatepost.Ref, line []byte, east int) bool {
	var e errorLine
	rest, ok := e.readHead(line)
	if !ok {
		return false
	}
	e.at = e.at.Add(time.Duration(-east) * time.Second)
	out.See(e.at)
	e.readFields(rest)
	kind, name := e.judge()
	if kind == "" {
		return true
	}
	ev := gatepost.NewEvent(kind, ref, e.at)
	ev.Hash = gatepost.HashOf(line)
	ev.PID = e.pid
	ev.Number = e.connection
	ev.Status = e.errno
	ev.Name = name
	ev.Text = clip(rest)
	e.describe(&ev)
	out.Events = append(out.Events, ev)
	return true
}

// describe adds what the line says of a request.
func (e *errorLine) describe(ev *gatepost.Event) {
	method, path := splitRequest(e.request)
	ev.Client, ev.Method, ev.Path = clip(e.client), clip(method), clip(path)
	ev.Upstream = clip(upstreamAddress(e.upstream))
	// A path that is cut has the wrong key, unless only its query is.
	if method != nil && (e.whole || bytes.IndexByte(path, '?') >= 0) {
		ev.Key = gatepost.KeyOf(method, path)
	}
	switch ev.Kind {
	case gatepost.NginxError:
		ev.Name = clip(e.server)
		ev.Phase = e.phase()
		if name := e.missingHost(); name != nil {
			ev.Upstream = clip(name)
		}
	case gatepost.NginxNotice:
		if pid, status, ok := e.exit(); ok {
			ev.PID, ev.Status = pid, status
		}
	}
}

var errorLevels = [...]string{"error", "warn", "notice", "crit", "alert", "emerg", "info", "debug"}

// readHead reads "2026/11/22 14:08:41 [error] 22465#22465: *41 ", or "nginx: [emerg] ", and
// returns what follows.
func (e *errorLine) readHead(line []byte) (rest []byte, ok bool) {
	e.at = gatepost.NoTime
	stderr := hasPrefix(line, "nginx: [")
	if stderr {
		rest = line[len("nginx: "):]
	} else {
		sec, ok := dateTime(line, '/')
		if !ok || len(line) < 21 || line[19] != ' ' {
			return nil, false
		}
		e.at, rest = nano(sec, 0), line[20:]
	}
	for _, level := range errorLevels {
		if rest[0] == '[' && hasPrefix(rest[1:], level) && hasPrefix(rest[1+len(level):], "] ") {
			e.level, rest = level, rest[len(level)+3:]
			break
		}
	}
	if e.level == "" {
		return nil, false
	}
	if stderr {
		return rest, true
	}
	pid, n := atoi(rest)
	if n == 0 || n == len(rest) || rest[n] != '#' {
		return nil, false
	}
	_, tid := atoi(rest[n+1:])
	if rest = rest[n+1+tid:]; tid == 0 || !hasPrefix(rest, ": ") {
		return nil, false
	}
	e.pid, rest = int(pid), rest[2:]
	if len(rest) > 1 && rest[0] == '*' {
		if serial, n := atoi(rest[1:]); n > 0 && hasPrefix(rest[1+n:], " ") {
			e.connection, rest = serial, rest[n+2:]
		}
	}
	return rest, true
}

// readFields takes the fields at the end of a line apart:
//
//	message, client: …, server: …, request: "…", subrequest: "…", upstream: "…", host: "…", referrer: "…"
//
// Request and referrer are whatever a client sent, so the head of the fields is read from the
// left, and the rest from the right.
func (e *errorLine) readFields(text []byte) {
	e.message = text
	head, tail, _ := cut(text, `, request: "`)
	if i := bytes.Index(head, []byte(", server: ")); i >= 0 {
		head, e.server = head[:i], head[i+len(", server: "):]
		if server, rest, ok := cut(e.server, `, upstream: "`); ok { // stream: there is no request
			e.server = server
			e.upstream, _, _ = cut(rest, `"`)
		}
	}
	if i := bytes.LastIndex(head, []byte(", client: ")); i >= 0 {
		head, e.client = head[:i], head[i+len(", client: "):]
	}
	e.message = head
	if i := bytes.LastIndex(head, []byte(" while ")); i >= 0 {
		e.message, e.action = head[:i], head[i+len(" while "):]
	}
	if !contains(e.message, "could not be resolved (") { // a number of DNS
		e.errno = errnoOf(e.message)
	}
	for _, key := range [...]string{`", referrer: "`, `", host: "`, `", upstream: "`, `", subrequest: "`} {
		before, value, ok := lastField(tail, key)
		if !ok {
			continue
		}
		e.whole = true
		if tail = before; key == `", upstream: "` {
			e.upstream = value
		}
	}
	e.request = bytes.TrimSuffix(tail, []byte{'"'})
	e.whole = e.whole || len(e.request) < len(tail)
}

// lastField splits s at the key of a field: at the last that stands behind the end of a request
// line, else at the last. When s itself ends as a request does, and what stands before the key
// does not, the client wrote the key.
func lastField(s []byte, key string) (before, value []byte, ok bool) {
	sep := []byte(key)
	last := bytes.LastIndex(s, sep)
	if last < 0 {
		return s, nil, false
	}
	for i := last; i >= 0; i = bytes.LastIndex(s[:i], sep) {
		if endsRequest(s[:i]) {
			return s[:i], s[i+len(sep):], true
		}
	}
	if endsRequest(bytes.TrimSuffix(s, []byte{'"'})) {
		return s, nil, false
	}
	return s[:last], s[last+len(sep):], true
}

// endsRequest reports whether s ends as a request line does: " HTTP/1.1".
func endsRequest(s []byte) bool {
	const proto = " HTTP/1.1"
	n := len(s) - len(proto)
	return n >= 0 && hasPrefix(s[n:], " HTTP/") && s[n+6]-'0' <= 9 && s[n+7] == '.' && s[n+8]-'0' <= 9
}

// upstreamAddress cuts scheme and URI off: "http://10.0.0.1:8069/web" is "10.0.0.1:8069", and
// "http://unix:/run/odoo.sock:/web" is "unix:/run/odoo.sock".
func upstreamAddress(s []byte) []byte {
	if _, rest, ok := cut(s, "://"); ok {
		s = rest
	}
	s = bytes.TrimSuffix(s, []byte{'"'})
	if hasPrefix(s, "unix:") {
		if i := bytes.Index(s[5:], []byte(":/")); i >= 0 {
			s = s[:5+i]
		}
		return bytes.TrimSuffix(s, []byte{':'})
	}
	if i := bytes.IndexByte(s, '/'); i >= 0 {
		s = s[:i]
	}
	return s
}

// errnoOf reads the number in "(111: Connection refused)", the last such in a message, 0 when
// there is none.
func errnoOf(message []byte) int {
	for end := len(message); ; {
		i := bytes.LastIndexByte(message[:end], '(')
		if i < 0 {
			return 0
		}
		if v, n := atoi(message[i+1:]); n > 0 && n < 6 && hasPrefix(message[i+1+n:], ": ") {
			return int(v)
		}
		end = i
	}
}

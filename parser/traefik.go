package parser

import (
	"bytes"
	"time"

	"gatepost"
)

var _ = Register(Format{
	Name:    "traefik",
	Title:   "Traefik access log",
	Program: "traefik",
	Doc: "its text form (format common) and JSON. A line tells when the request came in; it ended Duration later. " +
		"Traefik answers 504 when a timeout of its own struck, 502 for everything else that is wrong between it and the server, and 503 when no server " +
		"is left. Traefik's own log in between is passed over. Facts: Traefik's documentation, access logs; its package accesslog.",
	Kinds: []gatepost.Kind{gatepost.NginxRequest},
	Sniff: sniffTraefik,
	Parse: parseTraefik,
})

func sniffTraefik(sample []byte, _ *Options) (score int, dialect string, state any) {
	lines, common, json := 0, 0, 0
	for line := range bytes.Lines(sample) {
		line = trimEOL(line)
		if blank(line) || traefikTalk(line) {
			continue
		}
		lines++
		var t traefikRequest
		switch {
		case !t.read(line):
		case line[0] == '{':
			json++
		default:
			common++
		}
	}
	if dialect = "common"; json > common {
		dialect = "json"
	}
	if common+json > 0 {
		score = (common + json) * 1000 / lines
	}
	return score, dialect, nil
}

// The formats only say how the paths of a line are escaped.
var (
	traefikText = &logFormat{name: "traefik", raw: true}
	traefikJSON = &logFormat{name: "traefik", json: true}
)

var traefikLines = accessNotation{
	read:  readTraefik,
	other: func(_ *Parser, _ *gatepost.Batch, _ gatepost.Ref, line []byte) bool { return traefikTalk(line) },
}

func parseTraefik(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	if p.access == nil {
		p.access = &accessReader{}
	}
	traefikLines.parse(p, b, out)
}

// traefikLine reports whether a line is of Traefik's access log.
func traefikLine(line []byte) bool {
	var t traefikRequest
	return t.read(line)
}

// traefikRequest is an access line. Its words are pieces of it.
type traefikRequest struct {
	client               []byte
	request              []byte // of the text form
	method, path         []byte // of JSON
	stamp                accessStamp
	status               int
	size                 int64
	took, origin         time.Duration
	server               []byte // host:port, nil when none was chosen
	routed               bool   // a router took the request
	format               *logFormat
	began, logged, local []byte // the stamps of JSON
}

func (t *traefikRequest) read(line []byte) bool {
	*t = traefikRequest{size: -1, took: gatepost.Unknown, origin: gatepost.Unknown}
	if hasPrefix(line, "{") {
		return t.readJSON(line)
	}
	return t.readText(line)
}

// readText reads a line of format common, from both ends: referer and agent in the middle are as the client wrote them.
//
//	10.20.1.47 - - [22/Nov/2026:14:10:38 +0000] "GET /web HTTP/1.1" 200 2947 "-" "-" 83 "odoo@docker" "http://172.18.0.3:8069" 84ms
func (t *traefikRequest) readText(s []byte) bool {
	t.format = traefikText
	if !hasSuffix(s, "ms") {
		return false
	}
	head, last, ok := cutLast(s[:len(s)-2], `" `)
	ms, n := atoi(last)
	if !ok || n == 0 || n < len(last) || ms > maxTimer {
		return false
	}
	t.took = time.Duration(ms) * time.Millisecond
	head, url, ok := cutLast(head, ` "`)
	if !ok {
		return false
	}
	head = bytes.TrimSuffix(head, []byte{'"'})
	head, router, ok := cutLast(head, ` "`)
	if !ok {
		return false
	}
	head, count, ok := cutLast(head, " ")
	if _, n := atoi(count); !ok || n < len(count) && string(count) != "-" {
		return false
	}
	t.routed, t.server = string(router) != "-", hostOf(url)
	return t.readHead(head)
}

// readHead reads the beginning of a line of format common.
func (t *traefikRequest) readHead(s []byte) bool {
	i := bytes.IndexByte(s, '[')
	if i < len("x - - ") || len(s) < i+timeLocal+len(`] "" - - `) || s[i+1+timeLocal] != ']' {
		return false
	}
	t.client, _, _ = cut(s[:i], " - ")
	t.stamp = readAccessStamp(s[i+1 : i+1+timeLocal])
	s = s[i+1+timeLocal+1:]
	if !hasPrefix(s, ` "`) || t.stamp.at == gatepost.NoTime {
		return false
	}
	request, s, ok := cut(s[2:], `" `) // a path may hold quotes, but no blank
	if !ok {
		return false
	}
	t.request = request
	n := wordLength(s)
	status, s := s[:n], s[n:]
	if !t.readStatus(status) || len(s) < 2 {
		return false
	}
	if size, n := atoi(s[1:]); n > 0 {
		t.size = size
	}
	t.stamp.at = t.stamp.at.Add(t.took)
	return true
}

// readStatus takes a dash for 0: nobody answered, neither the server nor Traefik.
func (t *traefikRequest) readStatus(s []byte) bool {
	status, n := atoi(s)
	t.status = int(status)
	return n == 3 && len(s) == 3 || string(s) == "-"
}

// readJSON reads a line of format json by its keys. Keys of headers have a prefix, so none of them is taken for one of these.
func (t *traefikRequest) readJSON(s []byte) bool {
	t.format = traefikJSON
	known := false
	for {
		i := bytes.IndexByte(s, '"')
		if i < 0 {
			break
		}
		name, rest := quoted(s[i:])
		rest = skipBlanks(rest)
		if len(rest) == 0 || rest[0] != ':' {
			s = rest
			continue
		}
		var value []byte
		value, s = jsonValue(skipBlanks(rest[1:]))
		if value != nil {
			known = t.learn(name, value) || known
		}
	}
	return known && t.readTimes()
}

// learn takes a value of JSON, and reports whether it was the status.
func (t *traefikRequest) learn(name, value []byte) bool {
	switch string(name) {
	case "ClientHost":
		t.client = value
	case "RequestMethod":
		t.method = value
	case "RequestPath":
		t.path = value
	case "DownstreamContentSize":
		if size, n := atoi(value); n > 0 {
			t.size = size
		}
	case "Duration":
		t.took = nanoseconds(value)
	case "OriginDuration":
		t.origin = nanoseconds(value)
	case "StartUTC":
		t.began = value
	case "StartLocal":
		t.local = value
	case "time":
		t.logged = value
	case "ServiceAddr", "BackendAddr":
		t.server = value
	case "ServiceURL", "BackendURL":
		if t.server == nil {
			t.server = hostOf(value)
		}
	case "RouterName", "ServiceName", "FrontendName":
		t.routed = true
	case "DownstreamStatus":
		return t.readStatus(value)
	case "OriginStatus":
		if t.status == 0 {
			return t.readStatus(value) // in case the other was dropped
		}
	}
	return false
}

// readTimes finds when the request ended: its duration after it came in, or when it was logged.
func (t *traefikRequest) readTimes() bool {
	for _, text := range [...][]byte{t.began, t.local} {
		if text == nil || t.took == gatepost.Unknown {
			continue
		}
		if t.stamp = readAccessStamp(text); t.stamp.at != gatepost.NoTime {
			t.stamp.at, t.stamp.resolution = t.stamp.at.Add(t.took), time.Millisecond
			return true
		}
	}
	t.stamp = readAccessStamp(t.logged)
	return t.stamp.at != gatepost.NoTime
}

func nanoseconds(s []byte) time.Duration {
	ns, n := atoi(s)
	if n == 0 || ns > maxTimer*int64(time.Millisecond) {
		return gatepost.Unknown
	}
	return time.Duration(ns)
}

// hostOf is host and port of a URL, nil when there is none.
func hostOf(url []byte) []byte {
	_, host, ok := cut(url, "://")
	if !ok {
		return nil
	}
	if i := bytes.IndexByte(host, '/'); i >= 0 {
		host = host[:i]
	}
	return host
}

// cutLast splits s around the last sep.
func cutLast(s []byte, sep string) (before, after []byte, ok bool) {
	if i := bytes.LastIndex(s, []byte(sep)); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, nil, false
}

func hasSuffix(s []byte, suffix string) bool {
	return len(s) >= len(suffix) && string(s[len(s)-len(suffix):]) == suffix
}

func readTraefik(r *accessReader, _ *Parser, line []byte) bool {
	var t traefikRequest
	if !t.read(line) {
		return false
	}
	r.values, r.plain = accessLine{}, false
	r.values[varRequest], r.values[varMethod], r.values[varURI] = t.request, t.method, t.path
	r.format, r.status, r.took, r.size, r.stamp = t.format, t.status, t.took, t.size, t.stamp
	r.client = t.client
	if i := bytes.LastIndexByte(r.client, ' '); i >= 0 {
		r.client = r.client[i+1:] // of a list of forwarded addresses, the one that a proxy vouches for
	}
	r.hop = hop{told: t.routed, backend: t.server, connect: gatepost.Unknown, header: gatepost.Unknown, response: t.origin}
	if t.origin == gatepost.Unknown {
		r.hop.response = t.took
	}
	if t.routed && t.server == nil && t.status == 503 {
		r.hop.phase = gatepost.PhaseNoLive
	}
	return true
}

// traefikTalk reports whether a line is of Traefik's own log, which a container mixes with the access log.
func traefikTalk(line []byte) bool {
	switch {
	case hasPrefix(line, `time="`), hasPrefix(line, `{"level":`):
		return contains(line, "level") && !contains(line, `"DownstreamStatus"`)
	case len(line) > 25 && line[10] == 'T':
		// 2026-11-22T14:10:38Z ERR …
		n := wordLength(line)
		_, ok := dateTime(line, '-')
		return ok && len(line) > n+4 && line[n+4] == ' ' && contains([]byte("DBG INF WRN ERR FTL"), string(line[n+1:n+4]))
	}
	return false
}

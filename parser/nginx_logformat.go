package parser

import (
	"bytes"
	"fmt"
)

// logFormat is a log_format compiled to steps, one for each variable:
//
//	$remote_addr - $remote_user [$time_local] "$request" $status …
//	└─ value ──┘└┘└─ value ───┘└┘
//	           until           until
//
// A value ends where the text behind it begins. That text may also stand inside a value that a
// client wrote (a user name, a request under escape=none), so where a number comes next, a digit
// must stand.
type logFormat struct {
	name   string
	head   string // before the first variable
	steps  []step
	needed int  // steps up to the last variable that is worth reading
	raw    bool // escape=none: values are as they were
	hashes bool // values are escaped as #HH, HAProxy's way, whether raw or not
	fields bool // key=value fields may follow
	json   bool // no steps: a JSON object, read by the names of its keys
}

type step struct {
	v      variable
	until  string // "": to the end of the line
	digits int    // that follow the text at least; "-" counts as one
	slash  bool   // the value proper begins with the first '/'
	list   bool   // one value for each try of an upstream server

	first byte // of until
	width int  // of most values, 0 when they differ: there it is looked for first
	more  bool // there is more to the end of the value than this byte
}

// The formats that are known without any configuration.
var (
	combined = mustFormat(NginxFormat{Name: "combined",
		Text: `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`}, true)
	ingress = mustFormat(NginxFormat{Name: "ingress",
		Text: `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" ` +
			`$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] ` +
			`$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`}, false)
	// similar is for the many formats that only add something in between.
	similar = mustFormat(NginxFormat{Name: "similar to combined",
		Text: `$remote_addr $before[$time_local]$behind"$request" $status $body_bytes_sent `}, true)
	jsonKeys = &logFormat{name: "json", json: true}
)

func mustFormat(f NginxFormat, fields bool) *logFormat {
	c, err := compileFormat(f)
	if err != nil {
		panic(err)
	}
	if c.fields = fields; fields {
		c.needed = len(c.steps)
	}
	return c
}

// compileFormat turns a log_format into steps. A format without a status or a time is an error:
// its lines cannot be told to be failures, or when.
func compileFormat(f NginxFormat) (*logFormat, error) {
	c := &logFormat{name: f.Name, raw: f.Escape == "none"}
	var seen [varCount]bool
	text := []byte(f.Text)
	literal, name, text := nextVariable(text)
	c.head = string(literal)
	for name != nil {
		s := step{v: variableOf(name), list: hasPrefix(name, "upstream_"), width: widthOf(name)}
		literal, name, text = nextVariable(text)
		for len(literal) == 0 && name != nil { // neighbours cannot be told apart, but for a path
			if v := variableOf(name); s.v == varNone && (v == varURI || v == varPath) {
				s.v, s.slash = v, true
			}
			literal, name, text = nextVariable(text)
		}
		s.until = string(literal)
		if next := variableOf(name); next == varStatus {
			s.digits = 3
		} else if next.number() {
			s.digits = 1
		}
		if seen[s.v] {
			s.v = varNone
		}
		seen[s.v] = true
		if s.until != "" {
			s.first = s.until[0]
		}
		s.more = len(s.until) > 1 || s.digits > 0 || s.list
		c.steps = append(c.steps, s)
		if s.v != varNone {
			c.needed = len(c.steps)
		}
	}
	if !seen[varStatus] || !(seen[varTime] || seen[varMsec]) {
		return nil, fmt.Errorf("log_format %s logs no status or no time", f.Name)
	}
	return c, nil
}

// widthOf is how many bytes most values of a variable have that has no blanks or brackets in it.
func widthOf(name []byte) int {
	switch string(name) {
	case "time_local":
		return len("22/Nov/2026:14:08:41 +0000")
	case "time_iso8601":
		return len("2026-11-22T14:08:41+00:00")
	case "status":
		return 3
	case "remote_user":
		return len("-")
	}
	return 0
}

// nextVariable splits the text of a log_format at its first $name or ${name}; name is nil when
// there is none.
func nextVariable(s []byte) (literal, name, rest []byte) {
	for i := 0; i < len(s); i++ {
		if s[i] != '$' {
			continue
		}
		from := i + 1
		brace := from < len(s) && s[from] == '{'
		if brace {
			from++
		}
		to := from
		for to < len(s) && (letter(s[to]) || s[to] == '_' || s[to]-'0' <= 9) {
			to++
		}
		if to == from || (brace && (to == len(s) || s[to] != '}')) {
			continue
		}
		if rest = s[to:]; brace {
			rest = rest[1:]
		}
		return s[:i], s[from:to], rest
	}
	return s, nil, nil
}

// read takes the values of a line. It returns how many steps fitted and what is left behind
// them: a line that breaks off, or that has something else at its end, still tells the rest.
func (f *logFormat) read(l *accessLine, line []byte, steps int) (fitted int, rest []byte) {
	if !hasPrefix(line, f.head) {
		return 0, line
	}
	rest = line[len(f.head):]
	for i := range f.steps[:steps] {
		s := &f.steps[i]
		end := s.end(rest)
		if end < 0 {
			return i, rest
		}
		if s.v != varNone {
			l[s.v] = rest[:end]
			if s.slash {
				l[s.v] = fromSlash(l[s.v])
			}
		}
		rest = rest[end+len(s.until):]
	}
	return steps, rest
}

// whole reports whether every part of f is found in the line, and nothing else.
func (f *logFormat) whole(line []byte) bool {
	var l accessLine
	fitted, rest := f.read(&l, line, len(f.steps))
	return fitted == len(f.steps) && len(rest) == 0
}

// end returns where the value ends that s begins with, -1 when the text behind it does not come.
func (st *step) end(s []byte) int {
	if st.until == "" {
		return len(s)
	}
	if w := st.width; w > 0 && w < len(s) && s[w] == st.first && (!st.more || st.endsAt(s, w)) {
		return w
	}
	end := bytes.IndexByte(s, st.first)
	for end >= 0 && st.more && !st.endsAt(s, end) {
		next := bytes.IndexByte(s[end+1:], st.first)
		if next < 0 {
			return -1
		}
		end += 1 + next
	}
	return end
}

// endsAt reports whether the text behind a value stands at i, where its first byte does.
func (st *step) endsAt(s []byte, i int) bool {
	next := s[i:]
	if len(next) < len(st.until)+st.digits {
		return false
	}
	for k := 1; k < len(st.until); k++ { // mostly one byte: a call to compare would cost more
		if next[k] != st.until[k] {
			return false
		}
	}
	next = next[len(st.until):]
	for _, c := range next[:st.digits] {
		if c-'0' > 9 && c != '-' {
			return false
		}
	}
	return !st.list || st.endsList(s, i, next)
}

// endsList tells the end of a list from the blanks and commas in it.
func (st *step) endsList(s []byte, i int, next []byte) bool {
	if st.until == "," {
		return len(next) == 0 || next[0] != ' '
	}
	return s[i] != ' ' || !insideList(s, i)
}

// fromSlash is a value from its first '/' on.
func fromSlash(value []byte) []byte {
	return value[max(0, bytes.IndexByte(value, '/')):]
}

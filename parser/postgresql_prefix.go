package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// pgPrefix reads what log_line_prefix puts before the severity, part by part from left to right.
// Every part tells by its shape what it is, so no configuration is needed and a line of another
// prefix in the same file costs nothing.
type pgPrefix struct {
	dated
	pid  int
	db   []byte
	code []byte // SQLSTATE

	draw  bool   // write shape
	shape []byte // the prefix in the notation of log_line_prefix
}

func (p *pgPrefix) read(s []byte) {
	for len(s) > 0 {
		n := p.part(s)
		s = s[n:]
	}
	if p.step == 0 {
		p.dated = undated
	}
}

// is notes what a part of the prefix is.
func (p *pgPrefix) is(escape string) {
	if p.draw {
		p.shape = append(p.shape, escape...)
	}
}

// part reads the first part of s and returns its length, at least one.
func (p *pgPrefix) part(s []byte) int {
	if s[0] != ' ' {
		if n := p.stamp(s); n > 0 {
			return n
		}
		if n := p.bracketed(s); n > 0 {
			return n
		}
		if n := p.address(s); n > 0 {
			return n
		}
		if n := p.keyed(s); n > 0 {
			return n
		}
		if n := p.word(s); n > 0 {
			return n
		}
	}
	if p.draw && (s[0] != ' ' || !bytes.HasSuffix(p.shape, []byte{' '})) { // padding is blanks
		p.shape = append(p.shape, s[0])
	}
	return 1
}

// stamp reads %t, %m and %s ("2026-11-22 14:10:12.880 UTC") and %n ("1795355181.123").
func (p *pgPrefix) stamp(s []byte) int {
	if s[0]-'0' > 9 {
		return 0
	}
	if sec, n := atoi(s); n == 10 {
		ns, m := fraction(s[n:])
		if m != 4 {
			return 0
		}
		p.is("%n")
		p.dated = dated{nano(sec, ns), time.Millisecond, gatepost.StampsAbsolute}
		return n + m
	}
	sec, ok := dateTime(s, '-')
	if !ok || s[10] != ' ' {
		return 0
	}
	ns, n := fraction(s[19:])
	n += 19
	d := dated{worth: gatepost.StampsLocal, step: fractionStep(n - 19)}
	if n+1 < len(s) && s[n] == ' ' {
		east, m, known := zone(s[n+1:])
		if m > 0 {
			n += 1 + m
		}
		if known {
			d.worth = gatepost.StampsAbsolute
			sec -= int64(east)
		}
	}
	if p.step > 0 {
		p.is("%s") // the start of the session
		return n
	}
	if d.step == time.Second {
		p.is("%t")
	} else {
		p.is("%m")
	}
	d.at = nano(sec, ns)
	p.dated = d
	return n
}

// bracketed reads "[4711]", "[4711-3]", and "[3-1]" where the process is known already.
func (p *pgPrefix) bracketed(s []byte) int {
	if s[0] != '[' {
		return 0
	}
	a, n := atoi(s[1:])
	if n == 0 || n > 9 || n+1 >= len(s) {
		return 0
	}
	line := ""
	end := n + 1
	if s[end] == '-' {
		_, m := atoi(s[end+1:])
		if m == 0 {
			return 0
		}
		line = "-%l"
		if m == 1 && p.pid != 0 {
			line = string(s[end : end+1+m]) // a constant, as in "[%l-1]"
		}
		end += 1 + m
	}
	if end >= len(s) || s[end] != ']' {
		return 0
	}
	p.is("[")
	if p.pid == 0 {
		p.pid = int(a)
		p.is("%p")
	} else {
		p.is("%l")
	}
	p.is(line)
	p.is("]")
	return end + 1
}

// address reads an address of IPv6, with its port where it has one: "2001:db8::17(41724)".
func (p *pgPrefix) address(s []byte) int {
	n, colons := 0, 0
	for n < len(s) && n < len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") && pgAddress[s[n]] {
		if s[n] == ':' {
			colons++
		}
		n++
	}
	if colons < 2 || s[0] == ':' && (n < 3 || s[1] != ':' || s[2] == ':') {
		return 0
	}
	if s[n-1] == ':' { // a separator of the prefix
		n--
	}
	if m := port(s[n:]); m > 0 {
		p.is("%r")
		return n + m
	}
	p.is("%h")
	return n
}

// pgAddress are the bytes of an address of IPv6.
var pgAddress = func() (set [256]bool) {
	for _, c := range "0123456789abcdefABCDEF:." {
		set[c] = true
	}
	return set
}()

// port returns the length of "(41724)" at the start of s.
func port(s []byte) int {
	if len(s) == 0 || s[0] != '(' {
		return 0
	}
	if _, m := atoi(s[1:]); m > 0 && m+1 < len(s) && s[m+1] == ')' {
		return m + 2
	}
	return 0
}

// keyed reads "db=prod" and the like.
func (p *pgPrefix) keyed(s []byte) int {
	n := nameLength(s)
	if n == 0 || n >= len(s) || s[n] != '=' {
		return 0
	}
	key, value := s[:n], s[n+1:]
	p.is(string(key))
	p.is("=")
	n++
	if len(value) > 0 {
		if m := p.stamp(value); m > 0 {
			return n + m
		}
	}
	length := bytes.IndexAny(value, " ,;|)>")
	escape := "%?"
	switch string(key) {
	case "app", "application", "application_name", "appname", "a":
		escape, length = "%a", applicationEnd(value)
	case "user", "usr", "u":
		escape = "%u"
	case "db", "database", "dbname", "d":
		escape = "%d"
	case "client", "host", "remote", "ip", "h", "r":
		escape = "%h"
	case "pid", "p":
		escape = "%p"
	case "session", "sess", "sid", "c":
		escape = "%c"
	case "line", "l":
		escape = "%l"
	case "xid", "tx", "txid", "trx", "x":
		escape = "%x"
	case "vxid", "v":
		escape = "%v"
	case "sqlstate", "state", "code", "e":
		escape = "%e"
	case "cmd", "command", "tag", "ps", "i":
		escape = "%i"
	case "backend", "type", "b":
		escape = "%b"
	case "query_id", "queryid", "qid", "Q":
		escape = "%Q"
	}
	if length < 0 {
		length = len(value)
	}
	value = value[:length]
	switch escape {
	case "%d":
		p.setDB(value)
	case "%p":
		if v, m := atoi(value); m > 0 && m < 10 {
			p.pid = int(v)
		}
	case "%e":
		p.code = value
	case "%h":
		if bytes.IndexByte(value, '(') >= 0 {
			escape = "%r"
		}
	}
	p.is(escape)
	return n + length
}

// applicationEnd returns where the value of an application name ends: it may hold blanks and
// commas, so only the next key or the end of the prefix ends it.
func applicationEnd(s []byte) int {
	for i, c := range s {
		if c != ' ' && c != ',' && c != ';' && c != '|' {
			continue
		}
		next := bytes.TrimLeft(s[i:], " ,;|")
		if n := nameLength(next); len(next) == 0 || n > 0 && n < len(next) && next[n] == '=' {
			return i
		}
	}
	return len(s)
}

// word reads a part without a key: user@database, an address, a session, a state.
func (p *pgPrefix) word(s []byte) int {
	n := pgPart(s)
	if n > 1 && s[n-1] == '-' {
		n-- // as in '%t-%c-'
	}
	if n == 0 || s[0] == '-' {
		return 0
	}
	w, rest := s[:n], s[n:]
	switch {
	case len(rest) > 0 && rest[0] == '@':
		db := rest[1 : 1+pgPart(rest[1:])]
		p.is("%u@%d")
		if i := bytes.IndexByte(db, '/'); i >= 0 { // the application may follow, and may have blanks in its name
			db = db[:i]
			p.setDB(db)
			p.is("/%a")
			return n + 1 + i + 1 + applicationEnd(rest[1+i+1:])
		}
		p.setDB(db)
		return n + 1 + len(db)
	case port(rest) > 0:
		p.is("%r")
		return n + port(rest)
	}
	escape := p.lone(w)
	if escape == "%?" {
		for _, kind := range pgBackends {
			if hasPrefix(s, kind) {
				escape, n = "%b", len(kind)
				break
			}
		}
	}
	p.is(escape)
	return n
}

// lone names a word that stands alone.
func (p *pgPrefix) lone(w []byte) string {
	v, n := atoi(w)
	switch {
	case n == len(w) && n < 10 && p.pid == 0:
		p.pid = int(v)
		return "%p"
	case string(w) == "[local]", bytes.Count(w, []byte{'.'}) == 3 && n > 0:
		return "%h"
	case n > 0 && n < len(w) && w[n] == '/':
		return "%v"
	case sqlState(w):
		p.code = w
		return "%e"
	}
	if start, pid, ok := cut(w, "."); ok && len(start) == 8 && len(pid) > 0 && len(pid) <= 8 {
		if v, ok := hex(pid, len(pid)); ok {
			if p.pid == 0 {
				p.pid = v
			}
			return "%c"
		}
	}
	return "%?"
}

// setDB keeps the name of a database, but for the server's word for one not known yet.
func (p *pgPrefix) setDB(name []byte) {
	if string(name) != "[unknown]" {
		p.db = name
	}
}

// pgPart returns the length of the word at the start of s, in brackets for "[unknown]" and
// "[local]".
func pgPart(s []byte) int {
	if len(s) > 0 && s[0] == '[' {
		for _, w := range []string{"[unknown]", "[local]"} {
			if hasPrefix(s, w) {
				return len(w)
			}
		}
	}
	n := 0
	for n < len(s) && !pgSeparates[s[n]] {
		n++
	}
	return n
}

// pgSeparates are the bytes that end a word.
var pgSeparates = [256]bool{
	' ': true, ',': true, ':': true, ';': true, '|': true, '[': true, ']': true, '(': true, ')': true, '<': true,
	'>': true, '@': true, '=': true,
}

// nameLength returns the length of the key at the start of s.
func nameLength(s []byte) int {
	n := 0
	for n < len(s) && (letter(s[n]) || s[n] == '_') {
		n++
	}
	return n
}

// pgBackends are the values of %b that a background process has (or a client).
var pgBackends = []string{
	"client backend", "autovacuum launcher", "autovacuum worker", "background writer", "background worker",
	"checkpointer", "logical replication launcher", "logical replication worker", "parallel worker", "postmaster",
	"startup", "walreceiver", "walsender", "walwriter", "archiver",
}

// sqlState reports whether w has the shape of an SQLSTATE: five capitals and digits.
func sqlState(w []byte) bool {
	for _, c := range w {
		if c-'0' > 9 && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(w) == 5
}

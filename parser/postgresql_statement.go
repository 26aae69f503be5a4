package parser

import (
	"bytes"
	"strings"
)

// normalSQLLimit bounds a normalised statement.
const normalSQLLimit = 300

// normalSQL makes of a statement what it has in common with its like: literals become "?", lists
// of literals a single one, white space a blank; comments go.
func normalSQL(sql []byte) string {
	out := make([]byte, 0, normalSQLLimit)
	for i := 0; i < len(sql) && len(out) < normalSQLLimit; {
		c, rest := sql[i], sql[i:]
		switch {
		case space(c):
			out = spaced(out)
			i++
		case hasPrefix(rest, "--"):
			i += lineEnd(rest)
		case hasPrefix(rest, "/*"):
			i += through(rest, 2, "*/")
		case c == '\'':
			out = literal(out)
			i += literalEnd(rest, false)
		case (c == 'E' || c == 'e') && len(rest) > 1 && rest[1] == '\'':
			out = literal(out)
			i += 1 + literalEnd(rest[1:], true)
		case c == '"':
			n := through(rest, 1, `"`)
			out = append(out, rest[:min(n, normalSQLLimit)]...)
			i += n
		case c == '$':
			n := dollar(rest)
			out = literal(out)
			i += n
		case c-'0' <= 9:
			out = literal(out)
			i += number(rest)
		default:
			n := 1
			for wordByte(c) && n < len(rest) && (wordByte(rest[n]) || rest[n]-'0' <= 9) {
				n++
			}
			out = append(out, rest[:min(n, normalSQLLimit)]...)
			i += n
		}
	}
	out = bytes.TrimRight(out, " ;")
	return strings.ToValidUTF8(string(out[:min(len(out), normalSQLLimit)]), "") // a cut rune goes
}

// literal appends "?", or nothing when that would only lengthen a list of them.
func literal(out []byte) []byte {
	if list := bytes.TrimRight(out, " "); bytes.HasSuffix(list, []byte{','}) {
		if list = bytes.TrimRight(list, ", "); bytes.HasSuffix(list, []byte{'?'}) {
			return list
		}
	}
	return append(out, '?')
}

// spaced appends a blank unless one is there.
func spaced(out []byte) []byte {
	if len(out) == 0 || out[len(out)-1] == ' ' {
		return out
	}
	return append(out, ' ')
}

// through returns the index behind the next end at or after from, the whole length without one.
func through(s []byte, from int, end string) int {
	if i := bytes.Index(s[from:], []byte(end)); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// literalEnd returns the length of the string literal that s begins with. Two quotes in it stand for
// one, and so does a backslash and a quote where backslashes escape.
func literalEnd(s []byte, backslash bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && backslash:
			i++
		case s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == '\'':
			return i + 1
		}
	}
	return len(s)
}

// dollar returns the length of "$1" or of "$tag$ … $tag$".
func dollar(s []byte) int {
	n := 1
	for n < len(s) && (wordByte(s[n]) || s[n]-'0' <= 9) {
		n++
	}
	if n < len(s) && s[n] == '$' && (n == 1 || s[1]-'0' > 9) {
		return through(s, n+1, string(s[:n+1]))
	}
	return n
}

// number returns the length of the number that s begins with.
func number(s []byte) int {
	n := 1
	for n < len(s) && (s[n]-'0' <= 9 || s[n] == '.') {
		n++
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if m < len(s) && s[m]-'0' <= 9 {
			for n = m; n < len(s) && s[n]-'0' <= 9; n++ {
			}
		}
	}
	return n
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func wordByte(c byte) bool { return letter(c) || c == '_' || c >= 0x80 }

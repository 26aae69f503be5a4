package parser

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"

	"gatepost"
)

// record is one record of a block: its first line and, for formats whose records have several
// lines, all of it. Both are without the last line ending.
type record struct {
	ref  gatepost.Ref
	line []byte // first line, without "\r"
	all  []byte // equal to line for records of one line
}

// records yields the records of a block. Lines before the first start (they can only stand at the
// very beginning of a source) form a record of their own. starts may be nil: a record per line.
func records(b *gatepost.Block, starts func([]byte) bool) iter.Seq[record] {
	return func(yield func(record) bool) {
		data, offset, line := b.Data, b.Offset, b.Line
		for len(data) > 0 {
			end, first, lines := nextRecord(data, starts)
			all := trimEOL(data[:end])
			r := record{
				ref:  gatepost.Ref{Source: b.Source, Offset: offset, Length: len(all), Line: line},
				line: trimEOL(data[:first]),
				all:  all,
			}
			if !yield(r) {
				return
			}
			data, offset, line = data[end:], offset+int64(end), line+lines
		}
	}
}

// nextRecord returns the end of the record that data begins with, the end of its first line, both
// behind the newline, and its number of lines.
func nextRecord(data []byte, starts func([]byte) bool) (end, first int, lines int64) {
	end = lineEnd(data)
	first, lines = end, 1
	if starts == nil {
		return
	}
	for end < len(data) {
		next := end + lineEnd(data[end:])
		if starts(trimEOL(data[end:next])) {
			return
		}
		end = next
		lines++
	}
	return
}

func lineEnd(data []byte) int {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1
	}
	return len(data)
}

func trimEOL(line []byte) []byte {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
	}
	if n > 0 && line[n-1] == '\r' {
		n--
	}
	return line[:n]
}

// clip makes a string for an event of a piece of a line: at most gatepost.TextLimit bytes, cut at
// a rune, invalid UTF-8 replaced. Control characters stay: escaping is the reports' business.
func clip(b []byte) string {
	if len(b) > gatepost.TextLimit {
		b = b[:runeCut(b)]
	}
	s := strings.ToValidUTF8(string(b), "�")
	if len(s) > gatepost.TextLimit { // a replacement is longer than what it replaces
		s = s[:runeCut(s)]
	}
	return s
}

// runeCut returns where to cut s, which is longer than gatepost.TextLimit, so that no rune is split.
func runeCut[T []byte | string](s T) int {
	n := gatepost.TextLimit
	for n > gatepost.TextLimit-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// cut splits s around the first sep; ok is false, and s whole in before, without one.
func cut(s []byte, sep string) (before, after []byte, ok bool) {
	if i := bytes.Index(s, []byte(sep)); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, nil, false
}

// between returns what stands between the first before and the next after, nil without both.
func between(s []byte, before, after string) []byte {
	_, s, ok := cut(s, before)
	if !ok {
		return nil
	}
	s, _, ok = cut(s, after)
	if !ok {
		return nil
	}
	return s
}

// hasPrefix is bytes.HasPrefix for a constant prefix.
func hasPrefix(s []byte, prefix string) bool {
	return len(s) >= len(prefix) && string(s[:len(prefix)]) == prefix
}

// contains is bytes.Contains for a constant substring.
func contains(s []byte, sub string) bool { return bytes.Contains(s, []byte(sub)) }

// atoi reads the decimal digits that s begins with. n is how many; more than 18 are not read.
func atoi(s []byte) (v int64, n int) {
	for n < len(s) && n < 18 && s[n]-'0' <= 9 {
		v = v*10 + int64(s[n]-'0')
		n++
	}
	return v, n
}

// hex reads n hexadecimal digits.
func hex(s []byte, n int) (v int, ok bool) {
	if len(s) < n {
		return 0, false
	}
	for _, c := range s[:n] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | int(c)
	}
	return v, true
}

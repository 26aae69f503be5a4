package parser

import (
	"bytes"
	"strings"

	"gatepost"
)

// Lines that fit nothing are told by kinds: their text with '*' for what varies. An operator who reports one sample of
// each kind has reported all.

const (
	// kindLimit is how many bytes of a line make its kind: what is behind them mostly varies.
	kindLimit = 200
	// sampleLimit bounds the sample of a kind.
	sampleLimit = 500
)

// countUnknown counts the kinds of the lines that fit nothing in a block.
func (p *Parser) countUnknown(b *gatepost.Block, out *gatepost.Batch) {
	for _, run := range out.Unparsed {
		at := run.Offset - b.Offset
		if at < 0 || at+int64(run.Length) > int64(len(b.Data)) {
			continue
		}
		ref := run
		for text := b.Data[at : at+int64(run.Length)]; len(text) > 0; ref.Line++ {
			end := lineEnd(text)
			line := trimEOL(text[:end])
			ref.Length = len(line)
			if !blank(line) {
				p.scratch = countKind(&out.Unknown, line, ref, p.scratch)
			}
			text, ref.Offset = text[end:], ref.Offset+int64(end)
		}
	}
}

// countKind counts an unknown line. It returns the scratch memory that it used.
func countKind(u *gatepost.UnknownLines, line []byte, ref gatepost.Ref, scratch []byte) []byte {
	scratch = appendKind(scratch[:0], line)
	if !u.Count(scratch) {
		u.Add(gatepost.UnknownLine{Kind: clip(scratch), Count: 1, Weight: 1, Sample: clip(line[:min(len(line), sampleLimit)]), Ref: ref})
	}
	return scratch
}

// countStrange counts an entry of a strand that nothing understands.
func (st *Strand) countStrange(text []byte, at gatepost.Place) {
	st.seen.Lines += at.Lines
	st.seen.UnparsedLines += at.Lines
	st.strange += int64(len(text)) + 1
	if !blank(text) {
		st.sorter.kind = countKind(&st.seen.Unknown, text, at.Ref, st.sorter.kind)
	}
}

// appendKind appends the kind of a line to dst. Numbers, words with digits in them (stamps, addresses, ids, paths of
// records), hexadecimal words, mail addresses and quoted strings vary; several side by side are one. Words without digits
// stay, and so do the quoted keys of JSON.
func appendKind(dst, line []byte) []byte {
	whole := len(line) <= kindLimit
	line = line[:min(len(line), kindLimit)]
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c <= ' ' || c == 0x7f:
			dst = appendBlank(dst)
			i++
		case (c == '"' || c == '\'' && (i == 0 || !kindWord(line[i-1]))) && quotedLength(line[i:], whole) > 0:
			n := quotedLength(line[i:], whole)
			inner := line[i+1 : max(i+1, i+n-1)]
			if c == '"' && i+n < len(line) && line[i+n] == ':' && !varies(inner) {
				dst = append(dst, line[i:i+n]...)
			} else {
				dst = appendVarying(dst)
			}
			i += n
		case kindWord(c) || c == '/' && i+1 < len(line) && kindWord(line[i+1]):
			n, end := 1, 1 // end is behind the last byte that may end a word
			for ; i+n < len(line) && (kindWord(line[i+n]) || kindJoint(line[i+n])); n++ {
				if kindWord(line[i+n]) {
					end = n + 1
				}
			}
			n = end
			if word := line[i : i+n]; varies(word) || !whole && i+n == len(line) {
				dst = appendVarying(dst) // the last word of a long line may be cut
			} else {
				dst = append(dst, word...)
			}
			i += n
		default:
			dst = append(dst, c)
			i++
		}
	}
	return bytes.TrimRight(dst, " ")
}

// kindWord reports whether c is of a word, kindJoint whether it may stand within one. A path is a word.
func kindWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

func kindJoint(c byte) bool { return bytes.IndexByte(kindJoints, c) >= 0 }

var kindJoints = []byte(".:/-@+%~")

// hexLeast is from how many letters on a word of the letters a to f is a number.
const hexLeast = 8

// dayNames are words of stamps.
const dayNames = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec Mon Tue Wed Thu Fri Sat Sun "

// varies reports whether a word is another one in every line.
func varies(word []byte) bool {
	if len(word) == 3 && strings.Contains(dayNames, string(word)) {
		return true
	}
	hex := 0
	for _, c := range word {
		switch {
		case '0' <= c && c <= '9' || c == '@':
			return true
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			hex++
		}
	}
	return hex == len(word) && hex >= hexLeast
}

// quotedLength returns the length of the quoted string that s begins with, 0 when it does not end; in a line that is cut it
// goes on to the end.
func quotedLength(s []byte, whole bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == s[0] && (s[0] == '"' || i+1 == len(s) || !kindWord(s[i+1])):
			return i + 1
		}
	}
	if whole {
		return 0
	}
	return len(s)
}

func appendBlank(dst []byte) []byte {
	if n := len(dst); n == 0 || dst[n-1] == ' ' {
		return dst
	}
	return append(dst, ' ')
}

// appendVarying appends a '*', unless one stands there already with nothing but a blank or a comma behind it.
func appendVarying(dst []byte) []byte {
	before := bytes.TrimRight(dst, " ,")
	if n := len(before); n > 0 && before[n-1] == '*' {
		return before
	}
	return append(dst, '*')
}

package parser

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// Reading lines that are JSON objects, without decoding what is not asked for. jsonPair and what it uses are no
// validators: nginx puts its variables into whatever text a log_format has, so a 502 line may say
// "rt":, or "rt":0.000, 0.001, and bytes above 0x7F are anything. Nested objects are read as if
// their keys stood in the outer one. What shippers write is JSON, and read by jsonMembers.

// jsonObject returns what follows the brace that a line begins with; ok is false when it does not.
func jsonObject(line []byte) (rest []byte, ok bool) {
	if len(line) == 0 || line[0] != '{' {
		return nil, false
	}
	return line[1:], true
}

// jsonPair reads the next name of an object and its value, escapes and all; rest is where to go on.
// ok is false behind the last. The value of a name that has an object is nil.
func jsonPair(s []byte) (name, value, rest []byte, ok bool) {
	for {
		i := bytes.IndexByte(s, '"')
		if i < 0 {
			return nil, nil, nil, false
		}
		s = s[i+1:]
		j := bytes.IndexByte(s, '"')
		if j < 0 {
			return nil, nil, nil, false
		}
		rest = skipBlanks(s[j+1:])
		if len(rest) == 0 || rest[0] != ':' {
			s = s[j:] // no key: its last quote may be the first of one
			continue
		}
		name = s[:j]
		value, rest = jsonValue(skipBlanks(rest[1:]))
		return name, value, rest, true
	}
}

// first sets field to the text of a value, unless an earlier value has done so. The text is the value
// itself, or lies in p.unpacked when it had escapes.
func (p *Parser) first(field *[]byte, value []byte) {
	if *field != nil || value == nil {
		return
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		begin := len(p.unpacked)
		p.unpacked = unescape(p.unpacked, value)
		value = p.unpacked[begin:]
	}
	*field = value
}

func skipBlanks(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

// jsonValue splits s behind the value that it begins with: a string without its quotes, or
// everything up to the next key. An object gives nil, and its inside as the rest.
func jsonValue(s []byte) (value, rest []byte) {
	if len(s) == 0 || s[0] == '{' {
		return nil, s
	}
	if s[0] == '"' {
		return quoted(s)
	}
	for i, c := range s {
		if c == '}' || (c == ',' && hasPrefix(skipBlanks(s[i+1:]), `"`)) {
			return s[:i], s[i:]
		}
	}
	return s, nil
}

// unescape appends s to dst with the escapes of nginx (\xHH) and of JSON decoded. What is neither
// stays as it is.
func unescape(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return append(dst, s...)
		}
		dst, s = append(dst, s[:i]...), s[i:]
		n := 2
		switch s[1] {
		case '"', '\\', '/':
			dst = append(dst, s[1])
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'x':
			if v, ok := hex(s[2:], 2); ok {
				dst, n = append(dst, byte(v)), 4
			} else {
				dst = append(dst, `\x`...)
			}
		case 'u':
			var r rune
			if r, n = unicodeEscape(s); n == 2 {
				dst = append(dst, `\u`...)
			} else {
				dst = utf8.AppendRune(dst, r)
			}
		default:
			dst = append(dst, s[:2]...)
		}
		s = s[n:]
	}
}

// unicodeEscape reads \uXXXX, or two of them that are a surrogate pair. n is 2 when s is none.
func unicodeEscape(s []byte) (r rune, n int) {
	v, ok := hex(s[2:], 4)
	if !ok {
		return 0, 2
	}
	r = rune(v)
	if utf16.IsSurrogate(r) && hasPrefix(s[6:], `\u`) {
		if low, ok := hex(s[8:], 4); ok {
			if pair := utf16.DecodeRune(r, rune(low)); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

// jsonMembers yields the members of the JSON object that s begins with, as they stand there: names and strings
// without their quotes, not unescaped; other values, objects and lists among them, whole. It ends where the text is
// no object any more.
func jsonMembers(s []byte) iter.Seq2[[]byte, jsonText] {
	return func(yield func([]byte, jsonText) bool) {
		if s = skipBlanks(s); len(s) == 0 || s[0] != '{' {
			return
		}
		s = s[1:]
		for {
			if s = skipBlanks(s); len(s) > 0 && s[0] == ',' {
				s = skipBlanks(s[1:])
			}
			if len(s) == 0 || s[0] != '"' {
				return
			}
			var name []byte
			name, s = quoted(s)
			if s = skipBlanks(s); len(s) == 0 || s[0] != ':' {
				return
			}
			s = skipBlanks(s[1:])
			n := jsonEnd(s)
			if n == 0 || !yield(name, jsonText(s[:n])) {
				return
			}
			s = s[n:]
		}
	}
}

// jsonText is a JSON value as it is written.
type jsonText []byte

// isString reports whether the value is a string.
func (t jsonText) isString() bool { return len(t) >= 2 && t[0] == '"' }

// bare returns a string without its quotes, still escaped, and any other value as it is.
func (t jsonText) bare() []byte {
	if t.isString() {
		return t[1 : len(t)-1]
	}
	return t
}

// jsonEnd returns the length of the value that s begins with, 0 when it does not end.
func jsonEnd(s []byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			if i >= len(s) {
				return 0
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	if depth > 0 {
		return 0
	}
	return len(s)
}

// jsonString writes a string as JSON. What is no UTF-8 becomes a replacement character.
func jsonString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // there is no such string
	}
	return string(b)
}

package parser

import (
	"encoding/json"
	"iter"
)

// jsonMembers yields the members of the JSON object that s begins with, as they stand there: names and strings
// without their quotes, not unescaped; other values, objects and lists among them, whole. It ends where the text is
// no object any more.
func jsonMembers(s []byte) iter.Seq2[[]byte, jsonText] {
	return func(yield func([]byte, jsonText) bool) {
		if s = skipSpace(s); len(s) == 0 || s[0] != '{' {
			return
		}
		s = s[1:]
		for {
			if s = skipSpace(s); len(s) > 0 && s[0] == ',' {
				s = skipSpace(s[1:])
			}
			if len(s) == 0 || s[0] != '"' {
				return
			}
			var name []byte
			name, s = quoted(s)
			if s = skipSpace(s); len(s) == 0 || s[0] != ':' {
				return
			}
			s = skipSpace(s[1:])
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

func skipSpace(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

// jsonString writes a string as JSON. What is no UTF-8 becomes a replacement character.
func jsonString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // there is no such string
	}
	return string(b)
}

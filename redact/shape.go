package redact

import (
	"slices"
	"strings"
)

// shapes hides what shows by its shape alone wherever it stands: addresses, mail addresses, tokens.
func (r *Redactor) shapes(s string) string {
	if !strings.ContainsAny(s, "0123456789@:%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && shapeByte(s[i]) && shapeByte(s[i+n]) {
			n++
		}
		b.WriteString(r.run(s[i : i+n]))
		i += n
	}
	return b.String()
}

// shapeByte reports whether c can stand in a mail address, an address or a token.
func shapeByte(c byte) bool { return wordByte(c) || c >= 0x80 || strings.IndexByte(".-+%@:~", c) >= 0 }

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// run hides what a run of such bytes is or holds.
func (r *Redactor) run(s string) string {
	if len(s) < 2 || isStandIn(s) {
		return s
	}
	if from, to := mailIn(s); to > 0 {
		mail := s[from:to]
		return r.run(s[:from]) + r.standIn(kindMail, strings.ToLower(strings.Replace(mail, "%40", "@", 1))) + r.run(s[to:])
	}
	if strings.Count(s, ":") > 1 || strings.Contains(s, "::") {
		core := strings.TrimRight(s, ".:-")
		if strings.HasSuffix(s, "::") {
			core = s
		}
		if a, ok := address(core); ok {
			return r.client(a, core) + s[len(core):]
		}
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 0
		for i+n < len(s) && ('0' <= s[i+n] && s[i+n] <= '9' || s[i+n] == '.') {
			n++
		}
		if n >= 7 && (i == 0 || !wordByte(s[i-1])) && (i+n == len(s) || !wordByte(s[i+n])) {
			core := strings.TrimRight(s[i:i+n], ".")
			if a, ok := address(core); ok {
				b.WriteString(r.client(a, core))
				i += len(core)
				continue
			}
		}
		if n > 0 && (i == 0 || !wordByte(s[i-1])) && (i+n == len(s) || !wordByte(s[i+n])) {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		n = 0
		for i+n < len(s) && (wordByte(s[i+n]) || s[i+n] == '-') {
			n++
		}
		if looksSecret(s[i : i+n]) {
			if s[:i] == "" && strings.HasPrefix(s, "eyJ") {
				n = len(s) // a JSON web token: three parts
			}
			b.WriteString(r.standIn(kindToken, s[i:i+n]))
			i += n
			continue
		}
		n = max(n, 1)
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// secretLeast is from how many bytes on a run may be a secret by its looks: kernels write pointers of sixteen.
const secretLeast = 20

// looksSecret reports whether a word looks like made by chance: hexadecimal, a UUID, base64.
func looksSecret(s string) bool {
	if len(s) < secretLeast || isStandIn(s) {
		return false
	}
	var digits, lower, upper, hex, dashes, marks int
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			digits++
			hex++
		case 'a' <= c && c <= 'z':
			lower++
			if c <= 'f' {
				hex++
			}
		case 'A' <= c && c <= 'Z':
			upper++
			if c <= 'F' {
				hex++
			}
		case c == '-':
			dashes++
		default:
			marks++
		}
	}
	switch letters := lower + upper; {
	case letters == 0 || digits == 0:
		return letters > 0 && lower > 3 && upper > 3 && marks == 0 && dashes == 0 && len(s) >= 32
	case hex+dashes == len(s):
		return true
	case lower > 0 && upper > 0:
		return digits > 1
	default:
		return digits > 2 && dashes+marks < 2
	}
}

// localLimit bounds what is taken for the part of a mail address before its @; RFC 5321 allows 64 bytes.
const localLimit = 100

// mailIn finds the first mail address in a run; to is 0 when there is none.
func mailIn(s string) (from, to int) {
	for at := 0; at < len(s); {
		n := 0
		switch {
		case s[at] == '@':
			n = 1
		case strings.HasPrefix(s[at:], "%40"):
			n = 3
		default:
			at++
			continue
		}
		from, to = at, at+n
		for from > 0 && at-from < localLimit && (wordByte(s[from-1]) || s[from-1] >= 0x80 || strings.IndexByte(".%+-~", s[from-1]) >= 0) {
			from--
		}
		for to < len(s) && (wordByte(s[to]) || s[to] >= 0x80 || s[to] == '.' || s[to] == '-') {
			to++
		}
		for to > at+n && (s[to-1] == '.' || s[to-1] == '-') {
			to--
		}
		if from < at && !isStandIn(s[from:at]) && isHost(s[at+n:to]) {
			return from, to
		}
		at += n
	}
	return 0, 0
}

func isMail(s string) bool {
	from, to := mailIn(s)
	return to == len(s) && from == 0 && to > 0
}

// units are what systemd's names with an @ end in: user@1000.service is no mail address.
var units = []string{"service", "socket", "scope", "slice", "timer", "mount", "target", "path", "device"}

// isHost reports whether s can be the domain of a mail address.
func isHost(s string) bool {
	i := strings.LastIndexByte(s, '.')
	if i < 1 {
		return false
	}
	last := s[i+1:]
	return len(last) >= 2 && !strings.ContainsAny(last, "0123456789_") && !slices.Contains(units, last)
}

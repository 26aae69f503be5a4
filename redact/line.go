package redact

import (
	"regexp"
	"slices"
	"strings"
)

// Line hides what is personal in a line of a source. Of an access log, whose fields may stand in any order, only what is known to be
// harmless stays: times, numbers, statuses, addresses of servers, methods, routes.
func (r *Redactor) Line(source int, s string) string {
	switch r.formats[source] {
	case "nginx_access":
		return r.within(s, r.accessLine)
	case "postgresql":
		return r.within(s, func(s string) string { return r.words(r.statements(s), true) })
	}
	return r.Text(s)
}

// syslogHead is what syslog, journalctl or a container writes before a line.
var syslogHead = regexp.MustCompile(`^(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.+Z-]+) (?:[\w.-]+ [\w./-]+(?:\[\d+\])?: |(?:stdout|stderr) [FP] )`)

// errorLine is how nginx's error lines begin, which containers mix with access lines.
var errorLine = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] `)

func (r *Redactor) accessLine(s string) string {
	head := syslogHead.FindString(s)
	if errorLine.MatchString(s[len(head):]) {
		return r.Text(s)
	}
	l := &accessReader{Redactor: r, s: s, i: len(head)}
	l.out.WriteString(r.shapes(head))
	for l.i < len(s) {
		l.next()
	}
	return l.out.String()
}

// accessReader walks through the fields of an access line.
type accessReader struct {
	*Redactor
	s   string
	i   int
	key string // of the value that comes next, "" when it has none
	out strings.Builder
}

func (l *accessReader) put(s string) { l.out.WriteString(s) }

func (l *accessReader) next() {
	rest := l.s[l.i:]
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		n := literalEnd(rest, true)
		content := strings.TrimSuffix(rest[1:n], string(c))
		l.i += n
		l.put(string(c))
		if strings.HasPrefix(strings.TrimLeft(l.s[l.i:], " "), ":") { // a key of JSON
			l.put(l.shapes(content))
			l.key = strings.ToLower(content)
		} else {
			l.value(content)
		}
		if n > 1 && rest[n-1] == c {
			l.put(string(c))
		}
	case c == '[' && !strings.HasPrefix(rest, "[{") && !strings.HasPrefix(rest, `["`):
		n := strings.IndexByte(rest, ']')
		if n < 0 {
			n = len(rest)
		}
		l.i += n
		l.put("[")
		l.value(rest[1:n])
	case c <= ' ' || strings.IndexByte("{}[],|;", c) >= 0 || c == ':' && !strings.HasPrefix(rest, "::"):
		l.put(rest[:1])
		l.i++
	default:
		l.bare()
	}
}

// bare is a field without quotes, or a key before one.
func (l *accessReader) bare() {
	rest := l.s[l.i:]
	n := strings.IndexAny(rest, " \t\n\"{},[]|;")
	if n < 0 {
		n = len(rest)
	}
	if k := strings.IndexByte(rest[:n], '='); k > 0 && strings.Trim(strings.ToLower(rest[:k]), "abcdefghijklmnopqrstuvwxyz0123456789_-") == "" {
		l.put(rest[:k+1])
		l.key = strings.ToLower(rest[:k])
		l.i += k + 1
		if k+1 == n {
			return
		}
		rest = rest[k+1:]
		n -= k + 1
	}
	if slices.Contains(methods, rest[:n]) && strings.HasPrefix(rest[n:], " ") { // a request without quotes
		l.put(rest[:n])
		l.i += n
		return
	}
	l.value(rest[:n])
	l.i += n
	line := l.s[l.i:]
	if i := strings.Index(line, " ["); strings.HasPrefix(line, " - ") && i > 3 && i+6 < len(line) && line[i+4] == '/' && line[3:i] != "-" {
		l.put(" - " + l.hidden(kindUser, line[3:i]))
		l.i += i
	}
}

// harmless are words of access lines that say nothing of people.
var harmless = []string{"HIT", "MISS", "BYPASS", "EXPIRED", "STALE", "UPDATING", "REVALIDATED", "http", "https", "on", "off", "p", ".", "true", "false", "null"}

var (
	// accessStamp are the stamps with letters in them.
	accessStamp = regexp.MustCompile(`^(?:\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,Z:+-]*)$`)
	protocol    = regexp.MustCompile(`^(?:HTTP/\d(?:\.\d)?|TLSv1(?:\.\d)?)$`)
	hostName    = regexp.MustCompile(`^[\w-]+(?:\.[\w-]+)*(?::\d{1,5})?$`)
)

// value hides a field.
func (l *accessReader) value(v string) {
	key := l.key
	l.key = ""
	method, request, _ := strings.Cut(v, " ")
	switch {
	case v == "" || v == "-":
		l.put(v)
	case secretKey(key):
		l.put(l.standIn(kindToken, v))
	case userKey(key):
		l.put(l.hidden(kindUser, v))
	case accessStamp.MatchString(v) || protocol.MatchString(v) || slices.Contains(harmless, v) || slices.Contains(methods, v):
		l.put(v)
	case strings.Trim(v, "0123456789.,:+- ") == "" && len(v) <= 200:
		l.put(l.shapes(v))
	case strings.Count(v, ":") > 1 && strings.Trim(strings.ToLower(v), "0123456789abcdef.,:[] ") == "":
		l.put(l.shapes(v))
	case slices.Contains(methods, method):
		i := strings.LastIndex(request, " HTTP/")
		if i < 0 || !protocol.MatchString(request[i+1:]) {
			i = len(request)
		}
		l.put(method + " " + l.Path(request[:i]) + request[i:])
	case strings.HasPrefix(v, "/") || strings.Contains(v, "://"):
		l.put(l.Path(v))
	case strings.HasPrefix(v, "unix:"):
		l.put("unix:" + l.pathOrEmpty(v[5:]))
	case (strings.Contains(key, "host") || strings.Contains(key, "server")) && hostName.MatchString(v):
		l.put(l.shapes(v))
	case isMail(v):
		l.put(l.hidden(kindMail, v))
	default:
		l.put(l.hidden(kindText, v))
	}
}

func (l *accessReader) pathOrEmpty(s string) string {
	if s == "" {
		return ""
	}
	return l.plain(s)
}

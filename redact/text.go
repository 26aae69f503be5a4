package redact

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Text hides what is personal in a text for people, or in a line of a log that is not an access log.
func (r *Redactor) Text(s string) string {
	return r.within(s, func(s string) string { return r.words(r.statements(s), false) })
}

// textLimit bounds what is looked at of one text: what stands behind is hidden whole. The store keeps lines of some kilobytes at most, but a path
// may be longer, and some rules look far ahead.
const textLimit = 16 << 10

func (r *Redactor) within(s string, hide func(string) string) string {
	if len(s) <= textLimit {
		return hide(s)
	}
	n := textLimit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return hide(s[:n]) + " " + r.standIn(kindText, s[n:])
}

// methods begin the line of a request.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "CONNECT", "TRACE"}

// reader walks through the words of a text.
type reader struct {
	*Redactor
	s     string
	i     int
	prev  string // word before
	roles bool   // who is called user is a role of PostgreSQL, and stays
	out   strings.Builder
}

func (r *Redactor) words(s string, roles bool) string {
	w := &reader{Redactor: r, s: s, roles: roles}
	for w.i < len(s) {
		c := s[w.i]
		switch {
		case c == '<' && (w.prev == "for" || w.prev == "user" || w.prev == "login"):
			w.copy(1)
			w.hide(kindUser, w.upTo(">"))
		case between(c):
			w.copy(1)
		default:
			w.word()
		}
	}
	return w.out.String()
}

// between reports whether c stands between words.
func between(c byte) bool { return c <= ' ' || strings.IndexByte("\"'`(){}[]<>,;|\\", c) >= 0 }

func (w *reader) copy(n int) {
	w.out.WriteString(w.s[w.i : w.i+n])
	w.i += n
}

func (w *reader) hide(kind string, n int) {
	w.out.WriteString(w.hidden(kind, w.s[w.i:w.i+n]))
	w.i += n
}

// upTo returns how far the next mark is, or the end of the line.
func (w *reader) upTo(mark string) int {
	if n := strings.IndexAny(w.s[w.i:], mark+"\n"); n >= 0 {
		return n
	}
	return len(w.s) - w.i
}

func (w *reader) word() {
	n := strings.IndexFunc(w.s[w.i:], func(c rune) bool { return c < 0x80 && between(byte(c)) })
	if n < 0 {
		n = len(w.s) - w.i
	}
	word := w.s[w.i : w.i+n]
	switch {
	case slices.Contains(methods, word) && n+1 < len(w.s)-w.i && w.s[w.i+n] == ' ':
		w.request(n)
	case strings.Contains(word, "://"):
		w.address()
	case w.credential(word):
	case (w.prev == "Bearer" || w.prev == "Basic") && strings.ToLower(word) != word:
		w.out.WriteString(w.standIn(kindToken, word))
		w.i += n
	default:
		w.out.WriteString(w.plain(word))
		w.i += n
		w.quotedValue(word)
	}
	w.prev = word
}

// request is what follows the method of a request: its path up to the protocol, or as far as it may go.
func (w *reader) request(n int) {
	quoted := w.i > 0 && strings.IndexByte("\"'", w.s[w.i-1]) >= 0
	w.copy(n + 1)
	rest := w.s[w.i:]
	if rest[0] != '/' && !strings.Contains(rest[:min(12, len(rest))], "://") {
		return
	}
	line := rest[:w.upTo("")]
	end := strings.IndexAny(line, " \"'")
	if quoted {
		if end = strings.Index(line, " HTTP/"); end < 0 {
			end = strings.IndexAny(line, "\"'")
		}
	}
	if end < 0 {
		end = len(line)
	}
	if !quoted {
		end = len(strings.TrimRight(line[:end], ",;:)"))
	}
	w.out.WriteString(w.Path(line[:end]))
	w.i += end
}

// address is a URL.
func (w *reader) address() {
	n := strings.IndexAny(w.s[w.i:], " \t\r\n\"'`<>\\")
	if n < 0 {
		n = len(w.s) - w.i
	}
	n = len(strings.TrimRight(w.s[w.i:w.i+n], ",;.)]}"))
	word := w.s[w.i : w.i+n]
	if key, value, ok := strings.Cut(word, "="); ok && strings.Contains(value, "://") && !strings.Contains(key, "://") {
		w.copy(len(key) + 1)
		word = value
	}
	from := strings.Index(word, "://") + 3
	w.out.WriteString(w.url(word, from))
	w.i += len(word)
}

// credential hides the value of a key that names a secret or a user, and reports whether it did.
func (w *reader) credential(word string) bool {
	k := strings.IndexAny(word, ":=")
	if k > 0 && strings.ContainsAny(word[:k], "/?&") {
		return false
	}
	key := word
	if k >= 0 {
		key = word[:k]
	}
	name := strings.ToLower(strings.Trim(key, "-+*%."))
	secret := secretKey(name) || name == "password"
	if !secret && (!userKey(name) || w.roles) || len(name) > routeWordLimit {
		return false
	}
	rest := w.s[w.i+len(key):]
	m := assignment(rest)
	if m == 0 {
		return false
	}
	// "user: " before more words is no key.
	if !secret && rest[:m] == ": " {
		return false
	}
	w.copy(len(key) + m)
	w.value(secret, name)
	return true
}

// assignment returns the length of what stands between a key and its value: = : => with quotes of the key and blanks around. It is 0 where
// nothing is assigned.
func assignment(s string) int {
	n := 0
	skip := func(set string, most int) (skipped int) {
		for skipped < most && n < len(s) && strings.IndexByte(set, s[n]) >= 0 {
			n++
			skipped++
		}
		return skipped
	}
	skip(`\`, 1)
	skip(`"'`, 1)
	skip(" ", 1)
	if skip(":=", 1) == 0 {
		return 0
	}
	skip(">", 1)
	skip(" ", 2)
	return n
}

// value hides a value, with or without quotes around.
func (w *reader) value(secret bool, name string) {
	kind, marks := kindUser, " \t\r\"'`,;&)}>"
	if secret {
		kind, marks = kindToken, " \t\r\"'`;&"
	}
	rest := w.s[w.i:]
	for _, scheme := range [...]string{"Bearer ", "Basic ", "Token ", "Digest "} {
		if strings.HasPrefix(rest, scheme) {
			w.copy(len(scheme))
		}
	}
	if len(rest) > 1 && (rest[0] == 'b' || rest[0] == 'u') && strings.IndexByte("\"'", rest[1]) >= 0 {
		w.copy(1)
	}
	escaped := strings.HasPrefix(w.s[w.i:], `\`)
	if escaped {
		w.copy(1)
	}
	if w.i == len(w.s) {
		return
	}
	n := 0
	switch q := w.s[w.i]; {
	case (q == '"' || q == '\'') && escaped:
		w.copy(1)
		if n = strings.Index(w.s[w.i:], `\`+string(q)); n < 0 {
			n = len(w.s) - w.i
		}
	case q == '"' || q == '\'':
		n = literalEnd(w.s[w.i:], true)
		w.copy(1)
		if n -= 2; n < 0 || w.s[w.i+n] != q {
			n = len(w.s) - w.i
		}
	case name == "login" && strings.Contains(w.s[w.i:w.i+w.upTo("")], " from "):
		n = strings.Index(w.s[w.i:], " from ")
	default:
		n = w.upTo(marks)
	}
	value := w.s[w.i : w.i+n]
	if value == "None" || value == "False" || value == "null" || value == "-" {
		w.copy(n)
		return
	}
	if secret {
		w.out.WriteString(w.standIn(kindToken, decoded(value)))
		w.i += n
		return
	}
	w.hide(kind, n)
}

// beforeValues are the words behind which a value may stand, see quotedValue.
var beforeValues = []string{"user", "Key", "key", "contains", "value", "syntax", "range", "literal", "convert"}

// quotedValue hides what PostgreSQL, nginx and Python write of values behind some words.
func (w *reader) quotedValue(word string) {
	if !slices.Contains(beforeValues, word) && !strings.HasPrefix(w.s[w.i:], " - ") {
		return
	}
	line := w.s[w.i : w.i+w.upTo("")]
	from, to, kind := 0, 0, kindText
	switch word {
	case "user":
		if strings.HasPrefix(line, ` "`) {
			from = 2
			to = max(strings.Index(line, `": `), strings.Index(line, `" was `))
			kind = kindUser
		}
	case "Key", "key":
		if i := strings.Index(line, ")=("); i > 0 {
			from, to = i+3, lastOf(line, ")")
		}
	case "contains":
		if w.prev == "row" && strings.HasPrefix(line, " (") {
			from, to = 2, lastOf(line, ")")
		}
	case "value":
		if strings.HasPrefix(line, ` "`) {
			from = 2
			to = from + strings.Index(line[from:]+`"`, `"`)
		}
	case "syntax", "range", "literal", "convert":
		for _, q := range [...]string{`"`, "'"} {
			if i := strings.Index(line, ": "+q); i >= 0 && to == 0 {
				from, to = i+3, lastOf(line, q)
			}
		}
	default:
		// The user in an access line: "address - user [22/Nov/2026".
		if i := strings.Index(line, " ["); strings.HasPrefix(line, " - ") && i > 3 && i+6 < len(line) && line[i+4] == '/' && line[3:i] != "-" {
			from, to, kind = 3, i, kindUser
		}
	}
	if from < to {
		w.copy(from)
		w.hide(kind, to-from)
	}
}

// lastOf returns where a mark stands last, the end of the line without one.
func lastOf(line, mark string) int {
	if i := strings.LastIndex(line, mark); i >= 0 {
		return i
	}
	return len(line)
}

// plain hides what a word alone tells.
func (r *Redactor) plain(word string) string {
	switch key, value, ok := strings.Cut(word, "="); {
	case strings.HasPrefix(word, "/"):
		return r.pathOrFile(word)
	case strings.Contains(word, "/") && strings.Contains(word, "?"):
		return r.Path(word)
	case strings.Contains(word, "&") && ok:
		return r.queries("?" + word)[1:]
	case ok:
		return r.shapes(key) + "=" + r.plain(value)
	}
	return r.shapes(word)
}

// roots are the directories of a server in which files lie, and groups of processes.
var roots = []string{
	"bin", "boot", "data", "dev", "etc", "home", "lib", "lib64", "mnt", "opt", "proc", "root", "run", "sbin", "snap", "srv", "sys", "tmp", "usr", "Users", "var",
	"docker", "init.scope", "kubepods", "kubepods.slice", "lxc", "machine.slice", "system.slice", "user.slice",
}

func (r *Redactor) pathOrFile(word string) string {
	first, _, _ := strings.Cut(word[1:], "/")
	if slices.Contains(roots, first) {
		return r.shapes(r.File(word))
	}
	for _, f := range r.files {
		if rest, ok := strings.CutPrefix(word, f); ok && (rest == "" || strings.IndexByte("/:", rest[0]) >= 0) {
			return r.File(f) + r.shapes(rest)
		}
	}
	core := strings.TrimRight(word, ".:")
	return r.Path(core) + word[len(core):]
}

package redact

import (
	"regexp"
	"slices"
	"strings"
)

// statementBegins finds where a statement of SQL begins in a text: behind what PostgreSQL and Odoo write before one, or at its first words.
var statementBegins = regexp.MustCompile(`(?:\b(?:statement|STATEMENT|QUERY|[Qq]uery|(?:execute|parse|bind) [^:\n]*|parameters|Process \d+|was running|LINE \d+):\s|\bSQL statement "|\bbad query: ` +
	`|\b(?:SELECT|INSERT INTO|UPDATE (?:ONLY )?["\w.]+ SET|DELETE FROM|WITH (?:RECURSIVE )?["\w]+ (?:\([^)]*\) )?AS|COPY ["\w]|CALL \w+\(|DECLARE "|FETCH |MERGE INTO|TRUNCATE |WHERE |VALUES ?\(|(?:ALTER|CREATE) (?:USER|ROLE))` +
	`|\b(?i:select [^;]*? from|insert into ["\w.]+|update ["\w.]+ set|delete from ["\w.]+|(?:alter|create) (?:user|role)) )`)

// statementCues are words, in small letters, without one of which nothing begins: most texts are done with them.
var statementCues = []string{
	"statement", "query", "execute", "parse ", "bind ", "parameters", "process ", "was running", "line ", "select", "insert", "update", "delete", "with ", "copy", "call ",
	"declare", "fetch", "merge", "truncate", "where ", "values", "alter", "create",
}

// nextRecord finds the line of a record that goes on behind a statement of several lines, or what a sentence says behind one.
var nextRecord = regexp.MustCompile(`, and \d+ more$|\n[^\n]*?(?:LOG|ERROR|FATAL|PANIC|WARNING|DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION):  `)

// statements hides the literals of statements in a text, from their beginning to the end of the record.
func (r *Redactor) statements(s string) string {
	small := strings.ToLower(s)
	if !slices.ContainsFunc(statementCues, func(cue string) bool { return strings.Contains(small, cue) }) {
		return s
	}
	at := statementBegins.FindStringIndex(s)
	if at == nil {
		return s
	}
	from, to := at[0], len(s)
	if marker := s[from:at[1]]; strings.HasSuffix(strings.TrimRight(marker, " \t\n"), ":") || strings.HasPrefix(marker, "SQL statement") {
		from = at[1] // the number of a process before it stays
	}
	if end := nextRecord.FindStringIndex(s[from:]); end != nil {
		to = from + end[0]
	}
	if from == to {
		return s
	}
	return s[:from] + r.statement(s[from:to]) + r.statements(s[to:])
}

// openLiterals are words of PostgreSQL's own that stay.
var openLiterals = []string{"idle in transaction", "UTC"}

// statement hides the literals of one statement. What comes behind it in the same text loses its numbers too.
func (r *Redactor) statement(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		n := 1
		switch {
		case c == '\'':
			backslash := i > 0 && (s[i-1] == 'E' || s[i-1] == 'e') && (i == 1 || !wordByte(s[i-2]))
			n = literalEnd(s[i:], backslash)
			value := strings.ReplaceAll(strings.Trim(s[i:i+n], "'"), "''", "'")
			if !slices.Contains(openLiterals, value) {
				value = r.hidden(kindText, value)
			}
			b.WriteString("'" + value + "'")
		case c == '$':
			n = dollarEnd(s[i:])
			if n > 2 && s[i+n-1] == '$' || n == len(s)-i && strings.Count(s[i:], "$") > 1 {
				b.WriteString("'" + r.standIn(kindText, s[i:i+n]) + "'")
			} else {
				b.WriteString(s[i : i+n])
			}
		case '0' <= c && c <= '9':
			n = numberEnd(s[i:])
			b.WriteString(r.hidden(kindText, s[i:i+n]))
		case strings.HasPrefix(s[i:], "--") || strings.HasPrefix(s[i:], "/*"):
			end := "\n"
			if c == '/' {
				end = "*/"
			}
			n = 2
			if j := strings.Index(s[i+2:], end); j >= 0 {
				n += j
			} else {
				n = len(s) - i
			}
			b.WriteString(s[i:i+2] + r.standIn(kindText, s[i+2:i+n]))
		case c == '"':
			if name := s[i+1 : i+1+max(0, strings.IndexByte(s[i+1:], '"'))]; strings.IndexFunc(name, notInName) < 0 {
				n = len(name) + 1
			}
			b.WriteString(s[i : i+n])
		case wordByte(c) || c >= 0x80:
			for i+n < len(s) && (wordByte(s[i+n]) || s[i+n] >= 0x80 || s[i+n] == '-' && standInAt(s[i:])) {
				n++
			}
			b.WriteString(s[i : i+n])
		default:
			b.WriteByte(c)
		}
		i += n
	}
	return b.String()
}

// notInName reports whether a rune makes a text in double quotes something else than the name of a table or a column: Python quotes
// whole statements.
func notInName(c rune) bool { return c < 0x80 && !wordByte(byte(c)) && c != '.' && c != '-' }

// standInAt reports whether a text begins with a stand-in, as what is hidden twice does.
func standInAt(s string) bool {
	i := strings.IndexByte(s, '-')
	return i > 0 && i < 8 && len(s) > i+standInDigits && isStandIn(s[:i+1+standInDigits])
}

// literalEnd returns the length of the literal that s begins with, by whichever quote, all of s when it does not end. Two single quotes in it
// stand for one, and so does a backslash and a quote where backslashes escape.
func literalEnd(s string, backslash bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && backslash:
			i++
		case s[i] == '\'' && s[0] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// dollarEnd returns the length of "$1" or of "$tag$ … $tag$", all of s when that does not end.
func dollarEnd(s string) int {
	n := 1
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	if n == len(s) || s[n] != '$' || n > 1 && '0' <= s[1] && s[1] <= '9' {
		return n
	}
	if i := strings.Index(s[n+1:], s[:n+1]); i >= 0 {
		return n + 1 + i + n + 1
	}
	return len(s)
}

func numberEnd(s string) int {
	n := 1
	for n < len(s) && (wordByte(s[n]) || s[n] == '.') {
		n++
	}
	return n
}

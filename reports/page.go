package reports

import (
	"bufio"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// page writes lines that are at most width columns wide. Errors of the writer are kept until
// done.
type page struct {
	w     *bufio.Writer
	width int
	color bool
}

const (
	defaultWidth = 80
	leastWidth   = 40
)

func newPage(w io.Writer, o Options) *page {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	return &page{w: bufio.NewWriter(w), width: max(o.Width, leastWidth), color: o.Color}
}

func (p *page) done() error { return p.w.Flush() }

func (p *page) blank() { p.w.WriteByte('\n') }

// line writes one line of the program's own making: it is safe, and it fits.
func (p *page) line(s string) {
	p.w.WriteString(strings.TrimRight(s, " "))
	p.w.WriteByte('\n')
}

// para writes a stranger's text, wrapped; head stands before its first row, and as much space,
// or the gutter of a quotation, before the others. What does not fit into limit rows is folded
// away behind "…". The head is the program's own and may be painted.
func (p *page) para(head, text string, limit int) {
	p.hang(head, strings.Repeat(" ", columns(head)), text, limit)
}

// hang is para with something else before the further rows. An empty text writes nothing.
func (p *page) hang(head, rest, text string, limit int) {
	if text == "" {
		return
	}
	for i, row := range wrap(visible(text), p.width-columns(head), p.width-columns(rest), limit) {
		if i > 0 {
			head = rest
		}
		p.line(head + row)
	}
}

// heading writes a title with a rule under it.
func (p *page) heading(s string) {
	s = clip(visible(s), p.width)
	p.blank()
	p.line(p.paint(bold, s))
	p.line(strings.Repeat("─", columns(s)))
}

// paint puts a style around s where there is colour. Padding behind it stays plain, so that line
// can cut it off.
func (p *page) paint(style, s string) string {
	body := strings.TrimRight(s, " ")
	if !p.color || body == "" {
		return s
	}
	return style + body + reset + s[len(body):]
}

// labelLimit bounds a stranger's text in the head of a paragraph, in columns.
const labelLimit = 16

// label makes a stranger's text fit for a head.
func label(s string) string { return clip(visible(s), labelLimit) }

const (
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// columns is how wide a terminal draws s. Styles count nothing; visible has left no other
// control in any text.
//
// The width comes from golang.org/x/text/width: it is a plain table of the Unicode standard,
// where go-runewidth also reads the environment, so that equal input could give unequal reports.
func columns(s string) int {
	n, inStyle := 0, false
	for i, r := range s {
		switch {
		case inStyle:
			inStyle = r != 'm'
		case r == 0x1b && strings.HasPrefix(s[i:], "\x1b["):
			inStyle = true
		default:
			n += runeColumns(r)
		}
	}
	return n
}

func runeColumns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clip returns the beginning of s that fits into n columns, with "…" where something is missing.
func clip(s string, n int) string {
	if head, rest := splitAt(s, n); rest == "" {
		return head
	}
	head, _ := splitAt(s, n-1)
	return strings.TrimRight(head, " ") + "…"
}

// splitAt cuts s behind the last character that ends within n columns.
func splitAt(s string, n int) (head, rest string) {
	at := 0
	for i, r := range s {
		if at += runeColumns(r); at > n {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// wrap cuts s into at most limit rows, the first of so many columns and the others of n, between
// words where there is a space in the second half of the row. 0 rows means no limit.
func wrap(s string, first, n, limit int) []string {
	var rows []string
	for room := first; ; room = n {
		if limit > 0 && len(rows) == limit-1 {
			return append(rows, clip(s, room))
		}
		head, rest := splitAt(s, room)
		if rest == "" {
			return append(rows, head)
		}
		if !strings.HasPrefix(rest, " ") {
			if space := strings.LastIndexByte(head, ' '); space > 0 && longWord(s[space+1:]) <= n {
				head, rest = head[:space], s[space:]
			}
		}
		rows = append(rows, head)
		if s = strings.TrimLeft(rest, " "); s == "" {
			return rows
		}
	}
}

// longWord is the width of the word that s begins with.
func longWord(s string) int {
	word, _, _ := strings.Cut(s, " ")
	return columns(word)
}

// pad fills s with spaces up to n columns; a negative n puts them before it.
func pad(s string, n int) string {
	if n < 0 {
		return strings.Repeat(" ", max(0, -n-columns(s))) + s
	}
	return s + strings.Repeat(" ", max(0, n-columns(s)))
}

// bar draws a share of one as a bar of at most n columns, to an eighth of a column. What is not
// nothing is seen.
func bar(share float64, n int) string {
	eighths := int(share*float64(n)*8 + 0.5)
	if share > 0 {
		eighths = max(eighths, 1)
	}
	s := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 {
		s += string(rune(0x2590 - part)) // ▏ is U+258F, ▉ is U+2589
	}
	return s
}

// cite writes where a line stands and the line itself, behind a gutter so that it is told from
// the report's own words. A record of several lines takes limit rows in all.
func (p *page) cite(indent, where, text string, limit int) {
	p.para(indent, where, 3)
	for line := range recordLines(text) {
		if limit <= 0 {
			p.line(indent + "│ …")
			return
		}
		room := p.width - columns(indent) - 2
		rows := wrap(visible(line), room, room, limit)
		for _, row := range rows {
			p.line(indent + "│ " + row)
		}
		limit -= len(rows)
	}
}

// recordLines are the lines of a record without their ends; none for an empty record. The tabs
// that PostgreSQL begins further lines with are drawn as the space that they are.
func recordLines(text string) func(yield func(string) bool) {
	text = strings.TrimRight(text, "\r\n")
	return func(yield func(string) bool) {
		if text == "" {
			return
		}
		for line := range strings.SplitSeq(text, "\n") {
			rest := strings.TrimLeft(line, "\t")
			if !yield(strings.Repeat("    ", min(len(line)-len(rest), 4)) + strings.TrimSuffix(rest, "\r")) {
				return
			}
		}
	}
}

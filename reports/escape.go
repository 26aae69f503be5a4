package reports

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Log lines, paths and names are written by strangers. Everything that a report prints of them
// passes through one function of this file: visible for a terminal, mdText and mdFence for
// Markdown, csvCell for a spreadsheet, jsonSafe for JSON.

// maxMarks is how many combining marks in a row are drawn; real writing needs two or three, and
// a hundred of them climb over the lines above.
const maxMarks = 3

// visible returns s as one line without anything that a terminal would obey or hide: controls
// are shown as \x1b, other invisible characters as \u202e, bytes that are no UTF-8 as \xff.
func visible(s string) string {
	if plainASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	marks := maxMarks // none at the beginning: there is no letter to carry it
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r) || marks > maxMarks:
			b.WriteString(escaped(r))
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hidden reports whether r draws nothing, or changes how its neighbours are drawn: controls,
// format characters (bidi, zero width), odd spaces, fillers, variation selectors, private use.
func hidden(r rune) bool {
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// jsonSafe appends JSON text to dst with every hidden character as a \u escape. That changes
// nothing for a parser, and the text may be printed. encoding/json itself escapes the C0
// controls only.
func jsonSafe(dst, text []byte) []byte {
	for len(text) > 0 {
		n := bytes.IndexFunc(text, func(r rune) bool { return r > '~' && hidden(r) })
		if n < 0 {
			return append(dst, text...)
		}
		r, size := utf8.DecodeRune(text[n:])
		dst = append(dst, text[:n]...)
		if r < 0x10000 {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		} else {
			r -= 0x10000
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
		text = text[n+size:]
	}
	return dst
}

// csvCell returns s for a cell of a spreadsheet: visible, and never a formula.
func csvCell(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + visible(s)
	}
	return visible(s)
}

// mdText returns s for running Markdown text. Words that Markdown or GitHub would act upon
// (markup, HTML, mentions, links, issue numbers) become code, where nothing is active; the
// punctuation around them stays outside.
func mdText(s string) string {
	words := strings.Split(visible(s), " ")
	for i, w := range words {
		if !mdActive(w, i == 0) {
			continue
		}
		core := strings.TrimRight(strings.TrimLeft(w, `("'«`), `,;:.)"'»`)
		if core == "" {
			core = w
		}
		at := strings.Index(w, core)
		words[i] = w[:at] + mdCode(core) + w[at+len(core):]
	}
	return strings.Join(words, " ")
}

func mdActive(word string, first bool) bool {
	switch {
	case word == "":
		return false
	case strings.ContainsAny(word, "\\`*_{}[]<>#|~&@$=^") || strings.Contains(word, "://"):
		return true
	case strings.Contains(strings.ToLower(word), "www."):
		return true
	}
	return first && mdMarksList(word)
}

// mdMarksList reports whether a word at the beginning of a block makes it a list: "-", "1.".
func mdMarksList(word string) bool {
	if word[0] == '-' || word[0] == '+' {
		return true
	}
	rest := strings.TrimLeft(word, "0123456789")
	return rest != word && (rest == "." || rest == ")")
}

// mdCode returns s as a code span of Markdown, one that a table may hold too.
func mdCode(s string) string {
	s = visible(s)
	if s == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		pad = " "
	}
	return ticks + pad + s + pad + ticks
}

// mdCell returns finished Markdown for a cell of a table. A bar would end the cell even inside
// code, and renderers disagree on how to escape it behind a backslash.
func mdCell(markdown string) string { return strings.ReplaceAll(markdown, "|", `\x7c`) }

// mdFence returns lines as fenced code. No line can close the fence, which is longer than any
// run of backticks within.
func mdFence(lines []string) string {
	ticks := 2
	for i, l := range lines {
		lines[i] = visible(l)
		ticks = max(ticks, longestRun(lines[i], '`'))
	}
	fence := strings.Repeat("`", ticks+1)
	return fence + "text\n" + strings.Join(lines, "\n") + "\n" + fence
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

package reports

import (
	"regexp"
	"strings"
	"testing"
)

func TestVisible(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
		if got := visible(want); got != want {
			t.Errorf("visible(%q) = %q: a second time changes it", want, got)
		}
	}
	f(`plain \x22 text`, `plain \x22 text`)
	f("\x1b[31mred\x1b[0m\x07", `\x1b[31mred\x1b[0m\x07`)
	f("a\tb\r\nc\x00\x7f", `a\tb\r\nc\x00\x7f`)
	f("\u009b31m \u0085", `\u009b31m \u0085`)
	f("\u202egnp.exe\u2066\u200b\u200d\ufeff\u00ad", `\u202egnp.exe\u2066\u200b\u200d\ufeff\u00ad`)
	f("\u2028\u00a0\u3164\ufe0f\U000e0041", `\u2028\u00a0\u3164\ufe0f\U000e0041`)
	f("\xff\xc3(\xed\xa0\x80", `\xff\xc3(\xed\xa0\x80`)
	f("café 漢字 «x» 🙂 e\u0301", "café 漢字 «x» 🙂 e\u0301")
	f("e\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301\\u0301\\u0301")
	f("\u0301x", `\u0301x`)
}

func TestMarkdownText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := mdText(in); got != want {
			t.Errorf("mdText(%q) = %q, want %q", in, got, want)
		}
	}
	f("worker 23976 was killed (2 GB), at 14:10:38.", "worker 23976 was killed (2 GB), at 14:10:38.")
	f("raise proxy_read_timeout, then wait", "raise `proxy_read_timeout`, then wait")
	f("<b>x</b> (a*b)", "`<b>x</b>` (`a*b`)")
	f("@admin #12 [x](http://evil)", "`@admin` `#12` `[x](http://evil`)")
	f("see https://evil/ or WWW.evil.example", "see `https://evil/` or `WWW.evil.example`")
	f("a``b `", "```a``b``` `` ` ``")
	f("- 1. x", "`-` 1. x")
	f("1. x", "`1`. x")
	f("76.5 %", "76.5 %")
}

var tags = regexp.MustCompile(`</?(details|summary)>`)

// What Markdown makes of a hostile Model: outside of code nothing of a stranger's is active, no
// fence is closed from within, and tables keep their columns. Fences and code spans are found
// here as CommonMark defines them.
func TestMarkdownIsHarmless(t *testing.T) {
	for _, c := range models {
		text := string(drawings(t, c.make())["report.md"])
		fence, tableColumns := "", 0
		for i, line := range strings.Split(text, "\n") {
			if fence != "" {
				if strings.Trim(line, "`") == "" && len(line) >= len(fence) {
					fence = ""
				}
				continue
			}
			if ticks := len(line) - len(strings.TrimLeft(line, "`")); ticks >= 3 && strings.TrimLeft(line, "`") == "text" {
				fence = line[:ticks]
				continue
			}
			bare := withoutCode(line)
			if strings.HasPrefix(line, "<details>") || line == "</details>" {
				bare = tags.ReplaceAllString(bare, "")
			}
			if strings.HasPrefix(line, "|") {
				n := strings.Count(line, "|")
				if tableColumns != 0 && n != tableColumns {
					t.Errorf("%s:%d: %d bars, not %d: %s", c.name, i+1, n, tableColumns, line)
				}
				tableColumns, bare = n, strings.ReplaceAll(bare, "|", "")
			} else {
				tableColumns = 0
			}
			bare = strings.Trim(bare, "#*")
			bare = strings.Trim(strings.Replace(bare, "* : ", "", 1), "*")
			if strings.ContainsAny(bare, "<>[]@#`_$&\\~|") || strings.Contains(bare, "://") || strings.Contains(bare, "www.") {
				t.Errorf("%s:%d: active: %q", c.name, i+1, bare)
			}
			for _, r := range line {
				if hidden(r) {
					t.Errorf("%s:%d: %U", c.name, i+1, r)
				}
			}
		}
		if fence != "" {
			t.Errorf("%s: a fence is never closed", c.name)
		}
	}
}

// withoutCode takes the code spans out of a line: a run of backticks up to the next of its length.
func withoutCode(line string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(line, '`')
		if at < 0 {
			return b.String() + line
		}
		b.WriteString(line[:at])
		line = line[at:]
		rest := strings.TrimLeft(line, "`")
		ticks := len(line) - len(rest)
		end := closingRun(rest, ticks)
		if end < 0 {
			return b.String() + line
		}
		line = rest[end:]
	}
}

func closingRun(s string, ticks int) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] == '`' {
			j++
		}
		if j-i == ticks {
			return j
		}
		i = j
	}
	return -1
}

func TestWrap(t *testing.T) {
	f := func(in string, n, limit int, want ...string) {
		t.Helper()
		if got := strings.Join(wrap(in, n, n, limit), "|"); got != strings.Join(want, "|") {
			t.Errorf("wrap(%q, %d, %d) = %q, want %q", in, n, limit, got, want)
		}
	}
	if got := strings.Join(wrap("one two three", 4, 9, 0), "|"); got != "one|two three" {
		t.Errorf("a short first row: %q", got)
	}
	f("", 10, 0, "")
	f("one two three", 8, 0, "one two", "three")
	f("one two three", 7, 0, "one two", "three")
	f("a /very/long/path", 8, 0, "a /very/", "long/pat", "h")
	f("漢字漢字漢", 5, 0, "漢字", "漢字", "漢")
	f("one two three four", 8, 2, "one two", "three f…")
	f("e\u0301e\u0301e\u0301", 2, 0, "e\u0301e\u0301", "e\u0301")
}

func TestWords(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(period(0), "0 s")
	f(period(1630e6), "1.6 s")
	f(period(72e9), "1 min 12 s")
	f(period(2*3600e9+5*60e9), "2 h 5 min")
	f(period(49*3600e9), "2 d 1 h")
	f(period(-250e6), "-250 ms")
	f(percent(1, 1_000_000), "under 0.01 %")
	f(percent(412, 132_480), "0.31 %")
	f(percent(99_999, 100_000), "99.9 %")
	f(percent(1, 1), "100 %")
	f(percent(1, 0), "0 %")
	f(certainty("oom_kill", 0.9499, "final"), "likely (0.94)")
	f(certainty("oom_kill", 0.95, "final"), "certain (0.95)")
	f(certainty("oom_kill", 0.3, "final"), "undetermined (0.30)")
	f(certainty("undetermined", 0.99, "final"), "undetermined (0.99)")
	f(sentence("nginx gave up"), "nginx gave up.")
	f(sentence("the kernel…"), "The kernel…")
	f(times(4.5), "32,000")
	f(bar(0.5, 4), "██")
	f(bar(0.001, 4), "▏")
}

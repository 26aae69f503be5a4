package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// someNights are pages of two months, one of a name that is an attack.
func someNights() []*Mark {
	var marks []*Mark
	for day := time.Date(2026, time.October, 20, 0, 0, 0, 0, time.UTC); day.Month() < time.December; day = day.AddDate(0, 0, 1) {
		k := &Mark{Day: day.Format(time.DateOnly), Host: "erp1.example.com", Requests: 120_000}
		switch day.Day() % 7 {
		case 0:
			k.Failures, k.People, k.Cause, k.Causes = 52_310, 90, "proxy_timeout_too_low", 3
		case 3:
			k.Failures, k.People, k.Cause, k.Causes = 1, 1, "<script>alert(1)</script>\u202e\x1b[31m", 1
		case 5:
			continue
		}
		marks = append(marks, k)
	}
	return marks
}

func drawCalendar(t *testing.T, marks []*Mark) string {
	t.Helper()
	var b bytes.Buffer
	if err := Calendar(&b, marks, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCalendar(t *testing.T) {
	page := drawCalendar(t, someNights())
	for _, want := range []string{
		"<h1>Monday, 30 November 2026: nothing failed</h1>",
		`aria-label="Saturday, 21 November 2026: 52,310 requests failed for 90 people, proxy_timeout_too_low and 2 other causes" class="failed"`,
		"requests failed in 8 of 26 nights, 52,310 in the worst", "&lt;script&gt;", "43.6 % of 120,000 requests",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the calendar does not say %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.ContainsAny(page, "\x1b\u202e") || !IsCalendar([]byte(page)) {
		t.Error("the calendar holds what it must not, or not its mark")
	}
	if november, october := strings.Index(page, "November 2026 <"), strings.Index(page, "October 2026 <"); november < 0 || october < november {
		t.Error("the newest month is not the first")
	}
	if links := strings.Count(page, `<td><a href="2026-`); links != len(someNights()) {
		t.Errorf("%d of %d nights have a link", links, len(someNights()))
	}
	if empty := drawCalendar(t, nil); !strings.Contains(empty, "There is no page of a night yet.") {
		t.Error("a folder without pages says nothing")
	}
}

// TestMark reads back what a page says of itself, and nothing else.
func TestMark(t *testing.T) {
	mark := &Mark{Day: "2026-11-21", Host: "--> <script>", Requests: 7, Failures: 3, Cause: "oom_kill", Causes: 1}
	var b bytes.Buffer
	if err := mark.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "-->") != 1 || strings.Contains(b.String(), "<script") {
		t.Errorf("the mark ends early: %s", &b)
	}
	page := append([]byte("<!doctype html>\n"), b.Bytes()...)
	if got := ReadMark(page); got == nil || *got != *mark {
		t.Errorf("read %+v", got)
	}
	for _, bad := range []string{"", "<!doctype html>", string(page[:len(page)-3]), markBegins + "{" + markEnds, markBegins + `{"day":"../../x"}` + markEnds, string(page) + "more"} {
		if got := ReadMark([]byte(bad)); got != nil {
			t.Errorf("%q: read %+v", bad, got)
		}
	}
}

// TestPageCalendar looks at the calendar in a browser: quiet on the console, no request, narrow, readable in both themes, without scripts.
func TestPageCalendar(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.html")
	if err := os.WriteFile(file, []byte(drawCalendar(t, someNights())), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, l := range []look{{width: 360, height: 700}, {width: 1200, height: 900, dark: true}} {
		p := openFile(t, file, l)
		if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > l.width {
			t.Errorf("at %d pixels the calendar is %d wide", l.width, wide)
		}
		for _, fault := range eval[[]string](p, contrastScript) {
			t.Errorf("%+v: %s", l, fault)
		}
		if n := eval[int](p, `[...document.querySelectorAll("td a")].filter(a => a.offsetWidth >= 24 && a.offsetHeight >= 24).length`); n != len(someNights()) {
			t.Errorf("at %d pixels %d of %d nights can be touched", l.width, n, len(someNights()))
		}
		p.calm()
	}
}

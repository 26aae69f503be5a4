package source

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// onTestDisk makes a file of a text.
func onTestDisk(t *testing.T, text string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return onDisk(path, info)
}

func second(n int) gatepost.Time { return gatepost.Time(n) * gatepost.Time(time.Second) }

// secondOf is the stamp that a line begins with, in seconds.
func secondOf(line string) gatepost.Time {
	digits, _, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return gatepost.NoTime
	}
	return second(n)
}

func secondsOf(lines []byte) (first, last gatepost.Time) {
	seen := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	for line := range bytes.Lines(lines) {
		seen.See(secondOf(string(line)))
	}
	return seen.First, seen.Last
}

// stamped makes a text of lines that begin with a stamp in seconds. Each of them is followed by more.
func stamped(stamps []int, more func(n int) string) string {
	var b strings.Builder
	for i, s := range stamps {
		fmt.Fprintf(&b, "%d some line of a log, as long as these are%s\n", s, more(i))
	}
	return b.String()
}

// Whatever time is looked for, all lines of it stand in what is found, and not much else does where the
// lines are in order.
func TestSearch(t *testing.T) {
	const n, near = 40_000, 4 << 10
	const size = n * 48
	none := func(int) string { return "" }
	rising, late, gap, fallen := make([]int, n), make([]int, n), make([]int, n), make([]int, n)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		rising[i] = 10_000 + i/10
		late[i] = rising[i] - rnd.IntN(5)
		gap[i] = rising[i] + i/(n/3)*100_000
		fallen[i] = rising[i] - i/(n/2)*600 // ten minutes are there twice
	}
	day := func(k int) []int { return rising[k*n/4 : (k+1)*n/4] }
	buffered := slices.Clone(rising)
	for i := 0; i+80 <= n; i += 80 {
		slices.SortStableFunc(buffered[i:i+80], func(a, b int) int { return a%2 - b%2 }) // two writers, in blocks
	}
	for _, x := range []struct {
		name, text string
		most       int // bytes that are found of a short time
	}{
		{"in order", stamped(rising, none), size / 10},
		{"late lines", stamped(late, none), size / 10},
		{"blocks of lines", stamped(buffered, none), size / 10},
		{"a silence", stamped(gap, none), size / 10},
		{"the clock was set back", stamped(fallen, none), size / 2},
		{"one stamp", stamped(make([]int, n), none), size},
		{"few lines", stamped(rising[:20], none), size},
		{"one line", stamped(rising[:1], none), size},
		{"nothing", "", size},
		{"no stamps", strings.Repeat("undated\n", n), size},
		{"the newest first", stamped(slices.Concat(day(3), day(2), day(1), day(0)), none), size},
		{"the oldest in the middle", stamped(slices.Concat(day(1), day(0), day(2), day(3)), none), size},
		{"an old one behind", stamped(slices.Concat(day(1), day(2), day(3), day(0)[:200]), none), size},
		{"a long line", stamped(rising, func(i int) string { return strings.Repeat("x", i/(n-1)*100_000) }), size / 8},
		{"another program's lines", stamped(rising, func(i int) string { return strings.Repeat("\nanother program's", 5_000*(i%5000/4999)) }), size},
		{"a hole", stamped(rising[:n/2], none) + strings.Repeat("\x00", 1<<20) + "\n" + stamped(rising[n/2:], none), 2 << 20},
		{"not finished", stamped(rising, none) + "13999 a", size / 10},
		{"one wrong", strings.Replace(stamped(rising, none), "\n12000 ", "\n95000 ", 1), size},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := onTestDisk(t, x.text)
			for from := 9_000; from < 15_000; from += 611 {
				to := from + from%200
				p, err := f.Search(second(from), second(to), near, secondsOf)
				if err != nil {
					t.Fatal(err)
				}
				holdsAll(t, x.text, p, second(from), second(to))
				if found := p.End - p.Begin; found > int64(x.most) {
					t.Errorf("%d to %d: %d bytes are found, want at most %d", from, to, found, x.most)
				}
			}
			for _, open := range [][2]gatepost.Time{{gatepost.NoTime, second(11_000)}, {second(13_000), gatepost.NoTime}} {
				p, err := f.Search(open[0], open[1], near, secondsOf)
				if err != nil {
					t.Fatal(err)
				}
				holdsAll(t, x.text, p, open[0], open[1])
			}
		})
	}
}

// holdsAll holds that a part has all lines of a time, and consists of whole lines.
func holdsAll(t *testing.T, text string, p Part, from, to gatepost.Time) {
	t.Helper()
	for _, at := range []int64{p.Begin, p.End} {
		if at > 0 && at < int64(len(text)) && text[at-1] != '\n' {
			t.Fatalf("%d is within a line", at)
		}
	}
	at := int64(0)
	for line := range strings.Lines(text) {
		s := secondOf(line)
		if s.Known() && s >= from && (!to.Known() || s <= to) && (at < p.Begin || at >= p.End) {
			t.Fatalf("the line of %v at byte %d is not in %d to %d", s, at, p.Begin, p.End)
		}
		at += int64(len(line))
	}
}

// A stream that is told where to end gives what stands before that, from wherever it is.
func TestEndAt(t *testing.T) {
	s, err := onTestDisk(t, strings.Repeat("0123456789", 20_000)).Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SkipTo(100_000); err != nil {
		t.Fatal(err)
	}
	s.EndAt(100_015)
	text, err := io.ReadAll(s)
	if string(text) != "012345678901234" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestCountLines(t *testing.T) {
	text := strings.Repeat("alpha\nbeta\n\n", 500_000)
	f := onTestDisk(t, text)
	for _, end := range []int64{0, 5, 6, 1 << 20, 5<<20 + 7, int64(len(text))} {
		want := int64(strings.Count(text[:end], "\n"))
		if got, err := f.CountLines(end); got != want || err != nil {
			t.Errorf("%d lines before %d, %v, want %d", got, end, err, want)
		}
	}
	if _, err := f.CountLines(int64(len(text)) + 1); err == nil {
		t.Error("behind the end there is no error")
	}
}

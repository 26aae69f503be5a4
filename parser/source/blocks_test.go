package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gatepost"
)

// entry is a record as a naive reader of the whole text would see it.
type entry struct {
	offset, line int64
	text         string
}

// naive splits a text that begins at an offset and line into its records.
func naive(text string, offset, line int64, starts func([]byte) bool) []entry {
	var all []entry
	for l := range strings.Lines(text) {
		if n := len(all); n == 0 || starts == nil || starts(trimEOL([]byte(l))) {
			all = append(all, entry{offset, line, l})
		} else {
			all[n-1].text += l
		}
		offset += int64(len(l))
		line++
	}
	return all
}

func indented(line []byte) bool { return len(line) == 0 || line[0] != ' ' && line[0] != '\t' }

// cutAll checks what must hold of every sequence of blocks, and returns the records in it.
func cutAll(t testing.TB, c *Cutter, s *Stream, src *gatepost.Source) ([]entry, error) {
	t.Helper()
	var all []entry
	var last gatepost.Block
	var lastText string
	var end gatepost.Source
	for b, err := range c.Blocks(s, src) {
		if err != nil {
			return all, err
		}
		if string(last.Data) != lastText {
			t.Fatalf("block at %d changed while the next one was read", last.Offset)
		}
		if len(b.Data) == 0 {
			t.Fatal("empty block")
		}
		if last.Data != nil {
			c.Release(last)
		}
		last, lastText = b.Block, string(b.Data)
		all = append(all, naive(lastText, b.Offset, b.Line, c.Starts)...)
		if b.Mark(&end); end.Position != b.Offset+int64(len(b.Data)) {
			t.Fatalf("block at %d of %d bytes ends at %d", b.Offset, len(b.Data), end.Position)
		}
	}
	return all, nil
}

func streamOf(t testing.TB, r io.Reader) *Stream {
	t.Helper()
	s, err := newStream(io.NopCloser(r), InMemory("", nil, time.Time{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sameEntries(t testing.TB, got, want []entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("record %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

var texts = map[string]string{
	"empty":              "",
	"one line":           "alpha\n",
	"no last newline":    "alpha\nbeta",
	"blank lines":        "\n\nalpha\n\n\nbeta\n\n",
	"CRLF":               "alpha\r\n  more\r\nbeta\r\n",
	"continuation":       "alpha\n  1\n  2\nbeta\n  3\ngamma\n",
	"starts in a record": "  rest of a lost record\n  more\nalpha\n  1\nbeta\n",
	"NUL and bad UTF-8":  "al\x00pha\n\xff\xfe\n\x00\x00\x00\n",
	"one long record":    "alpha\n" + strings.Repeat("  continued\n", 50) + "beta\n",
	"one long line":      "alpha\n" + strings.Repeat("x", 500) + "\nbeta\n",
}

// However a text falls into reads and buffers, its records, offsets and line numbers are those
// of the whole text.
func TestSplitInvariance(t *testing.T) {
	crossed := 0
	for name, text := range texts {
		for _, starts := range []func([]byte) bool{nil, indented} {
			want := naive(text, 0, 1, starts)
			for size := 1; size < 40; size++ {
				for how, r := range map[string]io.Reader{
					"whole":    strings.NewReader(text),
					"bytes":    iotest.OneByteReader(strings.NewReader(text)),
					"with EOF": iotest.DataErrReader(strings.NewReader(text)),
				} {
					t.Run(fmt.Sprintf("%s/%d/%s", name, size, how), func(t *testing.T) {
						c := &Cutter{Starts: starts, Size: size}
						got, err := cutAll(t, c, streamOf(t, r), &gatepost.Source{})
						if err != nil {
							t.Fatal(err)
						}
						sameEntries(t, got, want)
						var end gatepost.Source
						c.Mark(&end)
						if end.Position != int64(len(text)) || end.PositionLine != int64(strings.Count(text, "\n"))+1+
							int64(min(1, len(text)-len(strings.TrimSuffix(text, "beta")))) {
							t.Fatalf("ends at %d, line %d", end.Position, end.PositionLine)
						}
					})
				}
				if size < len(text) && len(want) > 1 {
					crossed++
				}
			}
		}
	}
	if crossed == 0 {
		t.Fatal("vacuous: no text was longer than a buffer")
	}
}

func FuzzSplitInvariance(f *testing.F) {
	for _, text := range texts {
		f.Add(text, uint8(3), true)
	}
	f.Fuzz(func(t *testing.T, text string, size uint8, multi bool) {
		if kindOf([]byte(text)) != nil {
			t.Skip("packed")
		}
		var starts func([]byte) bool
		if multi {
			starts = indented
		}
		c := &Cutter{Starts: starts, Size: int(size)}
		got, err := cutAll(t, c, streamOf(t, strings.NewReader(text)), &gatepost.Source{})
		if err != nil {
			t.Fatal(err)
		}
		sameEntries(t, got, naive(text, 0, 1, starts))
	})
}

// A record over the limit is cut at a line; a line over the limit is cut and its rest skipped.
// What follows has its right offset and line number, and all of it is counted.
func TestLimits(t *testing.T) {
	long := "alpha\n" + strings.Repeat("  continued\n", 10) + "beta\n" + strings.Repeat("y", 150) + "\ngamma\n"
	c := &Cutter{Starts: indented, Size: 8, Limit: 50}
	got, err := cutAll(t, c, streamOf(t, strings.NewReader(long)), &gatepost.Source{})
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{0, 1, "alpha\n" + strings.Repeat("  continued\n", 3)},
		{42, 5, strings.Repeat("  continued\n", 4)},
		{90, 9, strings.Repeat("  continued\n", 3)},
		{126, 12, "beta\n"},
		{131, 13, strings.Repeat("y", 50)},
		{282, 14, "gamma\n"},
	}
	sameEntries(t, got, want)
	if c.LongRecords != 2 || c.LongLines != 1 || c.Skipped != 101 {
		t.Errorf("counted %d records, %d lines, %d bytes", c.LongRecords, c.LongLines, c.Skipped)
	}
}

// endless is a line without an end, n bytes of it.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.n)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.n -= n
	return n, nil
}

func TestEndlessLineNeedsNoMemory(t *testing.T) {
	const size = 1 << 30
	c := &Cutter{Limit: 1 << 20}
	largest := 0
	for b, err := range c.Blocks(streamOf(t, &endless{n: size}), &gatepost.Source{}) {
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(b.Data), len(c.buf))
	}
	if largest != 1<<20 || c.LongLines != 1 || c.Skipped != size-1<<20 {
		t.Errorf("largest buffer %d, %d long lines, %d bytes skipped", largest, c.LongLines, c.Skipped)
	}
}

// A stream that breaks gives all it held before the error.
func TestBrokenStream(t *testing.T) {
	broken := errors.New("disk on fire")
	r := io.MultiReader(strings.NewReader("alpha\nbe"), iotest.ErrReader(broken))
	c := &Cutter{Size: 4, Hold: holding}
	got, err := cutAll(t, c, streamOf(t, r), &gatepost.Source{})
	if !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	sameEntries(t, got, []entry{{0, 1, "alpha\n"}, {6, 2, "be"}})
}

func holding() Holding { return LastRecord }

// until holds while something holds.
func until(goesOn func() bool) func() Holding {
	return func() Holding {
		if goesOn() {
			return LastRecord
		}
		return Nothing
	}
}

// A log that grows by any piece, and is read after each, gives the same records as one that is read once: an unfinished line
// and the last record are left until it is seen that they are whole, and nothing is read twice. So it is whether it is opened anew
// each time or read on.
func TestResume(t *testing.T) {
	text := texts["continuation"] + texts["CRLF"] + texts["NUL and bad UTF-8"] + strings.Repeat("a line of some length\n  and more\n", 30)
	for _, starts := range []func([]byte) bool{nil, indented} {
		for step := 1; step < 50; step += 3 {
			src := &gatepost.Source{}
			var got []entry
			for end := 0; ; {
				end = min(end+step, len(text))
				f := InMemory("log", []byte(text[:end]), time.Time{})
				s, same, err := f.OpenAt(src)
				if err != nil || same != (src.HeadSize > 0) {
					t.Fatalf("step %d, end %d: resumed %v, %v", step, end, same, err)
				}
				c := &Cutter{Size: 16, Starts: starts, Hold: until(func() bool { return end < len(text) })}
				more, err := cutAll(t, c, s, src)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, more...)
				if rest := c.Rest(); starts == nil && len(rest.Data) > 0 {
					t.Fatalf("lines were left: %q", rest.Data)
				}
				if src.HeadSize == 0 {
					src.HeadSize, src.Head = Head([]byte(text[:end]))
				}
				c.Mark(src)
				if end == len(text) {
					break
				}
			}
			sameEntries(t, got, naive(text, 0, 1, starts))

			left := []byte(text)
			c := &Cutter{Size: 16, Starts: starts, Hold: until(func() bool { return len(left) > 0 })}
			s := streamOf(t, readerFunc(func(p []byte) (int, error) {
				n := copy(p, left[:min(step, len(left))])
				left = left[n:]
				return n, io.EOF
			}))
			got = nil
			blocks := c.Blocks(s, &gatepost.Source{})
			for {
				for b, err := range blocks {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, naive(string(b.Data), b.Offset, b.Line, starts)...)
					c.Release(b.Block)
				}
				if len(left) == 0 && len(c.Rest().Data) == 0 {
					break
				}
				blocks = c.More(s)
			}
			sameEntries(t, got, naive(text, 0, 1, starts))
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func BenchmarkBlocks(b *testing.B) {
	line := `10.0.0.1 - - [22/Nov/2026:14:19:04 +0000] "GET /web/login HTTP/1.1" 200 4107 "-" "Mozilla/5.0" rt=0.007` + "\n"
	text := bytes.Repeat([]byte(line), 100_000)
	for name, starts := range map[string]func([]byte) bool{"lines": nil, "records": indented} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				c := &Cutter{Starts: starts}
				for block, err := range c.Blocks(streamOf(b, bytes.NewReader(text)), &gatepost.Source{}) {
					if err != nil {
						b.Fatal(err)
					}
					c.Release(block.Block)
				}
			}
		})
	}
}

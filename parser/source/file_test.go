package source

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"gatepost"
)

func packed(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, m := range members {
		w := gzip.NewWriter(&b)
		io.WriteString(w, m)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func readAll(t testing.TB, f *File) (string, error) {
	t.Helper()
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := io.ReadAll(s)
	return string(b), err
}

func TestGzip(t *testing.T) {
	got, err := readAll(t, InMemory("access.log", packed(t, "alpha\nbe", "ta\ngamma\n"), time.Time{}))
	if err != nil || got != "alpha\nbeta\ngamma\n" {
		t.Errorf("members: %q, %v", got, err)
	}
	// Text that random bytes make long when packed, so that the cut falls into its middle.
	var long strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&long, "%x\n", gatepost.HashOf(fmt.Sprint(i)))
	}
	whole := packed(t, long.String())
	got, err = readAll(t, InMemory("cut.gz", whole[:len(whole)/2], time.Time{}))
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) < long.Len()/3 || !strings.HasPrefix(long.String(), got) {
		t.Errorf("truncated: %d of %d bytes, %v", len(got), long.Len(), err)
	}
	if _, err := InMemory("head.gz", whole[:5], time.Time{}).Open(); err == nil {
		t.Error("a file that ends in the header opens without an error")
	}
}

// Standard input is read once and can be read again, from the beginning and while it still flows.
func TestSpool(t *testing.T) {
	text := strings.Repeat("alpha\nbeta\n", 20_000)
	for name, sent := range map[string]string{"plain": text, "gzip": string(packed(t, text))} {
		dir := t.TempDir()
		f, err := Spool("-", iotest.HalfReader(strings.NewReader(sent)), dir, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(s.Peek(5)); got != "alpha" {
			t.Errorf("%s: begins with %q", name, got)
		}
		for range 2 {
			if got, err := readAll(t, f); err != nil || got != text {
				t.Errorf("%s: %d bytes read, want %d, %v", name, len(got), len(text), err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %v left behind", name, left)
		}
	}
}

// Records are read again by offset and length, in any order, however the file is packed.
func TestLines(t *testing.T) {
	text := "alpha\n  more\nbeta gämma\n" + strings.Repeat("filler\n", 30_000) + "omega"
	omega := int64(len(text) - 5)
	refs := []gatepost.Ref{
		{Source: 1, Offset: omega, Length: 5, Line: 30_004},
		{Source: 1, Offset: 0, Length: 12, Line: 1},
		{Source: 1, Offset: 8, Length: 4, Line: 2}, // within the one before
		{Source: 1, Offset: 13, Length: 11, Line: 3},
		{Source: 1, Offset: 0, Length: 12, Line: 1}, // twice
		{Source: 2, Offset: 0, Length: 3, Line: 1},  // cannot be read again
		{}, // an absence
	}
	want := map[gatepost.Ref]string{refs[0]: "omega", refs[1]: "alpha\n  ", refs[2]: "more", refs[3]: "beta g"}
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	for name, f := range map[string]*File{
		"plain":  onDisk(path, info),
		"memory": InMemory("log", []byte(text), time.Time{}),
		"gzip":   InMemory("log", packed(t, text), time.Time{}),
	} {
		file := func(id int) *File {
			if id == 1 {
				return f
			}
			return nil
		}
		limit := 8
		got, err := Lines(slices.Clone(refs), file, limit)
		if err != nil {
			t.Fatal(name, err)
		}
		delete(got, gatepost.Ref{})
		want[refs[3]] = "beta gä"
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		got, err = Lines(append(slices.Clone(refs), gatepost.Ref{Source: 1, Offset: omega + 1, Length: 5}), file, 7)
		want[refs[1]], want[refs[3]] = "alpha\n ", "beta g" // not half of the ä
		if !errors.Is(err, io.ErrUnexpectedEOF) || !maps.Equal(got, want) {
			t.Errorf("%s: of a shorter file: %v, %v", name, got, err)
		}
		want[refs[1]] = "alpha\n  "
	}
}

// A log is known again renamed, grown and packed, and told from another one that begins alike.
func TestOpenAt(t *testing.T) {
	boot := strings.Repeat("[    0.000000] the same on every boot\n", 200)
	first := boot + "[   12.345678] eth0: link up\n"
	src := &gatepost.Source{}
	s := streamOf(t, strings.NewReader(first))
	src.HeadSize, src.Head = Head(s.Peek(HeadSize))
	c := &Cutter{Size: 100}
	if _, err := cutAll(t, c, s, src); err != nil {
		t.Fatal(err)
	}
	c.Mark(src)

	for name, data := range map[string]struct {
		text []byte
		same bool
	}{
		"same":                  {[]byte(first), true},
		"grown":                 {[]byte(first + "[   20.000000] more\n"), true},
		"packed":                {packed(t, first+"[   20.000000] more\n"), true},
		"next boot":             {[]byte(boot + "[   12.345679] eth0: link up\n[   13.000000] more\n"), false},
		"next boot, shorter":    {[]byte(boot), false},
		"next boot, packed":     {packed(t, boot+"[   12.345679] eth0: link up\n[   13.000000] more\n"), false},
		"another log":           {[]byte("x" + first), false},
		"shorter than the head": {[]byte(boot[:100]), false},
		"empty":                 {nil, false},
	} {
		s, same, err := InMemory(name, data.text, time.Time{}).OpenAt(src)
		if err != nil {
			t.Fatal(name, err)
		}
		want := int64(0)
		if data.same {
			want = src.Position
		}
		if same != data.same || s.Offset() != want {
			t.Errorf("%s: same is %v, stands at %d", name, same, s.Offset())
		}
	}
}

// A directory is read whole, in a stable order, every file once; what cannot be read is said.
func TestFind(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write := func(path, text string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	secret := write(filepath.Join(outside, "secret"), "x")
	b := write(filepath.Join(dir, "b.log"), "b")
	write(filepath.Join(dir, "a.log"), "a")
	write(filepath.Join(dir, "sub", ".hidden"), "hidden")
	must(os.Link(b, filepath.Join(dir, "c-is-b.log")))
	must(os.Symlink("b.log", filepath.Join(dir, "current")))
	must(os.Symlink(secret, filepath.Join(dir, "out")))
	must(os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	must(os.Symlink("..", filepath.Join(dir, "sub", "up")))
	must(os.Symlink("round", filepath.Join(dir, "round")))
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	must(err)
	defer l.Close()

	must(os.Symlink(b, filepath.Join(outside, "link")))
	files, problems := Find([]string{dir, filepath.Join(outside, "link"), filepath.Join(outside, "gone"), "/dev/null"}, nil, time.Time{})
	var got strings.Builder
	for _, f := range files {
		fmt.Fprintln(&got, f.Path)
	}
	for _, p := range problems {
		fmt.Fprintln(&got, p)
	}
	want := `DIR/a.log
DIR/b.log
DIR/sub/.hidden
DIR/dangling: is a link that leads nowhere: no such file or directory
DIR/fifo: is not a regular file but a named pipe
DIR/out: is a link that leads outside of the directory: to OUT/secret
DIR/round: is a link that leads nowhere: EvalSymlinks: too many links
DIR/sock: is not a regular file but a socket
DIR/sub/up: is a link that leads back to a directory it lies in
OUT/gone: no such file or directory
/dev/null: is not a regular file but a device
`
	if text := strings.NewReplacer(dir, "DIR", outside, "OUT").Replace(got.String()); text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

// A pipe that is named, as a shell's <(command) does, is read like standard input.
func TestFindPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		if w, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			io.WriteString(w, "alpha\n")
			w.Close()
		}
	}()
	files, problems := Find([]string{path}, nil, time.Time{})
	if len(files) != 1 || len(problems) > 0 {
		t.Fatal(files, problems)
	}
	for range 2 {
		if got, err := readAll(t, files[0]); err != nil || got != "alpha\n" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := files[0].Close(); err != nil {
		t.Error(err)
	}
}

func TestFindUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	path := filepath.Join(t.TempDir(), "locked")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	files, problems := Find([]string{path}, nil, time.Time{})
	if len(files) > 0 || len(problems) != 1 || !errors.Is(problems[0], os.ErrPermission) {
		t.Error(files, problems)
	}
}

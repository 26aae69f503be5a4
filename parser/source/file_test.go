package source

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"gatepost"
)

// packers pack texts one after another, each as a member or frame of its own: one for each Kind.
var packers = map[string]func(w io.Writer) io.WriteCloser{
	"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"zstd": func(w io.Writer) io.WriteCloser {
		packer, err := zstd.NewWriter(w)
		if err != nil {
			panic(err) // without options there is nothing to be wrong
		}
		return packer
	},
	"bzip2": func(w io.Writer) io.WriteCloser {
		packer, err := bzip2.NewWriter(w, &bzip2.WriterConfig{Level: 1}) // small blocks, as in lz4: so a cut leaves some
		if err != nil {
			panic(err) // as above
		}
		return packer
	},
	"xz": func(w io.Writer) io.WriteCloser {
		packer, err := xz.NewWriter(w)
		if err != nil {
			panic(err) // as above
		}
		return packer
	},
	"lz4": func(w io.Writer) io.WriteCloser {
		packer := lz4.NewWriter(w)
		if err := packer.Apply(lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
			panic(err) // as above
		}
		return packer
	},
}

// packings are the kinds that pack any text: a file of the journal is made by the journal alone, see TestJournalFile.
func packings() []*Kind {
	return slices.DeleteFunc(slices.Clone(Kinds()), func(k *Kind) bool { return k.Name == "journal" })
}

func packed(t testing.TB, kind string, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, m := range members {
		w := packers[kind](&b)
		_, err := io.WriteString(w, m)
		if err := errors.Join(err, w.Close()); err != nil {
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

// Whatever packed a text, its members are one text, and of a damaged file all is given that could be
// unpacked, and then the error.
func TestPacked(t *testing.T) {
	// Text that random bytes make long when packed, so that a cut falls into its middle.
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "%x\n", gatepost.HashOf(fmt.Sprint(i)))
	}
	long := b.String()
	for _, k := range packings() {
		t.Run(k.Name, func(t *testing.T) {
			if packers[k.Name] == nil {
				t.Fatal("the tests cannot pack this kind")
			}
			got, err := readAll(t, InMemory("access.log", packed(t, k.Name, "alpha\nbe", "ta\ngamma\n"), time.Time{}))
			if err != nil || got != "alpha\nbeta\ngamma\n" {
				t.Errorf("members: %q, %v", got, err)
			}
			whole := packed(t, k.Name, long)
			second := slices.Concat(whole, whole)
			wrong := slices.Clone(whole)
			wrong[len(wrong)-3] ^= 1 // in the checksum or the length at the end
			for _, c := range []struct {
				name  string
				data  []byte
				least int // of the text, in bytes
				early bool
			}{
				{"cut in its middle", whole[:len(whole)/2], len(long) / 4, true},
				{"cut in its last bytes", whole[:len(whole)-2], len(long), true},
				{"second member cut in its middle", second[:len(whole)*3/2], len(long) * 5 / 4, true},
				{"second member cut in its mark", second[:len(whole)+2], len(long), true},
				{"does not fit its checksum", wrong, len(long), false},
				{"something else behind it", append(slices.Clone(whole), "something else"...), len(long), false},
			} {
				got, err := readAll(t, InMemory("damaged", c.data, time.Time{}))
				if err == nil || errors.Is(err, io.ErrUnexpectedEOF) != c.early || !strings.HasPrefix(err.Error(), k.Name+": ") {
					t.Errorf("%s: error %v", c.name, err)
				}
				if len(got) < c.least || !strings.HasPrefix(long+long, got) {
					t.Errorf("%s: %d bytes of text, want at least %d", c.name, len(got), c.least)
				}
			}
			s, err := InMemory("head", whole[:5], time.Time{}).Open()
			if err == nil {
				_, err = s.Read(make([]byte, 1))
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("a file that ends in the header: error %v", err)
			}
		})
	}
}

// guarded is a file that fails the test when it is read after it was closed.
type guarded struct {
	io.Reader
	t      *testing.T
	closed bool
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.closed {
		g.t.Error("read after it was closed")
	}
	return g.Reader.Read(p)
}

func (g *guarded) Close() error {
	g.closed = true
	return nil
}

// A stream that is closed early leaves nothing behind: no goroutine, no reader, no open file.
func TestCloseEarly(t *testing.T) {
	text := strings.Repeat("alpha\nbeta\n", 500_000)
	for _, k := range packings() {
		before := runtime.NumGoroutine()
		g := &guarded{Reader: bytes.NewReader(packed(t, k.Name, text, text)), t: t}
		s, err := newStream(g, InMemory("", nil, time.Time{}))
		if err != nil {
			t.Fatal(k.Name, err)
		}
		if _, err := io.ReadFull(s, make([]byte, PeekSize+1)); err != nil {
			t.Fatal(k.Name, err)
		}
		if err := s.Close(); err != nil || !g.closed {
			t.Errorf("%s: closed is %v, %v", k.Name, g.closed, err)
		}
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%s: %d goroutines left behind", k.Name, after-before)
		}
	}
}

// A zstd frame is unpacked in bounded memory: one that wants more is an error that names the limit.
// Each of these holds the word alpha as it is, behind what it says that it needs.
func TestZstdWindow(t *testing.T) {
	const (
		alpha  = "\x31\x00\x00alpha\n"
		small  = "\x28\xb5\x2f\xfd\x20\x06" + alpha                             // a content of 6 bytes, which is its window
		atMost = "\x28\xb5\x2f\xfd\x00\x88" + alpha                             // a window of 128 MiB
		larger = "\x28\xb5\x2f\xfd\x00\x89" + alpha                             // of 144 MiB
		huge   = "\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x01\x00\x00" + alpha // a content of a TiB
		pzstd  = "\x50\x2a\x4d\x18\x04\x00\x00\x00\x0f\x00\x00\x00" + small     // begins with a frame to be skipped
	)
	for _, c := range []struct{ name, data, want, err string }{
		{"small", small, "alpha\n", ""},
		{"the limit", atMost, "alpha\n", ""},
		{"pzstd", pzstd + pzstd, "alpha\nalpha\n", ""},
		{"larger", larger, "", "zstd: a frame needs a window larger than 128 MiB, the limit"},
		{"huge", huge, "", "zstd: a frame needs a window larger than 128 MiB, the limit"},
		{"larger behind small", small + larger, "alpha\n", "zstd: a frame needs a window larger than 128 MiB, the limit"},
	} {
		got, err := readAll(t, InMemory(c.name, []byte(c.data), time.Time{}))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != c.want || text != c.err || (c.err != "") != errors.Is(err, ErrWindow) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	// Frames that are skipped alone say nothing: they are LZ4's as well.
	for _, no := range []string{"", "\x28\xb5\x2f", pzstd[:12], pzstd[:7], "\x5f\x2a\x4d\x18\xff\xff\xff\xff\x28\xb5\x2f\xfd"} {
		if k := kindOf([]byte(no)); k != nil {
			t.Errorf("%q is taken for %s", no, k.Name)
		}
	}
}

// Standard input is read once and can be read again, from the beginning and while it still flows.
func TestSpool(t *testing.T) {
	text := strings.Repeat("alpha\nbeta\n", 20_000)
	sent := map[string]string{"plain": text}
	for _, k := range packings() {
		sent[k.Name] = string(packed(t, k.Name, text))
	}
	for name, sent := range sent {
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
	files := map[string]*File{"plain": onDisk(path, info), "memory": InMemory("log", []byte(text), time.Time{})}
	for _, k := range packings() {
		files[k.Name] = InMemory("log", packed(t, k.Name, text), time.Time{})
	}
	for name, f := range files {
		file := func(id int) *File {
			if id == 1 {
				return f
			}
			return nil
		}
		lines := &Lines{File: file, Limit: 8}
		got, err := lines.Text(slices.Clone(refs))
		if err != nil {
			t.Fatal(name, err)
		}
		delete(got, gatepost.Ref{})
		want[refs[3]] = "beta gä"
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		// In pieces it is the same, going on and going back.
		for _, r := range []gatepost.Ref{refs[1], refs[3], refs[0], refs[1]} {
			if got, err := lines.Text([]gatepost.Ref{r}); err != nil || got[r] != want[r] {
				t.Errorf("%s: %q of %v, want %q, %v", name, got[r], r, want[r], err)
			}
		}
		if err := lines.Close(); err != nil {
			t.Error(err)
		}
		lines.Limit = 7
		got, err = lines.Text(append(slices.Clone(refs), gatepost.Ref{Source: 1, Offset: omega + 1, Length: 5}))
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

	type log struct {
		text []byte
		same bool
	}
	logs := map[string]log{
		"same":                  {[]byte(first), true},
		"grown":                 {[]byte(first + "[   20.000000] more\n"), true},
		"next boot":             {[]byte(boot + "[   12.345679] eth0: link up\n[   13.000000] more\n"), false},
		"next boot, shorter":    {[]byte(boot), false},
		"another log":           {[]byte("x" + first), false},
		"shorter than the head": {[]byte(boot[:100]), false},
		"empty":                 {nil, false},
	}
	for _, k := range packings() {
		logs[k.Name+" of grown"] = log{packed(t, k.Name, first+"[   20.000000] more\n"), true}
		logs[k.Name+" of next boot"] = log{packed(t, k.Name, boot+"[   12.345679] eth0: link up\n[   13.000000] more\n"), false}
	}
	for name, data := range logs {
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
	files, problems := Find(t.Context(), []string{dir, filepath.Join(outside, "link"), filepath.Join(outside, "gone"), "/dev/null"}, nil, time.Time{})
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
	files, problems := Find(t.Context(), []string{path}, nil, time.Time{})
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
	files, problems := Find(t.Context(), []string{path}, nil, time.Time{})
	if len(files) > 0 || len(problems) != 1 || !errors.Is(problems[0], os.ErrPermission) {
		t.Error(files, problems)
	}
}

// accessLog makes about size bytes of lines like those of a busy night, which pack about as well.
func accessLog(size int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	paths := []string{
		"/web/dataset/call_kw/sale.order/web_search_read", "/web/dataset/call_kw/res.partner/read", "/mail/thread/messages",
		"/web/image/res.partner/%d/avatar_128", "/my/orders/%d?access_token=5f1c6a3e-8f0b-4d43-9a55-0c3d8b7d1a22", "/web/login",
	}
	agents := []string{"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Odoo-Mobile/17.0 (Android 15; SM-S921B)"}
	at := time.Date(2026, time.November, 22, 14, 0, 0, 0, time.UTC)
	var b strings.Builder
	for b.Len() < size {
		at = at.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
		path, client, took := paths[rng.IntN(len(paths))], rng.IntN(3000), rng.ExpFloat64()/10
		if strings.Contains(path, "%d") {
			path = fmt.Sprintf(path, rng.IntN(20_000))
		}
		fmt.Fprintf(&b, `10.20.%d.%d - - [%s] "POST %s HTTP/1.1" 200 %d "-" "%s" rt=%.3f urt="%.3f" ua="127.0.0.1:8069"`+"\n",
			client/250, client%250, at.Format("02/Jan/2006:15:04:05 -0700"), path, 200+rng.IntN(9000), agents[client%2], took+0.001, took)
	}
	return b.String()
}

// BenchmarkUnpack reads a packed log as the Cutter does; the bytes are those of the text.
func BenchmarkUnpack(b *testing.B) {
	text := accessLog(32 << 20)
	for _, k := range packings() {
		b.Run(k.Name, func(b *testing.B) {
			data := packed(b, k.Name, text)
			buf := make([]byte, BlockSize)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s := streamOf(b, bytes.NewReader(data))
				n := 0
				for {
					more, err := s.Read(buf)
					if n += more; err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if err := s.Close(); err != nil || n != len(text) {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(len(text))/float64(len(data)), "times-smaller")
		})
	}
}

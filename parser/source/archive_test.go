package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ulikunitz/xz"
)

// content is what a test puts into an archive.
type content struct {
	name, text string
	link       string
	mode       fs.FileMode // of what is no regular file
	hard       bool
}

// makers make an archive of each kind.
var makers = map[string]func(t testing.TB, entries ...content) []byte{"tar": tarOf, "zip": zipOf}

var made = time.Date(2026, time.November, 22, 14, 0, 0, 0, time.UTC)

func tarOf(t testing.TB, entries ...content) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o600, ModTime: made, Linkname: e.link}
		switch {
		case e.hard:
			h.Typeflag = tar.TypeLink
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
		case e.mode.IsDir():
			h.Typeflag = tar.TypeDir
		case e.mode&fs.ModeNamedPipe != 0:
			h.Typeflag = tar.TypeFifo
		case e.mode&fs.ModeDevice != 0:
			h.Typeflag = tar.TypeBlock
		}
		err := w.WriteHeader(h)
		_, werr := io.WriteString(w, e.text)
		if err := errors.Join(err, werr); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, entries ...content) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: made}
		if e.mode.IsDir() {
			h.Name += "/"
		}
		h.SetMode(e.mode | 0o600)
		f, err := w.CreateHeader(h)
		if err == nil && !e.mode.IsDir() {
			_, err = io.WriteString(f, cmp.Or(e.link, e.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// found is what Find says of a file: a line for each File with its text, and the problems. It closes all, and nothing
// may be left.
func found(t testing.TB, name string, data []byte) string {
	t.Helper()
	copies := t.TempDir()
	t.Setenv("TMPDIR", copies)
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	before := openFiles(t)
	files, problems := Find(t.Context(), []string{path}, nil, time.Time{})
	text := told(t, files, problems, filepath.Dir(path)+"/")
	if left, _ := os.ReadDir(copies); len(left) > 0 || openFiles(t) != before {
		t.Errorf("%s: left behind: %v, %d open files", name, left, openFiles(t)-before)
	}
	return text
}

func told(t testing.TB, files []*File, problems []Problem, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range files {
		text, err := "", error(nil)
		if s, oerr := f.Open(); oerr != nil {
			err = oerr
		} else {
			all, rerr := io.ReadAll(s)
			text, err = string(all), errors.Join(rerr, s.Close())
		}
		fmt.Fprintf(&b, "%s: %.60q", strings.TrimPrefix(f.Path, dir), text)
		if err != nil {
			fmt.Fprintf(&b, ", %v", err)
		}
		b.WriteByte('\n')
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "! %v\n", strings.TrimPrefix(p.Error(), dir))
	}
	return b.String()
}

// openFiles counts the files that the process has open, where that can be told.
func openFiles(t testing.TB) int {
	t.Helper()
	all, _ := os.ReadDir("/proc/self/fd")
	return len(all)
}

// The members of an archive are files as in a folder, whatever it is packed with, and what is hostile in it stays
// within it. Each line of want begins with the archive, which stands for A there.
func TestArchives(t *testing.T) {
	var deep []byte
	for depth := range 5 {
		if depth == 0 {
			deep = []byte("deep\n")
		}
		deep = packed(t, "gzip", string(tarOf(t, content{name: fmt.Sprint(depth, ".tgz"), text: string(deep)})))
	}
	link := func(name, to string) content { return content{name: name, link: to, mode: fs.ModeSymlink} }
	for _, c := range []struct {
		name    string
		entries []content
		want    string
		only    string // the archive that can have it, "" for all
	}{
		{"ordinary", []content{
			{name: "var", mode: fs.ModeDir}, {name: "./var/b.log", text: "beta\n"}, {name: "var/a.log", text: "alpha\n"},
			{name: "var/a.log.1.gz", text: string(packed(t, "gzip", "older\n"))}, {name: "var/a.log.2.xz", text: string(packed(t, "xz", "oldest\n"))},
			{name: "empty.log"}, {name: "nothing.gz", text: string(packed(t, "gzip", ""))},
		}, "A!var/b.log: \"beta\\n\"\nA!var/a.log: \"alpha\\n\"\nA!var/a.log.1.gz: \"older\\n\"\nA!var/a.log.2.xz: \"oldest\\n\"\nA!empty.log: \"\"\nA!nothing.gz: \"\"\n", ""},

		{"archives in it", []content{
			{name: "z.zip", text: string(zipOf(t, content{name: "z.log", text: "zeta\n"}, content{name: "t.tar", text: string(tarOf(t, content{name: "t.log", text: "theta\n"}))}))},
			{name: "t.tar", text: string(tarOf(t, content{name: "t.log", text: "tau\n"}, content{name: "none.zip", text: string(zipOf(t))}))},
			{name: "x.txz", text: string(packed(t, "xz", string(tarOf(t, content{name: "x.log", text: "xi\n"}))))},
			{name: "last.log", text: "omega\n"},
		}, "A!z.zip!z.log: \"zeta\\n\"\nA!z.zip!t.tar!t.log: \"theta\\n\"\nA!t.tar!t.log: \"tau\\n\"\nA!t.tar!none.zip: \"\"\nA!x.txz!x.log: \"xi\\n\"\nA!last.log: \"omega\\n\"\n", ""},

		{"without a file", []content{{name: "var", mode: fs.ModeDir}}, "A: \"\"\n", ""},
		{"without anything", nil, "A: \"\"\n", ""},
		{"too deep", []content{{name: "5.tgz", text: string(deep)}}, "! A!5.tgz!4.tgz!3.tgz: is an archive in 3 others, the limit\n", ""},

		{"strange names", []content{
			{name: "../../etc/up.log", text: "1"}, {name: "/etc/absolute.log", text: "2"}, {name: "a/../../b.log", text: "3"}, {name: "line\nbreak\x1b[31m", text: "4"},
			{name: "invalid\xff\xfe", text: "5"}, {name: "..", text: "6"}, {name: strings.Repeat("long/", 103) + "log", text: "7"},
		}, "A!../../etc/up.log: \"1\"\nA!/etc/absolute.log: \"2\"\nA!../b.log: \"3\"\nA!line\nbreak\x1b[31m: \"4\"\nA!invalid\xff\xfe: \"5\"\nA!..: \"6\"\n" +
			"! A: the name of a member is longer than 512 bytes, the limit: it begins with long/long/long/long/long/long/long/long/\n", ""},
		{"names from Windows", []content{{name: `logs\access.log`, text: "alpha"}}, "A!logs/access.log: \"alpha\"\n", "zip"},

		{"one name several times", []content{{name: "a", text: "1"}, {name: "a#2", text: "2"}, {name: "./a", text: "3"}, {name: "a", text: "4"}},
			"A!a: \"1\"\nA!a#2: \"2\"\nA!a#3: \"3\"\nA!a#4: \"4\"\n", ""},

		{"links", []content{
			link("early", "log/a.log"), {name: "log/a.log", text: "alpha"}, link("log/same", "a.log"), link("log/folder", "../log"), link("log/again", "same"), link("here", "."),
			link("absolute", "/log/a.log"), link("out", "../../secret"), link("passwd", "/etc/passwd"), link("round", "round"), link("ping", "pong"), link("pong", "ping"),
			link("long", strings.Repeat("x", 600)),
		}, "A!log/a.log: \"alpha\"\n" +
			"! A: the name of a member is longer than 512 bytes, the limit: it begins with long\n" +
			"! A!out: is a link to something that is not in the archive: to ../../secret\n" +
			"! A!passwd: is a link to something that is not in the archive: to /etc/passwd\n" +
			"! A!ping: is a link to something that is not in the archive: to pong\n" +
			"! A!pong: is a link to something that is not in the archive: to ping\n" +
			"! A!round: is a link to something that is not in the archive: to round\n", ""},
		{"hard links", []content{{name: "log/a", text: "alpha"}, {name: "log/b", link: "log/a", hard: true}, {name: "log/c", link: "a", hard: true}, {name: "d", link: "/etc/passwd", hard: true}},
			"A!log/a: \"alpha\"\n! A!d: is a link to something that is not in the archive: to /etc/passwd\n! A!log/c: is a link to something that is not in the archive: to a\n", "tar"},
		{"no files", []content{{name: "pipe", mode: fs.ModeNamedPipe}, {name: "sda", mode: fs.ModeDevice}, {name: "log", text: "alpha"}},
			"A!log: \"alpha\"\n! A!pipe: is not a regular file but a named pipe\n! A!sda: is not a regular file but a device\n", ""},
		{"pax", []content{{name: strings.Repeat("ä/", 130) + "log", text: "alpha"}}, "A!" + strings.Repeat("ä/", 130) + "log: \"alpha\"\n", "tar"},
	} {
		for _, a := range Archives() {
			if c.only != "" && c.only != a.Name {
				continue
			}
			make := makers[a.Name]
			if make == nil {
				t.Fatalf("the tests cannot make a %s", a.Name)
			}
			data := make(t, c.entries...)
			forms := map[string][]byte{"": data}
			for _, k := range packings() {
				forms["."+k.Name] = packed(t, k.Name, string(data))
			}
			for ext, data := range forms {
				name := a.Name + ext
				want := strings.ReplaceAll("\n"+c.want, "\nA", "\n"+name)[1:]
				want = strings.ReplaceAll(want, "! A", "! "+name)
				if got := found(t, name, data); got != want {
					t.Errorf("%s, %s: got\n%swant\n%s", c.name, name, got, want)
				}
			}
		}
	}
}

// changed replaces bytes of an archive.
func changed(t testing.TB, data []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%q is not in it", old)
	}
	return bytes.ReplaceAll(data, []byte(old), []byte(new))
}

// Of a damaged archive all is given that could be read, and then the error.
func TestDamagedArchives(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 1000)
	entries := []content{{name: "a", text: "alpha"}, {name: "b", text: long}, {name: "c", text: "gamma"}}
	plain, zipped := tarOf(t, entries...), zipOf(t, entries...)
	a := "A!a: \"alpha\"\n"
	ab := a + fmt.Sprintf("A!b: %.60q\n", long)
	abc := ab + "A!c: \"gamma\"\n"

	encrypted := zipOf(t, content{name: "a", text: "alpha"})
	encrypted[6] |= 1
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	method := zipOf(t, content{name: "a", text: "alpha"})
	method[8] = 9
	method[bytes.Index(method, []byte("PK\x01\x02"))+10] = 9
	sum := zipOf(t, content{name: "a", text: "alpha"})
	sum[bytes.Index(sum, []byte("PK\x07\x08"))+4] ^= 1
	sum[bytes.Index(sum, []byte("PK\x01\x02"))+16] ^= 1

	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"tar, cut in a member", plain[:5000], ab + "! A: tar: the archive ends too early: unexpected EOF; what stands before was read\n"},
		{"tar, cut in a header", plain[:1300], a + "! A: tar: the archive ends too early: unexpected EOF; what stands before was read\n"},
		{"tar, cut in the first header", plain[:700], "A!a: \"alpha\"\n"},
		{"tar, without its end", plain[:len(plain)-1024], abc},
		{"tar, damaged header", changed(t, plain, "c\x00", "x\x00"), ab + "! A: tar: the archive is damaged; what stands before was read\n"},
		{"two tars", slices.Concat(plain, plain), abc + "! A: tar: more stands behind the end of the archive, which was not read; what stands before was read\n"},
		{"tar.gz, cut in a member", packed(t, "gzip", string(plain))[:150], a + "A!b: \"0123456789abcde\\n0123456789abcde\\n0123456789abcde\\n0123456789ab\"...\n! A: gzip: the file ends too early: unexpected EOF; what stands before was read\n"},
		{"tar.gz, cut in its sum", packed(t, "gzip", string(plain))[:len(packed(t, "gzip", string(plain)))-2], abc + "! A: gzip: the file ends too early: unexpected EOF; what stands before was read\n"},
		{"zip, cut", zipped[:len(zipped)-30], "! A: zip: the archive is damaged\n"},
		{"zip, encrypted", encrypted, "! A!a: zip: is encrypted\n"},
		{"zip, unknown method", method, "! A!a: zip: is packed by a method that is not known\n"},
		{"zip, wrong sum", sum, "A!a: \"alpha\", zip: does not fit its checksum\n"},
	} {
		got := found(t, "A", c.data)
		if strings.Contains(c.name, "tar.gz, cut in a member") || c.name == "tar, cut in a member" {
			got, c.want = strings.ReplaceAll(got, "...", ""), strings.ReplaceAll(c.want, "...", "")
		}
		if got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// sparseTar is a tar with a file of so many zeros before its text, which are not in it.
func sparseTar(t testing.TB, zeros int64, text string) []byte {
	t.Helper()
	data := tarOf(t, content{name: "sparse", text: text})
	octal := func(at, digits int, n int64) { copy(data[at:], fmt.Sprintf("%0*o\x00", digits, n)) }
	octal(386, 11, zeros)               // where its only piece lies
	octal(386+12, 11, int64(len(text))) // and how long it is
	octal(483, 11, zeros+int64(len(text)))
	data[156] = tar.TypeGNUSparse
	copy(data[257:], "ustar  \x00")
	copy(data[148:], "        ")
	sum := 0
	for _, c := range data[:512] {
		sum += int(c)
	}
	copy(data[148:], fmt.Sprintf("%06o\x00 ", sum))
	return data
}

// Zeros that a tar leaves out are text like others.
func TestSparse(t *testing.T) {
	zeros := fmt.Sprintf("%q", strings.Repeat("\x00", 100)+"alpha")
	for _, data := range [][]byte{sparseTar(t, 100, "alpha"), packed(t, "gzip", string(sparseTar(t, 100, "alpha")))} {
		if got, want := found(t, "A", data), "A!sparse: "+zeros[:60]; !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// allowed is what is found in a file that may unpack to so much more than it should.
func allowed(t testing.TB, data []byte, left int64) string {
	t.Helper()
	f := finder{ctx: t.Context(), left: 100}
	file := InMemory("A", data, time.Time{})
	file.allowance.left.Store(left)
	f.file(file)
	return told(t, f.files, f.problems, "")
}

// A small file that unpacks to a huge one is read as far as the limit, and that is said. All that is in one archive
// shares one limit.
func TestBombs(t *testing.T) {
	const mib = 1 << 20
	zeros := strings.Repeat("\x00", 8*mib)
	cut := fmt.Sprintf("%.60q", zeros)
	for _, k := range packings() {
		bomb := packed(t, k.Name, zeros)
		want := fmt.Sprintf("A: %s, %s: %v\n", cut, k.Name, ErrUnpacked)
		if got := allowed(t, bomb, mib); got != want {
			t.Errorf("%s: got\n%swant\n%s", k.Name, got, want)
		}
		if got := allowed(t, bomb, 8*mib); got != "A: "+cut+"\n" {
			t.Errorf("%s, with enough: got %s", k.Name, got)
		}
		text := string(tarOf(t, content{name: "log", text: "alpha\n"}, content{name: "zeros", text: zeros}, content{name: "more", text: "beta\n"}))
		want = fmt.Sprintf("A!log: \"alpha\\n\"\nA!zeros: %s\n! A: %s: %v; what stands before was read\n", cut, k.Name, ErrUnpacked)
		if got := allowed(t, packed(t, k.Name, text), mib); got != want {
			t.Errorf("tar packed by %s: got\n%swant\n%s", k.Name, got, want)
		}
		bombs := tarOf(t, content{name: "1", text: string(packed(t, k.Name, zeros[:mib/2]))}, content{name: "2", text: string(bomb)}, content{name: "3", text: string(packed(t, "gzip", accessLog(4*mib)))})
		want = fmt.Sprintf("A!1: %s\nA!2: %s, %s: %v\nA!3: %.60q\n", cut, cut, k.Name, ErrUnpacked, accessLog(mib))
		if got := allowed(t, bombs, mib); got != want {
			t.Errorf("tar of bombs of %s: got\n%swant\n%s", k.Name, got, want)
		}
	}
	got := allowed(t, zipOf(t, content{name: "1", text: zeros}, content{name: "2", text: "alpha"}), mib)
	if want := fmt.Sprintf("A!1: %s, %v\nA!2: \"alpha\"\n", cut, ErrUnpacked); got != want {
		t.Errorf("zip: got\n%swant\n%s", got, want)
	}
	got = allowed(t, sparseTar(t, 1<<32, "alpha"), mib)
	if want := fmt.Sprintf("A!sparse: %s\n! A: %v; what stands before was read\n", cut, ErrUnpacked); got != want {
		t.Errorf("sparse: got\n%swant\n%s", got, want)
	}
	// Members that share their bytes make a small zip huge.
	one := zipOf(t, content{name: "1", text: zeros})
	dir := bytes.Index(one, []byte("PK\x01\x02"))
	end := bytes.Index(one, []byte("PK\x05\x06"))
	header := one[dir:end]
	all := slices.Concat(one[:dir], bytes.Repeat(header, 50), one[end:])
	tail := all[len(all)-22:]
	tail[8], tail[10] = 50, 50
	size := 50 * len(header)
	tail[12], tail[13] = byte(size), byte(size>>8)
	got = allowed(t, all, 100*mib)
	if want := fmt.Sprintf("A!1: %s\n", cut); !strings.HasPrefix(got, want) || strings.Count(got, ErrOverlap.Error()) != 49 {
		t.Errorf("overlapping: got\n%swant\n%s", got, want)
	}
}

// The real limit ends a real bomb, and what it unpacks to takes neither memory nor disk.
func TestBombOnDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks a GiB")
	}
	piece := packed(t, "gzip", strings.Repeat("\x00", 64<<20))
	head := tarOf(t, content{name: "log", text: "alpha\n"}, content{name: "zeros", text: "x"})
	h := head[1024:1536] // the header of zeros, which says that they are 32 GiB
	copy(h[124:], fmt.Sprintf("%011o\x00", int64(1<<35)-1))
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	bomb := slices.Concat(packed(t, "gzip", string(head[:1536])), bytes.Repeat(piece, 24)) // 1.5 GiB in 1.5 MB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f := finder{ctx: t.Context(), left: 100}
	file := InMemory("A", bomb, time.Time{})
	x := &expansion{finder: &f, allowance: file.allowance}
	x.users.Add(1)
	x.expand(file, 0)
	runtime.ReadMemStats(&after)
	if len(f.files) != 2 || len(f.problems) != 1 || !errors.Is(f.problems[0], ErrUnpacked) {
		t.Fatal(f.files, f.problems)
	}
	if size := f.files[1].Size; size < unpackSpare || size > unpackSpare+unpackRatio*int64(len(bomb)) {
		t.Errorf("%d bytes of text were kept", size)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
		t.Errorf("%d bytes of memory were taken", took)
	}
	if x.end > 1<<20 {
		t.Errorf("%d bytes of disk were taken", x.end)
	}
	if err := x.release(); err != nil {
		t.Error(err)
	}
	for _, file := range f.files {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Members of one archive are read side by side.
func TestMembersSideBySide(t *testing.T) {
	text := accessLog(1 << 20)
	var entries []content
	for i := range 8 {
		entries = append(entries, content{name: fmt.Sprint(i), text: text[i<<10:]})
	}
	for name, data := range map[string][]byte{
		"tar": tarOf(t, entries...), "tar.xz": packed(t, "xz", string(tarOf(t, entries...))),
		"zip": zipOf(t, entries...), "zip in tar.gz": packed(t, "gzip", string(tarOf(t, content{name: "zip", text: string(zipOf(t, entries...))}))),
	} {
		f := finder{ctx: t.Context(), left: 100}
		f.file(InMemory("A", data, time.Time{}))
		var all sync.WaitGroup
		for i, file := range f.files {
			all.Go(func() {
				for range 2 {
					if got, err := readAll(t, file); err != nil || got != text[i<<10:] {
						t.Errorf("%s: %s is not what it was, %v", name, file.Path, err)
					}
				}
			})
		}
		all.Wait()
		if len(f.files) != len(entries) || len(f.problems) > 0 {
			t.Error(name, len(f.files), f.problems)
		}
		told(t, f.files, nil, "")
	}
}

// What comes by standard input is an archive as well.
func TestArchiveOnStdin(t *testing.T) {
	for name, data := range map[string][]byte{
		"tar": tarOf(t, content{name: "a", text: "alpha"}), "tar.gz": packed(t, "gzip", string(tarOf(t, content{name: "a", text: "alpha"}))),
		"zip": zipOf(t, content{name: "a", text: "alpha"}),
	} {
		before := openFiles(t)
		files, problems := Find(t.Context(), []string{"-"}, bytes.NewReader(data), made)
		if got := told(t, files, problems, ""); got != "-!a: \"alpha\"\n" || openFiles(t) != before {
			t.Errorf("%s: %s, %d open files", name, got, openFiles(t)-before)
		}
	}
}

// A folder or an archive without an end is found as far as the limit, in the same order every time.
func TestFilesLimit(t *testing.T) {
	dir := t.TempDir()
	var entries []content
	for i := range 20 {
		name := fmt.Sprintf("%02d", i)
		entries = append(entries, content{name: name, text: name})
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"05-sub", "19-sub"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "log"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := finder{ctx: t.Context(), left: 7, known: make(map[fileKey][]os.FileInfo)}
	f.find(dir)
	want := "00: \"00\"\n01: \"01\"\n02: \"02\"\n03: \"03\"\n04: \"04\"\n05: \"05\"\n! DIR: LIMIT\n! 05-sub: LIMIT\n"
	got := told(t, f.files, f.problems, dir+"/")
	if got = strings.NewReplacer(dir, "DIR", ErrFiles.Error(), "LIMIT").Replace(got); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for name, data := range map[string][]byte{"tar": tarOf(t, entries...), "zip": zipOf(t, entries...), "gzip": packed(t, "gzip", string(tarOf(t, entries...)))} {
		f := finder{ctx: t.Context(), left: 3}
		f.file(InMemory("A", data, time.Time{}))
		if got := told(t, f.files, f.problems, ""); got != "A!00: \"00\"\nA!01: \"01\"\nA!02: \"02\"\n! A: "+ErrFiles.Error()+"; what stands before was read\n" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// An xz block that wants a larger dictionary than the limit is an error that names it.
func TestXzDictionary(t *testing.T) {
	for size, want := range map[int]string{xzDictionary: "A: \"alpha\"\n", 2 * xzDictionary: "A: \"\", xz: " + ErrDictionary.Error() + "\n"} {
		var b bytes.Buffer
		w, err := xz.WriterConfig{DictCap: size}.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(w, "alpha")
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if got := allowed(t, b.Bytes(), unpackSpare); got != want {
			t.Errorf("%d: got %s, want %s", size, got, want)
		}
	}
}

// The directory of a zip is bounded before it is in memory.
func TestZipDirectory(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range 90_000 {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := allowed(t, b.Bytes(), unpackSpare); got != "! A: "+ErrDirectory.Error()+"\n" {
		t.Error(got)
	}
}

// A file can become another one, or none, between finding and reading.
func TestGoneSinceFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	put := func() *File {
		t.Helper()
		if err := os.WriteFile(path, []byte("alpha\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		files, problems := Find(t.Context(), []string{path}, nil, time.Time{})
		if len(files) != 1 || len(problems) > 0 {
			t.Fatal(files, problems)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return files[0]
	}
	f := put()
	if _, err := f.Open(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(); !errors.Is(err, ErrNotRegular) {
		t.Error("a pipe nobody writes to:", err)
	}
	os.Remove(path)

	// What is added while it is read is read as well, and what is cut off is missed.
	f = put()
	text := strings.Repeat("alpha\n", 100_000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Peek(1)
	if err := os.WriteFile(path, []byte(text+"beta\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != text+"beta\n" {
		t.Errorf("%d bytes, %v", len(got), err)
	}

	s, err = f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Peek(1)
	if err := os.Truncate(path, PeekSize+7); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != text[:PeekSize+7] {
		t.Errorf("cut off while it is read: %d bytes, %v", len(got), err)
	}
}

// Folders as deep as a system has them are read to where it opens them.
func TestDeepFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	name := strings.Repeat("d", 250)
	for range 20 {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chdir(name); err != nil {
			t.Fatal(err)
		}
	}
	files, problems := Find(t.Context(), []string{dir}, nil, time.Time{})
	if len(files) > 0 || len(problems) != 1 || !errors.Is(problems[0], syscall.ENAMETOOLONG) {
		t.Errorf("%d files, %d problems", len(files), len(problems))
	}
}

// FuzzFind finds and reads whatever there is in some bytes: within bounds, under different names, and leaving nothing.
func FuzzFind(f *testing.F) {
	log := content{name: "a.log", text: "alpha\nbeta\n"}
	for _, a := range Archives() {
		data := makers[a.Name](f, log, content{name: "../b", link: "a.log", mode: fs.ModeSymlink}, content{name: "d", mode: fs.ModeDir}, log)
		f.Add(data)
		for _, b := range Archives() {
			f.Add(makers[b.Name](f, content{name: "inner", text: string(data)}, log))
		}
		for _, k := range packings() {
			f.Add(packed(f, k.Name, string(data)))
			f.Add(makers[a.Name](f, content{name: "packed", text: string(packed(f, k.Name, log.text))}))
		}
	}
	f.Add(sparseTar(f, 1000, "alpha"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const spare = 1 << 20
		x := finder{ctx: t.Context(), left: 50}
		file := InMemory("A", data, time.Time{})
		file.allowance.left.Store(spare)
		x.file(file)
		if len(x.files) > 51 {
			t.Errorf("%d files", len(x.files))
		}
		var all int64
		paths := make(map[string]bool)
		for _, file := range x.files {
			if paths[file.Path] {
				t.Errorf("two files are %q", file.Path)
			}
			paths[file.Path] = true
			if s, err := file.Open(); err == nil {
				n, _ := io.Copy(io.Discard, s)
				all += n
				s.Close()
			}
		}
		if most := int64(spare + 60*(64<<10) + (unpackRatio+1)*(1+depthLimit)*len(data)); all > most {
			t.Errorf("%d bytes of text from %d", all, len(data))
		}
		for _, file := range x.files {
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"
)

// hostileThing is something that a stranger may have put among the logs. What cannot be read is said, with what to do about it;
// the ledger of the good logs beside it is what it is without it.
type hostileThing struct {
	name string
	put  func(t *testing.T, path string)
	says string // what is said behind its name, as a pattern; "" when it is read like others, or worth no word
	try  string
}

var hostileFiles = []hostileThing{
	{name: "pipe", put: func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) },
		says: "is not a regular file but a named pipe", try: "move what is no log"},
	{name: "device", put: linkTo("/dev/zero"), says: "is a link that leads outside of the directory: to /dev/zero", try: "if that is a log, name it beside"},
	{name: "secrets", put: linkTo("/etc/passwd"), says: "is a link that leads outside of the directory: to /etc/passwd", try: "if that is a log, name it beside"},
	{name: "round", put: linkTo("round"), says: "is a link that leads nowhere", try: "remove the link"},
	{name: "up", put: linkTo("."), says: "is a link that leads back to a directory it lies in", try: "remove the link"},
	{name: "escape\x1b[31m\n\u202etxt", put: textFile("two pounds of apples\none bottle of milk\n"),
		says: `the format is not known`, try: "--nginx-format"},
	{name: "utf16.log", put: textFile(inUTF16("10.0.0.1 - - [22/Nov/2026:14:19:16 +0000] \"GET / HTTP/1.1\" 502 157 \"-\" \"-\"\r\n")),
		says: "is text in UTF-16", try: "iconv -f UTF-16 -t UTF-8"},
	{name: "noise.bin", put: textFile(strings.Repeat("\x01\x7f\x02\xff", 5000)), says: "is binary data and no log", try: "name the logs one by one, or move"},
	{name: "zeros", put: textFile(strings.Repeat("\x00", 70_000)), says: "holds nothing but NUL bytes", try: "name the logs one by one, or move"},
	{name: "empty", put: textFile("")},
	{name: "cut.gz", put: func(t *testing.T, path string) {
		data, err := pack("gzip", []byte(strings.Repeat("2026-11-22 14:08:41,123 4711 INFO prod odoo.modules.loading: Modules loaded.\n", 50)))
		must(t, errors.Join(err, os.WriteFile(path, data[:len(data)-3], 0o600)))
	}, says: "the file ends too early.*what stands before was read", try: "copy the file again"},
	{name: "long.gz", put: func(t *testing.T, path string) { // a line of 100 MB in 100 kB, behind one that is whole
		head := "10.9.9.9 - - [22/Nov/2026:14:19:16 +0000] \"GET "
		data, err := pack("gzip", []byte(head+"/ HTTP/1.1\" 200 1 \"-\" \"-\"\n"+head+strings.Repeat("a", 100_000_000)))
		must(t, errors.Join(err, os.WriteFile(path, data, 0o600)))
	}, says: "lines longer than 16 MiB .* were cut", try: "see what wrote them"},
}

var hostileArchives = []hostileThing{
	{name: "members.tar", put: hostileTar},
	{name: "members.tar!/etc/absolute", says: "the format is not known", try: "--nginx-format"},
	{name: "members.tar!../../outside", says: "the format is not known", try: "--nginx-format"},
	{name: "members.tar!pipe", says: "is not a regular file but a named pipe", try: "move what is no log"},
	{name: "members.tar!disk", says: "is not a regular file but a device", try: "move what is no log"},
	{name: "members.tar!link", says: "is a link to something that is not in the archive: to /etc/passwd", try: "if that is a log, name it beside"},
	{name: "members.tar!hard", says: "is a link to something that is not in the archive: to ../../../etc/shadow", try: "if that is a log, name it beside"},
	{name: "huge.zip", put: hugeZip},
	{name: "huge.zip!zeros", says: "unpacks to more than 200 times its size", try: "unpack it"},
	{name: "nested.zip", put: nestedZip},
	{name: "nested.zip!inner!inner!inner", says: "is an archive in 3 others, the limit", try: "unpack it"},
	{name: "shut.zip", put: encryptedZip},
	{name: "shut.zip!access.log", says: "is encrypted", try: "unpack it"},
	{name: "zz-many.tar", put: manyMembers, says: "there are more than 20000 files, the limit", try: "name the logs one by one"},
}

// TestHostileFolder reads good logs out of a folder full of what strangers put there: nothing blocks, nothing is left out in silence,
// nothing reaches the terminal raw, nothing is written beside the temporary files, and those are gone in the end.
func TestHostileFolder(t *testing.T) {
	t.Run("files", func(t *testing.T) { besideGoodLogs(t, hostileFiles) })
	t.Run("archives", func(t *testing.T) { besideGoodLogs(t, hostileArchives) })
}

func besideGoodLogs(t *testing.T, things []hostileThing) {
	root := t.TempDir()
	dir, temporary := filepath.Join(root, "logs"), filepath.Join(root, "tmp")
	must(t, errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(temporary, 0o700)))
	t.Setenv("TMPDIR", temporary)
	in := loadIncident(t, "oom-a")
	good := readFolder(t, in)
	want := in.verdicts(t)
	harmless(good)
	good.write(t, dir)
	for _, h := range things {
		if h.put != nil {
			h.put(t, filepath.Join(dir, h.name))
		}
	}
	before := listing(t, root)

	var stdout, stderr bytes.Buffer
	e := env{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		now: clock, zone: time.UTC, getenv: func(string) string { return "" },
	}
	if status := run(t.Context(), e, []string{"analyze", "--format", "ndjson", dir}); status != statusPartial {
		t.Errorf("exit status %d, not %d", status, statusPartial)
	}
	if after := listing(t, root); after != before {
		t.Errorf("the folder is another than it was:\n%s\nbefore\n%s", after, before)
	}
	l := new(ledger)
	for d := json.NewDecoder(bytes.NewReader(stdout.Bytes())); ; {
		var record json.RawMessage
		if err := d.Decode(&record); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		l.read(t, record)
	}
	got := make(map[int]failure)
	for _, v := range l.failures {
		got[v.Line] = v
		if filepath.Base(v.File) != "access.log" {
			t.Errorf("%s:%d is in the ledger", v.File, v.Line)
		}
	}
	if moved := movedFrom(want, got); len(moved) > 0 {
		t.Errorf("beside it %d verdicts are others: %s", len(moved), moved[0])
	}
	for _, out := range []string{stdout.String(), stderr.String()} {
		if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x202e }); i >= 0 {
			t.Errorf("%q reaches the terminal", out[max(0, i-40):min(len(out), i+10)])
		}
	}
	said := stderr.String()
	for _, h := range things {
		name := regexp.QuoteMeta(oneLine(filepath.Join(dir, "") + "/" + h.name))
		about := regexp.MustCompile(`(?m)^gatepost: ` + name + `: (.*)$`).FindStringSubmatch(said)
		// A hint that holds for several things is given for the first of them.
		switch {
		case h.says == "" && about != nil:
			t.Errorf("%q: is said to be wrong: %s", h.name, about[1])
		case h.says == "":
		case about == nil:
			t.Errorf("%q: is left out in silence", h.name)
		case !regexp.MustCompile(h.says).MatchString(about[1]):
			t.Errorf("%q: %s, want %s", h.name, about[1], h.says)
		case !strings.Contains(said, "\ntry: "+h.try) || h.try == "":
			t.Errorf("%q: %s: there is no hint %q", h.name, about[1], h.try)
		}
	}
	if t.Failed() {
		t.Log(said)
	}
}

// harmless writes into good logs what damages no other line: a hole of zeros, bytes that are no UTF-8, line ends of Windows.
func harmless(f folder) {
	f["access.log"] = append(f["access.log"], line{text: strings.Repeat("\x00", 5000)}, line{text: "\xff\xfe\xc3( \xed\xa0\x80"})
	f["error.log"] = append(f["error.log"], line{text: "\x1b]0;owned\x07\xf0\x28\x8c\x28"})
	f.edit("odoo.log", func(text string) string { return text + "\r" })
}

// listing tells all that lies in a folder, with sizes and times.
func listing(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			fmt.Fprintf(&b, "%q %s %d %s\n", path, info.Mode(), info.Size(), info.ModTime())
		} else {
			fmt.Fprintf(&b, "%q\n", path)
		}
		return err
	}))
	return b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func linkTo(target string) func(*testing.T, string) {
	return func(t *testing.T, path string) { must(t, os.Symlink(target, path)) }
}

func textFile(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(text), 0o600)) }
}

// inUTF16 writes text as Windows does, with a byte order mark.
func inUTF16(text string) string {
	b := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(strings.Repeat(text, 20))) {
		b = append(b, byte(c), byte(c>>8))
	}
	return string(b)
}

func hostileTar(t *testing.T, path string) {
	const text = "two pounds of apples\none bottle of milk\n"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "/etc/absolute", Typeflag: tar.TypeReg, Size: int64(len(text))}, {Name: "../../outside", Typeflag: tar.TypeReg, Size: int64(len(text))},
		{Name: "pipe", Typeflag: tar.TypeFifo}, {Name: "disk", Typeflag: tar.TypeBlock, Devmajor: 8},
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, {Name: "hard", Typeflag: tar.TypeLink, Linkname: "../../../etc/shadow"},
	} {
		h.Mode = 0o600
		must(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := io.WriteString(w, text)
			must(t, err)
		}
	}
	must(t, errors.Join(w.Close(), os.WriteFile(path, b.Bytes(), 0o600)))
}

// hugeZip says of a member that it unpacks to a TiB.
func hugeZip(t *testing.T, path string) {
	writeZip(t, path, zip.FileHeader{Name: "zeros", Method: zip.Deflate, UncompressedSize64: 1 << 40, CompressedSize64: 8}, make([]byte, 8))
}

func encryptedZip(t *testing.T, path string) {
	writeZip(t, path, zip.FileHeader{Name: "access.log", Flags: 1, UncompressedSize64: 8, CompressedSize64: 8}, make([]byte, 8))
}

func writeZip(t *testing.T, path string, h zip.FileHeader, data []byte) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	member, err := w.CreateRaw(&h)
	if err == nil {
		_, err = member.Write(data)
	}
	must(t, errors.Join(err, w.Close(), os.WriteFile(path, b.Bytes(), 0o600)))
}

func nestedZip(t *testing.T, path string) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "inner"), []byte("alpha\n"), 0o600))
	for range 4 {
		data, err := archivers["zip"](os.DirFS(dir))
		must(t, errors.Join(err, os.WriteFile(filepath.Join(dir, "inner"), data, 0o600)))
	}
	must(t, os.Rename(filepath.Join(dir, "inner"), path))
}

// manyMembers has more empty files than are looked for.
func manyMembers(t *testing.T, path string) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 20_001 {
		must(t, w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Mode: 0o600}))
	}
	must(t, errors.Join(w.Close(), os.WriteFile(path, b.Bytes(), 0o600)))
}

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// packers pack a text in every way that is understood.
var packers = map[string]func(io.Writer) (io.WriteCloser, error){
	"gzip":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zstd":  func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	"bzip2": func(w io.Writer) (io.WriteCloser, error) { return bzip2.NewWriter(w, nil) },
	"xz":    func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
	"lz4":   func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil },
}

func pack(kind string, data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := packers[kind](&b)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// archivers put a folder into an archive of every kind that is understood.
var archivers = map[string]func(dir fs.FS) ([]byte, error){
	"tar": func(dir fs.FS) ([]byte, error) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		err := w.AddFS(dir)
		err = errors.Join(err, w.Close())
		return b.Bytes(), err
	},
	"zip": func(dir fs.FS) ([]byte, error) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		err := w.AddFS(dir)
		err = errors.Join(err, w.Close())
		return b.Bytes(), err
	},
}

// packing is a way in which a log lies on a disk. Its name is the ending of the file's name, "" for a plain file.
type packing string

var packings = []packing{"", ".gz", ".zst", ".bz2", ".xz", ".lz4", ".tar", ".tar.gz", ".zip"}

// packers and archivers of the endings.
var (
	packedBy   = map[string]string{".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz", ".lz4": "lz4"}
	archivedBy = map[string]string{".tar": "tar", ".zip": "zip"}
)

func packingOf(name string) packing {
	var longest packing
	for _, p := range packings {
		if strings.HasSuffix(name, string(p)) && len(p) > len(longest) {
			longest = p
		}
	}
	return longest
}

// pack makes what the file of that name holds of the text.
func (p packing) pack(name string, text []byte, age time.Time) ([]byte, error) {
	return p.packAll(fstest.MapFS{strings.TrimSuffix(path.Base(name), string(p)): {Data: text, Mode: 0o644, ModTime: age}})
}

// packAll makes of a folder of files what the packing is: an archive, or of a single file the file.
func (p packing) packAll(files fs.FS) (data []byte, err error) {
	rest := string(p)
	archived := false
	for ending, kind := range archivedBy {
		if tail, ok := strings.CutPrefix(rest, ending); ok {
			data, err = archivers[kind](files)
			rest, archived = tail, true
		}
	}
	if !archived {
		err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err = fs.ReadFile(files, name)
			return err
		})
	}
	if kind := packedBy[rest]; kind != "" && err == nil {
		return pack(kind, data)
	}
	return data, err
}

// TestArchived holds that an incident is told in the same words whether its logs lie in a folder or in an archive,
// but for where they lie.
func TestArchived(t *testing.T) {
	in := recorded(t)[0]
	dir := t.TempDir()
	readFolder(t, in).write(t, dir)
	want := strings.ReplaceAll(reportOf(t, dir), dir+"/", "")
	if !strings.Contains(want, `"type":"failure"`) {
		t.Fatal("nothing failed")
	}
	check := func(name string, data []byte, err error) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		got := reportOf(t, path)
		for archive := path + "!"; strings.Contains(got, archive); {
			got = strings.ReplaceAll(got, archive+"inner!", archive)
			got = strings.ReplaceAll(got, archive, "")
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	for kind, make := range archivers {
		data, err := make(os.DirFS(dir))
		check(kind, data, err)
		for packer := range packers {
			packed, perr := pack(packer, data)
			check(kind+"."+packer, packed, errors.Join(err, perr))
		}
		outer := t.TempDir()
		if err := os.WriteFile(filepath.Join(outer, "inner"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		for around, make := range archivers {
			data, err := make(os.DirFS(outer))
			check(kind+" in "+around, data, err)
			packed, perr := pack("gzip", data)
			check(kind+" in "+around+".gz", packed, errors.Join(err, perr))
		}
	}
}

// reportOf is everything that is said of the logs at a path.
func reportOf(t *testing.T, path string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	e := env{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		now: clock, zone: time.UTC, getenv: func(string) string { return "" },
	}
	if status := run(context.Background(), e, []string{"analyze", "--format", "ndjson", path}); status != statusDone || stderr.Len() > 0 {
		t.Errorf("%s: exit status %d: %s", path, status, stderr.String())
	}
	return stdout.String()
}

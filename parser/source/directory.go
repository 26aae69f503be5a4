package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Problem is something that was named or found and cannot be read. Nothing is left out without
// one.
type Problem struct {
	Path string
	Err  error
}

func (p Problem) Error() string { return p.Path + ": " + reason(p.Err).Error() }
func (p Problem) Unwrap() error { return p.Err }

// reason drops the operation and path that the os package puts before an error.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// What can be wrong with something found, beside the errors of the operating system.
var (
	ErrNotRegular = errors.New("is not a regular file")
	ErrLinkOut    = errors.New("is a link that leads outside of the directory")
	ErrLinkLoop   = errors.New("is a link that leads back to a directory it lies in")

	ErrLinkNowhere = errors.New("is a link that leads nowhere")
)

// Find returns the files that paths name, directories with all that is below them, archives with all that is in them, in
// the order of the paths, within a directory by name, and within an archive in its order. Every file is returned once, however many names
// it has. What paths name is followed if it is a link, and may be a named pipe, which is spooled
// like standard input; "-" is standard input. In a directory only regular files are read, and links that lead to what is
// read anyway are passed over. Archives in archives are expanded as well, and an archive without a file in it is an
// empty File. When ctx ends, so does finding.
func Find(ctx context.Context, paths []string, stdin io.Reader, now time.Time) ([]*File, []Problem) {
	f := finder{ctx: ctx, now: now, known: make(map[fileKey][]os.FileInfo)}
	for _, path := range paths {
		f.left = filesLimit
		if path == "-" {
			f.spool(path, stdin)
			stdin = strings.NewReader("")
			continue
		}
		f.find(path)
	}
	return f.files, f.problems
}

type finder struct {
	ctx      context.Context
	now      time.Time
	files    []*File
	problems []Problem
	known    map[fileKey][]os.FileInfo
	left     int // how many more may be found below the path
}

// fileKey is equal for two names of one file; os.SameFile tells apart what it is equal for.
type fileKey struct {
	size     int64
	modified int64
}

func (f *finder) problem(path string, err error) {
	f.problems = append(f.problems, Problem{Path: path, Err: err})
}

func (f *finder) find(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		f.problem(path, err)
	case info.IsDir():
		root, err := realPath(path)
		if err != nil {
			f.problem(path, err)
			return
		}
		f.walk(path, root, root)
	case info.Mode()&fs.ModeNamedPipe != 0:
		f.pipe(path)
	default:
		f.add(path, info)
	}
}

// walk finds what is in a directory. real is the directory without links, root that of the
// argument it belongs to.
func (f *finder) walk(dir, real, root string) {
	entries, err := f.entries(dir)
	if err != nil {
		f.problem(dir, err)
	}
	for _, e := range entries {
		if f.ctx.Err() != nil {
			return
		}
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			f.walk(path, filepath.Join(real, e.Name()), root)
		case e.Type()&fs.ModeSymlink != 0:
			f.link(path, filepath.Join(real, e.Name()), root)
		default:
			info, err := e.Info()
			if err != nil {
				f.problem(path, err)
				continue
			}
			f.add(path, info)
		}
	}
}

// entries returns what is in a directory by name, the first ones when it is too much: their number is bounded over all
// directories, so that one without an end takes neither memory nor time.
func (f *finder) entries(dir string) ([]fs.DirEntry, error) {
	const atOnce = 4096
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var all []fs.DirEntry
	tooMany := false
	for err == nil && f.ctx.Err() == nil {
		var more []fs.DirEntry
		more, err = d.ReadDir(atOnce)
		all = append(all, more...)
		if len(all) > f.left+atOnce || err != nil {
			slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
			if len(all) > f.left {
				tooMany, all = true, all[:f.left]
			}
		}
	}
	f.left -= len(all)
	if err != io.EOF {
		return all, err
	}
	if tooMany {
		return all, ErrFiles
	}
	return all, nil
}

// link says what is wrong with a link, if anything is.
func (f *finder) link(path, real, root string) {
	target, err := filepath.EvalSymlinks(real)
	switch {
	case err != nil:
		f.problem(path, fmt.Errorf("%w: %w", ErrLinkNowhere, reason(err)))
	case within(filepath.Dir(real), target):
		f.problem(path, ErrLinkLoop)
	case !within(target, root):
		f.problem(path, fmt.Errorf("%w: to %s", ErrLinkOut, target))
	}
}

func realPath(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}

// within reports whether a path is root or lies below it. Both are clean and without links.
func within(path, root string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(root, string(filepath.Separator)))
	return ok && (rest == "" || rest[0] == filepath.Separator)
}

func (f *finder) add(path string, info os.FileInfo) {
	if !info.Mode().IsRegular() {
		f.problem(path, irregular(info.Mode()))
		return
	}
	key := fileKey{info.Size(), info.ModTime().UnixNano()}
	for _, other := range f.known[key] {
		if os.SameFile(info, other) {
			return
		}
	}
	f.known[key] = append(f.known[key], info)
	readable, err := openRegular(path)
	if err != nil {
		f.problem(path, err)
		return
	}
	readable.Close()
	f.file(onDisk(path, info))
}

func (f *finder) pipe(path string) {
	r, err := os.Open(path)
	if err != nil {
		f.problem(path, err)
		return
	}
	f.spool(path, r)
}

func (f *finder) spool(path string, r io.Reader) {
	file, err := Spool(path, r, "", f.now)
	if err != nil {
		f.problem(path, err)
		return
	}
	f.file(file)
}

// file adds a file, or what is in it.
func (f *finder) file(file *File) {
	if !f.expand(file) {
		f.files = append(f.files, file)
		return
	}
	if err := file.Close(); err != nil {
		f.problem(file.Path, err)
	}
}

func modeName(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

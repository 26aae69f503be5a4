package source

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// File is one thing that can be read as a log, as often as one likes. Two Streams of one File
// must not be read at the same time when it is standard input.
type File struct {
	Path     string    // as the user gave it; below a directory, that and the rest of the way; in an archive, archive!member
	Size     int64     // bytes as they lie there, packed; -1 when nothing tells
	Modified time.Time // zero when nothing tells
	Growing  bool      // lines may be added to it later: a plain file on disk

	open  func() (io.ReadCloser, error)
	close func() error

	entries entries // of the journal of this machine

	allowance *allowance // for its text, shared by all that is in one archive
	taken     atomic.Int64
}

// Name is the last part of the path, without folders and archives.
func (f *File) Name() string {
	return path.Base(filepath.ToSlash(f.Path[strings.LastIndexByte(f.Path, '!')+1:]))
}

// Open opens the file at its beginning.
func (f *File) Open() (*Stream, error) {
	raw, err := f.open()
	if err != nil {
		return nil, err
	}
	return newStream(raw, f)
}

// Close frees what the file holds on to: the copy of standard input, the archive that it is in.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

func onDisk(path string, info os.FileInfo) *File {
	return &File{
		Path:      path,
		Size:      info.Size(),
		Modified:  info.ModTime(),
		Growing:   true,
		open:      func() (io.ReadCloser, error) { return openRegular(path) },
		allowance: newAllowance(),
	}
}

// Written is when a file on disk was written into last, as it lies there now.
func (f *File) Written() time.Time {
	info, err := os.Stat(f.Path)
	if err != nil {
		return f.Modified
	}
	return info.ModTime()
}

// openRegular opens a file that was a regular one when it was found. What has taken its place since cannot block.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = irregular(info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// irregular is the error of what is no regular file.
func irregular(m fs.FileMode) error { return fmt.Errorf("%w but %s", ErrNotRegular, modeName(m)) }

// InMemory makes a File of bytes, for logs that are part of the program.
func InMemory(path string, data []byte, modified time.Time) *File {
	f := &File{Path: path, Modified: modified, allowance: newAllowance()}
	f.lieIn(bytes.NewReader(data), 0, int64(len(data)))
	return f
}

// lieIn makes the bytes of the file a section of something that can be read anywhere, by several at once.
func (f *File) lieIn(r io.ReaderAt, at, size int64) {
	f.Size = size
	f.open = func() (io.ReadCloser, error) { return section{io.NewSectionReader(r, at, size)}, nil }
}

// section is a piece of something that stays open.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

package source

import (
	"bytes"
	"io"
	"os"
	"time"
)

// File is one thing that can be read as a log, as often as one likes. Two Streams of one File
// must not be read at the same time when it is standard input.
type File struct {
	Path     string    // as the user gave it; below a directory, that and the rest of the way
	Size     int64     // bytes as they lie there, packed; -1 when nothing tells
	Modified time.Time // zero when nothing tells
	Growing  bool      // lines may be added to it later: a plain file on disk

	open  func() (io.ReadCloser, error)
	close func() error
}

// Open opens the file at its beginning.
func (f *File) Open() (*Stream, error) {
	raw, err := f.open()
	if err != nil {
		return nil, err
	}
	return newStream(raw)
}

// Close frees what the file holds on to: the copy of standard input.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

func onDisk(path string, info os.FileInfo) *File {
	return &File{
		Path:     path,
		Size:     info.Size(),
		Modified: info.ModTime(),
		Growing:  true,
		open:     func() (io.ReadCloser, error) { return os.Open(path) },
	}
}

// InMemory makes a File of bytes, for logs that are part of the program.
func InMemory(path string, data []byte, modified time.Time) *File {
	return &File{
		Path:     path,
		Size:     int64(len(data)),
		Modified: modified,
		open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}

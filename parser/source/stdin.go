package source

import (
	"fmt"
	"io"
	"time"
)

// Spool makes a File of a stream that can be read only once: standard input or a pipe. What is
// read is copied, packed as it comes, to a temporary file in dir ("" is the system's), so that it
// can be read again; the disk is the only bound.
func Spool(path string, r io.Reader, dir string, now time.Time) (*File, error) {
	copied, err := newTemporary(dir)
	if err != nil {
		return nil, fmt.Errorf("copy of %s: %w", path, err)
	}
	s := &spool{from: r, copied: copied}
	return &File{
		Path:      path,
		Size:      -1,
		Modified:  now,
		open:      func() (io.ReadCloser, error) { return &spoolReader{spool: s}, nil },
		close:     copied.Close,
		allowance: newAllowance(),
		entries:   entries{text: copied},
	}, nil
}

// spool is a stream and the copy of what was read of it so far.
type spool struct {
	from   io.Reader
	copied *temporary
	size   int64
}

// spoolReader reads the copy, and behind its end the stream itself.
type spoolReader struct {
	*spool
	at int64
}

func (r *spoolReader) Read(p []byte) (int, error) {
	if r.at < r.size {
		n, err := r.copied.ReadAt(p[:min(int64(len(p)), r.size-r.at)], r.at)
		r.at += int64(n)
		return n, err
	}
	n, err := r.from.Read(p)
	if _, werr := r.copied.WriteAt(p[:n], r.at); werr != nil {
		return 0, fmt.Errorf("copy to a temporary file: %w", werr)
	}
	r.at += int64(n)
	r.size = r.at
	return n, err
}

// Close leaves the copy for the next reader.
func (r *spoolReader) Close() error { return nil }

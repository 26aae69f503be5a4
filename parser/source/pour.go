package source

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// pouring is a stream that is copied to a file while it comes.
type pouring struct {
	ended atomic.Bool
	err   error // why it ended, once it has; nil when there was no more

	read atomic.Int64 // up to where the file has been read
}

// pourKeep is how much of what was read stays on disk, for lines that are cited. What is older leaves a hole in the file, so that a
// stream that never ends needs no disk that never ends.
const pourKeep = 256 << 20

// Pour makes a log that can be followed of a stream that can be read only once: standard input, a pipe, what a program prints. It is copied to a
// file without a name in dir ("" is the system's) until it ends. name is what the log is called.
func Pour(name string, r io.Reader, dir string, now time.Time) (*Following, error) {
	copied, err := newTemporary(dir)
	if err != nil {
		return nil, fmt.Errorf("copy of %s: %w", name, err)
	}
	info, err := copied.Stat()
	if err != nil {
		copied.Close()
		return nil, fmt.Errorf("copy of %s: %w", name, err)
	}
	w := &Following{file: copied.File, info: info, poured: new(pouring)}
	w.File = &File{Path: name, Size: -1, Modified: now, Growing: true, allowance: newAllowance(), entries: entries{text: copied}}
	w.File.open = func() (io.ReadCloser, error) { return &grown{of: w}, nil }
	w.File.close = copied.Close
	if p, ok := r.(interface{ halt() }); ok {
		w.File.close = func() error { p.halt(); return copied.Close() } // then its output ends, too
	}
	go w.poured.run(copied, r)
	return w, nil
}

func (p *pouring) run(to *temporary, r io.Reader) {
	defer p.ended.Store(true)
	buf := make([]byte, PeekSize)
	var written, gone int64
	for {
		n, err := r.Read(buf)
		if _, werr := to.WriteAt(buf[:n], written); werr != nil {
			p.err = fmt.Errorf("copy to a temporary file: %w", werr)
			return
		}
		written += int64(n)
		if err != nil {
			if err != io.EOF {
				p.err = err
			}
			return
		}
		if free := min(p.read.Load(), written) - pourKeep; free > gone+pourKeep {
			punch(to.File, gone, free-gone)
			gone = free
		}
	}
}

// Ended reports whether a stream that was poured has come to its end, and why, when that is not that there was no more.
func (w *Following) Ended() (bool, error) {
	if w.poured == nil || !w.poured.ended.Load() {
		return false, nil
	}
	return true, w.poured.err
}

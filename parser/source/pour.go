package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"
)

// pouring is a stream that is copied to a file while it comes.
type pouring struct {
	ended atomic.Bool
	err   error // why it ended, once it has; nil when there was no more

	read  atomic.Int64          // up to where the file has been read
	stuck atomic.Pointer[error] // why nothing can be copied now, nil when all is well
}

// pourAgain is how long copying waits after an error, as when the disk is full. Who writes into the stream waits with it.
const pourAgain = time.Second

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
		for {
			_, werr := to.WriteAt(buf[:n], written)
			if werr == nil {
				p.stuck.Store(nil)
				break
			}
			if errors.Is(werr, fs.ErrClosed) {
				p.err = werr
				return
			}
			p.stuck.Store(&werr)
			if free := min(p.read.Load(), written) - PeekSize; free > gone { // better this than to wait for who gives it room
				punch(to.File, gone, free-gone)
				gone = free
			}
			time.Sleep(pourAgain)
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

// Stuck is why nothing of a stream that is poured can be copied now, nil when all is well. It is tried again until it can.
func (w *Following) Stuck() error {
	if w.poured == nil {
		return nil
	}
	if err := w.poured.stuck.Load(); err != nil {
		return fmt.Errorf("copy of %s to a temporary file: %w", w.Path, *err)
	}
	return nil
}

// Ended reports whether a stream that was poured has come to its end, and why, when that is not that there was no more.
func (w *Following) Ended() (bool, error) {
	if w.poured == nil || !w.poured.ended.Load() {
		return false, nil
	}
	return true, w.poured.err
}

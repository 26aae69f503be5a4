package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"gatepost"
)

// Following is a log that is read while it is written. It is one file, whatever its path names by then: what is opened of it is
// the file that lay there when it was found, also when it was renamed or removed since.
//
//	grows       Read gives what is new, and io.EOF where nothing is
//	rotated     Fate is Moved or Gone; what is still written into it is read on
//	truncated   Rewritten: the text before the last byte that was read is not what it was
//
// That a file is truncated is told by its text alone, which is compared at every reading: its size may have grown back, and its inode is the
// same one.
type Following struct {
	*File
	file      *os.File
	info      os.FileInfo
	rewritten atomic.Bool
	poured    *pouring // nil when it is a file that others write
	repeats   bool     // what is poured is a file, so that it is the same text every time
	longest   int64    // of the sizes that were seen
}

// Follow opens what lies at a path.
func Follow(path string) (*Following, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if mayGrow(f) {
		f.Close()
		return followJournal(path, info)
	}
	w := &Following{File: onDisk(path, info), file: f, info: info}
	w.File.open = func() (io.ReadCloser, error) { return &grown{of: w}, nil }
	w.File.close = f.Close
	return w, nil
}

// Is reports whether that is the file.
func (w *Following) Is(info os.FileInfo) bool { return os.SameFile(w.info, info) }

// Size is how long the file is now. One that is shorter than it was, was truncated.
func (w *Following) Size() int64 {
	info, err := w.file.Stat()
	if err != nil {
		return 0
	}
	size := info.Size()
	if size < w.longest {
		w.rewritten.Store(true)
	}
	w.longest = max(w.longest, size)
	return size
}

// Rewritten reports whether text that was read is not there any more: the file was truncated, or written over. What is read since
// then ends where it did.
func (w *Following) Rewritten() bool { return w.rewritten.Load() }

// Same reports whether two are one file.
func (w *Following) Same(o *Following) bool { return os.SameFile(w.info, o.info) }

// Held is how long the file was when it was longest.
func (w *Following) Held() int64 { return w.longest }

// Repeats reports whether the text of what lies there is made anew each time, by a program: that of a file of the journal.
func (w *Following) Repeats() bool { return w.repeats }

// Awaits reports whether text is still to come that was there before: a source was read farther.
func (w *Following) Awaits(src *gatepost.Source) bool {
	ended, _ := w.Ended()
	return w.repeats && !ended && w.Size() < src.Position
}

// Check looks whether what a stream of the file read last is still there.
func (w *Following) Check(s *Stream) {
	if r, ok := s.raw.ReadCloser.(*grown); ok {
		r.Read(nil)
	}
}

// Holds reports whether the file has all the text of another one, which is a copy of it or was: as far as their beginnings and the end of the
// shorter one tell.
func (w *Following) Holds(o *Following) bool {
	size := o.Size()
	if size > w.Size() || !w.BeginsAs(o) {
		return false
	}
	a, b := make([]byte, min(size, PeekSize)), make([]byte, min(size, PeekSize))
	at := size - int64(len(a))
	n, _ := w.file.ReadAt(a, at)
	m, _ := o.file.ReadAt(b, at)
	return n == len(a) && m == len(b) && bytes.Equal(a, b)
}

// BeginsWith reports whether the text of the file begins so.
func (w *Following) BeginsWith(text []byte) bool {
	s, err := w.Open()
	if err != nil {
		return false
	}
	defer s.Close()
	return bytes.HasPrefix(s.Peek(PeekSize), text)
}

// BeginsAs reports whether two files begin alike, as far as both go and the beginning of a log is looked at.
func (w *Following) BeginsAs(o *Following) bool {
	a, b := make([]byte, PeekSize), make([]byte, PeekSize)
	n, _ := w.file.ReadAt(a, 0)
	m, _ := o.file.ReadAt(b, 0)
	n = min(n, m)
	return bytes.Equal(a[:n], b[:n])
}

// Fate is what became of the path of a file.
type Fate int

const (
	Stays Fate = iota // the file lies there
	Moved             // another one does
	Gone              // none does
)

// Fate says what the path of the file names now. While nothing can be told, as when a disk is unmounted, it is Gone.
func (w *Following) Fate() Fate {
	if w.poured != nil && w.poured.ended.Load() {
		return Gone
	}
	if w.poured != nil && !w.repeats {
		return Stays
	}
	info, err := os.Stat(w.Path)
	switch {
	case err != nil:
		return Gone
	case w.Is(info):
		return Stays
	}
	return Moved
}

// grown reads a file that grows.
type grown struct {
	of   *Following
	at   int64
	tail tail
	both []byte // what must be there still, and what is new behind it

	// The beginning of what was read must stay, too: the end of a traceback may be the same in another text.
	first   []byte
	firstAt int64
}

// Read reads what was read last once more, in the same call as what follows it, and compares it.
func (r *grown) Read(p []byte) (int, error) {
	if r.of.Rewritten() {
		return 0, io.EOF
	}
	last := r.tail.last
	if need := len(last) + len(p); cap(r.both) < need {
		r.both = make([]byte, need)
	}
	both := r.both[:len(last)+len(p)]
	n, err := r.of.file.ReadAt(both, r.at-int64(len(last)))
	if err != nil && err != io.EOF {
		return 0, err
	}
	if n < len(last) || !bytes.Equal(both[:len(last)], last) {
		r.of.rewritten.Store(true)
		return 0, io.EOF
	}
	text := both[len(last):n]
	if !r.begins(text) {
		r.of.rewritten.Store(true)
		return 0, io.EOF
	}
	if len(text) == 0 {
		return 0, io.EOF
	}
	copy(p, text)
	r.tail.add(text)
	r.at += int64(len(text))
	if r.of.poured != nil {
		r.of.poured.read.Store(max(r.at, r.of.poured.read.Load()))
	}
	return len(text), nil
}

// begins reports whether the beginning of what was read is as it was. Of the first text it keeps that.
func (r *grown) begins(text []byte) bool {
	if len(r.first) == 0 {
		r.first, r.firstAt = bytes.Clone(text[:min(len(text), TailSize)]), r.at
		return true
	}
	var now [TailSize]byte
	n, _ := r.of.file.ReadAt(now[:len(r.first)], r.firstAt)
	return bytes.Equal(now[:n], r.first)
}

// Seek goes to an offset.
func (r *grown) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		offset += r.of.Size()
	}
	before := make([]byte, min(offset, TailSize))
	n, err := r.of.file.ReadAt(before, offset-int64(len(before)))
	if err != nil && err != io.EOF {
		return r.at, err
	}
	if n < len(before) {
		before = nil // there is no text at that offset, and so none that must stay
	}
	r.at, r.tail = offset, tail{before}
	return offset, nil
}

// Close leaves the file open, for others.
func (*grown) Close() error { return nil }

// Rotations returns the names that rotation gives to a log, of the files that lie there: access.log.1, access.log.2.gz,
// access.log-20261121, access-20261121.log; the last that was written into comes last.
func Rotations(path string) ([]string, error) {
	dir, name := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil, err
	}
	type rotated struct {
		path string
		info fs.FileInfo
	}
	var all []rotated
	for _, e := range entries {
		if !IsRotation(name, e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was rotated on
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			all = append(all, rotated{dir + e.Name(), info})
		}
	}
	slices.SortStableFunc(all, func(a, b rotated) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	var paths []string
	for _, r := range all {
		paths = append(paths, r.path)
	}
	return paths, nil
}

// IsRotation reports whether a name is one that rotation gives to a log of another.
func IsRotation(log, name string) bool {
	if rest, ok := strings.CutPrefix(name, log); ok {
		return len(rest) > 1 && strings.ContainsRune(".-_", rune(rest[0]))
	}
	ext := filepath.Ext(log)
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(log, ext))
	return ok && ext != "" && len(rest) > 1 && strings.ContainsRune(".-_", rune(rest[0])) && '0' <= rest[1] && rest[1] <= '9' && strings.Contains(rest, ext)
}

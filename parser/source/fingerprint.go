package source

import (
	"bytes"
	"io"

	"gatepost"
)

// A log is known again by its text: the hash of its first bytes, and the hash of the last bytes
// that were read of it. Names, inodes and sizes are not asked, because rotation, copying,
// truncation and compression change them or give them to other logs.
const (
	HeadSize = 4096
	TailSize = 256
)

// Head returns the fingerprint of a log that begins with text: of its first HeadSize bytes, or of
// all when there are fewer.
func Head(text []byte) (size int, hash uint64) {
	size = min(len(text), HeadSize)
	return size, gatepost.HashOf(text[:size])
}

// BeginsLike reports whether a log that begins with text has the head that src has.
func BeginsLike(text []byte, src *gatepost.Source) bool {
	return src.HeadSize > 0 && len(text) >= src.HeadSize && gatepost.HashOf(text[:src.HeadSize]) == src.Head
}

// OpenAt opens the file at the position up to which src has been read. Head and tail must be
// those of src: otherwise it is another log, the stream stands at its beginning and same is
// false.
func (f *File) OpenAt(src *gatepost.Source) (s *Stream, same bool, err error) {
	s, err = f.Open()
	if err != nil {
		return nil, false, err
	}
	if BeginsLike(s.Peek(HeadSize), src) && s.resume(src) {
		return s, true, nil
	}
	if s.Offset() == 0 {
		return s, false, nil
	}
	s.Close()
	s, err = f.Open()
	return s, false, err
}

// resume goes to the position of src and reports whether the text before it is as it was.
func (s *Stream) resume(src *gatepost.Source) bool {
	if src.Position == 0 {
		return true
	}
	if src.TailSize <= 0 || src.TailSize > TailSize || int64(src.TailSize) > src.Position {
		return false
	}
	if s.SkipTo(src.Position-int64(src.TailSize)) != nil {
		return false
	}
	before := make([]byte, src.TailSize)
	if _, err := io.ReadFull(s, before); err != nil {
		return false
	}
	if gatepost.HashOf(before) != src.Tail {
		return false
	}
	s.before = before
	return true
}

// tail holds the last TailSize bytes of what passed by.
type tail struct {
	last []byte
}

func (t *tail) add(text []byte) {
	if len(text) >= TailSize {
		t.last = append(t.last[:0], text[len(text)-TailSize:]...)
		return
	}
	if over := len(t.last) + len(text) - TailSize; over > 0 {
		t.last = t.last[:copy(t.last, t.last[over:])]
	}
	t.last = append(t.last, text...)
}

// Length is how long the text of a file is, which must be whole.
func (f *File) Length() (int64, error) {
	s, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if s.seek {
		return s.raw.ReadCloser.(io.Seeker).Seek(0, io.SeekEnd)
	}
	_, err = io.Copy(io.Discard, s)
	return s.Offset(), err
}

// Passed is the source of a file of which all was read.
func (f *File) Passed() (src gatepost.Source, err error) {
	s, err := f.Open()
	if err != nil {
		return src, err
	}
	defer s.Close()
	src.Path, src.PositionLine = f.Path, 1
	src.HeadSize, src.Head = Head(s.Peek(HeadSize))
	var last tail
	text := make([]byte, PeekSize)
	for {
		n, err := s.Read(text)
		last.add(text[:n])
		src.PositionLine += int64(bytes.Count(text[:n], []byte{'\n'}))
		if err == io.EOF {
			break
		}
		if err != nil {
			return src, err
		}
	}
	src.Position, src.TailSize, src.Tail = s.Offset(), len(last.last), gatepost.HashOf(last.last)
	return src, nil
}

// IsBeginningOf reports whether other begins with all that f holds, as a log does of which f is
// an older copy.
func (f *File) IsBeginningOf(other *File) bool {
	a, err := f.Open()
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := other.Open()
	if err != nil {
		return false
	}
	defer b.Close()
	if a.Offset() != b.Offset() {
		return false // the hole of one is longer
	}
	for {
		text := a.Peek(PeekSize)
		if len(text) == 0 {
			_, err := a.Read(make([]byte, 1))
			return err == io.EOF
		}
		if !bytes.HasPrefix(b.Peek(PeekSize), text) {
			return false
		}
		if a.SkipTo(a.Offset()+int64(len(text))) != nil || b.SkipTo(a.Offset()) != nil {
			return false
		}
	}
}

// Package source turns files, compressed files, archives and standard input into Blocks of whole records.
//
//	Find ──File──▶ Open ──Stream──▶ Cutter ──Block──▶ a format
//	 ▲               │
//	 │               └──▶ Lines: the text of single records again, for evidence
//	Archive: a File for each of its members
//
// A kind of stream is one value in one file, and so is an archive: gzip.go registers the kind that unpacks gzip,
// tar.go the archive that tar makes. Both are recognised by their first bytes, never by a file's name. All offsets count in the
// unpacked text, so a log keeps its offsets and its fingerprint when it is compressed.
package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Kind is a way of packing one stream of text: a constant value that documents itself.
type Kind struct {
	Name  string // "gzip"
	Doc   string
	Sniff func(head []byte) bool // by the first SniffSize bytes or fewer

	// Unpack returns the text. It reads from r as it is read from, and no more once it is closed,
	// which does not close r.
	Unpack func(r io.Reader) (io.ReadCloser, error)
}

// SniffSize is how many bytes a Kind sees to know itself by.
const SniffSize = 512

var kinds []*Kind

func register(k Kind) *Kind {
	kinds = append(kinds, &k)
	return &k
}

// Kinds returns the registered kinds. Plain text is none of them.
func Kinds() []*Kind { return kinds }

// kindOf returns the kind of a stream by its first bytes, nil for plain text.
func kindOf(head []byte) *Kind {
	for _, k := range kinds {
		if k.Sniff(head) {
			return k
		}
	}
	return nil
}

// PeekSize is how much of a stream Peek can look at.
const PeekSize = 64 << 10

// Stream is the unpacked text of an open File. It is used by one goroutine at a time.
type Stream struct {
	Kind *Kind // nil when it is plain text

	raw    *counter
	unpack io.ReadCloser // of the kind's Unpack, nil when it is plain text
	text   *bufio.Reader
	offset int64
	before []byte // text just before the offset where reading was resumed
	seek   bool   // plain text of something that can seek
	end    int64  // where Read ends, 0 when that is where the text ends
}

// newStream opens the text of a file.
func newStream(raw io.ReadCloser, f *File) (*Stream, error) {
	s := &Stream{raw: &counter{ReadCloser: raw}}
	s.text = bufio.NewReaderSize(s.raw, PeekSize)
	head, err := s.text.Peek(SniffSize)
	if len(head) == 0 && err != nil && err != io.EOF {
		raw.Close()
		return nil, err
	}
	s.Kind = kindOf(head)
	if s.Kind == nil {
		_, s.seek = raw.(io.Seeker)
		s.skipHole()
		return s, nil
	}
	unpacked, err := s.Kind.Unpack(s.text)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", s.Kind.Name, err)
	}
	s.unpack = &meter{ReadCloser: unpacked, raw: func() int64 { return s.raw.n }, taken: &f.taken, from: f.allowance}
	s.text = bufio.NewReaderSize(s.unpack, PeekSize)
	s.skipHole()
	return s, nil
}

// skipHole passes over the NUL bytes that a log begins with when it was truncated under a writer that goes on where it was. They are no
// text, but offsets count them.
func (s *Stream) skipHole() {
	if head := s.Peek(PeekSize); len(head) == 0 || head[0] != 0 || archiveOf(head) != nil {
		return // an archive may begin with them
	}
	for {
		s.text.Peek(1)
		text, _ := s.text.Peek(s.text.Buffered())
		hole := len(text) - len(bytes.TrimLeft(text, "\x00"))
		s.text.Discard(hole)
		s.offset += int64(hole)
		if hole == 0 || hole < len(text) {
			return
		}
	}
}

// Read reads text. A packed stream that ends too early gives all it holds and then an error.
func (s *Stream) Read(p []byte) (int, error) {
	if s.end > 0 {
		if s.offset >= s.end {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), s.end-s.offset)]
	}
	n, err := s.text.Read(p)
	s.offset += int64(n)
	return n, s.explain(err)
}

func (s *Stream) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case s.Kind == nil:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the file ends too early: %w", s.Kind.Name, err)
	}
	return fmt.Errorf("%s: %w", s.Kind.Name, err)
}

// Peek returns the next n bytes, at most PeekSize, without reading them; fewer at the end of the
// stream or before an error, which Read will give again. The bytes are valid until the next call.
func (s *Stream) Peek(n int) []byte {
	b, _ := s.text.Peek(min(n, PeekSize))
	return b
}

// Offset is where in the text the next Read begins.
func (s *Stream) Offset() int64 { return s.offset }

// Consumed is how many bytes of the file, packed as they are, have been read: what progress is
// measured by.
func (s *Stream) Consumed() int64 { return s.raw.n }

// SkipTo moves forward to an offset, by seeking where that is possible. Behind the end of the
// text it returns io.EOF.
func (s *Stream) SkipTo(offset int64) error {
	gap := offset - s.offset
	if gap < 0 {
		return fmt.Errorf("cannot go back from offset %d to %d", s.offset, offset)
	}
	if s.seek && gap > int64(s.text.Buffered()) {
		if err := s.raw.seekTo(offset); err != nil {
			return err
		}
		s.text.Reset(s.raw)
		s.offset = offset
		return nil
	}
	n, err := io.CopyN(io.Discard, s.text, gap)
	s.offset += n
	return s.explain(err)
}

// EndAt lets Read end at an offset as if the text did.
func (s *Stream) EndAt(offset int64) { s.end = offset }

// Close ends the unpacking and closes the file.
func (s *Stream) Close() error {
	if s.unpack == nil {
		return s.raw.Close()
	}
	return errors.Join(s.unpack.Close(), s.raw.Close())
}

// counter counts the bytes that are read through it.
type counter struct {
	io.ReadCloser
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) seekTo(offset int64) error {
	n, err := c.ReadCloser.(io.Seeker).Seek(offset, io.SeekStart)
	c.n = n
	return err
}

package source

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"gatepost"
)

// Lines reads the raw text of records again: of each at most Limit bytes, which may be several lines, cut at a
// rune. A packed file is unpacked from front to back, once as long as what is asked for lies behind what
// was asked for before. Close it at the end.
type Lines struct {
	File  func(source int) *File // where a source lies, nil when it cannot be read again
	Limit int

	open map[int]*Stream // those that cannot seek, where reading stopped
}

// openStreams bounds the packed files that stay open between two calls: each has a window of its own.
const openStreams = 8

// Text returns the text of records. That of all that could be read is returned beside the error.
func (l *Lines) Text(refs []gatepost.Ref) (map[gatepost.Ref]string, error) {
	bySource := make(map[int][]gatepost.Ref)
	for _, r := range refs {
		if r.Known() {
			bySource[r.Source] = append(bySource[r.Source], r)
		}
	}
	texts := make(map[gatepost.Ref]string, len(refs))
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(bySource)) {
		f := l.File(id)
		if f == nil {
			continue
		}
		if err := l.read(f, id, bySource[id], texts); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Path, err))
		}
	}
	return texts, errors.Join(errs...)
}

func (l *Lines) read(f *File, id int, refs []gatepost.Ref, texts map[gatepost.Ref]string) error {
	slices.SortFunc(refs, func(a, b gatepost.Ref) int { return cmp.Or(cmp.Compare(a.Offset, b.Offset), a.Length-b.Length) })
	s, err := l.stream(f, id, refs[0].Offset)
	if err != nil {
		return err
	}
	err = s.lines(slices.Compact(refs), l.Limit, texts)
	if err != nil || s.seek || len(l.open) == openStreams {
		return errors.Join(err, s.Close())
	}
	if l.open == nil {
		l.open = make(map[int]*Stream)
	}
	l.open[id] = s
	return nil
}

// stream returns the file's stream somewhere before an offset.
func (l *Lines) stream(f *File, id int, offset int64) (*Stream, error) {
	s := l.open[id]
	delete(l.open, id)
	if s != nil && s.Offset() <= offset {
		return s, nil
	}
	if s != nil {
		s.Close() // it was read well, and has no more to tell
	}
	return f.Open()
}

// Close closes what is open.
func (l *Lines) Close() error {
	var errs []error
	for _, s := range l.open {
		errs = append(errs, s.Close())
	}
	l.open = nil
	return errors.Join(errs...)
}

// lines reads records in the order of their offsets.
func (s *Stream) lines(refs []gatepost.Ref, limit int, texts map[gatepost.Ref]string) error {
	// Records may overlap, so text is looked at before it is passed.
	for _, r := range refs {
		if err := s.SkipTo(r.Offset); err != nil {
			return unexpected(err)
		}
		want := min(r.Length, limit)
		text := s.Peek(want)
		if len(text) < want {
			return unexpected(io.EOF)
		}
		texts[r] = string(cutAtRune(text, want < r.Length))
	}
	return nil
}

// unexpected is the error of a file that is shorter than it was.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cutAtRune drops the beginning of a rune at the end of a text that was cut.
func cutAtRune(text []byte, wasCut bool) []byte {
	for back := 1; wasCut && back < utf8.UTFMax && back <= len(text); back++ {
		last := text[len(text)-back:]
		if utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return text[:len(text)-back]
			}
			break
		}
	}
	return text
}

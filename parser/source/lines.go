package source

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"gatepost"
)

// Lines reads the raw text of records again: of each at most limit bytes, which may be several
// lines, cut at a rune. file returns where a source lies, nil when it cannot be read again. Every
// file is read once, from front to back, so a packed one is unpacked once. The text of all
// records that could be read is returned beside the error.
func Lines(refs []gatepost.Ref, file func(source int) *File, limit int) (map[gatepost.Ref]string, error) {
	bySource := make(map[int][]gatepost.Ref)
	for _, r := range refs {
		if r.Known() {
			bySource[r.Source] = append(bySource[r.Source], r)
		}
	}
	texts := make(map[gatepost.Ref]string, len(refs))
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(bySource)) {
		f := file(id)
		if f == nil {
			continue
		}
		if err := f.lines(bySource[id], limit, texts); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Path, err))
		}
	}
	return texts, errors.Join(errs...)
}

func (f *File) lines(refs []gatepost.Ref, limit int, texts map[gatepost.Ref]string) error {
	s, err := f.Open()
	if err != nil {
		return err
	}
	defer s.Close()
	slices.SortFunc(refs, func(a, b gatepost.Ref) int {
		if a.Offset != b.Offset {
			return int(min(max(a.Offset-b.Offset, -1), 1))
		}
		return a.Length - b.Length
	})
	// Records may overlap, so text is looked at before it is passed.
	for _, r := range slices.Compact(refs) {
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

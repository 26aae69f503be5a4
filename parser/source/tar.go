package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"
)

var _ = registerArchive(Archive{
	Name: "tar",
	Doc:  "tar, plain or packed by any kind",
	Sniff: func(head []byte) bool {
		return len(head) >= tarBlock && tarHeader(head[:tarBlock]) || emptyTar(head)
	},
	members: tarMembers,
})

// tarBlock is of how many bytes everything in a tar is a multiple.
const tarBlock = 512

// tarHeader reports whether a block is the header of a member: whether it holds the sum of its bytes, those of
// the sum itself taken for spaces. Old archives have no other mark. No line of a log ends it in a zero.
func tarHeader(block []byte) bool {
	const from, to = 148, 156
	var sum int64
	for i, c := range block {
		if from <= i && i < to {
			c = ' '
		}
		sum += int64(c)
	}
	var said int64
	digits := bytes.Trim(block[from:to], " \x00")
	for _, c := range digits {
		if c < '0' || c > '7' {
			return false
		}
		said = said<<3 | int64(c-'0')
	}
	return len(digits) > 0 && said == sum && block[tarBlock-1] == 0
}

// emptyTar reports whether all there is are the zeros behind the last member, where there is none.
func emptyTar(head []byte) bool {
	return 2*tarBlock <= len(head) && len(head) < PeekSize && len(head)%tarBlock == 0 && len(bytes.Trim(head, "\x00")) == 0
}

func tarMembers(text io.Reader, at *io.SectionReader, from *allowance) iter.Seq2[*member, error] {
	return func(yield func(*member, error) bool) {
		if at != nil {
			text = at // it passes over members without reading them
		}
		r := tar.NewReader(text)
		for {
			h, err := r.Next()
			if err == io.EOF {
				if err := tarRest(text); err != nil {
					yield(nil, err)
				}
				return
			}
			if err != nil {
				yield(nil, tarError(err))
				return
			}
			if h.Typeflag == tar.TypeXGlobalHeader {
				continue
			}
			if !yield(tarMember(h, r, at, from), nil) {
				return
			}
		}
	}
}

func tarMember(h *tar.Header, r *tar.Reader, at *io.SectionReader, from *allowance) *member {
	m := &member{name: h.Name, mode: h.FileInfo().Mode(), modified: h.ModTime, size: h.Size}
	switch {
	case h.Typeflag == tar.TypeLink:
		m.link, m.hard = h.Linkname, true
	case h.Typeflag == tar.TypeSymlink:
		m.link = h.Linkname
	case sparse(h):
		// Its holes are text that lies nowhere.
		m.text = &meter{ReadCloser: io.NopCloser(tarText{r}), raw: func() int64 { return 0 }, taken: new(atomic.Int64), from: from}
	case at != nil:
		begin, err := at.Seek(0, io.SeekCurrent)
		m.size = min(h.Size, at.Size()-begin)
		m.at, m.err = io.NewSectionReader(at, begin, m.size), err
	default:
		m.text = tarText{r}
	}
	return m
}

// sparse reports whether a member leaves out zeros.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// tarText is the text of a member.
type tarText struct{ r *tar.Reader }

func (t tarText) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		err = tarError(err)
	}
	return n, err
}

// tarRest reads what stands behind the end: zeros, and whether the whole could be unpacked.
func tarRest(text io.Reader) error {
	buf := make([]byte, PeekSize)
	for {
		n, err := text.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return errors.New("tar: more stands behind the end of the archive, which was not read")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tarError explains an error of the archive, not of what it was read from.
func tarError(err error) error {
	switch {
	case err == io.ErrUnexpectedEOF:
		return fmt.Errorf("tar: the archive ends too early: %w", err)
	case errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong):
		return errors.New("tar: the archive is damaged")
	}
	return err
}

package source

import (
	"archive/zip"
	"cmp"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// zipDirectory is how many bytes the directory of a zip may have, which is kept in memory as long as members are read:
// names and places of some 40,000.
const zipDirectory = 4 << 20

var (
	ErrDirectory = Refusal(fmt.Sprintf("zip: its directory is larger than %d MiB, the limit", zipDirectory>>20))
	ErrEncrypted = Refusal("zip: is encrypted")
	ErrOverlap   = Refusal("zip: lies within another member")
	ErrMethod    = Refusal("zip: is packed by a method that is not known")
)

var _ = registerArchive(Archive{
	Name: "zip",
	Doc:  "zip; members are read where they lie",
	Sniff: func(head []byte) bool {
		return len(head) >= 4 && (string(head[:4]) == "PK\x03\x04" || string(head[:4]) == "PK\x05\x06")
	},
	anywhere: true,
	members:  zipMembers,
})

// zipMethods are the ways members are packed, beside stored ones.
var zipMethods = map[uint16]zip.Decompressor{
	zip.Deflate: flate.NewReader,
	12:          func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) },
	93:          zstd.ZipDecompressor(zstd.WithDecoderMaxMemory(zstdWindow), zstd.WithDecoderLowmem(true)),
}

func zipMembers(_ io.Reader, at *io.SectionReader, from *allowance) iter.Seq2[*member, error] {
	return func(yield func(*member, error) bool) {
		d := &zipReader{SectionReader: at, left: zipDirectory}
		r, err := zip.NewReader(d, at.Size())
		if err != nil {
			yield(nil, zipError(err))
			return
		}
		d.opened = true
		for method, unpack := range zipMethods {
			r.RegisterDecompressor(method, unpack)
		}
		within := overlapping(r.File)
		for _, z := range r.File {
			m := zipMember(z, from)
			if within[z] {
				m.err = ErrOverlap
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

func zipMember(z *zip.File, from *allowance) *member {
	const encrypted = 1 // of the flags
	m := &member{
		name: strings.ReplaceAll(z.Name, `\`, "/"), // as some write it on Windows
		mode: z.Mode(), modified: z.Modified, size: int64(z.UncompressedSize64),
	}
	packed := int64(z.CompressedSize64)
	_, known := zipMethods[z.Method]
	switch {
	case z.Flags&encrypted != 0:
		m.err = ErrEncrypted
	case z.Method != zip.Store && !known:
		m.err = ErrMethod
	case m.size < 0 || packed < 0 || m.size/unpackRatio > packed+unpackSpare/unpackRatio:
		m.err = ErrUnpacked
	case m.mode&fs.ModeSymlink != 0:
		m.link, m.err = zipLink(z)
	}
	taken := new(atomic.Int64)
	m.open = func() (io.ReadCloser, error) {
		text, err := z.Open()
		if err != nil {
			return nil, zipError(err)
		}
		return &meter{ReadCloser: zipText{text}, raw: func() int64 { return packed }, taken: taken, from: from}, nil
	}
	return m
}

// zipLink returns where a link leads, which is its text.
func zipLink(z *zip.File) (string, error) {
	text, err := z.Open()
	if err != nil {
		return "", zipError(err)
	}
	defer text.Close()
	target, err := io.ReadAll(io.LimitReader(zipText{text}, nameLimit+1))
	return string(target), err
}

// overlapping returns the members that lie within others: no packer does that, but it makes a small file of a huge text.
func overlapping(files []*zip.File) map[*zip.File]bool {
	type place struct {
		begin, end int64
		file       *zip.File
	}
	var places []place
	for _, z := range files {
		if begin, err := z.DataOffset(); err == nil && z.CompressedSize64 > 0 {
			places = append(places, place{begin, begin + int64(z.CompressedSize64), z})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.begin, b.begin) })
	within := make(map[*zip.File]bool)
	var end int64
	for _, p := range places {
		if p.begin < end {
			within[p.file] = true
		}
		end = max(end, p.end)
	}
	return within
}

// zipText is the text of a member.
type zipText struct{ io.ReadCloser }

func (t zipText) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = zipError(err)
	}
	return n, err
}

func zipError(err error) error {
	switch {
	case errors.Is(err, ErrDirectory):
		return ErrDirectory
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return ErrWindow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("zip: ends too early: %w", err)
	case errors.Is(err, zip.ErrChecksum):
		return errors.New("zip: does not fit its checksum")
	case errors.Is(err, zip.ErrFormat):
		return errors.New("zip: the archive is damaged")
	}
	return fmt.Errorf("zip: %w", err)
}

// zipReader bounds what is read as the directory.
type zipReader struct {
	*io.SectionReader
	left   int64
	opened bool
}

func (d *zipReader) ReadAt(p []byte, at int64) (int, error) {
	if !d.opened {
		const end = 128 << 10 // what is read to find the directory
		if d.left -= int64(len(p)); d.left < -end {
			return 0, ErrDirectory
		}
	}
	return d.SectionReader.ReadAt(p, at)
}

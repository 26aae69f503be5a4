package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Archive is a way of putting many files into one: a constant value that documents itself.
type Archive struct {
	Name  string // "tar"
	Doc   string
	Sniff func(head []byte) bool // by the first PeekSize bytes or fewer

	anywhere bool // it can only be read where it can be read anywhere
	// members yields what is in it, in its order, and at the end what is wrong with the rest. at holds the same as text;
	// nil when that can only be read from one end to the other. What members unpack is taken from an allowance.
	members func(text io.Reader, at *io.SectionReader, from *allowance) iter.Seq2[*member, error]
}

// member is one entry of an archive.
type member struct {
	name     string
	mode     fs.FileMode
	modified time.Time
	size     int64
	link     string // where it leads, if it is a link
	hard     bool   // and that is the name of another member
	err      error  // why it cannot be read

	// Where its text is: at in the archive, or what open returns, again and again, or text, which is there until the
	// next member is asked for.
	at   *io.SectionReader
	open func() (io.ReadCloser, error)
	text io.Reader
}

var archives []*Archive

func registerArchive(a Archive) *Archive {
	archives = append(archives, &a)
	return &a
}

// Archives returns the registered archives.
func Archives() []*Archive { return archives }

func archiveOf(head []byte) *Archive {
	for _, a := range archives {
		if a.Sniff(head) {
			return a
		}
	}
	return nil
}

// ErrLinkAway is what is wrong with a link in an archive: nothing outside of an archive is read because of it.
var ErrLinkAway = errors.New("is a link to something that is not in the archive")

// expansion is a file that turned out to be an archive, with all archives in it. Its members are read where they are,
// if they can be read there one by one. What can only be read from one end to the other, a packed tar, is
// copied to a temporary file, once, and packed again on the way so that each member can be unpacked by itself.
type expansion struct {
	*finder
	allowance *allowance

	copied *temporary // nil until it is needed
	end    int64      // of what is in it
	packer *zstd.Encoder
	zips   int64 // bytes of zips in it

	held  []io.Closer  // what members are read from
	users atomic.Int64 // Files that read from it
}

// expand finds the members of a file in its place, and reports whether it has any: whether it is an archive.
func (f *finder) expand(file *File) bool {
	x := &expansion{finder: f, allowance: file.allowance}
	x.users.Add(1)
	is := x.expand(file, 0)
	if err := x.release(); err != nil {
		f.problem(file.Path, err)
	}
	return is
}

// release frees what is held when nobody needs it any more.
func (x *expansion) release() error {
	if x.users.Add(-1) > 0 {
		return nil
	}
	var errs []error
	for _, c := range x.held {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// expand does so for an archive in depth others.
func (x *expansion) expand(file *File, depth int) bool {
	s, err := file.Open()
	if err != nil {
		return false // whoever reads it meets the error again
	}
	a := archiveOf(s.Peek(PeekSize))
	if a == nil {
		s.Close()
		return false
	}
	if depth >= depthLimit {
		s.Close()
		x.problem(file.Path, ErrDepth)
		return true
	}
	var at *io.SectionReader
	if raw, ok := s.raw.ReadCloser.(io.ReaderAt); ok && s.Kind == nil {
		at = io.NewSectionReader(raw, 0, file.Size)
	} else if a.anywhere {
		if at, err = x.copyWhole(s); err != nil {
			s.Close()
			x.problem(file.Path, err)
			return true
		}
	}
	if at == nil {
		defer s.Close()
	} else {
		x.held = append(x.held, s)
	}
	l := listing{expansion: x, archive: file, depth: depth, names: make(map[string]int), links: make(map[string]link)}
	err = l.addAll(a.members(s, at, x.allowance))
	l.follow()
	switch {
	case err != nil && l.entries > 0:
		x.problem(file.Path, fmt.Errorf("%w; what stands before was read", err))
	case err != nil:
		x.problem(file.Path, err)
	case l.entries == 0:
		x.files = append(x.files, InMemory(file.Path, nil, file.Modified))
	}
	return true
}

// listing is what was found in one archive.
type listing struct {
	*expansion
	archive *File
	depth   int
	entries int            // that are no directories
	names   map[string]int // how often they were met
	links   map[string]link
}

// link is where a link leads.
type link struct {
	to   string
	hard bool // to is the name of another member
}

// addAll finds members until there is an error.
func (l *listing) addAll(members iter.Seq2[*member, error]) error {
	for m, err := range members {
		if err == nil {
			err = l.add(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add finds a member. An error ends the archive; what is wrong with the member alone becomes a problem.
func (l *listing) add(m *member) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if m.mode.IsDir() {
		return nil
	}
	l.entries++
	if l.left == 0 {
		return ErrFiles
	}
	l.left--
	if len(m.name) > nameLimit || len(m.link) > nameLimit {
		l.problem(l.archive.Path, fmt.Errorf("%w: it begins with %.40s", ErrName, m.name))
		return nil
	}
	name := path.Clean(m.name)
	if m.link != "" {
		l.links[name] = link{m.link, m.hard}
		return nil
	}
	f := &File{Path: l.archive.Path + "!" + l.unique(name), Size: m.size, Modified: m.modified, allowance: l.allowance}
	switch {
	case m.err != nil:
		l.problem(f.Path, m.err)
		return nil
	case !m.mode.IsRegular():
		l.problem(f.Path, irregular(m.mode))
		return nil
	case m.at != nil:
		f.lieIn(m.at, 0, m.size)
	case m.open != nil:
		f.open = m.open
	default:
		// What there was before an error is a file as well.
		n, err := l.copy(f, m.text)
		if n > 0 || err == nil {
			l.file(f)
		}
		return err
	}
	l.file(f)
	return nil
}

// file adds a member that can be read, or what it holds.
func (l *listing) file(f *File) {
	l.users.Add(1)
	f.close = l.release
	if !l.expand(f, l.depth+1) {
		l.files = append(l.files, f)
		return
	}
	l.release() // which cannot be the last one
}

// unique takes a name, and tells members of one name apart: archives are added to.
func (l *listing) unique(name string) string {
	numbered := name
	for l.names[numbered] > 0 {
		l.names[name]++
		numbered = fmt.Sprintf("%s#%d", name, l.names[name])
	}
	l.names[numbered] = 1
	return numbered
}

// follow says which links lead to nothing that is read anyway.
func (l *listing) follow() {
	if len(l.links) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(l.names))
	for _, name := range slices.Sorted(maps.Keys(l.links)) {
		if !l.leads(name, names) {
			l.problem(l.archive.Path+"!"+name, fmt.Errorf("%w: to %s", ErrLinkAway, l.links[name].to))
		}
	}
}

// leads reports whether a link leads to one of the names, or to a folder of some, perhaps by other links.
func (l *listing) leads(name string, names []string) bool {
	const steps = 40
	for range steps {
		to, ok := l.links[name]
		if !ok {
			return false
		}
		target := path.Clean(to.to)
		if !to.hard && !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		for _, name = range []string{target, strings.TrimPrefix(target, "/")} { // tar takes the / off names
			folder, _ := slices.BinarySearch(names, name+"/")
			if l.names[name] > 0 || name == "." || folder < len(names) && strings.HasPrefix(names[folder], name+"/") {
				return true
			}
		}
	}
	return false
}

// copy writes the text of a member to the temporary file, and lets the member be read there. It returns how much there was.
func (x *expansion) copy(f *File, text io.Reader) (int64, error) {
	begin, err := x.spool()
	if err != nil {
		return 0, err
	}
	x.packer.Reset(x)
	// Only with its Write alone, the packer keeps what there was before an error.
	n, err := io.Copy(struct{ io.Writer }{x.packer}, patient{x.ctx, text})
	if cerr := x.packer.Close(); err == nil {
		err = cerr
	}
	packed := io.NewSectionReader(x.copied, begin, x.end-begin)
	f.Size = n
	f.open = func() (io.ReadCloser, error) {
		packed := *packed
		d, err := zstd.NewReader(&packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return n, err
}

// copyWhole copies a zip, which is read from its end.
func (x *expansion) copyWhole(s *Stream) (*io.SectionReader, error) {
	begin, err := x.spool()
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(x, io.LimitReader(patient{x.ctx, s}, copyLimit-x.zips+1))
	x.zips += n
	if x.zips > copyLimit {
		err = ErrCopy
	}
	return io.NewSectionReader(x.copied, begin, x.end-begin), err
}

// copyWindow is how far back the packing of a copy looks, in bytes: it takes memory for each member that is read.
const copyWindow = 256 << 10

// spool makes the temporary file, and returns where in it the next copy begins.
func (x *expansion) spool() (int64, error) {
	if x.copied != nil {
		return x.end, nil
	}
	var err error
	if x.copied, err = newTemporary(""); err != nil {
		return 0, fmt.Errorf("copy to a temporary file: %w", err)
	}
	x.held = append(x.held, x.copied)
	x.packer, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(copyWindow), zstd.WithLowerEncoderMem(true))
	return 0, err
}

// Write adds to the temporary file.
func (x *expansion) Write(p []byte) (int, error) {
	n, err := x.copied.WriteAt(p, x.end)
	x.end += int64(n)
	if err != nil {
		err = fmt.Errorf("copy to a temporary file: %w", err)
	}
	return n, err
}

// patient reads until nobody wants it any more.
type patient struct {
	ctx context.Context
	io.Reader
}

func (p patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}

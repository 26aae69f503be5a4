package source

import (
	"fmt"
	"io"
	"sync/atomic"
)

// Refusal is why something found is not unpacked or not read, though nothing may be wrong with it: it would take
// too much, or a password. Whoever unpacks it himself can have it read.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// What strangers send must not take all memory, disk or time: small files that unpack to huge ones, archives in
// archives in archives, folders without an end. Everything behind one name of the user's, an archive with all that is
// in it, has one allowance.
const (
	unpackRatio = 200     // how much smaller than its text a file may be: three times as much as packers make of logs
	unpackSpare = 1 << 30 // bytes of text beyond that
	filesLimit  = 20_000  // what is found in one folder or archive and all in it, files and problems
	depthLimit  = 3       // archives in archives
	nameLimit   = 512     // bytes of a member's name, or of where a link leads
	copyLimit   = 4 << 30 // bytes of zips that are copied to the disk, because they can only be read from there
)

var (
	ErrUnpacked = Refusal(fmt.Sprintf("unpacks to more than %d times its size and %d GiB, the limit", unpackRatio, unpackSpare>>30))
	ErrFiles    = Refusal(fmt.Sprintf("there are more than %d files, the limit: the others are left out", filesLimit))
	ErrDepth    = Refusal(fmt.Sprintf("is an archive in %d others, the limit", depthLimit))
	ErrName     = Refusal(fmt.Sprintf("the name of a member is longer than %d bytes, the limit", nameLimit))
	ErrCopy     = Refusal(fmt.Sprintf("holds packed zips of more than %d GiB, the limit", copyLimit>>30))
)

// allowance is how much text may still be unpacked beyond unpackRatio times of what it is unpacked from.
type allowance struct{ left atomic.Int64 }

func newAllowance() *allowance {
	a := new(allowance)
	a.left.Store(unpackSpare)
	return a
}

// meter takes the text that is read through it out of an allowance.
type meter struct {
	io.ReadCloser
	raw   func() int64 // bytes that it was unpacked from so far
	text  int64
	taken *atomic.Int64 // by this text until now, however often it is read
	from  *allowance
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.text += int64(n)
	for {
		taken, want := m.taken.Load(), m.text-unpackRatio*m.raw()
		if want <= taken {
			return n, err
		}
		if m.taken.CompareAndSwap(taken, want) {
			if m.from.left.Add(taken-want) < 0 {
				return n, ErrUnpacked
			}
			return n, err
		}
	}
}

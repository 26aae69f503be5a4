package source

import (
	"fmt"
	"io"

	"github.com/mikelolasagasti/xz"
)

// xzDictionary is the largest dictionary that a block may ask for, in bytes: what xz -9 packs with.
const xzDictionary = 64 << 20

// ErrDictionary is the error of an xz block that cannot be unpacked with xzDictionary bytes.
var ErrDictionary = Refusal(fmt.Sprintf("a block needs a dictionary larger than %d MiB, the limit", xzDictionary>>20))

var _ = register(Kind{
	Name:  "xz",
	Doc:   "xz; several streams one after another, padded or not, are one text",
	Sniff: func(head []byte) bool { return len(head) >= 5 && string(head[:5]) == "\xfd7zXZ" },
	Unpack: func(r io.Reader) (io.ReadCloser, error) {
		x, err := xz.NewReader(r, xzDictionary)
		return io.NopCloser(xzText{x}), xzError(err)
	},
})

// xzText is the text of a reader.
type xzText struct{ *xz.Reader }

func (t xzText) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	return n, xzError(err)
}

func xzError(err error) error {
	switch err {
	case xz.ErrMemlimit:
		return ErrDictionary
	case xz.ErrBuf: // it wants more than there is
		return io.ErrUnexpectedEOF
	}
	return err
}

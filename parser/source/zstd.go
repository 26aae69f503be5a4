package source

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window that a frame may ask for, in bytes: what the zstd program itself
// unpacks without being told to use more memory, and what it packs with at most, --long included.
const zstdWindow = 128 << 20

// ErrWindow is the error of a zstd frame that cannot be unpacked in zstdWindow bytes.
var ErrWindow = fmt.Errorf("a frame needs a window larger than %d MiB, the limit", zstdWindow>>20)

var _ = register(Kind{
	Name:  "zstd",
	Doc:   "zstd, as logrotate compresses when it is told to; several frames one after another are one text",
	Sniff: sniffZstd,
	Unpack: func(r io.Reader) (io.ReadCloser, error) {
		// Whoever reads the text unpacks it, in no goroutine of the decoder's: the blocks are parsed
		// beside that anyway, and a pipe is never read by two at once.
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdWindow))
		if err != nil {
			return nil, err
		}
		return &zstdText{d}, nil
	},
})

// sniffZstd looks for the mark of a frame, which may stand behind frames to be skipped: pzstd begins
// with one.
func sniffZstd(head []byte) bool {
	for len(head) >= 8 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" {
		size := uint64(head[4]) | uint64(head[5])<<8 | uint64(head[6])<<16 | uint64(head[7])<<24
		head = head[min(8+size, uint64(len(head))):]
	}
	return strings.HasPrefix(string(head), "\x28\xb5\x2f\xfd")
}

// zstdText is the text of a decoder.
type zstdText struct{ d *zstd.Decoder }

func (t *zstdText) Read(p []byte) (int, error) {
	n, err := t.d.Read(p)
	if n == 0 && err != nil && err != io.EOF {
		// A block whose checksum is wrong or cut off is handed out by the next call.
		n, err = t.d.Read(p)
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = ErrWindow
	}
	return n, err
}

func (t *zstdText) Close() error {
	t.d.Close()
	return nil
}

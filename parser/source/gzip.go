package source

import (
	"io"

	"github.com/klauspost/compress/gzip"
)

var _ = register(Kind{
	Name:  "gzip",
	Doc:   "gzip, as logrotate compresses; several members one after another are one text",
	Sniff: func(head []byte) bool { return len(head) >= 3 && string(head[:3]) == "\x1f\x8b\x08" },
	Unpack: func(r io.Reader) (io.ReadCloser, error) {
		return gzip.NewReader(r)
	},
})

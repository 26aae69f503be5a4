package source

import (
	"io"

	"github.com/pierrec/lz4/v4"
)

var _ = register(Kind{
	Name:  "lz4",
	Doc:   "lz4; several frames one after another are one text",
	Sniff: func(head []byte) bool { return len(head) >= 4 && string(head[:4]) == "\x04\x22\x4d\x18" },
	Unpack: func(r io.Reader) (io.ReadCloser, error) {
		return io.NopCloser(lz4.NewReader(r)), nil
	},
})

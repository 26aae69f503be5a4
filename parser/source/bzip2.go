package source

import (
	"compress/bzip2"
	"io"
	"strings"
)

var _ = register(Kind{
	Name: "bzip2",
	Doc:  "bzip2; several streams one after another are one text",
	Sniff: func(head []byte) bool {
		// The mark is followed by a block's or, in an empty stream, by the end's.
		if len(head) < 5 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
			return false
		}
		next := string(head[4:min(len(head), 10)])
		return strings.HasPrefix("1AY&SY", next) || strings.HasPrefix("\x17\x72\x45\x38\x50\x90", next)
	},
	Unpack: func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil },
})

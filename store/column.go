package store

import (
	"errors"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// A column of a chunk is a list of unsigned integers. It is cut into planes: the lowest bytes of
// all values, then the next, up to the highest byte in use. Each plane is compressed on its own,
// because the entropy of a number sits in its low bytes and one Huffman table for all of them
// would be blurred by the others.
//
//	column = width plane*width
//	plane  = constant byte | raw bytes | zstd length frame
const (
	planeConstant = iota
	planeRaw
	planeZstd
)

var errColumn = errors.New("column is damaged")

// codec compresses and expands columns. Its buffers are reused, so it serves one goroutine.
type codec struct {
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	vals  []uint64
	plane []byte
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), zstd.WithAllLitEntropyCompression(true), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(chunkLimit),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	return &codec{enc: enc, dec: dec}, nil
}

// scratch returns n values whose content is undefined, valid until the next call.
func (c *codec) scratch(n int) []uint64 {
	if cap(c.vals) < n {
		c.vals = make([]uint64, n)
		c.plane = make([]byte, n)
	}
	return c.vals[:n]
}

// append encodes vals behind dst.
func (c *codec) append(dst []byte, vals []uint64) []byte {
	var all uint64
	for _, v := range vals {
		all |= v
	}
	width := (bits.Len64(all) + 7) / 8
	dst = append(dst, byte(width))
	if cap(c.plane) < len(vals) {
		c.plane = make([]byte, len(vals))
	}
	plane := c.plane[:len(vals)]
	for w := range width {
		shift, same := 8*w, true
		first := byte(vals[0] >> shift)
		for i, v := range vals {
			b := byte(v >> shift)
			plane[i] = b
			same = same && b == first
		}
		if same {
			dst = append(dst, planeConstant, first)
			continue
		}
		dst = c.appendPlane(dst, plane)
	}
	return dst
}

// appendPlane writes the plane compressed, or raw where that is shorter. The frame is made in
// place: its length has a fixed width so that it can be filled in afterwards.
func (c *codec) appendPlane(dst, plane []byte) []byte {
	const head = 4
	start := len(dst)
	dst = append(dst, planeZstd, 0, 0, 0)
	dst = c.enc.EncodeAll(plane, dst)
	n := len(dst) - start - head
	if n >= len(plane) || n >= 1<<24 {
		dst = append(dst[:start], planeRaw)
		return append(dst, plane...)
	}
	dst[start+1], dst[start+2], dst[start+3] = byte(n), byte(n>>8), byte(n>>16)
	return dst
}

// take decodes n values from the front of src into scratch memory and returns the rest of src.
func (c *codec) take(src []byte, n int) (vals []uint64, rest []byte, err error) {
	vals = c.scratch(n)
	clear(vals)
	if len(src) == 0 || src[0] > 8 {
		return nil, nil, errColumn
	}
	width := int(src[0])
	src = src[1:]
	for w := range width {
		if len(src) < 2 {
			return nil, nil, errColumn
		}
		mode, body := src[0], src[1:]
		if mode == planeConstant {
			fill(vals, uint64(body[0])<<(8*w))
			src = body[1:]
			continue
		}
		var plane []byte
		if plane, src, err = c.takePlane(mode, body, n); err != nil {
			return nil, nil, err
		}
		for i, b := range plane {
			vals[i] |= uint64(b) << (8 * w)
		}
	}
	return vals, src, nil
}

func fill(vals []uint64, v uint64) {
	if v == 0 {
		return
	}
	for i := range vals {
		vals[i] |= v
	}
}

func (c *codec) takePlane(mode byte, src []byte, n int) (plane, rest []byte, err error) {
	switch mode {
	case planeRaw:
		if len(src) < n {
			return nil, nil, errColumn
		}
		return src[:n], src[n:], nil
	case planeZstd:
		if len(src) < 3 {
			return nil, nil, errColumn
		}
		size := int(src[0]) | int(src[1])<<8 | int(src[2])<<16
		if src = src[3:]; len(src) < size {
			return nil, nil, errColumn
		}
		plane, err = c.dec.DecodeAll(src[:size], c.plane[:0:n])
		if err != nil || len(plane) != n {
			return nil, nil, errColumn
		}
		return plane, src[size:], nil
	}
	return nil, nil, errColumn
}

// zigzag folds the sign of a difference into the lowest bit, so that small ones of either sign
// need few bytes.
func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// pair is an entry of a dictionary. Most dictionaries need one half only.
type pair struct{ a, b uint64 }

// dictionary numbers the distinct values of a chunk in the order of their first appearance.
// Hashes look random and do not compress: each is stored once, the rows hold its number.
type dictionary struct {
	slots []slot
	gen   uint32 // slots of another generation are empty: clearing costs nothing
	vals  []pair
}

type slot struct {
	gen, index uint32
}

// dictionarySlots is a power of two and twice the values that a chunk can have: small enough for the
// processor's cache.
const dictionarySlots = 2 * chunkMax

func (d *dictionary) reset() {
	if d.slots == nil {
		d.slots = make([]slot, dictionarySlots)
	}
	d.gen++
	if d.gen == 0 {
		clear(d.slots)
		d.gen = 1
	}
	d.vals = d.vals[:0]
}

func (d *dictionary) index(p pair) uint64 {
	h := (p.a ^ bits.RotateLeft64(p.b, 29)) * 0x9e3779b97f4a7c15 >> 32
	for ; ; h++ {
		s := &d.slots[h%dictionarySlots]
		if s.gen != d.gen {
			*s = slot{d.gen, uint32(len(d.vals))}
			d.vals = append(d.vals, p)
			return uint64(s.index)
		}
		if d.vals[s.index] == p {
			return uint64(s.index)
		}
	}
}

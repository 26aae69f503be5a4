package store

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/klauspost/compress/huff0"
)

// A column of a chunk is a list of unsigned integers. It is cut into planes: the lowest bytes of
// all values, then the next, up to the highest byte in use. Each plane is compressed on its own,
// because the entropy of a number sits in its low bytes and one Huffman table for all of them
// would be blurred by the others.
//
//	column = width plane*width
//	plane  = constant byte | raw bytes | runs size (uvarint(length) byte)* | huffman size table and bits
//
// Nothing looks for repeated strings: in a plane there are few, and the search takes longer than all of the rest.
const (
	planeConstant = iota
	planeRaw
	planeRuns
	planeHuffman
)

var errColumn = errors.New("column is damaged")

// codec compresses and expands columns. Its buffers are reused, so it serves one goroutine.
type codec struct {
	hasty   bool // compress only what costs nothing
	huffman *huff0.Scratch
	vals    []uint64
	plane   []byte
}

func newCodec() *codec {
	return &codec{huffman: &huff0.Scratch{Reuse: huff0.ReusePolicyNone}}
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
	var all, differ uint64
	for _, v := range vals {
		all |= v
		differ |= v ^ vals[0]
	}
	width := (bits.Len64(all) + 7) / 8
	dst = append(dst, byte(width))
	if cap(c.plane) < len(vals) {
		c.plane = make([]byte, len(vals))
	}
	plane := c.plane[:len(vals)]
	for w := range width {
		shift := 8 * w
		if byte(differ>>shift) == 0 {
			dst = append(dst, planeConstant, byte(all>>shift))
			continue
		}
		for i, v := range vals {
			plane[i] = byte(v >> shift)
		}
		dst = c.appendPlane(dst, plane)
	}
	return dst
}

// appendPlane writes a plane in the shortest way.
func (c *codec) appendPlane(dst, plane []byte) []byte {
	if runs := 1 + changes(plane); runs < len(plane)/16 {
		return appendSized(dst, planeRuns, func(dst []byte) []byte { return appendRuns(dst, plane) })
	}
	if c.hasty {
		return append(append(dst, planeRaw), plane...)
	}
	packed, _, err := huff0.Compress4X(plane, c.huffman)
	if err != nil { // it would not be shorter
		return append(append(dst, planeRaw), plane...)
	}
	return appendSized(dst, planeHuffman, func(dst []byte) []byte { return append(dst, packed...) })
}

// appendSized writes a plane with its size in front.
func appendSized(dst []byte, mode byte, body func([]byte) []byte) []byte {
	start := len(dst) + 1
	dst = body(append(dst, mode, 0, 0, 0))
	n := len(dst) - start - 3
	dst[start], dst[start+1], dst[start+2] = byte(n), byte(n>>8), byte(n>>16)
	return dst
}

// changes counts the bytes of a plane that differ from the one before, eight at a time.
func changes(plane []byte) (n int) {
	const sevens = 0x7f7f7f7f7f7f7f7f
	i := 1
	for ; i+8 <= len(plane); i += 8 {
		x := binary.LittleEndian.Uint64(plane[i:]) ^ binary.LittleEndian.Uint64(plane[i-1:])
		n += bits.OnesCount64((x&sevens + sevens | x) &^ sevens) // a bit for each byte that is not 0
	}
	for ; i < len(plane); i++ {
		if plane[i] != plane[i-1] {
			n++
		}
	}
	return n
}

// appendRuns writes how often each byte comes in a row. A run takes two bytes, mostly, and Huffman codes take a bit for
// each byte, at least.
func appendRuns(dst, plane []byte) []byte {
	begin := 0
	for i := 1; i <= len(plane); i++ {
		if i == len(plane) || plane[i] != plane[begin] {
			dst = append(binary.AppendUvarint(dst, uint64(i-begin)), plane[begin])
			begin = i
		}
	}
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

// takePlane decodes a plane of n bytes, which may be in scratch memory.
func (c *codec) takePlane(mode byte, src []byte, n int) (plane, rest []byte, err error) {
	if mode == planeRaw {
		if len(src) < n {
			return nil, nil, errColumn
		}
		return src[:n], src[n:], nil
	}
	if len(src) < 3 {
		return nil, nil, errColumn
	}
	size := int(src[0]) | int(src[1])<<8 | int(src[2])<<16
	if src = src[3:]; len(src) < size {
		return nil, nil, errColumn
	}
	src, rest = src[:size], src[size:]
	switch mode {
	case planeRuns:
		plane, err = takeRuns(c.plane[:0:n], src)
	case planeHuffman:
		plane, err = c.takeHuffman(c.plane[:0:n], src)
	default:
		err = errColumn
	}
	if err != nil || len(plane) != n {
		return nil, nil, errColumn
	}
	return plane, rest, nil
}

// takeRuns fills dst up to its capacity.
func takeRuns(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		length, n := binary.Uvarint(src)
		if n <= 0 || n == len(src) || length > uint64(cap(dst)-len(dst)) {
			return nil, errColumn
		}
		for range length {
			dst = append(dst, src[n])
		}
		src = src[n+1:]
	}
	return dst, nil
}

// takeHuffman fills dst up to its capacity.
func (c *codec) takeHuffman(dst, src []byte) ([]byte, error) {
	_, src, err := huff0.ReadTable(src, c.huffman)
	if err != nil {
		return nil, err
	}
	return c.huffman.Decoder().Decompress4X(dst, src)
}

// zigzag folds the sign of a difference into the lowest bit, so that small ones of either sign
// need few bytes.
func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// pair is an entry of a dictionary. Most dictionaries need one half only.
type pair struct{ a, b uint64 }

// dictionary numbers the distinct values of a chunk in the order of their first appearance.
// Hashes look random and do not compress: each is stored once, the rows hold its number and 1, or 0 where
// a value appears first: which one that is, is known without a number.
type dictionary struct {
	slots [dictionarySlots]uint16 // 1 more than the place in vals, 0 when empty
	vals  []pair
}

// dictionarySlots is a power of two and twice the values that a chunk can have: small enough for the
// processor's cache.
const dictionarySlots = 2 * chunkMax

func (d *dictionary) reset() {
	clear(d.slots[:])
	d.vals = d.vals[:0]
}

// code returns what the row of a value holds.
func (d *dictionary) code(p pair) uint64 {
	h := (p.a ^ bits.RotateLeft64(p.b, 29)) * 0x9e3779b97f4a7c15 >> 32
	for ; ; h++ {
		s := &d.slots[h%dictionarySlots]
		if *s == 0 {
			d.vals = append(d.vals, p)
			*s = uint16(len(d.vals))
			return 0
		}
		if d.vals[*s-1] == p {
			return uint64(*s)
		}
	}
}

// numbers turns what rows hold into the numbers of their values, of which there are n.
func numbers(rows []uint64, n int) error {
	met := uint64(0)
	for i, v := range rows {
		if v == 0 {
			met++
			v = met
		}
		if v > uint64(n) {
			return errColumn
		}
		rows[i] = v - 1
	}
	return nil
}

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"gatepost"
)

// A chunk is a run of requests of one source and lane in the order of the file, column by
// column:
//
//	chunk      = version crc32(body) body
//	body       = count base units end duration sql bytes queries status gap length line
//	             dictionary(pid) dictionary(client) dictionary(key) dictionary(route of a key)
//	dictionary = count column(which value, see dictionary) values
//
// Differences are taken to the request before; base is the first one's End, Offset and Line.
// Times are divided by the coarsest unit in which all are whole.
const (
	chunkVersion = 2
	// chunkMax is how many requests a chunk holds: enough for the dictionaries to pay, few
	// enough for a window of a minute not to decode an hour.
	chunkMax = 8192
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

var errChunk = errors.New("chunk is damaged")

// units are the steps in which stamps and durations are whole.
var units = [...]int64{int64(time.Second), int64(time.Millisecond), int64(time.Microsecond), 1}

// unitOf returns the index of the coarsest unit of all values.
func unitOf(vals []uint64) byte {
	u, before := 0, uint64(0)
	for _, v := range vals {
		if v == before {
			continue // dividing is slow, and most values are like the one before
		}
		for before = v; int64(v)%units[u] != 0; u++ {
		}
	}
	return byte(u)
}

// unitOfLengths is unitOf for durations, some of which may be Unknown.
func unitOfLengths(vals []uint64) byte {
	u, before := 0, uint64(0)
	for _, v := range vals {
		if v == before || time.Duration(v) == gatepost.Unknown {
			continue
		}
		for before = v; int64(v)%units[u] != 0; u++ {
		}
	}
	return byte(u)
}

// packer encodes chunks. Its memory is reused.
type packer struct {
	*codec
	values, routes dictionary
	out            []byte
}

// pack encodes what c holds, at least one request. The result is valid until the next call.
func (p *packer) pack(c *columns) []byte {
	ends, durations, sqls := c.values(fieldEnd), once(c.values(fieldDuration)), once(c.values(fieldSQL))
	p.out = append(p.out[:0], chunkVersion, 0, 0, 0, 0)
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(c.n))
	for _, v := range [...]uint64{ends[0], uint64(c.begin.Offset), uint64(c.begin.Line)} {
		p.out = binary.LittleEndian.AppendUint64(p.out, v)
	}
	endUnit, durationUnit, sqlUnit := unitOf(ends), unitOfLengths(durations), unitOfLengths(sqls)
	p.out = append(p.out, endUnit, durationUnit, sqlUnit)

	p.stamps(ends, units[endUnit])
	p.lengths(durations, units[durationUnit])
	p.lengths(sqls, units[sqlUnit])
	for field := fieldBytes; field <= fieldLine; field++ {
		p.out = p.append(p.out, c.values(field))
	}
	p.single(c.values(fieldPID))
	p.single(c.values(fieldClient))
	p.packPairs(c.values(fieldKey), c.values(fieldRoute))

	binary.LittleEndian.PutUint32(p.out[1:], crc32.Checksum(p.out[5:], crcTable))
	return p.out
}

// once returns one value of a column if all are equal, as they are where a format does not tell them: a column of one value
// is packed in the same way, however many times it holds it.
func once(vals []uint64) []uint64 {
	for _, v := range vals {
		if v != vals[0] {
			return vals
		}
	}
	return vals[:1]
}

// stamps writes times as differences to the one before.
func (p *packer) stamps(times []uint64, unit int64) {
	vals := p.scratch(len(times))
	before, whole := times[0], int64(times[0])/unit
	for i, v := range times {
		vals[i] = 0
		if v != before {
			now := int64(v) / unit
			vals[i] = zigzag(now - whole)
			before, whole = v, now
		}
	}
	p.out = p.append(p.out, vals)
}

// lengths writes durations.
func (p *packer) lengths(durations []uint64, unit int64) {
	vals := p.scratch(len(durations))
	before, encoded := durations[0], length(time.Duration(durations[0]), unit)
	for i, v := range durations {
		if v != before {
			before, encoded = v, length(time.Duration(v), unit)
		}
		vals[i] = encoded
	}
	p.out = p.append(p.out, vals)
}

// single writes a column by a dictionary of its values.
func (p *packer) single(column []uint64) {
	vals := p.scratch(len(column))
	p.values.reset()
	for i, v := range column {
		vals[i] = p.values.code(pair{a: v})
	}
	p.dictionary(&p.values, vals)
}

// dictionary writes what the rows hold, then the values of d.
func (p *packer) dictionary(d *dictionary, rows []uint64) {
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(len(d.vals)))
	p.out = p.append(p.out, rows)
	for _, v := range d.vals {
		p.out = binary.LittleEndian.AppendUint64(p.out, v.a)
	}
}

// packPairs writes keys and routes. A key has one route but for odd escapes, so the rows hold
// the number of a pair, and a pair a key and the number of its route.
func (p *packer) packPairs(keys, routes []uint64) {
	vals := p.scratch(len(keys))
	p.values.reset()
	for i, key := range keys {
		vals[i] = p.values.code(pair{key, routes[i]})
	}
	p.dictionary(&p.values, vals)
	p.routes.reset()
	vals = vals[:len(p.values.vals)]
	for i, v := range p.values.vals {
		vals[i] = p.routes.code(pair{a: v.b})
	}
	p.dictionary(&p.routes, vals)
}

// length encodes a duration in units; Unknown, and it only, becomes 0.
func length(d time.Duration, unit int64) uint64 {
	if d == gatepost.Unknown {
		return 0
	}
	return uint64(int64(d)/unit) + 1
}

func unlength(v uint64, unit int64) time.Duration {
	if v == 0 {
		return gatepost.Unknown
	}
	return time.Duration(int64(v-1) * unit)
}

// behind is where the next record begins when nothing lies between.
func behind(r gatepost.Ref) int64 { return r.Offset + int64(r.Length) + 1 }

// unpacker decodes chunks. Its memory is reused.
type unpacker struct {
	*codec
	src []byte
}

// unpack appends the requests of a chunk to dst, in the order of the file.
func (u *unpacker) unpack(dst []gatepost.Request, data []byte, source int, lane gatepost.Lane) ([]gatepost.Request, error) {
	const head = 5 + 4 + 3*8 + 3
	if len(data) < head || data[0] != chunkVersion {
		return dst, errChunk
	}
	if crc32.Checksum(data[5:], crcTable) != binary.LittleEndian.Uint32(data[1:]) {
		return dst, errChunk
	}
	n := int(binary.LittleEndian.Uint32(data[5:]))
	if n == 0 || n > chunkMax {
		return dst, errChunk
	}
	var base [3]int64
	for i := range base {
		base[i] = int64(binary.LittleEndian.Uint64(data[9+8*i:]))
	}
	unit := data[head-3 : head]
	if max(unit[0], unit[1], unit[2]) >= byte(len(units)) {
		return dst, errChunk
	}
	u.src = data[head:]
	dst = slices.Grow(dst, n)
	reqs := dst[len(dst) : len(dst)+n]
	if err := u.columns(reqs, base, unit); err != nil {
		return dst, fmt.Errorf("%w: %w", errChunk, err)
	}
	for i := range reqs {
		reqs[i].Ref.Source, reqs[i].Lane = source, lane
	}
	return dst[:len(dst)+n], nil
}

func (u *unpacker) columns(reqs []gatepost.Request, base [3]int64, unit []byte) error {
	var err error
	column := func(set func(r *gatepost.Request, v uint64)) {
		if err != nil {
			return
		}
		var vals []uint64
		if vals, u.src, err = u.take(u.src, len(reqs)); err != nil {
			return
		}
		for i, v := range vals {
			set(&reqs[i], v)
		}
	}
	end, offset, line := base[0]/units[unit[0]], base[1], base[2]
	column(func(r *gatepost.Request, v uint64) {
		end += unzigzag(v)
		r.End = gatepost.Time(end * units[unit[0]])
	})
	column(func(r *gatepost.Request, v uint64) { r.Duration = unlength(v, units[unit[1]]) })
	column(func(r *gatepost.Request, v uint64) { r.SQL = unlength(v, units[unit[2]]) })
	column(func(r *gatepost.Request, v uint64) { r.Bytes = int64(v - 1) })
	column(func(r *gatepost.Request, v uint64) { r.Queries = int32(uint32(v) - 1) })
	column(func(r *gatepost.Request, v uint64) { r.Status = uint16(v) })
	column(func(r *gatepost.Request, v uint64) { r.Ref.Offset = unzigzag(v) })
	column(func(r *gatepost.Request, v uint64) {
		r.Ref.Length = int(v)
		offset += r.Ref.Offset
		r.Ref.Offset = offset
		offset = behind(r.Ref)
	})
	column(func(r *gatepost.Request, v uint64) {
		line += unzigzag(v)
		r.Ref.Line = line
	})
	if err != nil {
		return err
	}
	if err := u.indexed(reqs, func(r *gatepost.Request, v uint64) { r.PID = int32(uint32(v)) }); err != nil {
		return err
	}
	if err := u.indexed(reqs, func(r *gatepost.Request, v uint64) { r.Client = v }); err != nil {
		return err
	}
	return u.pairs(reqs)
}

// indexed decodes a dictionary and calls set with the value of every row.
func (u *unpacker) indexed(reqs []gatepost.Request, set func(*gatepost.Request, uint64)) error {
	index, values, err := u.dictionary(len(reqs))
	if err != nil {
		return err
	}
	for i, v := range index {
		set(&reqs[i], binary.LittleEndian.Uint64(values[8*v:]))
	}
	return nil
}

// dictionary reads the numbers of the values of n rows, in scratch memory, and the values as eight bytes each.
func (u *unpacker) dictionary(n int) (index []uint64, values []byte, err error) {
	if len(u.src) < 4 {
		return nil, nil, errColumn
	}
	size := int(binary.LittleEndian.Uint32(u.src))
	if index, u.src, err = u.take(u.src[4:], n); err != nil {
		return nil, nil, err
	}
	if size > n || len(u.src) < 8*size {
		return nil, nil, errColumn
	}
	values, u.src = u.src[:8*size], u.src[8*size:]
	return index, values, numbers(index, size)
}

// pairs decodes what packPairs wrote; Route holds the number of the pair in between.
func (u *unpacker) pairs(reqs []gatepost.Request) error {
	index, keys, err := u.dictionary(len(reqs))
	if err != nil {
		return err
	}
	n := len(keys) / 8
	for i, v := range index {
		reqs[i].Key, reqs[i].Route = binary.LittleEndian.Uint64(keys[8*v:]), v
	}
	index, routes, err := u.dictionary(n)
	if err != nil {
		return err
	}
	for i := range reqs {
		reqs[i].Route = binary.LittleEndian.Uint64(routes[8*index[reqs[i].Route]:])
	}
	return nil
}

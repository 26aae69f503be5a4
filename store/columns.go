package store

import (
	"math"

	"gatepost"
)

// columns are the requests of a chunk to be, each field in a column of its own: in a chunk they are packed column by
// column, and going through whole requests once for each would cost more than the packing.
type columns struct {
	n           int
	first, last gatepost.Time // least and greatest End
	begin       gatepost.Ref  // of the first request
	next        gatepost.Ref  // where the next request begins when nothing lies between
	fields      [fieldCount]column
}

// column has a value for each request, and some room behind: columns that lie whole pages apart would all want the
// same lines of the processor's cache.
type column [chunkMax + 8]uint64

// The fields of a request but for source and lane, which a chunk has one of. Most are as they stand in the chunk; those that
// are packed by the time they are whole in, or by a dictionary, are as they are in the request.
const (
	fieldEnd = iota
	fieldDuration
	fieldSQL
	fieldBytes
	fieldQueries
	fieldStatus
	fieldGap
	fieldLength
	fieldLine
	fieldPID
	fieldClient
	fieldKey
	fieldRoute
	fieldCount
)

func newColumns() *columns {
	c := &columns{}
	c.reset()
	return c
}

func (c *columns) reset() {
	c.n, c.first, c.last = 0, math.MaxInt64, math.MinInt64
}

// add appends as many requests as there is room for, and returns the others.
func (c *columns) add(reqs []gatepost.Request) (left []gatepost.Request) {
	if c.n == 0 && len(reqs) > 0 {
		c.begin = reqs[0].Ref
		c.next = c.begin
	}
	room := min(chunkMax-c.n, len(reqs))
	f, first, last, offset, line := &c.fields, c.first, c.last, c.next.Offset, c.next.Line
	for i := range reqs[:room] {
		r, n := &reqs[i], c.n+i
		first, last = min(first, r.End), max(last, r.End)
		f[fieldEnd][n] = uint64(r.End)
		f[fieldDuration][n] = uint64(r.Duration)
		f[fieldSQL][n] = uint64(r.SQL)
		f[fieldBytes][n] = uint64(r.Bytes) + 1
		f[fieldQueries][n] = uint64(uint32(r.Queries) + 1)
		f[fieldStatus][n] = uint64(r.Status)
		f[fieldGap][n] = zigzag(r.Ref.Offset - offset)
		f[fieldLength][n] = uint64(r.Ref.Length)
		f[fieldLine][n] = zigzag(r.Ref.Line - line)
		f[fieldPID][n] = uint64(uint32(r.PID))
		f[fieldClient][n] = r.Client
		f[fieldKey][n] = r.Key
		f[fieldRoute][n] = r.Route
		offset, line = behind(r.Ref), r.Ref.Line
	}
	c.first, c.last, c.next.Offset, c.next.Line = first, last, offset, line
	c.n += room
	return reqs[room:]
}

// values are those of a field.
func (c *columns) values(field int) []uint64 { return c.fields[field][:c.n] }

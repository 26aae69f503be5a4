package gatepost

import (
	"slices"
	"time"
)

// Batch is what a format makes of a Block. The caller owns it and reuses it: Reset empties it and
// keeps its memory. A format appends, and never keeps a pointer into a Batch.
type Batch struct {
	Source   int
	Requests []Request
	Events   []Event
	// Routes names the routes that this batch's requests are the first of their source to use.
	Routes []Route
	// Unparsed are the lines that fit nothing, runs of neighbours as one Ref.
	Unparsed      []Ref
	UnparsedLines int64
	// Unknown are the kinds of these lines.
	Unknown UnknownLines
	Lines   int64

	First, Last Time // least and greatest raw stamp, NoTime when no line is dated
	// End is the offset behind the last byte read, EndLine the number of the line there.
	End     int64
	EndLine int64

	Resolution time.Duration // finest resolution of the stamps met
	Stamps     Stamps
}

// Route is an entry of the route dictionary.
type Route struct {
	ID   uint64 // as in Request.Route
	Name string // "GET /web/image/*"
}

// Reset empties b for a Block of the given source.
func (b *Batch) Reset(source int) {
	b.Unknown.Reset()
	*b = Batch{
		Source:   source,
		Requests: b.Requests[:0],
		Events:   b.Events[:0],
		Routes:   b.Routes[:0],
		Unparsed: b.Unparsed[:0],
		Unknown:  b.Unknown,
		First:    NoTime,
		Last:     NoTime,
	}
}

// AddRequest appends a Request and returns it for the caller to fill: every field of it, since it holds
// what an earlier batch left there.
func (b *Batch) AddRequest() *Request {
	n := len(b.Requests)
	if n == cap(b.Requests) {
		b.Requests = slices.Grow(b.Requests, 1)
	}
	b.Requests = b.Requests[:n+1]
	return &b.Requests[n]
}

// Belong makes all that is in b refer to a source, as a store does with what is appended to one.
func (b *Batch) Belong(source int) {
	b.Source = source
	for i := range b.Requests {
		b.Requests[i].Ref.Source = source
	}
	for i := range b.Events {
		b.Events[i].Ref.Source = source
	}
}

// See widens First and Last by a raw stamp.
func (b *Batch) See(t Time) {
	if t == NoTime {
		return
	}
	if b.First == NoTime || t < b.First {
		b.First = t
	}
	if b.Last == NoTime || t > b.Last {
		b.Last = t
	}
}

// Skip records a line that fits nothing; a direct neighbour of the last such line extends it.
func (b *Batch) Skip(r Ref, lines int64) {
	b.UnparsedLines += lines
	if n := len(b.Unparsed); n > 0 {
		if last := &b.Unparsed[n-1]; last.Offset+int64(last.Length)+1 == r.Offset {
			last.Length += 1 + r.Length
			return
		}
	}
	b.Unparsed = append(b.Unparsed, r)
}

// Count adds a batch's counters. The range of time is taken from its requests and events as well, because
// queries leave out sources by it.
func (src *Source) Count(b *Batch) {
	seen := Batch{First: src.First, Last: src.Last}
	seen.See(b.First)
	seen.See(b.Last)
	for i := range b.Requests {
		seen.See(b.Requests[i].End)
	}
	for i := range b.Events {
		seen.See(b.Events[i].Time)
	}
	src.First, src.Last = seen.First, seen.Last
	src.Lines += b.Lines
	src.Requests += int64(len(b.Requests))
	src.Events += int64(len(b.Events))
	src.Unparsed += b.UnparsedLines
	if b.First.Known() {
		src.Stamps = b.Stamps
	}
	if b.Resolution > 0 && (src.Resolution == 0 || b.Resolution < src.Resolution) {
		src.Resolution = b.Resolution
	}
}

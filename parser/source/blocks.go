package source

import (
	"bytes"
	"io"
	"iter"

	"gatepost"
)

const (
	// BlockSize is how many bytes of text a Block holds, about: large enough that what is done
	// once a block does not count, small enough to stay in the processor's cache.
	BlockSize = 512 << 10
	// RecordLimit is the longest record that is kept whole, its line ending included. The
	// longest real ones, a traceback or a statement with all its values, are a few MiB.
	RecordLimit = 16 << 20
)

// Cutter cuts a stream into Blocks: runs of whole records. Memory is bounded by two buffers of
// the longest record, whatever the stream holds.
type Cutter struct {
	Source int
	// Starts reports whether a record begins with this line, which comes without its line
	// ending; nil when every line is a record.
	Starts func(line []byte) bool
	// Hold leaves an unfinished last line unread: its rest may be written later. Without it,
	// such a line is delivered as it is.
	Hold bool

	Size  int // of a block; 0 is BlockSize
	Limit int // of a record; 0 is RecordLimit

	LongRecords int64 // records longer than Limit, cut at a line
	LongLines   int64 // lines longer than Limit, delivered up to there
	Skipped     int64 // bytes of the rests of those lines, which are delivered nowhere
	Held        int   // bytes of the unfinished last line that Hold left

	offset, line int64 // behind the last block
	tail         tail

	buf      []byte // the buffer that is being filled, n bytes of it are
	n        int
	other    []byte // the buffer that holds the last block
	skipping bool   // in the rest of a long line
}

// Blocks reads s, from where it stands as far as src says, and yields its blocks in order. A
// block's Data is valid until the block after the next one is asked for. An error of the stream
// comes last, without a block, after all that could be read.
func (c *Cutter) Blocks(s *Stream, src *gatepost.Source) iter.Seq2[gatepost.Block, error] {
	c.offset, c.line = s.Offset(), 1
	if c.offset > 0 {
		c.line = src.PositionLine
		c.tail.add(s.before)
	}
	return c.cut(s)
}

// Mark writes into src how far its text has been cut: behind the last block yielded.
func (c *Cutter) Mark(src *gatepost.Source) {
	src.Position, src.PositionLine = c.offset, c.line
	src.TailSize, src.Tail = len(c.tail.last), gatepost.HashOf(c.tail.last)
}

func (c *Cutter) cut(r io.Reader) iter.Seq2[gatepost.Block, error] {
	if c.Size <= 0 {
		c.Size = BlockSize
	}
	if c.Limit <= 0 {
		c.Limit = RecordLimit
	}
	c.Size = min(c.Size, c.Limit)
	return func(yield func(gatepost.Block, error) bool) {
		c.buf, c.other = make([]byte, c.Size), make([]byte, c.Size)
		for {
			err := c.fill(r)
			if c.skipping {
				c.skip()
			}
			if end := c.recordsEnd(err); end > 0 {
				if !yield(c.block(end), nil) {
					return
				}
				c.carry(end)
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(gatepost.Block{}, err)
				return
			}
		}
	}
}

// fill reads until the buffer is full or the stream ends.
func (c *Cutter) fill(r io.Reader) error {
	if c.n == len(c.buf) {
		c.buf = resize(c.buf, min(2*len(c.buf), c.Limit))
	}
	for c.n < len(c.buf) {
		n, err := r.Read(c.buf[c.n:])
		c.n += n
		if err != nil {
			return err
		}
	}
	return nil
}

// recordsEnd returns the end of the last whole record in the buffer, 0 when it must be read on.
// err is why the stream ended, nil when it did not.
func (c *Cutter) recordsEnd(err error) int {
	text := c.buf[:c.n]
	lines := bytes.LastIndexByte(text, '\n') + 1
	if err == io.EOF && c.Hold {
		c.Held = c.n - lines
		return lines
	}
	if err != nil {
		return c.n
	}
	if end := c.lastStart(text[:lines]); end > 0 {
		return end
	}
	if c.n < c.Limit {
		return 0
	}
	if lines > 0 {
		if !c.Starts(text[lines:]) {
			c.LongRecords++
		}
		return lines
	}
	c.LongLines++
	c.skipping = true
	return c.n
}

// lastStart returns the end of the last record that surely ends within lines: where the next one
// begins. What a line is can be said only when all of it is there.
func (c *Cutter) lastStart(lines []byte) int {
	if c.Starts == nil {
		return len(lines)
	}
	for end := len(lines); end > 0; {
		begin := bytes.LastIndexByte(lines[:end-1], '\n') + 1
		if begin > 0 && c.Starts(trimEOL(lines[begin:end])) {
			return begin
		}
		end = begin
	}
	return 0
}

func trimEOL(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// block makes a Block of the first bytes of the buffer.
func (c *Cutter) block(end int) gatepost.Block {
	b := gatepost.Block{Source: c.Source, Offset: c.offset, Line: c.line, Data: c.buf[:end:end]}
	c.offset += int64(end)
	c.line += int64(bytes.Count(b.Data, []byte{'\n'}))
	if b.Data[end-1] != '\n' {
		c.line++
	}
	c.tail.add(b.Data)
	return b
}

// carry moves what is left behind a block to the other buffer, so that the block stays as it is
// while the next one is read. A buffer that one long record made large is given back.
func (c *Cutter) carry(end int) {
	rest := c.buf[end:c.n]
	if len(c.other) != c.Size || len(rest) > c.Size {
		c.other = make([]byte, max(c.Size, len(rest)))
	}
	c.n = copy(c.other, rest)
	c.buf, c.other = c.other, c.buf
}

// skip drops the rest of a long line from the buffer, as far as it is there.
func (c *Cutter) skip() {
	end := bytes.IndexByte(c.buf[:c.n], '\n') + 1
	c.skipping = end == 0
	if end == 0 {
		end = c.n
	}
	c.tail.add(c.buf[:end])
	c.offset += int64(end)
	c.Skipped += int64(end)
	c.n = copy(c.buf, c.buf[end:c.n])
}

func resize(b []byte, size int) []byte {
	larger := make([]byte, size)
	copy(larger, b)
	return larger
}

package source

import (
	"bytes"
	"io"
	"iter"
	"sync"

	"gatepost"
)

const (
	// BlockSize is how many bytes of text a Block holds, about: large enough that what is done
	// once a block does not count, small enough to stay in the processor's cache.
	BlockSize = 128 << 10
	// RecordLimit is the longest record that is kept whole, its line ending included. The
	// longest real ones, a traceback or a statement with all its values, are a few MiB.
	RecordLimit = 16 << 20
)

// Cutter cuts a stream into Blocks: runs of whole records. Buffers go round: whoever is done with a
// block gives it back, so memory is bounded by the blocks in use and one more, each as large as the
// longest record, whatever the stream holds.
type Cutter struct {
	Source int
	// Starts reports whether a record begins with this line, which comes without its line
	// ending; nil when every line is a record.
	Starts func(line []byte) bool
	// Ends reports whether a record is surely over with its last line; nil when only the next one tells.
	Ends func(record []byte) bool
	// Hold is asked where the text ends, and says what is left there because more of it may be written. Nil is Nothing.
	Hold func() Holding

	Size  int // of a block; 0 is BlockSize
	Limit int // of a record; 0 is RecordLimit

	LongRecords int64 // records longer than Limit, cut at a line
	LongLines   int64 // lines longer than Limit, delivered up to there
	Skipped     int64 // bytes of the rests of those lines, which are delivered nowhere
	Held        int   // bytes of the unfinished last line, where it was left

	offset, line int64 // behind the last block
	tail         tail

	buf      []byte // the buffer that is being filled, n bytes of it are
	n        int
	skipping bool // in the rest of a long line

	mu   sync.Mutex
	free [][]byte // buffers that were given back
}

// Holding is what is left where a text ends that may go on.
type Holding int

const (
	Nothing    Holding = iota // all is delivered
	LastLine                  // an unfinished line, and a last record of which Cutter.Ends tells that it is not over
	LastRecord                // that, and the last record, which may have more lines: see Cutter.Rest
)

// Cut is a Block, and how far the text has been cut behind it.
type Cut struct {
	gatepost.Block
	end position
}

// position is how far a text has been cut, and what stands before that.
type position struct {
	offset, line int64
	tailSize     int
	tail         uint64
}

// At is a Cut without a block, of a text that was read as far as src says.
func At(src gatepost.Source) Cut {
	return Cut{
		Block: gatepost.Block{Offset: src.Position, Line: max(1, src.PositionLine)},
		end:   position{src.Position, src.PositionLine, src.TailSize, src.Tail},
	}
}

// Mark writes into src how far its text has been cut: behind this block.
func (k *Cut) Mark(src *gatepost.Source) { k.end.mark(src) }

func (p position) mark(src *gatepost.Source) {
	src.Position, src.PositionLine = p.offset, p.line
	src.TailSize, src.Tail = p.tailSize, p.tail
}

// Blocks reads s, from where it stands as far as src says, and yields its blocks in order. A
// block's Data belongs to whoever got it, until he gives it back with Release. An error of the stream
// comes last, without a block, after all that could be read.
func (c *Cutter) Blocks(s *Stream, src *gatepost.Source) iter.Seq2[Cut, error] {
	c.Begin(s, src)
	return c.cut(s)
}

// Begin prepares the reading of s, from where it stands as far as src says, by More.
func (c *Cutter) Begin(s *Stream, src *gatepost.Source) {
	c.offset, c.line, c.n = s.Offset(), 1, 0
	if c.offset > 0 {
		c.line = max(1, src.PositionLine)
		c.tail.add(s.before)
	}
}

// More yields the next blocks: where the text ended, some of it may have been left, or written since.
func (c *Cutter) More(s *Stream) iter.Seq2[Cut, error] { return c.cut(s) }

// Rest is the last record as far as its lines are finished, where it was left. It is valid until more is read.
func (c *Cutter) Rest() gatepost.Block {
	text := c.buf[:c.n]
	return gatepost.Block{Source: c.Source, Offset: c.offset, Line: c.line, Data: text[:bytes.LastIndexByte(text, '\n')+1]}
}

// Mark writes into src how far its text has been cut in all. It is behind the last block only where
// that is followed by the rest of a line that was too long.
func (c *Cutter) Mark(src *gatepost.Source) { c.position().mark(src) }

func (c *Cutter) position() position {
	return position{c.offset, c.line, len(c.tail.last), gatepost.HashOf(c.tail.last)}
}

// Release takes the memory of a block back. It may be called from any goroutine, also while Blocks runs.
func (c *Cutter) Release(b gatepost.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if buf := b.Data[:cap(b.Data)]; len(buf) == c.Size { // one that a long record made large is not kept
		c.free = append(c.free, buf)
	}
}

// buffer returns memory for at least n bytes.
func (c *Cutter) buffer(n int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.free) - 1; last >= 0 && n <= c.Size {
		buf := c.free[last]
		c.free = c.free[:last]
		return buf
	}
	return make([]byte, max(c.Size, n))
}

func (c *Cutter) cut(r io.Reader) iter.Seq2[Cut, error] {
	if c.Size <= 0 {
		c.Size = BlockSize
	}
	if c.Limit <= 0 {
		c.Limit = RecordLimit
	}
	c.Size = min(c.Size, c.Limit)
	return func(yield func(Cut, error) bool) {
		if c.buf == nil {
			c.buf = c.buffer(0)
		}
		for {
			err := c.fill(r)
			if c.skipping {
				c.skip()
			}
			if end := c.recordsEnd(err); end > 0 && !yield(c.block(end), nil) {
				return
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Cut{}, err)
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
	hold := Nothing
	if err == io.EOF && c.Hold != nil {
		hold = c.Hold()
	}
	if hold > Nothing {
		c.Held = c.n - lines
		if hold == LastLine && c.Ends == nil {
			return lines
		}
		last := c.lastStart(text[:lines])
		if c.Ends != nil && c.Ends(text[last:lines]) {
			return lines
		}
		return last
	}
	c.Held = 0
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

// block makes a Block of the first bytes of the buffer. What is left moves to another buffer, so that
// the block stays as it is while the next one is read.
func (c *Cutter) block(end int) Cut {
	b := gatepost.Block{Source: c.Source, Offset: c.offset, Line: c.line, Data: c.buf[:end]}
	c.offset += int64(end)
	c.line += int64(bytes.Count(b.Data, []byte{'\n'}))
	if b.Data[end-1] != '\n' {
		c.line++
	}
	c.tail.add(b.Data)
	rest := c.buf[end:c.n]
	c.buf = c.buffer(len(rest))
	c.n = copy(c.buf, rest)
	return Cut{b, c.position()}
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

package main

import (
	"bytes"
	"context"
	"iter"
	"runtime"
	"sync"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// One log is read by three kinds of workers at once:
//
//	cutter ──Block──▶ parser, one for each core ──Batch──▶ keep, in the order of the log
//	  ▲                        │                            │
//	  └──── memory ────────────┘◀────────── memory ─────────┘
//
// A format is a pure function of a block, so which worker parses it changes nothing. What depends on
// the order of the log, such as the route dictionary, is done where the batches come together.

// Where several programs write into one file, a sorter between the cutter and the parsers makes blocks of the lines of
// each.

// piece is a block on its way. It goes round with the memory of its batch.
type piece struct {
	mark     source.Cut     // up to where the log is in this piece and those before
	counted  []counted      // lines up to there of which nothing is made
	strand   *parser.Strand // whose lines it holds; nil when it holds none
	block    gatepost.Block // these lines: those of the cut, or what a sorter took out of several
	kept     int64          // up to where the entries of the strand are
	keptLine int64
	batch    gatepost.Batch
	consumed int64 // bytes of the file, packed as they are
	err      error // of the stream; it comes last, without a block
	parsed   chan struct{}
}

// ahead is how many pieces beyond the number of parsers are on their way: so many that the parsers go on while the store
// commits, for a millisecond or two.
const ahead = 8

// parsed cuts a stream, parses its blocks side by side, and calls keep with each piece in the order of
// the log. It ends at the first error of keep, which it returns, or with the piece that holds the
// stream's.
func parsed(ctx context.Context, cutter *source.Cutter, s *source.Stream, src gatepost.Source, p *parser.Parser, keep func(*piece) error) error {
	ctx, cancel := context.WithCancel(ctx)
	parsers := runtime.GOMAXPROCS(0)
	w := &workers{free: make(chan *piece, parsers+ahead), work: make(chan *piece, parsers+ahead), inOrder: make(chan *piece, parsers+ahead)}
	for range cap(w.free) {
		w.free <- &piece{parsed: make(chan struct{}, 1)}
	}
	f := newFeed(cutter, s, src, p, func(fill func(*piece)) bool { return w.send(ctx, s, fill) })
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() {
		defer close(w.work)
		defer close(w.inOrder)
		f.cut(cutter.Blocks(s, &src))
	})
	for range parsers {
		all.Go(func() { w.parse(f) })
	}
	for next := range w.inOrder {
		<-next.parsed
		if next.err == nil && next.strand != nil {
			next.strand.Parser.Admit(&next.batch)
		}
		if err := keep(next); err != nil {
			return err
		}
		w.free <- next
	}
	return ctx.Err()
}

// workers are how pieces go round among those who work on one log.
type workers struct{ free, work, inOrder chan *piece }

// send sends a piece on its way, and reports whether there is anybody to take it.
func (w *workers) send(ctx context.Context, s *source.Stream, fill func(*piece)) bool {
	select {
	case <-ctx.Done():
		return false
	case next := <-w.free:
		next.err, next.consumed = nil, s.Consumed()
		fill(next)
		w.work <- next
		w.inOrder <- next
		return true
	}
}

func (w *workers) parse(f *feed) {
	own := make(map[*parser.Strand]*parser.Parser)
	for next := range w.work {
		if next.err == nil && next.strand != nil {
			mine := own[next.strand]
			if mine == nil {
				mine = next.strand.Parser.Clone()
				own[next.strand] = mine
			}
			mine.Parse(&next.block, &next.batch)
			f.release(next)
		}
		next.parsed <- struct{}{}
	}
}

// feed makes pieces of a log: its blocks as they are, or what a sorter makes of them.
type feed struct {
	cutter *source.Cutter
	whole  *parser.Strand // of a log that has no wrapping
	sorter *parser.Sorter // of one that has
	marks  []mark         // behind the blocks that the sorter took, those that may count
	send   func(fill func(*piece)) bool
}

// mark is the end of a block that the sorter took, which has no data any more, and what was counted of those of its lines of which nothing
// is made.
type mark struct {
	cut     source.Cut
	counted []counted
}

// counted are lines of a strand of which nothing is made.
type counted struct {
	strand *parser.Strand
	seen   gatepost.Batch
	size   int64 // of the text, of a strand that no format knows
}

// newFeed makes a feed of a log that was read as far as src says. It asks send to take each piece, which is filled then; it ends when
// send reports that nobody does.
func newFeed(c *source.Cutter, s *source.Stream, src gatepost.Source, p *parser.Parser, send func(fill func(*piece)) bool) *feed {
	return &feed{cutter: c, whole: &parser.Strand{Parser: p}, sorter: p.Sorter(), marks: []mark{{cut: source.At(src)}}, send: send}
}

// cut makes pieces of blocks, and in the end of what is left, unless it may go on.
func (f *feed) cut(blocks iter.Seq2[source.Cut, error]) {
	for cut, err := range blocks {
		if err != nil {
			if f.sorted(parser.All) {
				f.send(func(next *piece) { next.err = err })
			}
			return
		}
		if !f.add(cut) {
			return
		}
	}
	share := parser.All
	if f.cutter.Hold != nil && f.cutter.Hold() == source.LastRecord {
		share = parser.Whole
	}
	f.sorted(share)
}

// add makes pieces of a block.
func (f *feed) add(cut source.Cut) bool {
	if f.sorter == nil {
		return f.send(func(next *piece) { next.mark, next.strand, next.block = cut, f.whole, cut.Block })
	}
	f.sorter.Add(&cut.Block)
	f.cutter.Release(cut.Block)
	cut.Line += int64(bytes.Count(cut.Data, []byte{'\n'}))
	cut.Offset, cut.Data = cut.Offset+int64(len(cut.Data)), nil
	f.marks = append(f.marks, mark{cut: cut})
	f.count()
	return f.sorted(parser.Enough)
}

// count keeps with the last mark what the sorter counted up to there.
func (f *feed) count() {
	last := &f.marks[len(f.marks)-1]
	for st := range f.sorter.Strands() {
		if seen, size, ok := st.Counted(); ok {
			last.counted = append(last.counted, counted{st, seen, size})
		}
	}
}

// release gives back the memory of a piece's block that was parsed. What a sorter took out of blocks has memory that goes round with the piece.
func (f *feed) release(next *piece) {
	if f.sorter == nil {
		f.cutter.Release(next.block)
	}
}

// sorted sends what the sorter has of each strand, a share of it. In the end, when that is more than what is worth a piece, one without
// lines follows, which says how far all are.
func (f *feed) sorted(share parser.Share) bool {
	if f.sorter == nil {
		return true
	}
	for strand := range f.sorter.Ready(share) {
		if !f.send(func(next *piece) {
			next.strand = strand
			strand.Take(&next.block, share)
			next.kept, next.keptLine = strand.Kept()
			f.pass(next)
		}) {
			return false
		}
	}
	if share == parser.Enough {
		return true
	}
	f.count() // of strands that were decided only now
	return f.send(func(next *piece) {
		next.strand = nil
		f.pass(next)
	})
}

// pass marks a piece with the last cut before which nothing is left in the sorter: where reading can go on after it was broken off.
func (f *feed) pass(next *piece) {
	pending, some := f.sorter.Pending()
	next.counted = append(next.counted[:0], f.marks[0].counted...)
	f.marks[0].counted = nil
	for len(f.marks) > 1 && (!some || f.marks[1].cut.Offset <= pending) {
		f.marks = f.marks[1:]
		next.counted = append(next.counted, f.marks[0].counted...)
		f.marks[0].counted = nil
	}
	next.mark = f.marks[0].cut
}

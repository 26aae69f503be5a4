package main

import (
	"bytes"
	"context"
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
	mark     source.Cut       // up to where the log is in this piece and those before
	idle     []gatepost.Batch // counters of lines up to there of which nothing is made
	strand   *parser.Strand   // whose lines it holds; nil when it holds none
	block    gatepost.Block   // these lines: those of the cut, or what a sorter took out of several
	kept     int64            // up to where the entries of the strand are
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
	f := &feed{
		cutter: cutter, stream: s, whole: &parser.Strand{Parser: p}, sorter: p.Sorter(),
		marks: []mark{{cut: source.At(src)}},
		free:  make(chan *piece, parsers+ahead), work: make(chan *piece, parsers+ahead), inOrder: make(chan *piece, parsers+ahead),
	}
	for range cap(f.free) {
		f.free <- &piece{parsed: make(chan struct{}, 1)}
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { f.cut(ctx, &src) })
	for range parsers {
		all.Go(f.parse)
	}
	for next := range f.inOrder {
		<-next.parsed
		if next.err == nil && next.strand != nil {
			next.strand.Parser.Admit(&next.batch)
		}
		if err := keep(next); err != nil {
			return err
		}
		f.free <- next
	}
	return ctx.Err()
}

// feed is what the workers on one log share.
type feed struct {
	cutter *source.Cutter
	stream *source.Stream
	whole  *parser.Strand // of a log that has no wrapping
	sorter *parser.Sorter // of one that has
	marks  []mark         // behind the blocks that the sorter took, those that may count

	free, work, inOrder chan *piece
}

// mark is the end of a block that the sorter took, which has no data any more, with the counters of those of its lines of
// which nothing is made.
type mark struct {
	cut  source.Cut
	idle []gatepost.Batch
}

// send sends a piece on its way, and reports whether there is anybody to take it.
func (f *feed) send(ctx context.Context, fill func(*piece)) bool {
	select {
	case <-ctx.Done():
		return false
	case next := <-f.free:
		next.err, next.consumed = nil, f.stream.Consumed()
		fill(next)
		f.work <- next
		f.inOrder <- next
		return true
	}
}

func (f *feed) cut(ctx context.Context, src *gatepost.Source) {
	defer close(f.work)
	defer close(f.inOrder)
	for cut, err := range f.cutter.Blocks(f.stream, src) {
		if err != nil {
			if f.sorted(ctx, parser.All) {
				f.send(ctx, func(next *piece) { next.err = err })
			}
			return
		}
		if f.sorter == nil {
			if !f.send(ctx, func(next *piece) { next.mark, next.strand, next.block = cut, f.whole, cut.Block }) {
				return
			}
			continue
		}
		f.sorter.Add(&cut.Block)
		f.cutter.Release(cut.Block)
		cut.Line += int64(bytes.Count(cut.Data, []byte{'\n'}))
		cut.Offset, cut.Data = cut.Offset+int64(len(cut.Data)), nil
		m := mark{cut: cut}
		for st := range f.sorter.Strands() {
			if seen, ok := st.Idle(); ok {
				m.idle = append(m.idle, seen)
			}
		}
		f.marks = append(f.marks, m)
		if !f.sorted(ctx, parser.Enough) {
			return
		}
	}
	share := parser.All
	if f.cutter.Hold != nil && f.cutter.Hold() {
		share = parser.Whole
	}
	f.sorted(ctx, share)
}

// sorted sends what the sorter has of each strand, a share of it. In the end, when that is more than what is worth a piece, one without
// lines follows, which says how far all are.
func (f *feed) sorted(ctx context.Context, share parser.Share) bool {
	if f.sorter == nil {
		return true
	}
	for strand := range f.sorter.Ready(share) {
		if !f.send(ctx, func(next *piece) {
			next.strand = strand
			strand.Take(&next.block, share)
			next.kept, next.keptLine = strand.Kept()
			f.pass(next)
		}) {
			return false
		}
	}
	return share == parser.Enough || f.send(ctx, func(next *piece) {
		next.strand = nil
		f.pass(next)
	})
}

// pass marks a piece with the last cut before which nothing is left in the sorter: where reading can go on after it was broken off.
func (f *feed) pass(next *piece) {
	pending, some := f.sorter.Pending()
	next.idle = next.idle[:0]
	for len(f.marks) > 1 && (!some || f.marks[1].cut.Offset <= pending) {
		f.marks = f.marks[1:]
		next.idle = append(next.idle, f.marks[0].idle...)
	}
	next.mark = f.marks[0].cut
}

func (f *feed) parse() {
	own := make(map[*parser.Strand]*parser.Parser)
	for next := range f.work {
		if next.err == nil && next.strand != nil {
			mine := own[next.strand]
			if mine == nil {
				mine = next.strand.Parser.Clone()
				own[next.strand] = mine
			}
			mine.Parse(&next.block, &next.batch)
			if f.sorter == nil {
				f.cutter.Release(next.block)
			}
		}
		next.parsed <- struct{}{}
	}
}

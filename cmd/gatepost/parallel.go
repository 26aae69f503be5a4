package main

import (
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

// piece is a block on its way. It goes round with the memory of its batch.
type piece struct {
	cut      source.Cut
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
	free := make(chan *piece, parsers+ahead)
	for range cap(free) {
		free <- &piece{parsed: make(chan struct{}, 1)}
	}
	work, inOrder := make(chan *piece, cap(free)), make(chan *piece, cap(free))
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() {
		defer close(work)
		defer close(inOrder)
		for cut, err := range cutter.Blocks(s, &src) {
			select {
			case <-ctx.Done():
				return
			case next := <-free:
				next.cut, next.err, next.consumed = cut, err, s.Consumed()
				work <- next
				inOrder <- next
			}
		}
	})
	for range parsers {
		own := p.Clone()
		all.Go(func() {
			for next := range work {
				if next.err == nil {
					own.Parse(&next.cut.Block, &next.batch)
					cutter.Release(next.cut.Block)
				}
				next.parsed <- struct{}{}
			}
		})
	}
	for next := range inOrder {
		<-next.parsed
		p.Admit(&next.batch)
		if err := keep(next); err != nil {
			return err
		}
		free <- next
	}
	return ctx.Err()
}

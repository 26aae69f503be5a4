package store

import (
	"sync"

	"gatepost"
)

// Full chunks are packed beside the connection that writes, because packing costs more than all of the
// rest of an Append. They are written in the order in which they became full, and before their transaction
// is committed.

// packing is a full chunk that is being packed.
type packing struct {
	st     *sourceState
	lane   gatepost.Lane
	chunk  openChunk
	packer *packer
	data   []byte // in the packer's memory
	done   chan struct{}
}

// packingMax is how many chunks may be on their way; each holds about a megabyte.
const packingMax = 3

// packers are idle packers. Each has tables of a quarter of a megabyte.
var packers = sync.Pool{New: func() any { return &packer{codec: newCodec()} }}

// pack begins to pack a full chunk. The writer owns its memory until it is written.
func (w *writer) pack(st *sourceState, lane gatepost.Lane, c openChunk) error {
	if err := w.finishPacking(packingMax - 1); err != nil {
		return err
	}
	p := &packing{st: st, lane: lane, chunk: c, done: make(chan struct{})}
	w.packing = append(w.packing, p)
	go func() {
		defer close(p.done)
		p.packer = packers.Get().(*packer)
		p.packer.hasty = w.hasty
		p.data = p.packer.pack(c.columns)
	}()
	return nil
}

// finishPacking writes packed chunks, the oldest first, until no more than left are on their way.
func (w *writer) finishPacking(left int) error {
	for len(w.packing) > left {
		p := w.packing[0]
		w.packing = w.packing[1:]
		<-p.done
		_, err := w.putChunk(p.st, p.lane, &p.chunk, p.data)
		w.recycle(p)
		if err != nil {
			return err
		}
	}
	return nil
}

// dropPacking forgets what is on its way.
func (w *writer) dropPacking() {
	for _, p := range w.packing {
		<-p.done
		w.recycle(p)
	}
	w.packing = nil
}

func (w *writer) recycle(p *packing) {
	packers.Put(p.packer)
	w.free = append(w.free, p.chunk.columns)
}

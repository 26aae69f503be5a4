package main

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// newFollower follows a file.
func (in *ingest) newFollower(w *source.Following) *follower {
	return &follower{fileReading: &fileReading{ingest: in, file: w.File}, following: w, first: gatepost.NoTime, read: in.now()}
}

// follower reads one file while it is written. What is read goes into the store at once, with the position, but for a last record that may
// go on.
//
// While the file has less text than is asked for to tell what it is, that is found out again each time when it has twice as much: see renew.
type follower struct {
	*fileReading
	following *source.Following
	log       string // the path at which it was written, if names tell
	cutter    *source.Cutter
	feed      *feed // nil until something understands the file
	piece     piece
	parsers   map[*parser.Strand]*parser.Parser

	saw   func(*gatepost.Batch)
	held  func(*gatepost.Batch)
	waits func() bool // what is in the file is read elsewhere, as far as it goes

	begins  int64     // where its text begins, behind the hole of a truncation
	looked  int64     // how long the text was when it was last found out what it is
	from    int64     // where the step in hand began
	read    time.Time // when text came last
	backlog backlog
	first   gatepost.Time
	packed  bool           // it is no text that grows
	ended   bool           // it is read no more after this
	atEnd   source.Holding // and this is left then
	err     error
	ctx     context.Context // of the step in hand: the feed outlives it
}

// stepSize is how much of a file is read before the others have their turn.
const stepSize = 4 << 20

// step reads what is new, but no more than stepSize, and returns how much that was.
func (f *follower) step(ctx context.Context) (int64, error) {
	if f.looked < parser.SampleSize && f.length() >= min(2*f.looked, parser.SampleSize) {
		if err := f.renew(ctx); err != nil {
			return 0, err
		}
	}
	if f.feed == nil {
		return 0, nil
	}
	f.from, f.ctx = f.stream.Offset(), ctx
	f.feed.cut(f.some(f.cutter.More(f.stream)))
	n := f.stream.Offset() - f.from
	if n > 0 {
		f.read = f.now()
	}
	if f.err != nil {
		return n, f.err
	}
	if f.strands == nil {
		f.cutter.Mark(f.src)
	}
	f.src.Bytes = f.src.Position - f.start
	err := f.leave(ctx, f.cutter)
	if n > 0 {
		for _, left := range f.left {
			f.see(left)
			f.held(left)
		}
	}
	for _, src := range f.strands {
		f.files[src.ID] = f.file
	}
	return n, err
}

// length is how long the text is now.
func (f *follower) length() int64 { return f.following.Size() - f.begins }

// some ends blocks after stepSize.
func (f *follower) some(blocks iter.Seq2[source.Cut, error]) iter.Seq2[source.Cut, error] {
	return func(yield func(source.Cut, error) bool) {
		end := f.from + stepSize
		for cut, err := range blocks {
			if !yield(cut, err) || f.stream.Offset() >= end {
				return
			}
		}
	}
}

// mayGoOn tells what may go on where the file ends. A file that is still followed may get the rest of a line at any time.
func (f *follower) mayGoOn() source.Holding {
	switch {
	case f.ended:
		return f.atEnd
	case f.feed == nil || f.following.Rewritten() || f.stream.Offset() > f.from || f.behind() > 0:
		return source.LastRecord
	}
	return max(source.LastLine, holding(f.now().Sub(f.read)))
}

// behind is how much is written and not read.
func (f *follower) behind() int64 {
	switch {
	case f.feed == nil && f.src != nil && f.src.Format != "": // after an error: it is read again from there
		return max(0, f.following.Size()-f.src.Position)
	case f.stream == nil || f.feed == nil:
		return f.following.Size()
	}
	return max(0, f.following.Size()-f.stream.Offset())
}

// rewritten reports whether text that was read is not in the file any more.
func (f *follower) rewritten() bool {
	if f.feed != nil {
		f.following.Check(f.stream)
	}
	return f.following.Rewritten()
}

// renew finds out what the file is, and reads it from where it was read before.
func (f *follower) renew(ctx context.Context) error {
	if f.length() == f.looked || f.looked == parser.SampleSize {
		return nil // there is nothing new by which to tell
	}
	if f.feed == nil && f.waits() {
		return nil
	}
	stream, err := f.following.Open()
	if err != nil {
		return err
	}
	if f.packed = stream.Kind != nil; f.packed {
		return stream.Close() // it was empty when it was found
	}
	sample := bytes.Clone(stream.Peek(parser.SampleSize))
	if !telling(sample) {
		return stream.Close()
	}
	if f.rewritten() {
		return stream.Close() // that was another text already
	}
	if f.awaits(sample) {
		return stream.Close()
	}
	if f.src == nil && slices.ContainsFunc(f.alike(sample), func(k gatepost.Source) bool { return !f.busy(k.ID) && isOlderCopy(f.file, &k) }) {
		return stream.Close() // all of it was read
	}
	f.begins, f.looked = stream.Offset(), int64(len(sample))
	if err := f.release(ctx); err != nil {
		return err
	}
	f.fileReading = &fileReading{ingest: f.ingest, file: f.following.File, stream: stream, sample: sample, done: make(chan struct{})}
	if err := f.prepare(ctx); err != nil || f.parser == nil {
		return errors.Join(err, f.stream.Close())
	}
	if err := f.growHead(ctx); err != nil {
		return err
	}
	f.cutter = &source.Cutter{Source: f.src.ID, Starts: f.parser.Starts(), Ends: f.parser.Ends(), Hold: f.mayGoOn}
	f.cutter.Begin(f.stream, f.src)
	f.parsers = make(map[*parser.Strand]*parser.Parser)
	f.knows(f.src)
	f.feed = newFeed(f.cutter, f.stream, *f.src, f.parser, func(fill func(*piece)) bool {
		fill(&f.piece)
		f.err = f.take(f.ctx, &f.piece)
		return f.err == nil
	})
	return nil
}

// awaits reports whether there is not yet enough text to find again where reading ended.
func (f *follower) awaits(sample []byte) bool {
	return slices.ContainsFunc(f.known, func(k gatepost.Source) bool {
		if f.busy(k.ID) || !f.following.Awaits(&k) {
			return false
		}
		return source.BeginsLike(sample, &k) || len(sample) < k.HeadSize && k.Path == f.file.Path && f.now().Sub(f.read) < over
	})
}

// take parses a piece and keeps it.
func (f *follower) take(ctx context.Context, next *piece) error {
	if next.err != nil {
		return next.err
	}
	if next.strand != nil {
		p := f.parsers[next.strand]
		if p == nil {
			p = next.strand.Parser.Clone()
			f.parsers[next.strand] = p
		}
		p.Parse(&next.block, &next.batch)
		next.strand.Parser.Admit(&next.batch)
		f.feed.release(next)
		f.see(&next.batch)
		f.saw(&next.batch)
	}
	return f.put(ctx, next)
}

// see notes from when on a failure may have come with what was read, by raw stamps.
func (f *follower) see(b *gatepost.Batch) {
	seen := gatepost.Batch{First: f.first, Last: gatepost.NoTime}
	for i := range b.Events {
		if b.Events[i].Kind == gatepost.NginxRequest {
			seen.See(b.Events[i].Time)
		}
	}
	f.first = seen.First
}

// growHead makes the head by which a file is known as long as heads are, when there is enough text for that by now.
func (f *follower) growHead(ctx context.Context) error {
	size, hash := source.Head(f.sample)
	if f.src.Position == 0 { // what is read may be held for a while, and that the file was there must be known
		if err := f.save(ctx); err != nil {
			return err
		}
	}
	if size <= f.src.HeadSize || slices.ContainsFunc(f.known, func(k gatepost.Source) bool { return k.ID != f.src.ID && k.Head == hash && k.HeadSize == size }) {
		return nil
	}
	was := *f.src
	f.src.HeadSize, f.src.Head = size, hash
	for _, strand := range f.strands {
		if strand != f.src && isStrandOf(&was, strand) {
			strand.HeadSize, strand.Head = size, strandHead(f.src, strand.Strand, strand.Host)
		}
	}
	return f.save(ctx)
}

// save writes the rows of the file as they are, for others to know.
func (f *follower) save(ctx context.Context) error {
	for _, src := range f.sources() {
		if err := f.store.SaveSource(ctx, src); err != nil {
			return err
		}
		f.knows(src)
	}
	return nil
}

// forget leaves what was read of the file as the store has it, after an error.
func (f *follower) forget() {
	if f.feed != nil {
		f.stream.Close() // it is only looked at
	}
	for _, src := range f.sources() {
		delete(f.files, src.ID)
	}
	f.feed, f.left, f.looked, f.err, f.strands = nil, nil, 0, nil, nil
	if f.src != nil {
		i := slices.IndexFunc(f.known, func(k gatepost.Source) bool { return k.ID == f.src.ID })
		if i < 0 {
			f.src = nil
			return
		}
		stored := f.known[i]
		f.src = &stored
	}
}

// release lets go of the rows of the file, so that its text can be read on elsewhere.
func (f *follower) release(ctx context.Context) error {
	if f.feed == nil {
		return nil
	}
	f.feed, f.left = nil, nil
	err := f.save(ctx)
	for _, src := range f.sources() {
		delete(f.files, src.ID)
	}
	return errors.Join(err, f.stream.Close())
}

// moved notes that the file has another path by now.
func (f *follower) moved(path string) {
	f.following.Path = path
	for _, src := range f.sources() {
		src.Path = path
	}
}

// finish reads the file to its end, and leaves there what is held.
func (f *follower) finish(ctx context.Context, hold source.Holding) error {
	if f.looked < parser.SampleSize && f.length() > f.looked {
		if err := f.renew(ctx); err != nil {
			return err
		}
	}
	if f.feed == nil {
		return nil
	}
	f.ended, f.atEnd = true, hold
	for {
		n, err := f.step(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

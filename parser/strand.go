package parser

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"gatepost"
)

// Several programs write into one file where containers, syslog or the journal collect their lines. A Sorter takes the
// wrapping off the lines of such a file and sorts them by who wrote them; the lines of each are a log of their own, a
// Strand, in which records are whole again though others wrote in between.
//
//	Block of the file ──Add──▶ Sorter ──Ready──▶ Strand ──Take──▶ Block of its lines, with their Places
//
// A strand is understood by its lines alone: what it is, is decided when enough of them are there.
type Sorter struct {
	wrapping *Wrapping
	options  *Options
	depth    int
	within   string // the strand that all this is inside of

	resume  func(*Strand)
	strands map[strandKey]*Strand
	order   []*Strand // in the order of appearance
	at      int64     // offset of the last entry
	last    *Strand   // of the last entry
	head    int       // bytes of its head
	entry   entry
	kind    []byte // scratch memory for kinds of unknown lines

	entries    int // of the sample
	headless   int // lines of the sample that are no entries
	understood int // lines of the sample inside strands that are understood, twice those of a log that is a program's own
}

type strandKey struct{ host, name string }

const (
	// strandBlock is from how much text on a strand is worth a block.
	strandBlock = 64 << 10
	// strandLimit is from how much text on a record of a strand is cut: those of a file are cut by the Cutter.
	strandLimit = 4 << 20
	// decideSize is how much of a strand is enough to decide what it is while more of it is to come.
	decideSize = 32 << 10
	// farBehind is how far behind the others a record is over: it does not go on after so much text of them.
	farBehind = 4 << 20
	// maxStrands bounds the strands of a file, undecidedLimit what is held back of all that are not decided. Whoever
	// comes later, or writes too little too slowly, is decided by what is there.
	maxStrands     = 500
	undecidedLimit = 8 << 20
)

// Strand is the log of one program among those that write into a file.
type Strand struct {
	Name, Host string
	Parser     *Parser // nil while it is not decided, and when nothing understands it
	Lines      int64   // of the file that were sorted into it
	// Known names the format that the strand had when it was read before; From is the offset up to which it is
	// kept. Whoever knows sets both before anything is added.
	Known string
	From  int64

	sorter  *Sorter
	decided bool
	rest    bool           // what format syslog reads
	idle    bool           // and makes nothing of: its lines are counted
	seen    gatepost.Batch // what is counted of them
	strange int64          // bytes of lines that nothing understands
	inner   *Sorter        // what is inside is wrapped again
	raw     []byte         // entries, as they are, while it is not decided
	data    []byte         // lines, in the end
	places  []gatepost.Place
	part    bool  // the last line goes on
	end     int64 // behind the last entry
	endLine int64
	worth   gatepost.Stamps
	dialect string  // of the heads
	guess   *Parser // what the beginning of the log looks like, and how many lines of it there were
	sampled int
}

func newSorter(w *Wrapping, o *Options, depth int) *Sorter {
	return &Sorter{wrapping: w, options: o, depth: depth, strands: make(map[strandKey]*Strand)}
}

// learn looks at the beginning of a log: it decides the strands that it shows enough of, and reports whether the
// wrapping holds and anything inside is understood. Nothing of the sample stays.
func (s *Sorter) learn(sample []byte) bool {
	s.Add(&gatepost.Block{Line: 1, Data: s.wrapping.whole(sample)})
	if s.entries == 0 || s.entries*1000 < headShare*(s.entries+s.headless) {
		return false
	}
	for _, st := range s.order {
		meaning := meaning{parser: st.Parser, inner: st.inner}
		if !st.decided {
			// What little there is tells whether the wrapping holds. More of it may tell better what the strand is.
			if meaning = st.meaning(); len(st.raw) >= decideSize {
				st.decide(meaning)
			}
		}
		st.guess, st.sampled = meaning.parser, int(st.Lines)
		if meaning.inner != nil {
			st.guess = meaning.inner.main()
		}
		switch {
		case st.guess == nil:
		case st.guess.Format.system():
			s.understood += st.sampled
		default:
			s.understood += 2 * st.sampled // two wrappings may hold: the one that shows what is inside is better
		}
		st.forget()
	}
	s.last = nil
	return s.understood > 0
}

// forget drops all that is held of a strand.
func (st *Strand) forget() {
	st.raw, st.data, st.places, st.part, st.Lines, st.seen = nil, nil, nil, false, 0, unseen()
	st.strange = 0
	if st.inner != nil {
		for _, x := range st.inner.order {
			x.forget()
		}
	}
}

// main returns the parser of the strand that wrote most of the sample.
func (s *Sorter) main() *Parser {
	var best *Strand
	for _, st := range s.order {
		if st.guess != nil && (best == nil || best.idle && !st.idle || best.idle == st.idle && st.sampled > best.sampled) {
			best = st
		}
	}
	p := best.guess
	if p.strand == nil {
		p.strand = best
	}
	p.sorter = s
	return p
}

// Add sorts the entries of a block, which must be whole.
func (s *Sorter) Add(b *gatepost.Block) {
	ref := gatepost.Ref{Source: b.Source, Offset: b.Offset, Line: b.Line}
	for data := b.Data; len(data) > 0; {
		end, lines := 0, int64(0)
		for end < len(data) && (lines == 0 || s.wrapping.Starts != nil && !s.wrapping.Starts(trimEOL(data[end:end+lineEnd(data[end:])]))) {
			end += lineEnd(data[end:])
			lines++
		}
		raw := bytes.TrimSuffix(data[:end], newline)
		ref.Length = len(raw)
		s.add(bytes.TrimSuffix(raw, []byte{'\r'}), gatepost.Place{Ref: ref, Lines: lines, Time: gatepost.NoTime})
		data = data[end:]
		ref.Offset += int64(end)
		ref.Line += lines
	}
	s.relieve()
}

// add sorts one entry.
func (s *Sorter) add(raw []byte, at gatepost.Place) {
	e := &s.entry
	*e = entry{dated: undated, scratch: e.scratch[:0]}
	if s.wrapping.Read(raw, e, s.options) {
		s.entries++
		s.last = s.strand(e)
		s.head = len(raw) - len(e.text)
	} else {
		if len(raw) == 0 || journalNoise(raw) {
			return
		}
		s.headless++
		if s.last == nil {
			return
		}
		// The message before goes on; journalctl sets it in by as much as its head is long.
		e.text = raw
		for n := 0; n < s.head && hasPrefix(e.text, " "); n++ {
			e.text = e.text[1:]
		}
	}
	if at.Ref.Offset < s.last.From {
		return
	}
	at.Time, at.PID = e.at, e.pid
	s.at = at.Ref.Offset
	s.last.add(raw, e, at)
}

// strand returns whose an entry is.
func (s *Sorter) strand(e *entry) *Strand {
	if s.last != nil && s.last.Host == string(e.host) && s.last.Name == join(s.within, string(e.name)) && !e.system {
		return s.last
	}
	key := strandKey{string(e.host), string(e.name)}
	if e.system {
		key.name = ""
	}
	st := s.strands[key]
	if st != nil {
		return st
	}
	if len(s.order) >= maxStrands {
		key = strandKey{}
		if st = s.strands[key]; st != nil {
			return st
		}
	}
	st = s.named(key)
	st.worth, st.dialect = e.worth, e.dialect
	if e.system || s.wrapping.Syslog != nil && key.name == "" {
		st.decide(meaning{parser: st.syslog()})
	}
	return st
}

func (s *Sorter) named(key strandKey) *Strand {
	st := &Strand{seen: unseen(), Name: join(s.within, key.name), Host: key.host, sorter: s, worth: gatepost.StampsNone}
	s.strands[key] = st
	s.order = append(s.order, st)
	if s.resume != nil {
		s.resume(st)
	}
	return st
}

// Resume lets f see every strand, those that are there and those to come, before anything is added to it: f sets Known
// and From where the strand was read before.
func (s *Sorter) Resume(f func(*Strand)) {
	s.resume = f
	for _, st := range s.order {
		f(st)
		if st.inner != nil {
			st.inner.Resume(f)
		}
	}
}

// add keeps an entry.
func (st *Strand) add(raw []byte, e *entry, at gatepost.Place) {
	st.Lines += at.Lines
	st.end, st.endLine = at.Ref.Offset+int64(at.Ref.Length)+1, at.Ref.Line+at.Lines
	switch {
	case !st.decided:
		at.At = len(st.raw)
		st.places = append(st.places, at)
		st.raw = append(append(st.raw, raw...), '\n')
		if len(st.raw) >= SampleSize {
			st.settle()
		}
	case st.inner != nil:
		st.inner.add(e.text, at)
	case st.idle:
		st.seen.Lines += at.Lines
		st.seen.See(at.Time)
	case st.rest:
		at.At = len(st.data)
		st.places = append(st.places, at)
		st.data = append(st.sorter.wrapping.Syslog(st.data, raw, e), '\n')
	case st.Parser != nil:
		st.addText(e, at)
	default:
		st.countStrange(e.text, at)
	}
}

// addText keeps the text of an entry.
func (st *Strand) addText(e *entry, at gatepost.Place) {
	if st.part {
		st.data = st.data[:len(st.data)-1] // the line goes on
	} else {
		at.At = len(st.data)
		if e.worth != st.worth {
			at.Time = gatepost.NoTime
		}
		st.places = append(st.places, at)
	}
	text := e.text
	if contains(text, "\n") { // a message of several lines
		text = bytes.TrimRight(text, "\r\n")
	}
	st.data = append(append(st.data, text...), '\n')
	st.part = e.part
}

// meaning is what a strand may be: one of these, or nothing that is understood.
type meaning struct {
	parser *Parser
	inner  *Sorter
}

// meaning finds out what a strand is, by the entries that are there.
func (st *Strand) meaning() meaning {
	s := st.sorter
	sample := Strand{sorter: s, worth: st.worth}
	for h := range st.entries() {
		sample.addText(h.entry, h.at)
	}
	text := wholeLines(sample.data[:min(len(sample.data), SampleSize)])
	p, inner := detect(text, s.options, s.depth+1, s.wrapping.Syslog == nil)
	if p == nil && inner == nil && st.Known != "" {
		if f := Lookup(st.Known); f != nil && !f.system() {
			_, dialect, state := f.Sniff(text, s.options)
			p = newParser(f, dialect, state, s.options)
		}
	}
	switch {
	case inner != nil:
		inner.within = st.Name
		for _, x := range inner.order {
			x.Name, x.Host = join(st.Name, x.Name), cmp.Or(x.Host, st.Host)
		}
		if s.resume != nil {
			inner.Resume(s.resume)
		}
	case p != nil:
		p.heads = st.worth
		p.Dialect += " in " + s.wrapping.Name
	case s.wrapping.Syslog != nil:
		p = st.syslog()
	}
	return meaning{p, inner}
}

// syslog returns a parser for what is of no program whose log is known.
func (st *Strand) syslog() *Parser {
	return newParser(Lookup("syslog"), st.dialect, st.worth, st.sorter.options)
}

func (st *Strand) decide(m meaning) {
	st.decided, st.Parser, st.inner = true, m.parser, m.inner
	st.rest = st.Parser != nil && st.Parser.Format.Name == "syslog"
	st.idle = st.rest && st.Name != "" && readerOf(&syslogHead{tag: []byte(st.Name)}) == readNothing
}

// heldEntry is an entry of a strand that is not decided.
type heldEntry struct {
	raw   []byte
	entry *entry
	at    gatepost.Place
}

// entries yields the entries that are held while the strand is not decided.
func (st *Strand) entries() iter.Seq[heldEntry] {
	return func(yield func(heldEntry) bool) {
		e := new(entry)
		for i, at := range st.places {
			end := len(st.raw)
			if i+1 < len(st.places) {
				end = st.places[i+1].At
			}
			raw := st.raw[at.At : end-1]
			*e = entry{dated: undated, scratch: e.scratch[:0]}
			if !st.sorter.wrapping.Read(raw, e, st.sorter.options) {
				e.text = raw
			}
			if !yield(heldEntry{raw, e, at}) {
				return
			}
		}
	}
}

// settle decides what a strand is, and lets its entries go on.
func (st *Strand) settle() {
	st.decide(st.meaning())
	held := Strand{sorter: st.sorter, raw: st.raw, places: st.places}
	lines := st.Lines
	st.raw, st.places = nil, nil
	for h := range held.entries() {
		st.add(h.raw, h.entry, h.at)
	}
	st.Lines = lines
}

// relieve settles strands that are far behind the others, and when too much is held back, the largest first.
func (s *Sorter) relieve() {
	held := 0
	for _, st := range s.order {
		if !st.decided && st.behind() {
			st.settle()
		}
		held += len(st.raw)
	}
	for held > undecidedLimit {
		most := slices.MaxFunc(s.order, func(a, b *Strand) int { return len(a.raw) - len(b.raw) })
		held -= len(most.raw)
		most.settle()
	}
}

// behind reports whether the first entry that is held lies far before the last one of the file.
func (st *Strand) behind() bool {
	return len(st.places) > 0 && st.places[0].Ref.Offset < st.sorter.at-farBehind
}

// Strands yields the strands that have appeared, in the order of their appearance, those inside of others among them.
func (s *Sorter) Strands() iter.Seq[*Strand] {
	return func(yield func(*Strand) bool) { s.each(yield) }
}

func (s *Sorter) each(yield func(*Strand) bool) bool {
	for _, st := range s.order {
		if st.inner != nil {
			if !st.inner.each(yield) {
				return false
			}
		} else if !yield(st) {
			return false
		}
	}
	return true
}

// Share says how much of the text that a Sorter holds is asked for.
type Share int

const (
	Enough Share = iota // whole records, where they are worth a block
	Whole               // whole records
	All                 // what is there: nothing will be added
)

// Ready yields the strands that have a share of text for a block. Whoever asks takes it.
func (s *Sorter) Ready(share Share) iter.Seq[*Strand] {
	return func(yield func(*Strand) bool) {
		if share == All {
			s.settleAll()
		}
		for st := range s.Strands() {
			if st.Parser == nil || share == Enough && len(st.data) < strandBlock && !st.behind() {
				continue
			}
			if st.cut(share) > 0 && !yield(st) {
				return
			}
		}
	}
}

// Left yields what was not taken, since it may go on, as if nothing came any more. It stays where it is; a strand that is not decided is
// yielded as what it seems to be by now.
func (s *Sorter) Left() iter.Seq2[*Strand, gatepost.Block] {
	return func(yield func(*Strand, gatepost.Block) bool) { s.left(yield) }
}

func (s *Sorter) left(yield func(*Strand, gatepost.Block) bool) bool {
	for _, st := range s.order {
		if !st.decided && len(st.raw) > 0 {
			guess := *st
			guess.settle()
			st = &guess
		}
		switch {
		case st.inner != nil:
			if !st.inner.left(yield) {
				return false
			}
		case st.Parser != nil && len(st.data) > 0:
			if !yield(st, gatepost.Block{Data: st.data, Places: st.places}) {
				return false
			}
		}
	}
	return true
}

func (s *Sorter) settleAll() {
	for _, st := range s.order {
		if !st.decided {
			st.settle()
		}
		if st.inner != nil {
			st.inner.settleAll()
		}
	}
}

// cut returns the end of the share of text that is there: of its last record that is surely whole, or of all.
func (st *Strand) cut(share Share) int {
	whole := len(st.data)
	if share == All || whole == 0 || st.behind() {
		return whole
	}
	if st.part {
		whole = st.places[len(st.places)-1].At
	}
	starts := st.Parser.recordStarts()
	if starts == nil || st.rest {
		return whole
	}
	for i := len(st.places) - 1; i > 0; i-- {
		at := st.places[i].At
		if starts(trimEOL(st.data[at : at+lineEnd(st.data[at:])])) {
			return at
		}
	}
	if len(st.data) < strandLimit {
		return 0
	}
	return whole
}

// Take moves a share of text into a block, whose memory is used again.
func (st *Strand) Take(b *gatepost.Block, share Share) {
	n := st.cut(share)
	k, _ := slices.BinarySearchFunc(st.places, n, func(p gatepost.Place, at int) int { return p.At - at })
	rest, places := append(b.Data[:0], st.data[n:]...), append(b.Places[:0], st.places[k:]...)
	for i := range places {
		places[i].At -= n
	}
	*b = gatepost.Block{Data: st.data[:n], Places: st.places[:k]}
	st.data, st.places = rest, places
}

// Counted returns what was counted of lines of which nothing is made, since it was last asked: of a strand that is known, and such
// that nothing is made of it, and of one that no format knows. The kinds of the latter are counted too, and size is that of its text.
func (st *Strand) Counted() (seen gatepost.Batch, size int64, ok bool) {
	seen, st.seen = st.seen, unseen()
	size, st.strange = st.strange, 0
	if seen.Stamps = st.worth; st.Parser == nil {
		seen.Stamps = gatepost.StampsNone // its stamps tell nothing that counts
	}
	return seen, size, seen.Lines > 0
}

func unseen() gatepost.Batch { return gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime} }

// Pending is the least offset of an entry that was added and not taken; ok is false when there is none.
func (s *Sorter) Pending() (offset int64, ok bool) {
	for _, st := range s.order {
		at, some := int64(0), false
		if st.inner != nil {
			at, some = st.inner.Pending()
		} else if len(st.places) > 0 {
			at, some = st.places[0].Ref.Offset, true
		}
		if some && (!ok || at < offset) {
			offset, ok = at, true
		}
	}
	return offset, ok
}

// Kept is up to where the file's entries of this strand have been taken: an offset, and the number of the line there.
func (st *Strand) Kept() (offset, line int64) {
	if len(st.places) > 0 {
		return st.places[0].Ref.Offset, st.places[0].Ref.Line
	}
	return st.end, st.endLine
}

// join names a strand inside of another.
func join(outer, inner string) string {
	if outer == "" || inner == "" {
		return outer + inner
	}
	return outer + "/" + inner
}

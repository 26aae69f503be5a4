package parser

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"gatepost"
)

// Wrapping is what a shipper puts round the lines of programs: a constant value that documents itself. What it does
// not tell apart by its content, and what is inside no log that is known, it is not.
type Wrapping struct {
	Name string // "docker json-file"
	Doc  string // how it looks, and where the facts come from
	// Vague says that the head is of words that may stand before any line: it is asked for when nothing else is found,
	// and what is inside must be understood better than the whole line.
	Vague bool

	// Starts reports whether an entry begins with this line; nil when every line is an entry.
	Starts func(line []byte) bool
	// Ends reports whether an entry is surely over with its last line; nil when only the next one tells. It counts where
	// a log is read while it is written.
	Ends func(entry []byte) bool
	// Read takes an entry apart, and reports whether it is one. It may use e.scratch, which is kept from entry to
	// entry, for the text.
	Read func(raw []byte, e *entry, o *Options) bool
	// Syslog appends an entry as a line that format syslog reads: what is of no program whose log is known is read so.
	// It is nil where the wrapping does not tell who wrote a line.
	Syslog func(dst, raw []byte, e *entry) []byte

	// Example puts the wrapping round a line that a program wrote, as the shipper does.
	Example func(program, line string, at time.Time) string
}

// entry is one line of a program, taken out of its wrapping. Its texts are valid until the next is read.
type entry struct {
	dated          // when it was written
	dialect string // of its head, as format syslog would name it
	host    []byte // machine, empty when not told
	name    []byte // program, container, stream: whoever's lines form one log
	pid     int    // 0 when not told
	text    []byte
	part    bool // the line goes on in the next entry of its program
	system  bool // of the kernel or of systemd: what format syslog reads

	scratch []byte
}

var wrappings []*Wrapping

func registerWrapping(w Wrapping) *Wrapping {
	wrappings = append(wrappings, &w)
	return &w
}

// Wrappings returns all registered wrappings by name.
func Wrappings() []*Wrapping {
	all := slices.Clone(wrappings)
	slices.SortFunc(all, func(a, b *Wrapping) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return all
}

const (
	// wrappedShare is how many per mille of the lines inside a wrapping a format must recognise.
	wrappedShare = 500
	// headShare is how many per mille of the lines of a log must be entries of its wrapping.
	headShare = 800
	// wrappingDepth is how many wrappings may lie round each other: a container's stamp behind a service's name
	// behind the head of a syslog line.
	wrappingDepth = 4
)

// detectWrapped finds the wrapping inside of which most lines are understood, among those that are vague or those that are
// not, nil when there is none.
func detectWrapped(sample []byte, o *Options, depth int, vague bool) *Sorter {
	var best *Sorter
	for _, w := range Wrappings() {
		if w.Vague != vague {
			continue
		}
		s := newSorter(w, o, depth)
		if !s.learn(sample) {
			continue
		}
		// Where a head names host and program, it is no accident that a stamp stands at its beginning.
		named := func(s *Sorter) bool { return s.wrapping.Syslog != nil }
		if best == nil || named(s) && !named(best) || named(s) == named(best) && s.understood > best.understood {
			best = s
		}
	}
	return best
}

// whole cuts a sample before its last entry, where that has several lines and is not over: its lines would count as those of no entry.
func (w *Wrapping) whole(sample []byte) []byte {
	if w.Starts == nil || w.Ends == nil {
		return sample
	}
	for end := len(sample); end > 0; {
		begin := bytes.LastIndexByte(sample[:end-1], '\n') + 1
		if w.Starts(sample[begin:]) {
			if begin > 0 && !w.Ends(sample[begin:]) {
				return sample[:begin]
			}
			break
		}
		end = begin
	}
	return sample
}

// outer points a reference into the data of a block at the entries that its lines were wrapped in, as far as these stand
// side by side.
func outer(r gatepost.Ref, places []gatepost.Place) gatepost.Ref {
	first, found := slices.BinarySearchFunc(places, int(r.Offset), func(p gatepost.Place, at int) int { return p.At - at })
	if !found {
		first--
	}
	end := int(r.Offset) + max(1, r.Length)
	whole := places[first].Ref
	for _, p := range places[first+1:] {
		if p.At >= end || p.Ref.Offset != whole.Offset+int64(whole.Length)+1 {
			break
		}
		whole.Length += 1 + p.Ref.Length
	}
	r.Offset, r.Length, r.Line = whole.Offset, whole.Length, whole.Line
	return r
}

// rewrap points everything in out at the source, and dates what only the wrapping dates.
func (p *Parser) rewrap(b *gatepost.Block, out *gatepost.Batch) {
	undated := out.Stamps == gatepost.StampsNone && p.heads != gatepost.StampsNone
	for i := range out.Requests {
		out.Requests[i].Ref = outer(out.Requests[i].Ref, b.Places)
	}
	for i := range out.Events {
		e := &out.Events[i]
		first, _ := slices.BinarySearchFunc(b.Places, int(e.Ref.Offset)+1, func(p gatepost.Place, at int) int { return p.At - at })
		head := &b.Places[first-1]
		if undated {
			e.Time, e.PID = head.Time, cmp.Or(e.PID, head.PID)
		}
		e.Ref = outer(e.Ref, b.Places)
	}
	for i := range out.Unparsed {
		out.Unparsed[i] = outer(out.Unparsed[i], b.Places)
	}
	out.Unknown.Move(func(r gatepost.Ref) gatepost.Ref { return outer(r, b.Places) })
	if undated {
		out.Stamps = p.heads
		for i := range b.Places {
			out.See(b.Places[i].Time)
		}
	}
	out.Lines = 0
	for i := range b.Places {
		out.Lines += b.Places[i].Lines
	}
}

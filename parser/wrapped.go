package parser

import (
	"bytes"
	"sort"

	"gatepost"
)

// Logs often come with the head of a syslog line before every line, as rsyslog and journalctl write
// them. A wrapped parser takes the heads off, lets the format read what is left, and points the
// references of what it found at the whole lines.

// wrapped is the scratch of a parser whose lines stand behind the heads of syslog lines.
type wrapped struct {
	inner []byte   // the lines without their heads
	at    [][2]int // of each line: where it begins in inner and in the block
}

// wrappedShare is how many per mille of the lines behind syslog heads a format must recognise.
const wrappedShare = 500

// detectWrapped finds a format behind the heads of syslog lines, nil when there is none: a syslog of
// many programs is a format of its own.
func detectWrapped(sample []byte, o *Options) *Parser {
	var w wrapped
	heads := 0
	w.unwrap(sample, o, &heads)
	if heads*5 < len(w.at)*4 {
		return nil
	}
	var best *Parser
	most := wrappedShare - 1
	for _, f := range Formats() {
		if f.Program == "kernel" || f.Program == "systemd" || f.Name == "stderr" {
			continue // those lines are what format syslog reads
		}
		if score, dialect, state := f.Sniff(w.inner, o); score > most {
			best, most = newParser(f, dialect+" in syslog", state, o), score
		}
	}
	if best != nil {
		best.wrapped = new(wrapped)
	}
	return best
}

// unwrap fills inner with the lines of data without their heads, and counts the heads.
func (w *wrapped) unwrap(data []byte, o *Options, heads *int) {
	w.inner, w.at = w.inner[:0], w.at[:0]
	for pos := 0; pos < len(data); {
		end := pos + lineEnd(data[pos:])
		w.at = append(w.at, [2]int{len(w.inner), pos})
		line := trimEOL(data[pos:end])
		if h, ok := readSyslogHead(line, o); ok {
			*heads++
			line = h.msg
		}
		if contains(line, "#0") {
			w.inner = unescapeSyslog(w.inner, line)
		} else {
			w.inner = append(w.inner, line...)
		}
		if end > pos && data[end-1] == '\n' {
			w.inner = append(w.inner, '\n')
		}
		pos = end
	}
}

// parse reads a block whose lines have heads.
func (w *wrapped) parse(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	heads := 0
	w.unwrap(b.Data, p.Options, &heads)
	p.Format.Parse(p, &gatepost.Block{Source: b.Source, Line: b.Line, Data: w.inner}, out)
	for i := range out.Requests {
		out.Requests[i].Ref = w.outer(out.Requests[i].Ref, b)
	}
	for i := range out.Events {
		out.Events[i].Ref = w.outer(out.Events[i].Ref, b)
	}
	for i := range out.Unparsed {
		out.Unparsed[i] = w.outer(out.Unparsed[i], b)
	}
}

// outer points a reference into inner at the whole lines of the block.
func (w *wrapped) outer(r gatepost.Ref, b *gatepost.Block) gatepost.Ref {
	line := func(inner int64) int {
		return sort.Search(len(w.at), func(i int) bool { return int64(w.at[i][0]) > inner }) - 1
	}
	first, last := line(r.Offset), line(r.Offset+int64(max(0, r.Length-1)))
	begin, end := w.at[first][1], len(b.Data)
	if last+1 < len(w.at) {
		end = w.at[last+1][1]
	}
	r.Offset = b.Offset + int64(begin)
	r.Length = len(trimEOL(b.Data[begin:end]))
	return r
}

// Starts reports whether a record begins with a line; it is nil when every line is a record.
func (p *Parser) Starts() func(line []byte) bool {
	starts := p.Format.Starts
	if s, ok := p.State.(starter); ok {
		starts = s.starts
	}
	if p.wrapped == nil || starts == nil {
		return starts
	}
	return func(line []byte) bool {
		if h, ok := readSyslogHead(line, p.Options); ok {
			line = h.msg
		}
		return starts(bytes.TrimPrefix(line, []byte("#011")))
	}
}

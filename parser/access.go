package parser

import (
	"time"

	"gatepost"
)

// Access lines of all gateways become the same: a Request, and an NginxRequest where they are notable. A gateway's
// format says how a line is read; the rest is here.

// accessNotation is how one gateway writes its access log.
type accessNotation struct {
	// read reads an access line; false is a line that is none.
	read func(r *accessReader, p *Parser, line []byte) bool
	// other appends the event of a line that is no access line, if it has one; false is a line that it does not know.
	other func(p *Parser, out *gatepost.Batch, ref gatepost.Ref, line []byte) bool
}

// hop is what a line of a gateway that makes one try tells of it. Its words are pieces of the line.
type hop struct {
	told            bool
	backend, server []byte // "odoo" and "o1"; an address has no server
	connect, header time.Duration
	response        time.Duration
	phase           gatepost.Phase // "" where the line does not tell
	state           []byte         // HAProxy's termination state
}

// attempts are the one try of a request, or none where no server was chosen.
func (h *hop) attempts(status int) []gatepost.Attempt {
	if len(h.backend) == 0 {
		return []gatepost.Attempt{}
	}
	a := gatepost.Attempt{Addr: clip(h.backend), Status: status, Connect: h.connect, Header: h.header, Response: h.response}
	if len(h.server) > 0 {
		a.Addr += "/" + clip(h.server)
	}
	return []gatepost.Attempt{a}
}

// parse reads a block of an access log.
func (n *accessNotation) parse(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	r := p.access
	defer r.forget()
	r.ended = gatepost.NoTime
	out.Resolution = time.Second
	ref := gatepost.Ref{Source: b.Source, Offset: b.Offset, Line: b.Line}
	for data := b.Data; len(data) > 0; ref.Line++ {
		end := lineEnd(data)
		line := trimEOL(data[:end])
		ref.Length = len(line)
		switch {
		case n.read(r, p, line):
			key, route := r.hashes(p, out)
			r.record(out.AddRequest(), ref, key, route)
			r.ended = r.stamp.at
			out.See(r.stamp.at)
			out.Resolution = min(out.Resolution, r.stamp.resolution)
			if p.Options.notable(r.status, r.took) {
				out.Events = append(out.Events, r.event(ref, line))
			}
		case blank(line), n.other(p, out, ref, line):
		default:
			out.Skip(ref, 1)
		}
		data, ref.Offset = data[end:], ref.Offset+int64(end)
	}
}

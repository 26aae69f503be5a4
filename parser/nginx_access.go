package parser

import (
	"bytes"
	"slices"
	"time"

	"gatepost"
)

var _ = Register(Format{
	Name:    "nginx_access",
	Title:   "nginx access log",
	Program: "nginx",
	Doc: "combined, with a virtual host before it or key=value fields behind it; JSON by the names of its keys; " +
		"the default format of ingress-nginx; any log_format from nginx.conf or --nginx-format. " +
		"Error-log lines in between, as containers print them, are read as nginx_error does. " +
		"Facts: ngx_http_log_module.c, ngx_http_upstream.c.",
	Kinds: append([]gatepost.Kind{gatepost.NginxRequest}, nginxErrorKinds...),
	Sniff: sniffAccess,
	Parse: parseAccess,
})

// accessDialect is what Parse needs to know of a source.
type accessDialect struct {
	// formats are tried in this order, the first is the source's own. An administrator changes
	// the format of a log while it is written, and a 502 before the change is a 502 still.
	formats []*logFormat
	// east is the offset of the first stamp in seconds: the zone of error lines in between.
	east int
}

// sniffAccess counts the lines that each known format explains. A configured format is chosen
// when it explains most of the access lines whole: its names are the administrator's own.
func sniffAccess(sample []byte, o *Options) (score int, dialect string, state any) {
	configured := compileFormats(o.NginxFormats)
	exact := append(slices.Clone(configured), ingress)
	whole := make([]int, len(exact))
	r := accessReader{formats: append([]*logFormat{jsonKeys, combined, similar}, exact...)}
	d := &accessDialect{}
	var lines, access, errors, objects, alike, fields int
	for rec := range records(&gatepost.Block{Data: sample}, nil) {
		if blank(rec.line) {
			continue
		}
		lines++
		for i, f := range exact {
			if f.whole(rec.line) {
				whole[i]++
			}
		}
		switch {
		case r.read(rec.line):
			if access++; access == 1 {
				d.east = r.stamp.east
			}
			switch r.format {
			case jsonKeys:
				objects++
			case similar:
				alike++
			}
			if r.fields > 0 {
				fields++
			}
		case isErrorLine(rec.line):
			errors++
		}
	}
	chosen, dialect := combined, "combined"
	if fields*2 > access {
		dialect = "combined+fields"
	}
	if objects*2 > access {
		chosen, dialect = jsonKeys, "json"
	}
	if alike*2 > access {
		chosen, dialect = similar, similar.name
	}
	most := access / 2
	for i, f := range exact {
		if whole[i] > most {
			most, chosen, dialect = whole[i], f, f.dialect()
		}
	}
	d.formats = append([]*logFormat{chosen}, append(configured, jsonKeys, combined, similar)...)
	if access > 0 {
		score = (access + errors) * 1000 / lines
	}
	return score, dialect, d
}

// compileFormats leaves out the formats that cannot tell a failure.
func compileFormats(formats []NginxFormat) []*logFormat {
	var all []*logFormat
	for _, f := range formats {
		if c, err := compileFormat(f); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// dialect is what a source in this format is said to be.
func (f *logFormat) dialect() string {
	if f == ingress {
		return f.name
	}
	return "log_format " + f.name
}

func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

func parseAccess(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	d := p.State.(*accessDialect)
	r := accessReader{formats: d.formats, own: d.formats[0]}
	out.Resolution = time.Second
	ref := gatepost.Ref{Source: b.Source, Offset: b.Offset, Line: b.Line}
	for data := b.Data; len(data) > 0; ref.Line++ {
		end := lineEnd(data)
		line := trimEOL(data[:end])
		ref.Length = len(line)
		switch {
		case r.read(line):
			key, route := r.hashes(p, out)
			out.Requests = append(out.Requests, r.record(ref, key, route))
			out.See(r.stamp.at)
			out.Resolution = min(out.Resolution, r.stamp.resolution)
			if p.Options.notable(r.status, r.took) {
				out.Events = append(out.Events, r.event(ref, line))
			}
		case blank(line), appendErrorLine(out, ref, line, d.east):
		default:
			out.Skip(ref, 1)
		}
		data, ref.Offset = data[end:], ref.Offset+int64(end)
	}
}

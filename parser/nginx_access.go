package parser

import (
	"bytes"
	"slices"

	"gatepost"
)

var nginxAccess = Register(Format{
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

func sniffAccess(sample []byte, o *Options) (score int, dialect string, state any) {
	configured := compileFormats(o.NginxFormats)
	c := takeCensus(sample, append(slices.Clone(configured), ingress))
	chosen, dialect := c.choose()
	d := &accessDialect{east: c.east}
	d.formats = append([]*logFormat{chosen}, append(configured, jsonKeys, combined, similar)...)
	if c.access > 0 {
		score = (c.access + c.errors) * 1000 / c.lines
	}
	return score, dialect, d
}

// census counts the lines of a sample that each known format explains.
type census struct {
	exact []*logFormat // that must fit whole
	whole []int        // lines that do, for each of exact

	lines, access, errors  int
	json, similar, fielded int // access lines that these explain
	east                   int // of the first access line
}

func takeCensus(sample []byte, exact []*logFormat) *census {
	c := &census{exact: exact, whole: make([]int, len(exact))}
	r := accessReader{formats: append([]*logFormat{jsonKeys, combined, similar}, exact...)}
	for rec := range records(&gatepost.Block{Data: sample}, nil) {
		if blank(rec.line) {
			continue
		}
		c.lines++
		switch {
		case traefikLine(rec.line), haproxyLine(rec.line):
			// It begins like combined, and has a format of its own.
		case r.read(rec.line):
			c.count(&r, rec.line)
		case isErrorLine(rec.line):
			c.errors++
		}
	}
	return c
}

func (c *census) count(r *accessReader, line []byte) {
	if c.access++; c.access == 1 {
		c.east, _ = r.east()
	}
	switch r.format {
	case jsonKeys:
		c.json++
	case similar:
		c.similar++
	}
	if r.fields > 0 {
		c.fielded++
	}
	for i, f := range c.exact {
		if f.whole(line) {
			c.whole[i]++
		}
	}
}

// choose returns the format of most lines. One that fits whole is preferred: its names are the
// administrator's own.
func (c *census) choose() (f *logFormat, dialect string) {
	f, dialect = combined, combined.name
	switch {
	case c.fielded*2 > c.access:
		dialect = "combined+fields"
	case c.json*2 > c.access:
		f, dialect = jsonKeys, jsonKeys.name
	}
	if c.similar*2 > c.access {
		f, dialect = similar, similar.name
	}
	most := c.access / 2
	for i, x := range c.exact {
		if c.whole[i] > most {
			most, f, dialect = c.whole[i], x, x.dialect()
		}
	}
	return f, dialect
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

// nginxLines is how nginx writes an access log: error lines may stand in between.
var nginxLines = accessNotation{
	read: func(r *accessReader, _ *Parser, line []byte) bool { return r.read(line) },
	other: func(p *Parser, out *gatepost.Batch, ref gatepost.Ref, line []byte) bool {
		return appendErrorLine(out, ref, line, p.State.(*accessDialect).east)
	},
}

func parseAccess(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	if p.access == nil {
		d := p.State.(*accessDialect)
		p.access = &accessReader{formats: d.formats, own: d.formats[0]}
	}
	nginxLines.parse(p, b, out)
}

// Package parser turns the bytes of logs into requests and notable events.
//
// A log format is one value in one file: nginx_access.go registers the format of nginx's access
// log, its samples lie in testdata/formats/nginx_access/. Formats never see a reader; they get a
// Block of whole records and append to a Batch. They know no clock and no configuration beyond
// Options, so the same bytes always give the same Batch.
//
// Configuration files are read here too: see Config.
package parser

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"gatepost"
)

// Format is a log format: a constant value that carries its own documentation.
type Format struct {
	Name    string // "nginx_access"
	Title   string // "nginx access log"
	Program string // who writes it: "nginx", "odoo", "kernel", "systemd", "postgresql", "pgbouncer", "haproxy", "traefik"
	Doc     string // the variants it understands, and where the facts come from
	Kinds   []gatepost.Kind

	// Sniff looks at the first lines of a source and says how many per mille of them it
	// recognises (blank lines and continuation lines do not count), 0 when it is surely
	// something else. dialect names the variant, state is what Parse needs of it: it is shared
	// and must not be written to afterwards.
	Sniff func(sample []byte, o *Options) (score int, dialect string, state any)

	// Starts reports whether a record begins with this line; nil when every line is a record.
	// Blocks are cut only where it says true. Where dialects differ in this, their state is a starter,
	// which is asked instead.
	Starts func(line []byte) bool

	// Parse appends what the block holds to out. It keeps no reference to b.Data.
	// Ordinary requests must not allocate.
	Parse func(p *Parser, b *gatepost.Block, out *gatepost.Batch)
}

// starter is the state of a format whose dialects begin their records each in its own way.
type starter interface{ starts(line []byte) bool }

// Options are what the user or configuration files tell about the logs.
type Options struct {
	// NginxFormats are log_format definitions, from --nginx-format or nginx.conf.
	NginxFormats []NginxFormat
	// Latest is about when the last line was written (a file's modification time). Stamps
	// without a year get the year that puts them closest before it. Zero: unknown, year 1970.
	Latest time.Time
	// Slow is the duration from which a request is notable; 0 means one second.
	Slow time.Duration
	// Notable are further statuses whose requests become events (499 and 5xx always do).
	Notable []int
}

// NginxFormat is a log_format of nginx: its text with variables, as nginx concatenates it.
type NginxFormat struct {
	Name   string
	Escape string // default, json, none
	Text   string
}

func (o *Options) slow() time.Duration {
	if o.Slow == 0 {
		return time.Second
	}
	return o.Slow
}

// notable reports whether a request is one for the lane of events.
func (o *Options) notable(status int, d time.Duration) bool {
	return status >= 500 || status == 499 || d >= o.slow() || (len(o.Notable) > 0 && slices.Contains(o.Notable, status))
}

// formats is the registry, in the order of registration, which init order makes alphabetical by
// file name.
var formats []*Format

// Register adds a format; two of one name are a programming error.
func Register(f Format) *Format {
	if f.Sniff == nil || f.Parse == nil || f.Doc == "" || f.Title == "" {
		panic("parser: incomplete format " + f.Name)
	}
	if Lookup(f.Name) != nil {
		panic("parser: format " + f.Name + " registered twice")
	}
	formats = append(formats, &f)
	return &f
}

// Formats returns all registered formats by name.
func Formats() []*Format {
	all := slices.Clone(formats)
	slices.SortFunc(all, func(a, b *Format) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return all
}

// Lookup returns the format of that name, or nil.
func Lookup(name string) *Format {
	for _, f := range formats {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// SampleSize is how much of the beginning of a source detection looks at.
const SampleSize = 64 << 10

// minScore is the least share of lines, per mille, that a format must recognise to be chosen. It
// is low because logs are mixed with what other programs print into them.
const minScore = 200

// Detect finds the format of a source by its first lines. It returns nil when none recognises
// enough of them. What is inside a wrapping has a Sorter.
func Detect(sample []byte, o *Options) *Parser {
	p, s := detect(wholeLines(sample), o, 0, true)
	if s != nil {
		return s.main()
	}
	return p
}

// detect finds what understands a log: a format, or a wrapping and formats inside. alone says that the log is all that
// there is of its program: a kernel or an error stream would be nothing else, elsewhere it is for format syslog.
func detect(sample []byte, o *Options, depth int, alone bool) (*Parser, *Sorter) {
	var best *Parser
	most := minScore - 1
	if depth > 0 {
		most = wrappedShare - 1
	}
	for _, f := range Formats() {
		if !alone && (f.system() || f.Name == "stderr") {
			continue
		}
		if score, dialect, state := f.Sniff(sample, o); score > most {
			best, most = newParser(f, dialect, state, o), score
		}
	}
	if depth < wrappingDepth {
		// Heads may be taken for a part of the lines, but where a format is inside it is the better reading.
		if s := detectWrapped(sample, o, depth, false); s != nil && (best == nil || best.Format.system() || !s.main().Format.system()) {
			return nil, s
		}
		if s := detectWrapped(sample, o, depth, true); s != nil && (best == nil || s.understood*500 > s.entries*most*11/10) {
			return nil, s
		}
	}
	return best, nil
}

// system reports whether the format is one of those that many programs write into.
func (f *Format) system() bool { return f.Program == "kernel" || f.Program == "systemd" }

// Use returns a parser for a named format, whatever the sample looks like. It is for what is inside of a
// wrapping, if that is of this format.
func Use(name string, sample []byte, o *Options) (*Parser, error) {
	f := Lookup(name)
	if f == nil {
		return nil, fmt.Errorf("unknown format %q", name)
	}
	sample = wholeLines(sample)
	if s := detectWrapped(sample, o, 0, false); s != nil {
		if p := s.main(); p.Format == f {
			return p, nil
		}
	}
	_, dialect, state := f.Sniff(sample, o)
	return newParser(f, dialect, state, o), nil
}

// Sorter returns what takes the lines of the log out of their wrapping and sorts them by who wrote them, nil where there is
// no wrapping. Its strands have parsers of their own.
func (p *Parser) Sorter() *Sorter { return p.sorter }

// Strand returns the name and the host of the strand that most of the log's beginning is of.
func (p *Parser) Strand() (name, host string) {
	if p.strand == nil {
		return "", ""
	}
	return p.strand.Name, p.strand.Host
}

// Reads reports whether lines of a format, by its name, are among the first ones of the log.
func (p *Parser) Reads(format string) bool {
	if p.sorter == nil {
		return p.Format.Name == format
	}
	return slices.ContainsFunc(p.sorter.order, func(st *Strand) bool {
		return st.guess != nil && st.guess.Format.Name == format
	})
}

// Starts reports whether a record begins with a line; it is nil when every line is a record.
func (p *Parser) Starts() func(line []byte) bool {
	if p.sorter != nil {
		return p.sorter.wrapping.Starts
	}
	return p.recordStarts()
}

// Ends reports whether a record is surely over with its last line; it is nil when only the next one tells.
func (p *Parser) Ends() func(record []byte) bool {
	if p.sorter != nil {
		return p.sorter.wrapping.Ends
	}
	return nil
}

// recordStarts is Starts for the lines as the program wrote them.
func (p *Parser) recordStarts() func(line []byte) bool {
	if s, ok := p.State.(starter); ok {
		return s.starts
	}
	return p.Format.Starts
}

// wholeLines cuts a sample behind its last newline, unless that would leave nothing.
func wholeLines(sample []byte) []byte {
	if i := bytes.LastIndexByte(sample, '\n'); i > 0 {
		return sample[:i+1]
	}
	return sample
}

// Parser applies one dialect of a format to the blocks of one source. It is used by one
// goroutine at a time; Clone makes another for the next goroutine.
type Parser struct {
	Format  *Format
	Dialect string
	State   any // what Sniff made, read only
	Options *Options

	sorter  *Sorter             // takes the lines out of their wrapping, nil where there is none
	strand  *Strand             // of the sorter, that this parser understands
	heads   gatepost.Stamps     // worth of the wrapping's stamps
	routes  map[uint64]struct{} // routes already named
	scratch []byte

	unpacked []byte // text of the record in hand without its notation: quotes, escapes, colours

	access     *accessReader // of parseAccess; it remembers what the last lines were like
	lastRoutes [256]uint64   // some of the routes: mostly it is one of these, and they are found faster

	admitted   map[uint64]struct{} // see Admit
	overflowed bool                // there are others
}

func newParser(f *Format, dialect string, state any, o *Options) *Parser {
	return &Parser{Format: f, Dialect: dialect, State: state, Options: o, heads: gatepost.StampsNone, routes: make(map[uint64]struct{}), admitted: make(map[uint64]struct{})}
}

// fresh empties p.unpacked, and lets go of it when a long record has made it large.
func (p *Parser) fresh() {
	const large = 1 << 20
	if cap(p.unpacked) > large {
		p.unpacked = nil
	}
	p.unpacked = p.unpacked[:0]
}

// Clone returns an equal parser with scratch memory of its own.
func (p *Parser) Clone() *Parser {
	clone := newParser(p.Format, p.Dialect, p.State, p.Options)
	clone.heads = p.heads
	return clone
}

// Parse empties out and fills it with what the block holds.
func (p *Parser) Parse(b *gatepost.Block, out *gatepost.Batch) {
	out.Reset(b.Source)
	if b.Places != nil {
		text := &gatepost.Block{Source: b.Source, Line: 1, Data: b.Data}
		p.Format.Parse(p, text, out)
		p.countUnknown(text, out)
		p.rewrap(b, out)
		return
	}
	p.Format.Parse(p, b, out)
	p.countUnknown(b, out)
	out.End = b.Offset + int64(len(b.Data))
	out.Lines = int64(bytes.Count(b.Data, newline))
	if n := len(b.Data); n > 0 && b.Data[n-1] != '\n' {
		out.Lines++ // the last line of a file without its newline
	}
	out.EndLine = b.Line + out.Lines
}

var newline = []byte{'\n'}

// maxRoutes bounds the route dictionary of one source; scanners try a million paths.
const maxRoutes = 5000

// route returns the id of a request's route and names it in out when this parser has not named it yet.
// It stops naming beyond the bound; what then becomes of the route, Admit decides.
func (p *Parser) route(method, path []byte, out *gatepost.Batch) uint64 {
	p.scratch = append(p.scratch[:0], method...)
	p.scratch = append(p.scratch, ' ')
	p.scratch = gatepost.RouteOf(p.scratch, path)
	id := gatepost.KeyOf(method, p.scratch[len(method)+1:])
	if p.lastRoutes[id%uint64(len(p.lastRoutes))] == id {
		return id
	}
	p.lastRoutes[id%uint64(len(p.lastRoutes))] = id
	if _, ok := p.routes[id]; ok || len(p.routes) == maxRoutes {
		return id
	}
	p.routes[id] = struct{}{}
	out.Routes = append(out.Routes, gatepost.Route{ID: id, Name: clip(p.scratch)})
	return id
}

// Admit makes one route dictionary of those of several clones. It takes the batches of a source in the
// order of the log: of the routes that they name the first are admitted, and all others become one,
// named "other", with the ID 0. By the time a clone stops naming routes it has named enough to fill the
// dictionary, so the outcome does not depend on who parsed what.
func (p *Parser) Admit(b *gatepost.Batch) {
	named := b.Routes[:0]
	for _, r := range b.Routes {
		if _, ok := p.admitted[r.ID]; ok {
			continue
		}
		if len(p.admitted) < maxRoutes {
			p.admitted[r.ID] = struct{}{}
			named = append(named, r)
		}
	}
	b.Routes = named
	if len(p.admitted) < maxRoutes {
		return
	}
	for i := range b.Requests {
		if _, ok := p.admitted[b.Requests[i].Route]; ok {
			continue
		}
		b.Requests[i].Route = 0
		if !p.overflowed {
			p.overflowed = true
			b.Routes = append(b.Routes, gatepost.Route{ID: 0, Name: "other"})
		}
	}
}

// Config is a kind of configuration file that is understood. It becomes Settings, never a log.
type Config struct {
	Name  string // "nginx.conf"
	Doc   string
	Sniff func(name string, sample []byte) bool
	// Read returns the settings worth knowing. file is what Settings call it. Secrets and
	// unknown names are left out. An error names the line; the settings before it are returned.
	Read func(file string, data []byte) ([]gatepost.Setting, error)
}

var configs []*Config

// RegisterConfig adds a kind of configuration file.
func RegisterConfig(c Config) *Config {
	configs = append(configs, &c)
	return &c
}

// DetectConfig returns the kind of configuration file, or nil when it is none.
func DetectConfig(name string, sample []byte) *Config {
	for _, c := range configs {
		if c.Sniff(name, sample) {
			return c
		}
	}
	return nil
}

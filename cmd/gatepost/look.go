package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// A log can be looked at without being read: what its beginning and its end show of its strands, as Sources of which Strand, Host,
// Format, Dialect, Stamps, First and Last count.

// begin looks at the beginning of a file: nothing when it is no log that is known, or cannot be read, which reading tells.
func (in *ingest) begin(f *source.File) []gatepost.Source {
	s, err := f.Open()
	if err != nil {
		return nil
	}
	defer s.Close()
	looks, _ := in.look(f, s, false)
	return looks
}

// look looks at a log from its beginning, and at its last lines if end is set.
func (in *ingest) look(f *source.File, s *source.Stream, end bool) ([]gatepost.Source, error) {
	sample := bytes.Clone(s.Peek(parser.SampleSize))
	p, err := in.parserFor(f, sample, "")
	if p == nil || err != nil {
		return nil, err
	}
	var last []byte
	if end {
		if last, err = lastLines(s); err != nil {
			return nil, err
		}
	}
	var looks []gatepost.Source
	see := func(p *parser.Parser, strand, host string, batch *gatepost.Batch) {
		i := slices.IndexFunc(looks, func(l gatepost.Source) bool {
			return l.Strand == strand && l.Host == host && l.Format == p.Format.Name && l.Dialect == p.Dialect
		})
		if i < 0 {
			i = len(looks)
			looks = append(looks, gatepost.Source{Strand: strand, Host: host, Format: p.Format.Name, Dialect: p.Dialect, First: gatepost.NoTime, Last: gatepost.NoTime})
		}
		looks[i].Count(batch)
	}
	batch := new(gatepost.Batch)
	for _, text := range [][]byte{sample, last} {
		sorter := p.Sorter()
		if sorter == nil {
			p.Parse(&gatepost.Block{Line: 1, Data: text}, batch)
			see(p, "", "", batch)
			continue
		}
		sorter.Add(&gatepost.Block{Line: 1, Data: text})
		for strand := range sorter.Ready(parser.All) {
			var b gatepost.Block
			strand.Take(&b, parser.All)
			strand.Parser.Parse(&b, batch)
			see(strand.Parser, strand.Name, strand.Host, batch)
		}
	}
	if sorter := p.Sorter(); sorter != nil {
		for strand := range sorter.Strands() {
			if idle, _, ok := strand.Counted(); ok && strand.Parser != nil {
				see(p, "", strand.Host, &idle)
			}
		}
	}
	return looks, nil
}

// lastLines returns the last whole lines of a text: those beyond its first parser.SampleSize bytes, and no more than that much.
func lastLines(s *source.Stream) ([]byte, error) {
	var last []byte
	piece := make([]byte, parser.SampleSize)
	for {
		n, err := io.ReadFull(s, piece)
		last = append(last, piece[:n]...)
		last = last[max(0, len(last)-2*parser.SampleSize):]
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	last = last[min(len(last), max(parser.SampleSize, len(last)-parser.SampleSize)):]
	return last[bytes.IndexByte(last, '\n')+1:], nil
}

// dryRun tells what would be read, as what, and from when to when.
func (e *env) dryRun(ctx context.Context, flags *readingFlags, args []string) error {
	r, err := flags.resolve(e)
	if err != nil {
		return err
	}
	r.db = "" // nothing is read into it
	a := &analysis{env: e}
	return a.conclude(a.preview(ctx, r, args))
}

// preview writes the dry run.
func (a *analysis) preview(ctx context.Context, r *reading, args []string) (err error) {
	e, in := a.env, &ingest{reading: r, progress: newProgress(a.env)}
	defer func() { a.troubles = in.troubles }()
	if a.files, a.paths, err = e.find(ctx, in, args); err != nil {
		return err
	}
	logs := in.configurations(a.files)
	isLog := make(map[*source.File]bool)
	system := in.systemLogs(ctx, logs, e.now())
	a.files = append(a.files, system...)
	for _, f := range slices.Concat(logs, system) {
		isLog[f] = true
	}
	fmt.Fprintf(e.stdout, "%s and %s would be read.\n", several(len(isLog), "log"), several(len(a.files)-len(isLog), "configuration file"))
	for _, f := range a.files {
		about, p := []string{"configuration"}, in.machine.place(f.Path)
		switch {
		case isLog[f]:
			about = in.about(f, cmp.Or(r.zone, e.zone))
			if p != nil {
				about = append(about, "found by "+cmp.Or(p.Why, "its usual place"))
			}
		case p != nil && p.Why != "":
			about[0] = p.Why
		}
		fmt.Fprintf(e.stdout, "\n%s\n", oneLine(e.message(f.Path)))
		for _, line := range about {
			fmt.Fprintf(e.stdout, "  %s\n", oneLine(e.message(line)))
		}
	}
	for _, note := range in.notes {
		fmt.Fprintf(e.stdout, "\n%s\n", oneLine(e.message(note)))
	}
	return nil
}

func several(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// about says what a log is, each strand of it in a line.
func (in *ingest) about(f *source.File, zone *time.Location) (lines []string) {
	s, err := f.Open()
	if err != nil {
		in.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return []string{"cannot be read"}
	}
	defer s.Close()
	if len(s.Peek(1)) == 0 {
		return []string{"is empty"}
	}
	looks, err := in.look(f, s, true)
	if err != nil {
		in.trouble(cmp.Or(remedy(err), damaged), "%s: %v", f.Path, reason(err))
		return []string{"cannot be read to its end"}
	}
	size := ""
	if f.Size >= 0 {
		size = humanize.Bytes(uint64(f.Size))
	}
	if s.Kind != nil {
		size = strings.TrimSpace(size + " of " + s.Kind.Name)
	}
	for i := range looks {
		lines = append(lines, lookedLike(&looks[i], zone))
	}
	if len(looks) == 0 {
		lines = []string{"no log of a format that is known"}
		if !in.machine.isUsual(f.Path) {
			in.trouble("--source FORMAT="+f.Path, "%s: the format is not known", f.Path)
		}
	}
	if size != "" {
		lines = append(lines, size)
	}
	return lines
}

// lookedLike describes a log that was looked at.
func lookedLike(src *gatepost.Source, zone *time.Location) string {
	var b strings.Builder
	if src.Strand != "" {
		b.WriteString(src.Strand + ": ")
	}
	b.WriteString(src.Format)
	if src.Dialect != "" {
		b.WriteString(" (" + src.Dialect + ")")
	}
	if !src.First.Known() {
		return b.String() + ", without times"
	}
	layout, suffix := "2 Jan 2006 15:04:05", ""
	switch src.Stamps {
	case gatepost.StampsAbsolute:
		suffix = src.Last.Std().In(zone).Format(" MST")
	case gatepost.StampsBoot:
		return b.String() + ", times since the machine came up"
	default:
		zone = time.UTC // as they stand there
	}
	fmt.Fprintf(&b, ", %s to %s%s", src.First.Std().In(zone).Format(layout), src.Last.Std().In(zone).Format(layout), suffix)
	return b.String()
}

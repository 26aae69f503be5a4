package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
	"gatepost/store"
)

// ingest reads files into a store: configuration first, because it says how logs look.
type ingest struct {
	*reading
	store    *store.Store
	progress *progress

	setup    gatepost.Setup
	files    map[int]*source.File // of this run, by the ID of their source
	known    []gatepost.Source    // what the store has, whenever it was read
	logs     int                  // files of a known format
	notes    []string             // worth knowing, nothing is missing
	troubles []trouble            // what was not read or not recognised
}

// trouble is a part of the input that is not in the report.
type trouble struct{ what, hint string }

func (in *ingest) trouble(hint, format string, args ...any) {
	in.troubles = append(in.troubles, trouble{fmt.Sprintf(format, args...), hint})
}

func (in *ingest) note(format string, args ...any) {
	in.notes = append(in.notes, fmt.Sprintf(format, args...))
}

// read reads all files. Only what makes the whole report impossible is an error; what is wrong
// with a file becomes a trouble.
func (in *ingest) read(ctx context.Context, files []*source.File) error {
	var err error
	if in.known, err = in.store.Sources(ctx); err != nil {
		return err
	}
	in.files = make(map[int]*source.File)
	logs := in.configurations(files)
	in.progress.expect(logs)
	defer in.progress.done()
	for _, f := range logs {
		if err := in.file(ctx, f); err != nil {
			return err
		}
		in.progress.next(f)
	}
	return nil
}

// configurations takes the configuration files out of files and returns the others.
func (in *ingest) configurations(files []*source.File) (others []*source.File) {
	for _, f := range files {
		if in.formatOf(f.Path) != "" {
			others = append(others, f)
			continue
		}
		settings, ok, err := readConfig(f)
		if !ok {
			others = append(others, f) // an error comes again when it is read as a log
			continue
		}
		if err != nil {
			in.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		}
		in.setup = append(in.setup, settings...)
		in.formats = append(in.formats, logFormats(settings)...)
	}
	// What the user says beats what is found: the last of equal settings holds.
	in.setup = append(in.setup, in.reading.setup...)
	return others
}

// file reads one log.
func (in *ingest) file(ctx context.Context, f *source.File) error {
	s, err := f.Open()
	if err != nil {
		in.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return nil
	}
	defer func() { s.Close() }()
	sample := bytes.Clone(s.Peek(parser.SampleSize))
	if len(sample) == 0 {
		in.empty(f, s)
		return nil
	}
	src := &gatepost.Source{Path: f.Path}
	if whole := in.containedIn(f, sample); whole != "" {
		in.note("%s: holds nothing that %s does not, and is counted there", f.Path, whole)
		in.logs++
		return nil
	}
	if s, err = in.identify(f, s, src, sample); err != nil {
		in.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return nil
	}
	if err := in.store.AddSource(ctx, src); err != nil {
		return err
	}
	in.files[src.ID] = f
	src.Problem = ""
	p, err := in.parser(f, sample, src.Format)
	if err != nil {
		return err
	}
	if p == nil {
		in.unknown(src, sample, max(f.Size, 0))
	} else if err := in.lines(ctx, f, s, src, p); err != nil {
		return err
	}
	if err := in.store.SaveSource(ctx, src); err != nil {
		return err
	}
	in.known = slices.DeleteFunc(in.known, func(k gatepost.Source) bool { return k.ID == src.ID })
	in.known = append(in.known, *src)
	return nil
}

// empty says why there is nothing in a file.
func (in *ingest) empty(f *source.File, s *source.Stream) {
	if _, err := s.Read(make([]byte, 1)); err != nil && err != io.EOF {
		in.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return
	}
	in.note("%s: is empty", f.Path)
}

// identify finds the source that f is the continuation of, and goes to where reading ended then;
// or gives src a head of its own. It returns the stream to go on with.
func (in *ingest) identify(f *source.File, s *source.Stream, src *gatepost.Source, sample []byte) (*source.Stream, error) {
	alike := in.alike(sample)
	for _, k := range alike {
		next, same, err := f.OpenAt(&k)
		s.Close()
		if err != nil {
			return s, err
		}
		if s = next; same {
			src.Head, src.HeadSize = k.Head, k.HeadSize
			if k.Format != "" && in.files[k.ID] != nil {
				in.note("%s: begins with all of %s, whose lines are counted once", f.Path, k.Path)
			}
			return s, nil
		}
		if k.Path == f.Path {
			in.note("%s: is another log than it was, and was read from its beginning", f.Path)
		}
	}
	// Another log that begins like a known one, as kernel logs of two boots do: a head of another
	// size is a fingerprint of its own.
	src.HeadSize, src.Head = source.Head(sample)
	for slices.ContainsFunc(alike, func(k gatepost.Source) bool { return k.HeadSize == src.HeadSize }) && src.HeadSize > 1 {
		src.HeadSize, src.Head = source.Head(sample[:src.HeadSize-1])
	}
	return s, nil
}

// alike returns the known sources that begin as sample does, the one that was read farthest first.
func (in *ingest) alike(sample []byte) []gatepost.Source {
	var all []gatepost.Source
	for _, k := range in.known {
		if source.BeginsLike(sample, &k) {
			all = append(all, k)
		}
	}
	slices.SortStableFunc(all, func(a, b gatepost.Source) int { return cmp.Compare(b.Position, a.Position) })
	return all
}

// containedIn returns the path of a file of this run that begins with all of f, or "".
func (in *ingest) containedIn(f *source.File, sample []byte) string {
	for _, k := range in.alike(sample) {
		other := in.files[k.ID]
		if other == nil || k.Format == "" {
			continue
		}
		if f.IsBeginningOf(other) {
			return other.Path
		}
	}
	return ""
}

// parser returns what understands a log, nil when nothing does. known is the format it had when
// it was shorter.
func (in *ingest) parser(f *source.File, sample []byte, known string) (*parser.Parser, error) {
	o := in.parsing(f.Modified)
	if name := in.formatOf(f.Path); name != "" {
		return parser.Use(name, sample, o)
	}
	if packedAs(sample) != "" {
		return nil, nil
	}
	if p := parser.Detect(sample, o); p != nil || known == "" {
		return p, nil
	}
	return parser.Use(known, sample, o)
}

func (in *ingest) unknown(src *gatepost.Source, sample []byte, size int64) {
	src.Bytes = size
	src.Problem = "the format is not known"
	hint := "--nginx-format with the log_format of an access log, or nginx.conf beside it; else --source FORMAT=" + src.Path + " with one of " + strings.Join(formatNames(), ", ")
	if packed := packedAs(sample); packed != "" {
		src.Problem = "is packed as " + packed
		hint = "unpack it, and name what it holds"
	} else if binary(sample) {
		src.Problem = "is binary data and no log"
		hint = "name the logs one by one, or move what is no log out of the way"
	}
	in.trouble(hint, "%s: %s", src.Path, src.Problem)
}

// packings are the marks of packed files that are not unpacked yet: where they stand, and what of.
var packings = []struct {
	at         int
	mark, name string
}{
	{0, "\x28\xb5\x2f\xfd", "zstd"}, {0, "\xfd7zXZ\x00", "xz"}, {0, "BZh", "bzip2"}, {0, "PK\x03\x04", "zip"}, {257, "ustar", "tar"},
}

// packedAs names the packing of a file, "" when it is none of these.
func packedAs(sample []byte) string {
	for _, p := range packings {
		if len(sample) >= p.at+len(p.mark) && string(sample[p.at:p.at+len(p.mark)]) == p.mark {
			return p.name
		}
	}
	return ""
}

// binary reports whether a sample is no text: it holds control characters that no log has. NUL
// bytes alone do not make it so, since logs that are truncated while they are written get them.
func binary(sample []byte) bool {
	control := 0
	for _, c := range sample {
		if c < 0x20 && c != 0 && c != '\t' && c != '\n' && c != '\r' && c != 0x1b {
			control++
		}
	}
	return control > len(sample)/50 || len(bytes.Trim(sample, "\x00")) == 0
}

// lines reads the lines of a log from where s stands. A log that may still grow keeps its
// unfinished last line for the next time, if there is a store that remembers where to go on.
func (in *ingest) lines(ctx context.Context, f *source.File, s *source.Stream, src *gatepost.Source, p *parser.Parser) error {
	cutter := &source.Cutter{
		Source: src.ID,
		Starts: p.Starts(),
		Hold:   in.db != "" && f.Growing && s.Kind == nil,
	}
	in.logs++
	src.Format, src.Dialect = p.Format.Name, p.Dialect
	err := parsed(ctx, cutter, s, *src, p, func(next *piece) error {
		if next.err != nil {
			src.Problem = reason(next.err).Error()
			in.trouble("copy the file again: it is damaged, or was copied before it was whole", "%s: %s; what stands before was read", f.Path, src.Problem)
			return nil
		}
		next.cut.Mark(src)
		in.progress.at(next.consumed)
		return in.store.Append(ctx, src, &next.batch)
	})
	if err != nil {
		return err
	}
	cutter.Mark(src)
	src.Bytes = src.Position
	in.tooLong(f, cutter)
	in.notUnderstood(f, src)
	return nil
}

// notUnderstood says when a log is mostly something else than it was taken for.
func (in *ingest) notUnderstood(f *source.File, src *gatepost.Source) {
	if src.Unparsed*2 <= src.Lines {
		return
	}
	hint := "--source FORMAT=" + f.Path
	if src.Format == "nginx_access" {
		hint = "--nginx-format with the log_format that wrote it, or nginx.conf beside it"
	}
	in.trouble(hint, "%s: %d of %d lines are not understood as %s", f.Path, src.Unparsed, src.Lines, src.Format)
}

func (in *ingest) tooLong(f *source.File, c *source.Cutter) {
	if c.LongLines > 0 {
		in.trouble("", "%s: lines longer than 16 MiB (%d of them) were cut, and %d bytes of them left out", f.Path, c.LongLines, c.Skipped)
	}
	if c.LongRecords > 0 {
		in.note("%s: records longer than 16 MiB (%d of them) were read in pieces", f.Path, c.LongRecords)
	}
	if c.Held > 0 {
		in.note("%s: the last line is not finished, and is read when it is", f.Path)
	}
}

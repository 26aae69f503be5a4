package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

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
	machine  *machine // whose logs these are, nil when the user named them

	systemSince gatepost.Time // from when on its journal counts

	setup    gatepost.Setup
	files    map[int]*source.File // of this run, by the ID of their source
	parsers  map[int]*parser.Parser
	begins   map[int]int64     // where reading began, of those that were searched
	left     []*gatepost.Batch // records that may go on, and are not in the store
	busy     func(id int) bool // a source is being read, nil when files are read one after the other
	now      func() time.Time
	follows  bool              // logs are followed when they have been read
	odoo     bool              // a log of Odoo is among the files
	known    []gatepost.Source // what the store has, whenever it was read
	before   []gatepost.Source // what it had before this run
	logs     int               // files of a known format
	strange  []string          // what only lies where logs do
	notes    []string          // worth knowing, nothing is missing
	troubles []trouble         // what was not read or not recognised
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
//
// Files are read side by side, as many as there are cores: unpacking is the work of one core for each. What
// is said of them comes in their own order all the same. A file that begins like one that is still being
// read waits, since it may be its continuation.
//
// What it reads of the machine itself, beside files, it returns: the caller closes it.
func (in *ingest) read(ctx context.Context, files []*source.File) (system []*source.File, err error) {
	if in.known, err = in.store.Sources(ctx); err != nil {
		return nil, err
	}
	in.before = slices.Clone(in.known)
	logs := in.configurations(files)
	system = in.systemLogs(ctx, logs, in.now())
	return system, in.readLogs(ctx, append(logs, system...))
}

func (in *ingest) readLogs(ctx context.Context, logs []*source.File) error {
	in.files, in.parsers, in.begins = make(map[int]*source.File), make(map[int]*parser.Parser), make(map[int]int64)
	in.findOdoo(logs)
	in.progress.expect(logs)
	defer in.progress.done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var open []*fileReading // in the order of the files
	for _, f := range logs {
		r := &fileReading{ingest: in, file: f, done: make(chan struct{})}
		for len(open) > 0 && (len(open) == runtime.GOMAXPROCS(0) || r.mayContinue(open)) {
			if err := open[0].finish(); err != nil {
				if r.stream != nil {
					r.stream.Close() // it was only looked at
				}
				return errors.Join(err, finishAll(open[1:], cancel))
			}
			open = open[1:]
		}
		if err := r.begin(ctx); err != nil {
			return errors.Join(err, finishAll(open, cancel))
		}
		open = append(open, r)
	}
	for i, r := range open {
		if err := r.finish(); err != nil {
			return errors.Join(err, finishAll(open[i+1:], cancel))
		}
	}
	in.noteStrange()
	return nil
}

// noteStrange says what lies where logs usually do and is none that is known.
func (in *ingest) noteStrange() {
	const most = 5
	n := len(in.strange)
	if n == 0 {
		return
	}
	shown := strings.Join(in.strange[:min(n, most)], ", ")
	if n > most {
		shown += fmt.Sprintf(" and %d more", n-most)
	}
	in.note("where logs usually lie, these are none that is known: %s", shown)
}

// finishAll ends what is still being read after an error, which is told already.
func finishAll(open []*fileReading, cancel func()) error {
	cancel()
	for _, r := range open {
		<-r.done
		r.close()
	}
	return nil
}

// close closes the stream of a log that was read. What was wrong with it, reading has told.
func (r *fileReading) close() {
	if r.parser != nil {
		r.stream.Close()
	}
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

// fileReading is the reading of one log.
type fileReading struct {
	*ingest
	file    *source.File
	stream  *source.Stream
	sample  []byte
	src     *gatepost.Source
	head    gatepost.Source // src as it was when its lines began to be read
	parser  *parser.Parser
	strands map[strandName]*gatepost.Source // of a file that several programs write into, src among them
	left    []*gatepost.Batch               // what may go on
	start   int64                           // where reading began, when the log was searched

	done     chan struct{} // closed when the lines are read
	err      error         // that makes the report impossible
	notes    []string
	troubles []trouble
}

func (r *fileReading) trouble(hint, format string, args ...any) {
	r.troubles = append(r.troubles, trouble{fmt.Sprintf(format, args...), hint})
}

func (r *fileReading) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// mayContinue opens the file and reports whether it begins like one that is still being read.
func (r *fileReading) mayContinue(open []*fileReading) bool {
	if r.stream == nil {
		s, err := r.file.Open()
		if err != nil {
			return false // begin meets it again
		}
		r.stream, r.sample = s, bytes.Clone(s.Peek(parser.SampleSize))
	}
	return slices.ContainsFunc(open, func(o *fileReading) bool {
		return o.src != nil && (source.BeginsLike(r.sample, &o.head) || len(r.sample) < source.HeadSize && bytes.HasPrefix(o.sample, r.sample))
	})
}

// begin finds out what the file is, and begins to read its lines.
func (r *fileReading) begin(ctx context.Context) error {
	if r.stream == nil {
		s, err := r.file.Open()
		if err != nil {
			r.trouble(remedy(err), "%s: %v", r.file.Path, reason(err))
			close(r.done)
			return nil
		}
		r.stream, r.sample = s, bytes.Clone(s.Peek(parser.SampleSize))
	}
	if whole := r.containedIn(r.file, r.sample); whole != "" && len(r.sample) > 0 {
		r.note("%s: holds nothing that %s does not, and is counted there", r.file.Path, whole)
		r.logs++
		close(r.done)
		return r.stream.Close()
	}
	if err := r.prepare(ctx); err != nil || r.parser == nil {
		close(r.done)
		r.stream.Close()
		return err
	}
	r.head = *r.src
	go func() {
		defer close(r.done)
		r.err = r.lines(ctx)
	}()
	return nil
}

// prepare finds the source that the file is, and who understands it: parser stays nil when nobody does,
// or when there is nothing to read.
func (r *fileReading) prepare(ctx context.Context) error {
	f := r.file
	if len(r.sample) == 0 {
		r.empty()
		return nil
	}
	if !telling(r.sample) && r.growing() > source.Nothing {
		r.logs++
		r.note("%s: the first line is not finished, and is read when it is", f.Path)
		return nil
	}
	src := &gatepost.Source{Path: f.Path}
	if err := r.identify(src); err != nil {
		r.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return nil
	}
	if err := r.store.AddSource(ctx, src); err != nil {
		return err
	}
	r.files[src.ID] = f
	src.Problem = ""
	r.src = src
	p, err := r.parserFor(f, r.sample, src.Format)
	if err != nil {
		return err
	}
	if p == nil {
		r.unknown(src, r.sample, max(f.Size, 0))
		return nil
	}
	r.logs++
	r.parser = p
	if err := r.reconsider(ctx); err != nil {
		return err
	}
	if p.Sorter() != nil {
		r.sort()
	} else {
		src.Format, src.Dialect = p.Format.Name, p.Dialect
		r.parsers[src.ID] = p
	}
	if err := r.search(); err != nil {
		r.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		r.parser = nil
	}
	return nil
}

// telling reports whether a sample tells what a log is and which one. A piece of its first line may be that of any other.
func telling(sample []byte) bool {
	return bytes.IndexByte(sample, '\n') >= 0 || len(sample) == parser.SampleSize
}

// leastHead is how long the text of a log without a whole line must be to know it again.
const leastHead = 64

// reconsider begins anew with a log of which so little was read that it seemed to be something else than now, when there is more of it.
func (r *fileReading) reconsider(ctx context.Context) error {
	src, p := r.src, r.parser
	strand, _ := p.Strand()
	if src.Format == "" || src.Position >= parser.SampleSize || src.Format == p.Format.Name && src.Dialect == p.Dialect && src.Strand == strand {
		return nil
	}
	r.stream.Close()
	var err error
	if r.stream, err = r.file.Open(); err != nil {
		return err
	}
	for i := range r.known {
		if k := &r.known[i]; k.ID != src.ID && isStrandOf(src, k) {
			if err := r.store.Forget(ctx, k); err != nil {
				return err
			}
		}
	}
	return r.store.Forget(ctx, src)
}

// finish waits for the lines, and tells the ingest what came of the file.
func (r *fileReading) finish() error {
	<-r.done
	in := r.ingest
	in.notes, in.troubles = append(in.notes, r.notes...), append(in.troubles, r.troubles...)
	r.close()
	if r.err != nil {
		return r.err
	}
	in.progress.next(r.file)
	for _, src := range r.sources() {
		if err := in.store.SaveSource(context.Background(), src); err != nil {
			return err
		}
		in.files[src.ID] = r.file
		in.knows(src)
	}
	in.left = append(in.left, r.left...)
	return nil
}

// knows remembers a source as it is by now.
func (in *ingest) knows(src *gatepost.Source) {
	in.known = slices.DeleteFunc(in.known, func(k gatepost.Source) bool { return k.ID == src.ID })
	in.known = append(in.known, *src)
}

// damaged is what to try when a file cannot be read to its end.
const damaged = "copy the file again: it is damaged, or was copied before it was whole"

// empty says why there is nothing in a file.
func (r *fileReading) empty() {
	if _, err := r.stream.Read(make([]byte, 1)); err != nil && err != io.EOF {
		r.trouble(cmp.Or(remedy(err), damaged), "%s: %v", r.file.Path, reason(err))
		return
	}
	if r.stream.Offset() > 0 {
		r.trouble("name the logs one by one, or move what is no log out of the way", "%s: holds nothing but NUL bytes", r.file.Path)
		return
	}
	r.note("%s: is empty", r.file.Path)
}

// identify finds the source that the file is the continuation of, and goes to where reading ended then;
// or gives src a head of its own.
func (r *fileReading) identify(src *gatepost.Source) error {
	f := r.file
	alike := r.alike(r.sample)
	for _, k := range alike {
		if r.busy != nil && r.busy(k.ID) {
			continue
		}
		next, same, err := f.OpenAt(&k)
		if err != nil {
			return err
		}
		r.stream.Close()
		if r.stream = next; same {
			src.Head, src.HeadSize = k.Head, k.HeadSize
			if k.Format != "" && r.files[k.ID] != nil && k.Path != f.Path {
				r.note("%s: begins with all of %s, whose lines are counted once", f.Path, k.Path)
			}
			return nil
		}
		if k.Path == f.Path {
			r.note("%s: is another log than it was, and was read from its beginning", f.Path)
		}
	}
	// Another log that begins like a known one, as kernel logs of two boots do: a head of another
	// size is a fingerprint of its own.
	src.HeadSize, src.Head = source.Head(r.sample)
	if !telling(r.sample) && src.HeadSize < leastHead {
		src.HeadSize = 0
	}
	for slices.ContainsFunc(alike, func(k gatepost.Source) bool { return k.HeadSize == src.HeadSize }) && src.HeadSize > 1 {
		src.HeadSize, src.Head = source.Head(r.sample[:src.HeadSize-1])
	}
	return nil
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
		if k.Format == "" {
			continue
		}
		if other == nil {
			if isOlderCopy(f, &k) {
				return k.Path
			}
			continue
		}
		if f.IsBeginningOf(other) {
			return other.Path
		}
	}
	return ""
}

// isOlderCopy reports whether a file that begins like a log that was read is a copy from before the end of what was read: since then that
// was truncated. That its text is the same is known of its head; beyond that it must be of the same log by its name.
func isOlderCopy(f *source.File, k *gatepost.Source) bool {
	length, err := f.Length()
	sameLog := (&gatepost.Source{Path: f.Path, Strand: k.Strand, Host: k.Host}).Series() == k.Series()
	return err == nil && length < k.Position && (sameLog && f.Path != k.Path || length == int64(k.HeadSize))
}

// parserFor returns what understands a log, nil when nothing does. known is the format it had when
// it was shorter.
func (in *ingest) parserFor(f *source.File, sample []byte, known string) (*parser.Parser, error) {
	o := in.parsing(f.Modified)
	if name := in.formatOf(f.Path); name != "" {
		return parser.Use(name, sample, o)
	}
	if bytes.HasPrefix(sample, []byte("SQLite format 3\x00")) {
		return nil, nil // text of logs stands in a store, too
	}
	if p := parser.Detect(sample, o); p != nil || known == "" {
		return p, nil
	}
	return parser.Use(known, sample, o)
}

func (r *fileReading) unknown(src *gatepost.Source, sample []byte, size int64) {
	src.Bytes = size
	src.Problem = "the format is not known"
	hint := "--nginx-format with the log_format of an access log, or nginx.conf beside it; else --source FORMAT=" + src.Path + " with one of " + strings.Join(formatNames(), ", ")
	if r.machine.isUsual(src.Path) {
		r.ingest.strange = append(r.ingest.strange, src.Path)
		return
	}
	if binary(sample) {
		src.Problem = "is binary data and no log"
		hint = "name the logs one by one, or move what is no log out of the way"
	}
	if wide(sample) {
		src.Problem = "is text in UTF-16"
		hint = "iconv -f UTF-16 -t UTF-8 " + src.Path + " >LOG, and read LOG"
	}
	r.trouble(hint, "%s: %s", src.Path, src.Problem)
}

// wide reports whether a sample begins with the mark of UTF-16, which Windows writes where a command's output is sent to a file.
func wide(sample []byte) bool {
	return bytes.HasPrefix(sample, []byte("\xff\xfe")) || bytes.HasPrefix(sample, []byte("\xfe\xff"))
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

const (
	// over is how long after the last time that a log was written into its last record is whole: whoever writes one does not
	// stop in the middle of it.
	over = 2 * time.Second
	// forsaken is how long after that an unfinished line stays as it is: a buffer that is written when it is full may end anywhere.
	forsaken = time.Hour
)

// growing tells what may go on where the log ends. Only a store that is kept has a next time, to read it then, and a log that is followed
// gets the rest of its last line at any time.
func (r *fileReading) growing() source.Holding {
	if r.db == "" && !r.follows || !r.file.Growing || r.stream.Kind != nil {
		return source.Nothing
	}
	hold := holding(r.now().Sub(r.file.Written()))
	if r.follows {
		return max(source.LastLine, hold)
	}
	return hold
}

// holding tells what may go on where a log ends that was not written into for a while.
func holding(quiet time.Duration) source.Holding {
	switch {
	case quiet < over:
		return source.LastRecord
	case quiet < forsaken:
		return source.LastLine
	}
	return source.Nothing
}

// lines reads the lines of the log from where the stream stands.
func (r *fileReading) lines(ctx context.Context) error {
	f, src := r.file, r.src
	cutter := &source.Cutter{Source: src.ID, Starts: r.parser.Starts(), Ends: r.parser.Ends(), Hold: sync.OnceValue(r.growing)}
	err := parsed(ctx, cutter, r.stream, *src, r.parser, func(next *piece) error {
		if next.err != nil {
			src.Problem = reason(next.err).Error()
			r.trouble(cmp.Or(remedy(next.err), damaged), "%s: %s; what stands before was read", f.Path, src.Problem)
			return nil
		}
		r.progress.at(f, next.consumed)
		return r.put(ctx, next)
	})
	if err != nil {
		return err
	}
	if r.strands == nil {
		cutter.Mark(src)
	}
	src.Bytes = src.Position - r.start
	if err := r.leave(ctx, cutter); err != nil {
		return err
	}
	r.tooLong(cutter)
	r.notUnderstood()
	return nil
}

// put stores a piece, with how far the log was read.
func (r *fileReading) put(ctx context.Context, next *piece) error {
	next.mark.Mark(r.src)
	var err error
	if r.src.Cursor, err = r.file.JournalCursor(r.src.Position); err != nil {
		return err
	}
	if r.strands != nil {
		return r.keep(ctx, next)
	}
	return r.store.Append(ctx, r.src, &next.batch)
}

// leave keeps what the log ends with and may go on out of the store, and beside it.
func (r *fileReading) leave(ctx context.Context, cutter *source.Cutter) error {
	r.left = nil
	add := func(p *parser.Parser, b gatepost.Block) {
		left := new(gatepost.Batch)
		p.Clone().Parse(&b, left)
		left.Belong(b.Source)
		r.left = append(r.left, left)
	}
	if r.strands == nil {
		if rest := cutter.Rest(); len(rest.Data) > 0 {
			add(r.parser, rest)
		}
		return nil
	}
	for st, b := range r.parser.Sorter().Left() {
		src, err := r.strandSource(ctx, st)
		if err != nil {
			return err
		}
		b.Source = src.ID
		add(st.Parser, b)
	}
	return nil
}

// notUnderstood says when a log is mostly something else than it was taken for.
func (r *fileReading) notUnderstood() {
	for _, src := range r.sources() {
		if src.Unparsed*2 <= src.Lines || src.Format == "" {
			continue
		}
		hint := "--source FORMAT=" + src.Path
		if src.Format == "nginx_access" {
			hint = "--nginx-format with the log_format that wrote it, or nginx.conf beside it"
		}
		r.trouble(hint, "%s: %d of %d lines are not understood as %s", placeOf(src), src.Unparsed, src.Lines, src.Format)
	}
	r.strangers()
}

func (r *fileReading) tooLong(c *source.Cutter) {
	f := r.file
	if c.LongLines > 0 {
		r.trouble("see what wrote them: no program whose log is known writes such lines", "%s: lines longer than 16 MiB (%d of them) were cut, and %d bytes of them left out", f.Path, c.LongLines, c.Skipped)
	}
	if c.LongRecords > 0 {
		r.note("%s: records longer than 16 MiB (%d of them) were read in pieces", f.Path, c.LongRecords)
	}
	if c.Held > 0 {
		r.note("%s: the last line is not finished, and is read when it is", f.Path)
	}
}

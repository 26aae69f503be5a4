package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// A file that several programs write into, as containers and the journal do, is a source for each of them. The row of
// the file itself, by whose head it is known again, is that of the strand that wrote most of its beginning; the others
// have rows of their own.

// strandName tells the strands of a file apart.
type strandName struct{ name, host string }

// sources are the rows that the file is: one, or one for each strand, in the order of their IDs.
func (r *fileReading) sources() []*gatepost.Source {
	if r.src == nil {
		return nil
	}
	all := []*gatepost.Source{r.src}
	for _, src := range r.strands {
		if src != r.src {
			all = append(all, src)
		}
	}
	slices.SortFunc(all, func(a, b *gatepost.Source) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// sort prepares the reading of a file that several programs write into: it finds the strands that are known of it. Where
// reading was broken off, some were kept farther than the file was passed, and their entries up to there are passed over.
func (r *fileReading) sort() {
	src := r.src
	if src.Format == "" { // it is new
		src.Strand, src.Host = r.parser.Strand()
		src.Format, src.Dialect = r.parser.Format.Name, r.parser.Dialect
	}
	r.strands = map[strandName]*gatepost.Source{{src.Strand, src.Host}: src}
	before := make(map[strandName]gatepost.Source)
	keeps := func(k gatepost.Source) {
		name := strandName{k.Strand, k.Host}
		k.Kept = max(k.Kept, before[name].Kept)
		before[name] = k
	}
	if after := r.file.JournalAfter(); after != "" { // the strands go on in another text
		for _, was := range r.known {
			if was.Path != source.JournalName || was.Cursor != after {
				continue
			}
			for _, k := range r.known {
				if k.ID == was.ID || isStrandOf(&was, &k) {
					k.Kept -= was.Position
					keeps(k)
				}
			}
		}
	}
	keeps(*src)
	for _, k := range r.known {
		if k.ID != src.ID && isStrandOf(src, &k) {
			strand := k
			strand.Path = r.file.Path
			r.strands[strandName{k.Strand, k.Host}] = &strand
			keeps(k)
		}
	}
	r.parser.Sorter().Resume(func(st *parser.Strand) {
		if known, ok := before[strandName{st.Name, st.Host}]; ok {
			st.Known, st.From = known.Format, known.Kept
		}
	})
}

// strandHead is the head of a strand's row: no file's, but that of its file and its name.
func strandHead(file *gatepost.Source, name, host string) uint64 {
	return gatepost.HashOf(fmt.Appendf(nil, "%x\x00%s\x00%s", file.Head, name, host))
}

// isStrandOf reports whether a row is that of a strand of a file.
func isStrandOf(file, row *gatepost.Source) bool {
	return row.HeadSize == file.HeadSize && row.Head == strandHead(file, row.Strand, row.Host)
}

// keep stores a piece of one strand.
func (r *fileReading) keep(ctx context.Context, next *piece) error {
	for i := range next.counted {
		if err := r.count(ctx, &next.counted[i]); err != nil {
			return err
		}
	}
	st := next.strand
	if st == nil { // how far the file was read is the row of its main strand
		return r.store.Append(ctx, r.src, &gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime})
	}
	src, err := r.strandSource(ctx, st)
	if err != nil {
		return err
	}
	src.Kept, src.KeptLine = next.kept, next.keptLine
	if src != r.src {
		src.Bytes += int64(len(next.block.Data))
	}
	return r.store.Append(ctx, src, &next.batch)
}

// count keeps what was counted of a strand: with the file's own row, or with that of a program that no format knows, which has no
// format.
func (r *fileReading) count(ctx context.Context, c *counted) error {
	if c.strand.Parser != nil {
		r.src.Count(&c.seen)
		return nil
	}
	src, err := r.strandRow(ctx, c.strand)
	if err != nil || src.Format != "" { // it was known by more lines than there are now
		return err
	}
	src.Stamps = gatepost.StampsNone
	src.Bytes += c.size
	return r.store.Append(ctx, src, &c.seen)
}

// strandSource returns the row of a strand that a format knows.
func (r *fileReading) strandSource(ctx context.Context, st *parser.Strand) (*gatepost.Source, error) {
	src, err := r.strandRow(ctx, st)
	if err == nil {
		src.Format, src.Dialect = st.Parser.Format.Name, st.Parser.Dialect
	}
	return src, err
}

// strandRow returns the row of a strand, a new one when it has none yet.
func (r *fileReading) strandRow(ctx context.Context, st *parser.Strand) (*gatepost.Source, error) {
	name := strandName{st.Name, st.Host}
	src := r.strands[name]
	if src == nil {
		src = &gatepost.Source{Path: r.file.Path, Strand: st.Name, Host: st.Host, HeadSize: r.src.HeadSize, Head: strandHead(r.src, st.Name, st.Host)}
		if err := r.store.AddSource(ctx, src); err != nil {
			return nil, err
		}
		r.strands[name] = src
	}
	return src, nil
}

// strangers says whose lines in the file are of no log that is known.
func (r *fileReading) strangers() {
	sorter := r.parser.Sorter()
	if sorter == nil {
		return
	}
	var unknown []string
	for st := range sorter.Strands() {
		if st.Parser == nil && st.Lines > 0 {
			unknown = append(unknown, fmt.Sprintf("%s (%d)", cmp.Or(st.Name, "without a name"), st.Lines))
		}
	}
	const most = 10
	if more := len(unknown) - most; more > 0 {
		unknown = append(unknown[:most], fmt.Sprintf("and %d more", more))
	}
	if len(unknown) > 0 {
		r.note("%s: holds lines of no log that is known: %s", r.file.Path, strings.Join(unknown, ", "))
	}
}

// placeOf names a source for people.
func placeOf(src *gatepost.Source) string {
	if src.Strand == "" {
		return src.Path
	}
	return src.Path + ": " + src.Strand
}

package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"gatepost"
	"gatepost/correlate"
	"gatepost/parser"
	"gatepost/parser/source"
)

// Who asks for half an hour needs not the month that the access log holds. Two things follow from that:
//
//   - requests far from the time that was asked for count for nothing (excerpt), however the logs are read;
//   - so a large access log is searched for the others, and not read beyond them (fileReading.search).
//
// All other logs are read whole. In Odoo's, PostgreSQL's and the kernel's, lines matter as long as the process lives
// that they are about. What is packed or piped cannot be searched. And a store that is kept gets all there is, so
// that the next run finds it.

const (
	// searchLeast is from which size on a log is searched: less is read whole in a twentieth of a second.
	searchLeast = 32 << 20
	// nearShare is which share of that size lines may stand away from where their stamps belong: nginx's workers
	// write their buffers one after the other.
	nearShare = 4
)

// reach is between which times requests count. Beside a log of Odoo, its lines must be told apart by all requests
// that they can belong to: those since an hour before a failing one came in, and those that Odoo finished
// up to twenty minutes after nginx had given up. Without one a minute is left for lines that nginx held back.
func (r *reading) reach(odoo bool) (from, to gatepost.Time) {
	if odoo {
		return r.since.Add(-75 * time.Minute), r.until.Add(25 * time.Minute)
	}
	return r.since, r.until.Add(time.Minute)
}

// partly reports whether a part of the time is asked for.
func (r *reading) partly() bool { return r.since.Known() || r.until.Known() }

// searches reports whether a file is worth a search, if it is an access log in plain text.
func (in *ingest) searches(f *source.File) bool {
	return in.partly() && in.db == "" && !in.whole && f.Growing && f.Size >= in.searchLeast
}

// findOdoo notes whether there is a log of Odoo among the files, where that must be known before it is read.
func (in *ingest) findOdoo(files []*source.File) {
	in.odoo = slices.ContainsFunc(files, in.searches) && slices.ContainsFunc(files, func(f *source.File) bool {
		s, err := f.Open()
		if err != nil {
			return false // reading it meets the error again
		}
		defer s.Close()
		p, err := in.parserFor(f, s.Peek(parser.SampleSize), "")
		return err == nil && p != nil && p.Reads(odooFormat)
	})
}

const odooFormat = "odoo"

// anyZone is how far stamps that do not tell their zone may be from UTC.
const anyZone = 15 * time.Hour

// holdsFailures reports whether logs of a format are access logs.
func holdsFailures(format string) bool {
	f := parser.Lookup(format)
	return f != nil && slices.Contains(f.Kinds, gatepost.NginxRequest)
}

// search goes to where the requests stand that count, if the file is a large access log, and lets the stream end
// behind them.
func (r *fileReading) search() error {
	f, s := r.file, r.stream
	if !r.searches(f) || !holdsFailures(r.parser.Format.Name) || s.Kind != nil || s.Offset() > 0 || r.parser.Sorter() != nil {
		return nil
	}
	from, to := r.reach(r.odoo)
	look, seen := r.parser.Clone(), new(gatepost.Batch)
	look.Parse(&gatepost.Block{Line: 1, Data: s.Peek(parser.SampleSize)}, seen)
	if seen.Stamps != gatepost.StampsAbsolute {
		return nil // where its hours lie is told only by what has been read
	}
	found, err := f.Search(from, to, r.searchLeast/nearShare, func(lines []byte) (first, last gatepost.Time) {
		look.Parse(&gatepost.Block{Line: 1, Data: lines}, seen)
		return seen.First, seen.Last
	})
	if err != nil {
		return err
	}
	if err := s.SkipTo(found.Begin); err != nil {
		return err
	}
	s.EndAt(found.End)
	r.src.PositionLine = 1
	r.start, r.begins[r.src.ID] = found.Begin, found.Begin
	if read := found.End - found.Begin; read < f.Size && found.First.Known() {
		r.note("%s: goes from %s to %s; %s of %s were read for the time that was asked for", f.Path,
			found.First, found.Last, humanize.Bytes(uint64(read)), humanize.Bytes(uint64(f.Size)))
	}
	return nil
}

// excerpt is the history that counts when a part of the time is asked for: without requests that are far from it. So
// verdicts are the same whether these were read or not.
type excerpt struct {
	*history
	from, to gatepost.Time
	skipped  map[int]int64 // lines that stand before what was read of a source
	statuses []gatepost.StatusCount
}

// counting is what counts of a history.
func (in *ingest) counting(ctx context.Context, h *history) (correlate.Rhythm, error) {
	if !in.partly() {
		return h, nil
	}
	sources, err := h.Sources(ctx)
	if err != nil {
		return nil, err
	}
	x := &excerpt{history: h, skipped: make(map[int]int64)}
	x.from, x.to = in.reach(slices.ContainsFunc(sources, func(s gatepost.Source) bool { return s.Format == odooFormat }))
	if slices.ContainsFunc(sources, func(s gatepost.Source) bool { return holdsFailures(s.Format) && s.Stamps == gatepost.StampsLocal }) {
		x.from, x.to = x.from.Add(-anyZone), x.to.Add(anyZone)
	}
	for id, begin := range in.begins {
		if x.skipped[id], err = in.skipped(ctx, id, begin); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// skipped counts the lines that reading jumped over, if a line behind them is going to be named: that takes reading
// the file from its beginning, though nothing else.
func (in *ingest) skipped(ctx context.Context, id int, begin int64) (int64, error) {
	for e, err := range in.store.Events(ctx, gatepost.Query{Sources: []int{id}, From: in.since, To: in.until}) {
		if err != nil {
			return 0, err
		}
		if e.Kind == gatepost.NginxRequest && !slices.Contains(in.watched, e.Status) {
			continue
		}
		f := in.files[id]
		n, err := f.CountLines(begin)
		if err != nil {
			in.trouble(remedy(err), "%s: its lines are numbered from byte %d on: %v", f.Path, begin, reason(err))
			n = 0
		}
		return n, nil
	}
	return 0, nil
}

// Requests yields the requests of the history that count.
func (x *excerpt) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	if x.from.Known() {
		q.From = max(q.From, x.from)
	}
	if x.to.Known() {
		q.To = min(cmp.Or(q.To, x.to), x.to)
	}
	return x.history.Requests(ctx, q)
}

// Events yields the events of the history without the requests that do not count, with the numbers that their lines have
// in the whole file.
func (x *excerpt) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	return func(yield func(gatepost.Event, error) bool) {
		for e, err := range x.history.Events(ctx, q) {
			if e.Kind == gatepost.NginxRequest && (e.Time < x.from || x.to.Known() && e.Time > x.to) {
				continue
			}
			e.Ref.Line += x.skipped[e.Ref.Source]
			if !yield(e, err) {
				return
			}
		}
	}
}

// Statuses counts the access lines that count. The correlator asks for it once for every outage.
func (x *excerpt) Statuses(ctx context.Context) ([]gatepost.StatusCount, error) {
	if x.statuses != nil {
		return slices.Clone(x.statuses), nil
	}
	type key struct{ source, status int }
	at := make(map[key]int)
	var all []gatepost.StatusCount
	for r, err := range x.Requests(ctx, gatepost.Query{Lanes: []gatepost.Lane{gatepost.LaneNginx}}) {
		if err != nil {
			return nil, err
		}
		k := key{r.Ref.Source, int(r.Status)}
		i, ok := at[k]
		if !ok {
			i = len(all)
			at[k] = i
			all = append(all, gatepost.StatusCount{Source: k.source, Status: k.status, First: r.End})
		}
		all[i].Requests++
		all[i].Last = r.End
	}
	x.statuses = all
	return slices.Clone(all), nil
}

// fewPairs is up to how many pairs of lines tell nothing where all of an error log is held against a part of an access
// log: what fails every quarter of an hour fits itself.
const fewPairs = 2

// zonesOfErrors gives error logs the zone of the access log, which the same nginx writes, where pairs of lines do not
// tell it: there are few of these in a part of the time.
func (in *ingest) zonesOfErrors(ctx context.Context, h *history) error {
	if !in.partly() {
		return nil
	}
	sources, err := h.Store.Sources(ctx)
	if err != nil {
		return err
	}
	sources = slices.DeleteFunc(sources, func(s gatepost.Source) bool {
		return s.Format != "nginx_error" || s.Stamps != gatepost.StampsLocal || s.Clock.Votes > fewPairs
	})
	if len(sources) == 0 {
		return nil
	}
	east, told, err := in.east(ctx)
	if err != nil || !told {
		return err
	}
	zone := time.Time{}.In(time.FixedZone("", int(east.Seconds()))).Format("UTC-07:00")
	for i := range sources {
		clock := gatepost.Clock{Shift: -east, Zone: zone, How: "that of the access log, which the same nginx writes"}
		if err := setClock(ctx, in.store, &sources[i], clock); err != nil {
			return err
		}
	}
	return nil
}

// east is how far east of UTC nginx's machine was at the time that was asked for, as the first notable access line of
// it is stamped.
func (in *ingest) east(ctx context.Context) (east time.Duration, told bool, err error) {
	q := gatepost.Query{Kinds: []gatepost.Kind{gatepost.NginxRequest}, From: in.since, To: in.until}
	for e, err := range in.store.Events(ctx, q) {
		if err != nil {
			return 0, false, err
		}
		p := in.parsers[e.Ref.Source]
		if p == nil {
			continue // an earlier run read it, and it may be gone
		}
		again := source.Lines{File: func(id int) *source.File { return in.files[id] }, Limit: source.PeekSize}
		lines, err := again.Text([]gatepost.Ref{e.Ref})
		if err = errors.Join(err, again.Close()); err != nil {
			in.note("a line could not be read again: %v", err)
		}
		east, told = p.East([]byte(lines[e.Ref]))
		break
	}
	return east, told, nil
}

package store

import (
	"context"
	"fmt"

	"gatepost"
)

// What Prune does, a statement for each step. Of ?1 and ?2 in the first four, one is the time and the other what stands for none.
const (
	pruneIncidents = "DELETE FROM _incidents WHERE ended < ?1 AND ended <> ?2"
	pruneFailures  = "DELETE FROM _failures WHERE time < ?1 AND time <> ?2 AND incident NOT IN (SELECT id FROM _incidents)"
	pruneGaps      = "DELETE FROM _gaps WHERE ended < ?1 AND ended <> ?2"
	pruneLost      = "DELETE FROM _lost WHERE ended < ?1 AND ended <> ?2"
	pruneJudged    = "DELETE FROM _judged WHERE ended < ?1"
	cutOld         = "UPDATE _judged SET began = ?1 WHERE began < ?1 AND ended >= ?1"
	pruneArguments = "DELETE FROM _arguments WHERE argument NOT IN (SELECT argument FROM _failures UNION ALL SELECT argument FROM _incidents)"
	pruneEvidence  = "DELETE FROM _evidence WHERE argument > 0 AND argument NOT IN (SELECT argument FROM _arguments)"
	pruneSymptoms  = "DELETE FROM _evidence WHERE argument < 0 AND -argument NOT IN (SELECT ordinal FROM _failures)"

	selectOldEnd   = "SELECT coalesce(max(offset), -1) FROM _events WHERE source = ? AND time BETWEEN ? AND ?"
	pruneEvents    = "DELETE FROM _events WHERE source = ? AND time BETWEEN ? AND ?"
	pruneSeconds   = "DELETE FROM _seconds WHERE source = ? AND second BETWEEN ? AND ?"
	pruneBeats     = "DELETE FROM _beats WHERE source = ? AND second BETWEEN ? AND ?"
	selectOld      = "SELECT id, lane FROM _chunks WHERE source = ? AND first < ? ORDER BY id"
	pruneChunk     = "DELETE FROM _chunks WHERE id = ?"
	uncountStatus  = "UPDATE _statuses SET requests = requests - ? WHERE source = ? AND status = ?"
	pruneStatuses  = "DELETE FROM _statuses WHERE source = ? AND requests <= 0"
	updateStatuses = `UPDATE _statuses SET first = max(first, coalesce((SELECT min(first) FROM _chunks WHERE source = ?1 AND lane = ?2), first))
	WHERE source = ?1 AND first <> ?3`
	pruneUndated  = "DELETE FROM _events WHERE source = ? AND time = ? AND offset <= ?"
	pruneUnparsed = "DELETE FROM _unparsed WHERE source = ? AND offset <= ?"
	pruneLines    = "DELETE FROM _lines WHERE source = ? AND offset <= ? AND (source, offset, length) NOT IN (SELECT source, offset, length FROM _evidence)"

	selectFree = "SELECT (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count)"
)

// Prune removes what is older than a time: requests, their counters, events, failures, incidents that ended before, and the lines that
// only these cited. What is known of the sources stays, their reading positions above all: a line that was read once counts once, also
// when nothing of it is left. An incident that reaches beyond the time stays whole.
//
// SQLite fills the room that becomes free with what is read next. The file becomes smaller only when more than a quarter of it
// is free, because that means to write all of it anew.
func (s *Store) Prune(ctx context.Context, before gatepost.Time) error {
	op := "remove what is older than " + before.String()
	err := s.replace(ctx, op, func(w *writer) error {
		clear(w.sources) // all is committed; what they hold of open chunks would be written again
		sources, err := w.allSources()
		if err != nil {
			return err
		}
		if err := w.pruneVerdicts(before); err != nil {
			return err
		}
		p := &pruning{writer: w, before: before, unpack: s.dec.Get().(*unpacker), kept: w.emptyColumns()}
		defer s.dec.Put(p.unpack)
		for i := range sources {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.source(&sources[i]); err != nil {
				return fmt.Errorf("%s: %w", sources[i].Path, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.write(ctx, op, (*writer).reclaim)
}

func (w *writer) allSources() ([]gatepost.Source, error) {
	rows, err := w.conn.QueryContext(context.Background(), selectSources)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []gatepost.Source
	for rows.Next() {
		src, err := scanSource(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, src)
	}
	return all, rows.Err()
}

// pruneVerdicts removes the incidents that ended before a time, the failures of that time that belong to no other, and what they rested on.
func (w *writer) pruneVerdicts(before gatepost.Time) error {
	for _, statement := range []string{pruneIncidents, pruneFailures, pruneGaps, pruneLost} {
		if _, err := w.exec(statement, int64(before), int64(gatepost.NoTime)); err != nil {
			return err
		}
	}
	for _, statement := range []string{cutOld, pruneJudged} {
		if _, err := w.exec(statement, int64(before)); err != nil {
			return err
		}
	}
	return w.dropArguments()
}

// pruning goes through the sources.
type pruning struct {
	*writer
	before   gatepost.Time
	unpack   *unpacker
	requests []gatepost.Request
	kept     *columns
	end      int64 // of the source at hand: the greatest offset of what was removed
}

// startless is whether the stamps of a source count from a start that nobody knows: they tell no time.
func startless(src *gatepost.Source) bool {
	return src.Stamps == gatepost.StampsBoot && src.Clock.Shift == 0
}

func (p *pruning) source(src *gatepost.Source) error {
	if startless(src) {
		return nil
	}
	p.end = -1
	wanted := windowOf(gatepost.Query{From: gatepost.NoTime + 1, To: p.before - 1})
	for _, part := range partsOf(src, wanted) {
		part.from = max(part.from, gatepost.NoTime+1)
		if err := p.events(part); err != nil {
			return err
		}
		for _, statement := range []string{pruneSeconds, pruneBeats} {
			if _, err := p.exec(statement, src.ID, part.from.Second(), part.to.Second()); err != nil {
				return err
			}
		}
	}
	if err := p.chunks(src); err != nil {
		return err
	}
	return p.undated(src)
}

// events removes those of a part.
func (p *pruning) events(of part) error {
	args := []any{of.source, int64(of.from), int64(of.to)}
	var end int64
	if err := p.conn.QueryRowContext(context.Background(), selectOldEnd, args...).Scan(&end); err != nil {
		return err
	}
	p.end = max(p.end, end)
	_, err := p.exec(pruneEvents, args...)
	return err
}

// chunks removes the requests of a source that are old. A chunk that holds others too is packed again without them.
func (p *pruning) chunks(src *gatepost.Source) error {
	_, latest := src.Clock.Bounds(gatepost.NoTime, p.before)
	rows, err := p.conn.QueryContext(context.Background(), selectOld, src.ID, int64(latest))
	if err != nil {
		return err
	}
	defer rows.Close()
	var refs []chunkRef
	for rows.Next() {
		c := chunkRef{source: src}
		if err := rows.Scan(&c.id, &c.lane); err != nil {
			return err
		}
		refs = append(refs, c)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	gone := map[uint16]int64{} // access lines by status
	for i := range refs {
		if err := p.chunk(&refs[i], gone); err != nil {
			return fmt.Errorf("chunk %d: %w", refs[i].id, err)
		}
	}
	for code, n := range gone {
		if _, err := p.exec(uncountStatus, n, src.ID, int64(code)); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if _, err := p.exec(pruneStatuses, src.ID); err != nil {
		return err
	}
	// When the first line of each status was that is left would take reading all of them. That of the first line of all must be right.
	_, err = p.exec(updateStatuses, src.ID, int(gatepost.LaneNginx), int64(gatepost.NoTime))
	return err
}

// chunk removes the old requests of a chunk, and counts them. A request without a time is as old as the one before it.
func (p *pruning) chunk(c *chunkRef, gone map[uint16]int64) (err error) {
	var data []byte
	if err := p.conn.QueryRowContext(context.Background(), selectChunk, c.id).Scan(&data); err != nil {
		return err
	}
	if p.requests, err = p.unpack.unpack(p.requests[:0], data, c.source.ID, c.lane); err != nil {
		return err
	}
	kept, old := p.requests[:0], false
	for _, r := range p.requests {
		if r.End.Known() {
			old = c.source.Clock.At(r.End) < p.before
		}
		if !old {
			kept = append(kept, r)
			continue
		}
		p.end = max(p.end, r.Ref.Offset)
		if c.lane == gatepost.LaneNginx {
			gone[r.Status]++
		}
	}
	switch len(kept) {
	case len(p.requests):
		return nil
	case 0:
		_, err = p.exec(pruneChunk, c.id)
		return err
	}
	p.kept.reset()
	p.kept.add(kept)
	_, err = p.exec(updateChunk, int64(p.kept.first), int64(p.kept.last), p.kept.n, p.packer.pack(p.kept), c.id)
	return err
}

// undated removes of a source what has no time of its own and stands before what was removed.
func (p *pruning) undated(src *gatepost.Source) error {
	if p.end < 0 {
		return nil
	}
	_, err := p.exec(pruneUndated, src.ID, int64(gatepost.NoTime), p.end)
	if err != nil {
		return err
	}
	if _, err := p.exec(pruneUnparsed, src.ID, p.end); err != nil {
		return err
	}
	_, err = p.exec(pruneLines, src.ID, p.end)
	if err != nil || src.Clock.At(src.Last) >= p.before {
		return err
	}
	_, err = p.exec(forgetUnknown, src.ID)
	return err
}

// freeShare is which part of the file may be free room, as one in so many, before it is written anew.
const freeShare = 4

// reclaim makes the file smaller where that is worth it.
func (w *writer) reclaim() error {
	ctx := context.Background()
	var pages, free int64
	if err := w.conn.QueryRowContext(ctx, selectFree).Scan(&pages, &free); err != nil {
		return err
	}
	if free*freeShare > pages {
		if _, err := w.conn.ExecContext(ctx, "VACUUM"); err != nil {
			return err
		}
	}
	rows, err := w.conn.QueryContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // a reader may hold it up; the next one does it then
	if err != nil {
		return err
	}
	return rows.Close()
}

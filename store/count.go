package store

import (
	"context"

	"gatepost"
)

// What is counted of the access lines of a source between two raw stamps, ?2 and ?3. Chunks that lie in between whole are counted by their rows, and
// only those at the edges are opened.
const (
	countWhole = "SELECT coalesce(sum(requests), 0) FROM _chunks WHERE source = ?1 AND first BETWEEN ?2 AND ?3 AND last <= ?3 AND lane = ?4"
	selectEdge = `SELECT id FROM _chunks WHERE source = ?1 AND first BETWEEN ?2 - (SELECT span FROM _sources WHERE id = ?1) AND ?3 AND last >= ?2
	AND NOT (first >= ?2 AND last <= ?3) AND lane = ?4`
	countEvents = "SELECT count(*) FROM _events WHERE source = ?1 AND time BETWEEN ?2 AND ?3 AND kind = ?4 AND status IN (SELECT value FROM json_each(?5))"
)

// Count says how many access lines there are of a time, and how many of them have one of some statuses, of those that are notable.
func (s *Store) Count(ctx context.Context, q gatepost.Query, statuses []int) (requests, having int64, err error) {
	requests, having, err = s.count(ctx, q, statuses)
	return requests, having, s.fail("count requests", err)
}

func (s *Store) count(ctx context.Context, q gatepost.Query, statuses []int) (requests, having int64, err error) {
	sources, err := s.Sources(ctx)
	if err != nil {
		return 0, 0, err
	}
	list, err := jsonList(statuses)
	if err != nil {
		return 0, 0, err
	}
	unpack := s.dec.Get().(*unpacker)
	defer s.dec.Put(unpack)
	var memory []gatepost.Request
	for i := range sources {
		src := &sources[i]
		for _, p := range partsOf(src, windowOf(q)) {
			if !q.Wants(src.ID) || src.First > p.to || src.Last < p.from {
				continue
			}
			whole, err := s.number(ctx, countWhole, src.ID, int64(p.from), int64(p.to), int(gatepost.LaneNginx))
			if err != nil {
				return 0, 0, err
			}
			requests += whole
			if list != "" {
				events, err := s.number(ctx, countEvents, src.ID, int64(p.from), int64(p.to), string(gatepost.NginxRequest), list)
				if err != nil {
					return 0, 0, err
				}
				having += events
			}
			edges, err := collect(ctx, s, func(row scanner) (c chunkRef, err error) {
				c.source, c.lane = src, gatepost.LaneNginx
				err = row.Scan(&c.id)
				return c, err
			}, selectEdge, src.ID, int64(p.from), int64(p.to), int(gatepost.LaneNginx))
			if err != nil {
				return 0, 0, err
			}
			for j := range edges {
				if memory, err = s.unpackChunk(ctx, unpack, memory[:0], &edges[j]); err != nil {
					return 0, 0, err
				}
				for k := range memory {
					if p.holds(memory[k].End) {
						requests++
					}
				}
			}
		}
	}
	return requests, having, nil
}

// number is the answer to a statement that has one number for an answer.
func (s *Store) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = eachRow(ctx, s, func(row scanner) error { return row.Scan(&n) }, query, args...)
	return n, err
}

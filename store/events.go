package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"gatepost"
)

const eventColumns = "source, offset, length, line, time, kind, hash, pid, by, status, duration, sql, queries, number, " +
	"method, path, client, upstream, db, key, phase, attempts, name, text, pids"

var insertEvents = newInsertion(orFail, "_events ("+eventColumns+")", "")

func (w *writer) addEvents(source int, events []gatepost.Event) error {
	rows := w.bulk(insertEvents)
	for i := range events {
		if err := addEvent(rows, source, &events[i]); err != nil {
			return err
		}
	}
	return rows.flush()
}

// addEvent adds the values of eventColumns.
func addEvent(rows *bulk, source int, e *gatepost.Event) error {
	attempts, err := jsonList(e.Attempts)
	if err != nil {
		return err
	}
	pids, err := jsonList(e.PIDs)
	if err != nil {
		return err
	}
	return rows.add(source, e.Ref.Offset, e.Ref.Length, e.Ref.Line, int64(e.Time), string(e.Kind), int64(e.Hash),
		e.PID, e.By, e.Status, int64(e.Duration), int64(e.SQL), e.Queries, e.Number,
		e.Method, e.Path, e.Client, e.Upstream, e.DB, int64(e.Key), string(e.Phase), attempts, e.Name, e.Text, pids)
}

// jsonList encodes a list; an empty one is the empty string.
func jsonList[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

func fromJSON[T any](text string, dst *T) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), dst)
}

// eventRow is an event with its raw stamp and its place among the rows.
type eventRow struct {
	gatepost.Event
	row int64
}

// scanEvent reads id and eventColumns.
func scanEvent(row scanner) (e eventRow, err error) {
	var hash, key int64
	var attempts, pids string
	err = row.Scan(&e.row, &e.Ref.Source, &e.Ref.Offset, &e.Ref.Length, &e.Ref.Line, &e.Time, &e.Kind, &hash,
		&e.PID, &e.By, &e.Status, &e.Duration, &e.SQL, &e.Queries, &e.Number,
		&e.Method, &e.Path, &e.Client, &e.Upstream, &e.DB, &key, &e.Phase, &attempts, &e.Name, &e.Text, &pids)
	if err != nil {
		return e, err
	}
	e.Hash, e.Key = uint64(hash), uint64(key)
	if err := fromJSON(attempts, &e.Attempts); err != nil {
		return e, fmt.Errorf("event %d: %w", e.row, err)
	}
	if err := fromJSON(pids, &e.PIDs); err != nil {
		return e, fmt.Errorf("event %d: %w", e.row, err)
	}
	return e, nil
}

// Events yields the events that q selects, their times on the common clock, by time, source and
// offset; events without a time come first. The loop may use the store: nothing is held open
// between two events. An error ends the iteration.
func (s *Store) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	return func(yield func(gatepost.Event, error) bool) {
		m, err := s.mergeEvents(ctx, q)
		if err != nil {
			yield(gatepost.Event{}, s.fail("read events", err))
			return
		}
		for len(m.streams.items) > 0 {
			e, err := m.next(ctx)
			if err != nil {
				yield(gatepost.Event{}, s.fail("read events", err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// eventStream reads the events of one source that share one shift, page by page. Their raw order
// is their order on the common clock.
type eventStream struct {
	part
	page []eventRow
	// The row after which the next page begins.
	time   gatepost.Time
	offset int64
	row    int64
	last   bool // no page follows
}

// eventPage is how many events a stream holds at a time.
const eventPage = 1000

// selectEvents reads a page: source, the row before it, the last raw stamp, kinds as JSON or NULL, how
// many, bits of keys that are left out.
const selectEvents = "SELECT id, " + eventColumns + ` FROM _events
	WHERE source = ?1 AND (time, offset, id) > (?2, ?3, ?4) AND time <= ?5
	AND (?6 IS NULL OR kind IN (SELECT value FROM json_each(?6))) AND key & ?8 = 0
	ORDER BY time, offset, id LIMIT ?7`

// eventMerge merges streams; the first of the heap has the earliest event.
type eventMerge struct {
	s       *Store
	kinds   any
	sparse  int64
	streams heap[*eventStream]
}

func (s *Store) mergeEvents(ctx context.Context, q gatepost.Query) (*eventMerge, error) {
	parts, err := s.parts(ctx, q)
	if err != nil {
		return nil, err
	}
	m := &eventMerge{s: s, sparse: int64(q.Sparse), streams: heap[*eventStream]{less: earlierEvent}}
	if len(q.Kinds) > 0 {
		if m.kinds, err = jsonList(q.Kinds); err != nil {
			return nil, err
		}
	}
	for _, p := range parts {
		st := &eventStream{part: p, time: p.from, offset: -1}
		if err := m.fill(ctx, st); err != nil {
			return nil, err
		}
		if len(st.page) > 0 {
			m.streams.push(st)
		}
	}
	return m, nil
}

func earlierEvent(a, b *eventStream) bool {
	x, y := &a.page[0], &b.page[0]
	if x.Time != y.Time {
		return x.Time < y.Time
	}
	if x.Ref.Source != y.Ref.Source {
		return x.Ref.Source < y.Ref.Source
	}
	if x.Ref.Offset != y.Ref.Offset {
		return x.Ref.Offset < y.Ref.Offset
	}
	return x.row < y.row
}

// fill reads the next page of a stream and places it on the common clock.
func (m *eventMerge) fill(ctx context.Context, st *eventStream) (err error) {
	if st.last {
		return nil
	}
	st.page, err = collect(ctx, m.s, scanEvent, selectEvents,
		st.source, int64(st.time), st.offset, st.row, int64(st.to), m.kinds, eventPage, m.sparse)
	if err != nil {
		return err
	}
	st.last = len(st.page) < eventPage
	if n := len(st.page); n > 0 {
		end := &st.page[n-1]
		st.time, st.offset, st.row = end.Time, end.Ref.Offset, end.row
	}
	for i := range st.page {
		st.page[i].Time = st.page[i].Time.Add(st.shift)
	}
	return nil
}

// next takes the earliest event.
func (m *eventMerge) next(ctx context.Context) (gatepost.Event, error) {
	st := m.streams.items[0]
	e := st.page[0].Event
	st.page = st.page[1:]
	if len(st.page) == 0 {
		if err := m.fill(ctx, st); err != nil {
			return e, err
		}
	}
	if len(st.page) == 0 {
		m.streams.pop()
	} else {
		m.streams.fix()
	}
	return e, nil
}

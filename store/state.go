package store

import (
	"context"
	"errors"
	"time"

	"gatepost"
)

// sourceState is what the writer holds of a source between commits.
type sourceState struct {
	id       int
	src      gatepost.Source // as of the last Append
	dirty    bool            // src is ahead of its row
	used     int64           // writer.clock of the last Append
	unparsed int             // rows in _unparsed
	unknown  unknown         // kinds of unparsed lines
	span     float64         // of the longest chunk written, see span
	chunks   [gatepost.LaneGevent + 1]openChunk
	seconds  []second
	beats    []beat
	statuses []status
}

// openChunk is the chunk of a source and lane that is being filled.
type openChunk struct {
	*columns       // nil when there is none
	saved    int   // how many requests the row has
	row      int64 // id of the row, 0 before the first commit
}

// openSources is how many sources may keep their open chunks in memory after a commit. A live
// program follows fewer; a batch has read its earlier sources to the end.
const openSources = 16

var errLost = errors.New("an earlier error took back what was read: read on from the position that is stored")

const selectState = "SELECT span, (SELECT count(*) FROM _unparsed WHERE source = _sources.id) FROM _sources WHERE id = ?"

// state returns the state of a source for appending to it.
func (w *writer) state(id int) (*sourceState, error) {
	if w.lost[id] {
		return nil, errLost
	}
	st := w.sources[id]
	if st == nil {
		st = &sourceState{id: id}
		row := w.conn.QueryRowContext(context.Background(), selectState, id)
		if err := row.Scan(&st.span, &st.unparsed); err != nil {
			return nil, err
		}
		if err := w.loadUnknown(st); err != nil {
			return nil, err
		}
		w.sources[id] = st
	}
	w.clock++
	st.used = w.clock
	return st, nil
}

// closeIdle forgets the open chunks of the sources that have been idle for longest. Everything
// is committed by then.
func (w *writer) closeIdle() {
	for len(w.sources) > openSources {
		var idle *sourceState
		for _, st := range w.sources {
			if idle == nil || st.used < idle.used {
				idle = st
			}
		}
		for _, c := range idle.chunks {
			if c.columns != nil && len(w.free) < openSources {
				w.free = append(w.free, c.columns)
			}
		}
		delete(w.sources, idle.id)
	}
}

// emptyColumns returns memory for an open chunk, that of a forgotten one if there is any.
func (w *writer) emptyColumns() *columns {
	n := len(w.free)
	if n == 0 {
		return newColumns()
	}
	c := w.free[n-1]
	w.free = w.free[:n-1]
	c.reset()
	return c
}

func (w *writer) addRequests(st *sourceState, reqs []gatepost.Request) error {
	for len(reqs) > 0 {
		lane := reqs[0].Lane
		n := 1
		for n < len(reqs) && reqs[n].Lane == lane {
			n++
		}
		if err := w.fillChunk(st, lane, reqs[:n]); err != nil {
			return err
		}
		if lane == gatepost.LaneNginx {
			st.count(reqs[:n])
		} else {
			st.countBeats(reqs[:n])
		}
		reqs = reqs[n:]
	}
	if len(st.seconds) > secondsHeld {
		return w.saveSeconds(st, len(st.seconds)/bulkRows*bulkRows-bulkRows)
	}
	return nil
}

func (w *writer) fillChunk(st *sourceState, lane gatepost.Lane, reqs []gatepost.Request) error {
	c := &st.chunks[lane]
	for len(reqs) > 0 {
		if c.columns == nil {
			c.columns = w.emptyColumns()
		}
		if reqs = c.add(reqs); c.n < chunkMax {
			return nil
		}
		full := *c
		*c = openChunk{}
		if err := w.pack(st, lane, full); err != nil {
			return err
		}
	}
	return nil
}

// saveChunk writes an open chunk, or replaces its shorter predecessor.
func (w *writer) saveChunk(st *sourceState, lane gatepost.Lane) error {
	c := &st.chunks[lane]
	if c.columns == nil || c.n == c.saved {
		return nil
	}
	row, err := w.putChunk(st, lane, c, w.packer.pack(c.columns))
	c.row, c.saved = row, c.n
	return err
}

const updateChunk = "UPDATE _chunks SET first = ?, last = ?, requests = ?, data = ? WHERE id = ?"

// putChunk writes a packed chunk, in the place of its shorter predecessor if there is one, and returns its row.
func (w *writer) putChunk(st *sourceState, lane gatepost.Lane, c *openChunk, data []byte) (int64, error) {
	st.span = max(st.span, span(c.first, c.last))
	if c.row != 0 {
		_, err := w.exec(updateChunk, int64(c.first), int64(c.last), c.n, data, c.row)
		return c.row, err
	}
	return w.insert("INSERT INTO _chunks (source, lane, first, last, requests, data) VALUES (?, ?, ?, ?, ?, ?)",
		st.id, int(lane), int64(c.first), int64(c.last), c.n, data)
}

// span is the time between two stamps in nanoseconds, as a real number because it need not fit
// an integer, and a second longer because a real number is not exact.
func span(first, last gatepost.Time) float64 {
	return float64(last) - float64(first) + float64(time.Second)
}

// saveState writes what a source has gathered since the last commit, its position with it.
func (w *writer) saveState(st *sourceState) error {
	if !st.dirty {
		return nil
	}
	if err := w.finishPacking(0); err != nil {
		return err
	}
	for lane := range st.chunks {
		if err := w.saveChunk(st, gatepost.Lane(lane)); err != nil {
			return err
		}
	}
	if err := w.saveCounters(st); err != nil {
		return err
	}
	if err := w.saveBeats(st); err != nil {
		return err
	}
	if err := w.saveUnknown(st); err != nil {
		return err
	}
	if err := w.updateSource(&st.src, st.span); err != nil {
		return err
	}
	st.dirty = false
	return nil
}

// second counts the access lines of one raw second.
type second struct {
	unix     int64
	requests int64
	failed   [len(failedStatuses)]int64
	bytes    int64
	duration time.Duration
}

// failedStatuses are the statuses that have a counter of their own in every second.
var failedStatuses = [...]uint16{499, 500, 502, 503, 504}

// status counts the access lines of one status.
type status struct {
	code        uint16
	requests    int64
	first, last gatepost.Time
}

// count adds access lines to the counters. Neighbours mostly share second and status, so they are looked up where one
// changes.
func (st *sourceState) count(reqs []gatepost.Request) {
	var sec *second
	var stat *status
	before := gatepost.NoTime
	for i := range reqs {
		r := &reqs[i]
		if stat == nil || r.Status != stat.code {
			stat = st.statusOf(r.Status)
		}
		stat.add(r)
		if !r.End.Known() {
			continue
		}
		if r.End != before {
			sec, before = st.secondOf(r.End.Second()), r.End
		}
		sec.add(r)
	}
}

// secondOf finds the counters of a second. Lines are nearly in order, so it is among the last.
func (st *sourceState) secondOf(unix int64) *second {
	n := len(st.seconds)
	for i := n - 1; i >= max(0, n-4); i-- {
		if st.seconds[i].unix == unix {
			return &st.seconds[i]
		}
	}
	// A second that comes again later gets a second entry: they are added up in the table.
	st.seconds = append(st.seconds, second{unix: unix})
	return &st.seconds[n]
}

func (n *second) add(r *gatepost.Request) {
	n.requests++
	n.bytes += max(r.Bytes, 0)
	if r.Duration != gatepost.Unknown {
		n.duration += r.Duration
	}
	if r.Status < 499 {
		return
	}
	for i, s := range failedStatuses {
		if r.Status == s {
			n.failed[i]++
		}
	}
}

func (st *sourceState) statusOf(code uint16) *status {
	for i := range st.statuses {
		if st.statuses[i].code == code {
			return &st.statuses[i]
		}
	}
	st.statuses = append(st.statuses, status{code: code, first: gatepost.NoTime, last: gatepost.NoTime})
	return &st.statuses[len(st.statuses)-1]
}

func (n *status) add(r *gatepost.Request) {
	n.requests++
	if !r.End.Known() {
		return
	}
	if n.first == gatepost.NoTime || r.End < n.first {
		n.first = r.End
	}
	n.last = max(n.last, r.End)
}

var insertSeconds = newInsertion(orFail, "_seconds (source, second, requests, s499, s500, s502, s503, s504, bytes, duration)",
	` ON CONFLICT DO UPDATE SET
	requests = requests + excluded.requests, s499 = s499 + excluded.s499, s500 = s500 + excluded.s500,
	s502 = s502 + excluded.s502, s503 = s503 + excluded.s503, s504 = s504 + excluded.s504,
	bytes = bytes + excluded.bytes, duration = duration + excluded.duration`)

// secondsHeld is how many seconds may wait for a commit. What goes beyond is inserted little by little, so that a commit takes no
// time in which the parsers wait.
const secondsHeld = 4 * bulkRows

// saveSeconds inserts the first n seconds.
func (w *writer) saveSeconds(st *sourceState, n int) error {
	rows := w.bulk(insertSeconds)
	for i := range st.seconds[:n] {
		n := &st.seconds[i]
		if err := rows.add(st.id, n.unix, n.requests, n.failed[0], n.failed[1], n.failed[2], n.failed[3], n.failed[4], n.bytes, int64(n.duration)); err != nil {
			return err
		}
	}
	st.seconds = st.seconds[:copy(st.seconds, st.seconds[n:])]
	return rows.flush()
}

func (w *writer) saveCounters(st *sourceState) error {
	if err := w.saveSeconds(st, len(st.seconds)); err != nil {
		return err
	}
	for i := range st.statuses {
		n := &st.statuses[i]
		if _, err := w.exec(`INSERT INTO _statuses (source, status, requests, first, last)
			VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
			first = CASE WHEN first = ?6 THEN excluded.first WHEN excluded.first = ?6 THEN first ELSE min(first, excluded.first) END,
			last = max(last, excluded.last)`,
			st.id, int64(n.code), n.requests, int64(n.first), int64(n.last), int64(gatepost.NoTime)); err != nil {
			return err
		}
	}
	st.statuses = st.statuses[:0]
	return nil
}

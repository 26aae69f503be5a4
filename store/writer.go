package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gatepost"
)

// commitSize is how many requests may wait for the next commit; an event weighs as much as
// eventWeight of them. It bounds what is read again after a crash, and the size of the
// write-ahead log. A private store has neither, and every commit writes chunks that are not full yet.
const (
	commitSize        = 16 * chunkMax
	privateCommitSize = 16 * commitSize
	eventWeight       = 4
)

// writer is the one connection that writes. A transaction begins with the first change after a
// commit, and the state below always describes what that transaction will have made durable:
// a position is never committed without the rows that lead up to it.
//
// Statements run without the caller's context: they are short, and to watch a context costs the
// driver a goroutine for each.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt

	commitSize int
	hasty      bool       // chunks are packed quickly rather than well
	open       bool       // a transaction is open
	pending    int        // weight of what it holds
	packer     *packer    // of chunks that are not full yet
	packing    []*packing // full chunks that are being packed, the oldest first
	bulks      map[*insertion]*bulk
	sources    map[int]*sourceState
	lost       map[int]bool // sources whose readers are ahead of the store since a rollback
	clock      int64        // counts appends, to find the longest idle source
	free       []*columns   // memory of open chunks that were forgotten

	failures, arguments int64 // rows of the verdicts that are being made
}

func newWriter(ctx context.Context, file string, durable bool) (*writer, error) {
	// WAL and NORMAL survive the death of the program at any time; a power failure may cost the
	// last transactions but never the order in which they were made. A private store has nothing
	// to survive: see journal. It is written from the front to the end, so pages that are kept in memory, 500 KiB here, help little,
	// and to make and to free them costs page faults and system calls.
	size, pragmas := privateCommitSize, []string{"trusted_schema(0)", "synchronous(off)", "journal_mode(off)", "cache_size(-500)"}
	if durable {
		size, pragmas = commitSize, []string{"trusted_schema(0)", "synchronous(normal)"}
	}
	w := &writer{
		db:         openPool(dsn(file, pragmas...), 1),
		stmts:      map[string]*sql.Stmt{},
		bulks:      map[*insertion]*bulk{},
		packer:     packers.Get().(*packer),
		commitSize: size,
		hasty:      !durable,
		sources:    map[int]*sourceState{},
		lost:       map[int]bool{},
	}
	w.packer.hasty = w.hasty
	var err error
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	return w, nil
}

func (w *writer) close() error {
	w.dropPacking()
	packers.Put(w.packer)
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	for _, b := range w.bulks {
		errs = append(errs, b.close())
	}
	return errors.Join(append(errs, w.conn.Close(), w.db.Close())...)
}

// stmt prepares a statement once.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}

func (w *writer) exec(query string, args ...any) (sql.Result, error) {
	s, err := w.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(context.Background(), args...)
}

// insert returns the id of the row that it makes.
func (w *writer) insert(query string, args ...any) (int64, error) {
	r, err := w.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

func (w *writer) begin() error {
	if w.open {
		return nil
	}
	_, err := w.exec("BEGIN IMMEDIATE")
	w.open = err == nil
	return err
}

// commit makes durable all that was appended. Open chunks are written as far as they go; the
// next commit replaces them by longer ones.
func (w *writer) commit() error {
	if !w.open {
		return nil
	}
	for _, st := range w.sources {
		if err := w.saveState(st); err != nil {
			return err
		}
	}
	if _, err := w.exec("COMMIT"); err != nil {
		return err
	}
	w.open, w.pending = false, 0
	w.closeIdle()
	return nil
}

// rollback returns to the last commit. What was appended since is gone, and so is the memory of
// every open chunk: its row stays as the commit left it. Whoever reads a source of which
// something was taken back must begin again at the position that is stored.
func (w *writer) rollback() error {
	for id, st := range w.sources {
		if st.dirty {
			w.lost[id] = true
		}
	}
	clear(w.sources)
	w.dropPacking()
	if !w.open {
		return nil
	}
	w.open, w.pending = false, 0
	// After some errors, such as a full disk, SQLite has rolled back by itself and says so.
	if _, err := w.exec("ROLLBACK"); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		return err
	}
	return nil
}

// Append stores a batch: its requests, events, routes, unparsed runs and counters. It adds the
// batch's counters to src, which belongs to the caller and whose Position, PositionLine and Tail
// say how far the batch reaches. All of it becomes durable together: at the latest after some
// hundred thousand requests, and whenever anything is read, saved or flushed.
//
// After an error the store holds what was last committed, which may take back earlier batches as
// well, of this and of other sources. Append then refuses those sources until AddSource has said
// where to go on. src is as it was before the call.
func (s *Store) Append(ctx context.Context, src *gatepost.Source, b *gatepost.Batch) error {
	return s.write(ctx, "append", func(w *writer) error {
		if err := w.begin(); err != nil {
			return err
		}
		next := *src
		if err := w.append(&next, b); err != nil {
			return fmt.Errorf("%s: %w", src.Path, err)
		}
		*src = next
		if w.pending < w.commitSize {
			return nil
		}
		return w.commit()
	})
}

func (w *writer) append(src *gatepost.Source, b *gatepost.Batch) error {
	st, err := w.state(src.ID)
	if err != nil {
		return err
	}
	if err := w.addEvents(src.ID, b.Events); err != nil {
		return err
	}
	if err := w.addRoutes(b.Routes); err != nil {
		return err
	}
	if err := w.addUnparsed(st, b.Unparsed); err != nil {
		return err
	}
	if err := w.addRequests(st, b.Requests); err != nil {
		return err
	}
	st.addUnknown(&b.Unknown)
	src.Count(b)
	st.src, st.dirty = *src, true
	w.pending += len(b.Requests) + eventWeight*len(b.Events)
	return nil
}

func (w *writer) addRoutes(routes []gatepost.Route) error {
	for _, r := range routes {
		if _, err := w.exec("INSERT INTO _routes (id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", int64(r.ID), r.Name); err != nil {
			return err
		}
	}
	return nil
}

// unparsedRuns is how many runs of unparsed lines are kept of a source: enough to see what they
// are. The lines are counted without bound.
const unparsedRuns = 1000

func (w *writer) addUnparsed(st *sourceState, runs []gatepost.Ref) error {
	for _, r := range runs {
		if st.unparsed >= unparsedRuns {
			return nil
		}
		st.unparsed++
		if _, err := w.exec("INSERT INTO _unparsed (source, offset, length, line) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			st.id, r.Offset, r.Length, r.Line); err != nil {
			return err
		}
	}
	return nil
}

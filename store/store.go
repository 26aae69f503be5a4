// Package store keeps events, requests and verdicts in SQLite.
//
// What is read from the logs travels in two lanes. Notable events are rows of plain columns.
// Ordinary requests, a thousand times as many, are packed into compressed chunks of columns and
// decoded on demand. Both keep the raw stamps of their source, and the source its clock: times
// are placed on the common clock when they are handed out, so a clock found later costs nothing.
//
// Reading is exactly once: what a batch brings and how far the source has been read become
// durable in one transaction, whatever happens in between.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	path string // for messages, "" when private
	dir  string // directory of a private store, removed by Close
	file string // that SQLite opened

	read  *sql.DB   // connections of the program's own reading
	stmts sync.Map  // of them, prepared: *sql.Stmt by text
	query *sql.DB   // connections of Query, which cannot write
	hide  Redaction // of what Query shows, nil for none
	lock  *os.File  // held while logs are read into it, see Lock
	done  context.CancelFunc
	life  context.Context // ends with Close, and with it what Query left open

	mu  sync.Mutex // guards everything below
	w   *writer    // nil once closed
	dec sync.Pool  // of *unpacker

	tableErr atomic.Pointer[error] // why the virtual table broke off: SQLite has no room for it
}

// Open opens or creates the store at path. An empty path makes a private store in a temporary
// directory that Close removes. A new file is readable by its owner only: logs name people.
//
// A file that is no store, or of a newer version, or that cannot be opened is an error that says
// what to do, and the file is left as it is.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{path: path}
	file := path
	if path == "" {
		dir, err := os.MkdirTemp("", "gatepost-")
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		s.dir, file = dir, dir+"/gatepost.db"
	}
	if err := s.open(ctx, file); err != nil {
		return nil, errors.Join(s.fail("open", err), s.close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, file string) error {
	s.file = file
	s.life, s.done = context.WithCancel(context.WithoutCancel(ctx))
	s.dec.New = func() any { return newUnpacker() }
	if err := checkFile(file); err != nil {
		return err
	}
	durable := s.dir == ""
	var err error
	if s.w, err = newWriter(ctx, file, durable); err != nil {
		return err
	}
	if err := prepare(ctx, s.w.conn, durable); err != nil {
		return err
	}
	// What a connection has read is of no use to it after the next write: SQLite drops it, page by page.
	s.read = openPool(dsn(file, "query_only(1)", "cache_size(-500)"), 4)
	s.query, err = s.openQuery(wholeOutlook)
	return err
}

// Close commits what is pending and closes the store. A private store is deleted.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.w != nil {
		err = s.fail("commit", s.w.commit())
	}
	return errors.Join(err, s.close())
}

func (s *Store) close() error {
	var errs []error
	s.done()
	for _, db := range []*sql.DB{s.query, s.read} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
		s.w = nil
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Flush makes all that was appended durable and visible to other connections. The reading
// methods do it by themselves; a caller that follows files flushes when it has caught up.
func (s *Store) Flush(ctx context.Context) error {
	return s.write(ctx, "commit", func(w *writer) error { return w.commit() })
}

var errClosed = errors.New("already closed")

// write runs f with the writer. What f does outside a transaction of its own becomes durable
// with the next commit. An error takes back everything since the last one.
func (s *Store) write(ctx context.Context, op string, f func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return s.fail(op, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return s.fail(op, errClosed)
	}
	if err := f(s.w); err != nil {
		return s.fail(op, errors.Join(err, s.w.rollback()))
	}
	return nil
}

// replace runs f in a transaction of its own.
func (s *Store) replace(ctx context.Context, op string, f func(*writer) error) error {
	return s.write(ctx, op, func(w *writer) error {
		if err := w.commit(); err != nil {
			return err
		}
		if err := w.begin(); err != nil {
			return err
		}
		if err := f(w); err != nil {
			return err
		}
		return w.commit()
	})
}

package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID marks a file as ours: "gate" in the header's field for that.
const applicationID = 0x67617465

//go:embed migrations/*.sql
var migrations embed.FS

// dsn names a database file for the driver, with pragmas that every connection sets.
func dsn(file string, pragmas ...string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		abs = file // the working directory is gone: the driver will say so
	}
	values := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "foreign_keys(1)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: values.Encode()}).String()
}

func openPool(dsn string, connections int) *sql.DB {
	db := sql.OpenDB(connector{driver: &sqlite.Driver{}, dsn: dsn})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

// prepare makes sure that the file of a connection is a store that this program knows, and brings its schema up to date. A foreign
// file is not touched.
func prepare(ctx context.Context, conn *sql.Conn, durable bool) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := checkSchema(ctx, conn, len(names))
	if err != nil {
		return err
	}
	// Chunks are blobs of tens of kilobytes: in pages of the default size each would be a chain of twenty.
	if _, err := conn.ExecContext(ctx, "PRAGMA page_size = 16384"); err != nil {
		return err
	}
	if err := setJournal(ctx, conn, journal(durable)); err != nil {
		return err
	}
	if version == len(names) {
		return nil
	}
	return migrate(ctx, conn, names)
}

// journal is how the file survives an error. WAL also lets a report read while a live program writes; it
// writes everything twice, which a private store has no use for: nobody else reads it, and nothing of it
// has to survive the program, nor an error, which ends the program.
func journal(durable bool) string {
	if durable {
		return "PRAGMA journal_mode = WAL"
	}
	return "PRAGMA journal_mode = OFF"
}

// Last lets a private store survive errors, such as that of a full disk, for a program that goes on after them. What a transaction changes is
// kept in memory until it ends.
func (s *Store) Last(ctx context.Context) error {
	if s.dir == "" {
		return nil
	}
	return s.write(ctx, "set journal", func(w *writer) error {
		_, err := w.conn.ExecContext(ctx, "PRAGMA journal_mode = MEMORY")
		return err
	})
}

// setJournal is patient: SQLite does not wait by itself when several processes open a new store at once
// and all set its journal. A transaction does wait, for whoever holds the lock.
func setJournal(ctx context.Context, conn *sql.Conn, pragma string) error {
	for tries := 0; ; tries++ {
		_, err := conn.ExecContext(ctx, pragma)
		var e *sqlite.Error
		if tries == 20 || !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE; ROLLBACK"); err != nil {
			return err
		}
	}
}

// checkFile looks at the first bytes, because SQLite takes an empty file and any path for a
// database to be made.
func checkFile(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 16)
	n, err := f.Read(magic)
	if n == 0 {
		if info, serr := f.Stat(); serr == nil && info.Mode().IsRegular() {
			return nil
		}
		return errors.Join(errForeign, err)
	}
	if string(magic[:n]) != "SQLite format 3\x00" {
		return errForeign
	}
	return nil
}

// selectIdentity is one statement, because another process may be making the schema.
const selectIdentity = `SELECT count(*), (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version)
	FROM sqlite_schema`

// checkSchema returns the version of the schema, 0 for an empty database.
func checkSchema(ctx context.Context, conn *sql.Conn, known int) (version int, err error) {
	var id, objects int
	if err := conn.QueryRowContext(ctx, selectIdentity).Scan(&objects, &id, &version); err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && objects == 0:
		return 0, nil
	case id != applicationID:
		return 0, errForeign
	case version > known:
		return 0, fmt.Errorf("made by a newer gatepost (schema %d, this one knows %d): use that version or another --db", version, known)
	}
	return version, nil
}

// migrate applies the migrations that are missing, in one transaction, unless another process was faster.
func migrate(ctx context.Context, conn *sql.Conn, names []string) (err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rerr := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rerr)
		}
	}()
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	for n := version; n < len(names); n++ {
		script, err := migrations.ReadFile(names[n])
		if err != nil {
			return err
		}
		marks := fmt.Sprintf("\nPRAGMA user_version = %d;\nPRAGMA application_id = %d;", n+1, applicationID)
		if _, err := conn.ExecContext(ctx, string(script)+marks); err != nil {
			return fmt.Errorf("migration %s: %w", filepath.Base(names[n]), err)
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

var errForeign = errors.New("not a gatepost store: name another file with --db")

// fail says in whose name and at what an error happened, and adds a hint where SQLite's own
// words do not say what to do. A nil error stays nil.
func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	name := "store"
	if s.path != "" {
		name += " " + s.path
	}
	if errors.Is(err, errForeign) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if h := hint(err); h != "" {
		return fmt.Errorf("%s: %s: %w: %s", name, op, err, h)
	}
	return fmt.Errorf("%s: %s: %w", name, op, err)
}

func hint(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the file is damaged: restore a copy, or remove it and read the logs again"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another program is writing to it: try again when that has ended"
	case sqlite3.SQLITE_FULL:
		return "no space left: free some, or name another file with --db"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return "the file and its directory must be writable"
	}
	return ""
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"unicode"

	"gatepost/parser/source"
	"gatepost/store"
)

// Exit statuses, which other programs rely on.
const (
	statusDone      = 0 // the report was made, with or without failures in it
	statusFailed    = 1 // it could not be made
	statusUsage     = 2 // unknown command, unknown or malformed option
	statusPartial   = 3 // it was made, but not all of the input was read and recognised
	statusCondition = 4 // a condition given with --fail-on holds

	statusAfterwards = 5 // the report was made, but not mailed, or what is too old was not removed
)

// exit ends the program with a status. Without an error everything has been said.
type exit struct {
	status int
	err    error
	hint   string // what to try, "" when nothing helps
	late   bool   // it went wrong after the program was told to end, and not because of that
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(hint, format string, args ...any) error {
	return &exit{status: statusUsage, err: fmt.Errorf(format, args...), hint: hint}
}

func failed(hint, format string, args ...any) error {
	return &exit{status: statusFailed, err: fmt.Errorf(format, args...), hint: hint}
}

// finish says what went wrong and returns the exit status.
func (e *env) finish(ctx context.Context, err error) int {
	if err == nil {
		return statusDone
	}
	x, ok := errors.AsType[*exit](err)
	switch {
	case ctx.Err() != nil && !(ok && x.late):
		x = &exit{status: statusFailed, err: errors.New("interrupted")}
	case !ok:
		x = &exit{status: statusFailed, err: err, hint: remedy(err)}
	}
	if x.err != nil && !errors.Is(x.err, syscall.EPIPE) { // nobody reads any more
		e.complain(x.err.Error(), x.hint)
	}
	return x.status
}

// complain writes an error and what to try.
func (e *env) complain(what, hint string) {
	fmt.Fprintf(e.stderr, "gatepost: %s\n", oneLine(e.message(what)))
	if hint != "" {
		fmt.Fprintf(e.stderr, "try: %s\n", oneLine(e.message(hint)))
	}
}

// oneLine makes text of strangers harmless: names of files and lines of logs can hold anything
// that a terminal obeys.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// reason drops the operation and path that the os package puts before an error, for messages
// that have named the path already.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// remedy says what to try when a file cannot be read, "" when nothing general helps.
func remedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run it with sudo, or as a user of the group that may read the log (adm on Debian)"
	case errors.Is(err, fs.ErrNotExist):
		return "check the spelling, or name the directory that holds the logs"
	case errors.Is(err, source.ErrWindow):
		return "unpack it with zstd -d --long=31, and name what it holds"
	case errors.Is(err, source.ErrNoJournalctl):
		return "where there is one: journalctl --file FILE -o export >journal.export, and read that"
	case errors.Is(err, store.ErrBusy):
		return "gatepost report --db FILE to see what it has by now, or another --db"
	case errors.Is(err, source.ErrFiles):
		return "name the logs one by one, or the folders that hold little else"
	case errors.Is(err, source.ErrNotRegular):
		return "move what is no log out of the way, or name the logs one by one"
	case errors.Is(err, source.ErrLinkOut), errors.Is(err, source.ErrLinkAway):
		return "if that is a log, name it beside the folder or the archive"
	case errors.Is(err, source.ErrLinkLoop), errors.Is(err, source.ErrLinkNowhere):
		return "remove the link, or name the logs one by one"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return damaged
	}
	if _, ok := errors.AsType[source.Refusal](err); ok {
		return "unpack it, and name what it holds"
	}
	return ""
}

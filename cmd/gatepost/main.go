// Command gatepost reads the logs that nginx, HAProxy or Traefik, Odoo, the kernel, systemd and PostgreSQL write,
// and gives every request that ended in a 502 or 504 one root cause with the lines that prove it.
//
// One file is one sub-command; pipeline.go is the way from paths to a report that most of them
// take. The rules of the interface:
//
//   - a report goes to standard output and nothing else does;
//   - an error is one line "gatepost: what: why", without capital and period, and where something
//     can be done about it a second line "try: ...";
//   - the exit status says what happened: see the constants in errors.go.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // zones by name on machines that have no list of them

	"golang.org/x/term"
)

const (
	// memoryLimit is from how much memory on the garbage collector works harder rather than let the program grow.
	// It bounds nothing by itself: that what is alive stays below it is the work of the rest.
	memoryLimit = 64 << 20
	// garbageShare is how much garbage may lie beside what is alive, in percent, below that.
	garbageShare = 200
)

func main() {
	if os.Getenv("GOMEMLIMIT") == "" && os.Getenv("GOGC") == "" {
		debug.SetMemoryLimit(memoryLimit)
		debug.SetGCPercent(garbageShare)
	}
	// A reader that goes away, as in "gatepost analyze | head", is an error of writing and not the
	// end of the process: temporary files must be removed.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, system(), os.Args[1:])
	stop()
	os.Exit(status)
}

// env is the machine as the program sees it.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	stdoutTerminal bool
	stderrTerminal bool
	width          int // of the terminal on standard output in columns, 0 when unknown
	now            func() time.Time
	zone           *time.Location // of the machine
	getenv         func(string) string
	root           string // of the file system in which logs are found, "" for that of this machine
	atOnce         int    // failures that are judged at once, 0 for as many as is usual
	searchLeast    int64  // bytes of a log that is worth a search, 0 for what is reasonable
	night          bool   // a report of this run draws the night
	redaction
}

func system() env {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0
	}
	return env{
		stdin:          os.Stdin,
		stdout:         os.Stdout,
		stderr:         os.Stderr,
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		width:          width,
		now:            time.Now,
		zone:           time.Local,
		getenv:         os.Getenv,
	}
}

// run is the program: it returns the exit status.
func run(ctx context.Context, e env, args []string) int {
	root := newRoot(&e)
	root.SetArgs(args)
	return e.finish(ctx, root.ExecuteContext(ctx))
}

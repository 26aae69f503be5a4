package main

import (
	"context"
	"io/fs"
	"os"
	"time"

	"gatepost/parser/source"
)

// streamsAmong takes from arguments what can be read only once: standard input, and named pipes.
func streamsAmong(args []string) (paths, streams []string) {
	for _, arg := range args {
		if info, err := os.Stat(arg); arg == "-" || err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			streams = append(streams, arg)
		} else {
			paths = append(paths, arg)
		}
	}
	return paths, streams
}

// pour follows streams, and what of the machine is in no file.
func (l *live) pour(ctx context.Context, streams []string) error {
	for _, name := range streams {
		from := l.a.env.stdin
		if name != "-" {
			// Open for writing as well, a pipe does not end with the program that writes into it: the next one goes on.
			pipe, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				return failed(remedy(err), "%s: %w", name, reason(err))
			}
			from = pipe
		}
		f, err := source.Pour(name, from, "", l.now())
		if err != nil {
			return err
		}
		l.watch.follow(f)
	}
	l.pourSystem(ctx)
	return nil
}

// pourSystem follows what of the machine is in no file.
func (l *live) pourSystem(ctx context.Context) {
	l.watch.again = time.Time{}
	f, err := l.followSystem(ctx, l.now())
	if err != nil {
		l.trouble(remedy(err), "%v", err)
	}
	if f != nil {
		l.watch.follow(f)
	}
}

package main

import (
	"context"

	"gatepost/reports"
)

// audience is who looks at standard output of a live analysis.
type audience struct {
	programs bool // --format ndjson
	plain    bool // --plain: lines, though there is a terminal
	look     reports.Options
}

// listener makes what tells a live analysis to its audience. quit is called when the audience wants no more or is gone, and must not wait for
// close, which then returns why.
func (a audience) listener(ctx context.Context, e *env, l *reports.Live, status func() status, quit func()) listener {
	failed := func(error) { quit() }
	switch {
	case a.programs:
		return newLines(ctx, e, reports.NewEvents(e.stdout, l), failed)
	case !a.plain && e.viewable():
		return newView(e, l, a.look, status, quit)
	}
	return newLines(ctx, e, reports.NewStream(e.stdout, l, a.look), failed)
}

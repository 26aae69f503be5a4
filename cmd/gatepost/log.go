package main

import (
	"context"
	"io"
	stdlog "log"
	"log/slog"
	"time"
)

const (
	logText = "text"
	logJSON = "json"
)

// newLog returns the log of a service, a line for each thing that it has to say, with the time of a clock, from a level on. Texts of
// strangers in it obey nobody: they are made one line without controls.
func newLog(w io.Writer, format string, now func() time.Time, least slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: least, ReplaceAttr: harmlessAttr}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if format == logJSON {
		h = slog.NewJSONHandler(w, o)
	}
	return slog.New(clockHandler{h, now})
}

func harmlessAttr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(oneLine(v))
	case error:
		a.Value = slog.StringValue(oneLine(v.Error()))
	case time.Duration:
		a.Value = slog.StringValue(v.String()) // JSON would have nanoseconds
	}
	return a
}

// clockHandler gives records the time of a clock.
type clockHandler struct {
	slog.Handler
	now func() time.Time
}

func (h clockHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Time = h.now().UTC()
	return h.Handler.Handle(ctx, r)
}

func (h clockHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return clockHandler{h.Handler.WithAttrs(attrs), h.now}
}

func (h clockHandler) WithGroup(name string) slog.Handler {
	return clockHandler{h.Handler.WithGroup(name), h.now}
}

// newStdLog is a log for the standard library's servers, which say there what strangers do to them: nothing that needs mending.
func newStdLog(log *slog.Logger) *stdlog.Logger {
	return slog.NewLogLogger(log.Handler(), slog.LevelDebug)
}

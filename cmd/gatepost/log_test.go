package main

import (
	"log/slog"
	"testing"
	"time"
)

// Both forms of the log have the given time, one line for each record, and no control of a stranger.
func TestLog(t *testing.T) {
	m := newMoments()
	for format, want := range map[string]string{
		logText: `time=2026-11-22T14:00:00.000Z level=WARN msg="a b" who=us name="x � y" error="no\\such thing" took=1.5s group.n=1` + "\n",
		logJSON: `{"time":"2026-11-22T14:00:00Z","level":"WARN","msg":"a b","who":"us","name":"x � y","error":"no\\such thing","took":"1.5s","group":{"n":1}}` + "\n",
	} {
		var out safeBuffer
		log := newLog(&out, format, m.now, 0)
		log.Debug("nothing")
		log.With("who", "us").Warn("a\nb", "name", "x \u009b\ty", "error", usage("", "no\\such\nthing"), "took", 1500*time.Millisecond, slog.Group("group", "n", 1))
		if out.String() != want {
			t.Errorf("%s: %s, want %s", format, out.String(), want)
		}
	}
}

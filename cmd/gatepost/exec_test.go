package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost"
)

func TestSplitArgv(t *testing.T) {
	for line, want := range map[string]string{
		`notify`:                            `notify`,
		"  /usr/bin/notify\t -v  a\n":       `/usr/bin/notify|-v|a`,
		`sh -c 'mail -s "$GATEPOST_TITLE"'`: `sh|-c|mail -s "$GATEPOST_TITLE"`,
		`sh -c "cat | mail -s \"$GATEPOST_TITLE\" ops@example.com"`: `sh|-c|cat | mail -s "$GATEPOST_TITLE" ops@example.com`,
		`a "b c" 'd\e' "f\"g" h\ i "" ''`:                           `a|b c|d\e|f"g|h i||`,
		`a$HOME *;|>x#y`:                                            `a$HOME|*;|>x#y`,
		`pre'mid'"post"`:                                            `premidpost`,
		`é "ü ö"`:                                                   `é|ü ö`,
		``:                                                          `error: names no program`,
		`  `:                                                        `error: names no program`,
		`'' a`:                                                      `error: names no program`,
		`a 'b`:                                                      `error: a ' has no end`,
		`a "b\"`:                                                    `error: a " has no end`,
		`a b\`:                                                      `error: ends in a backslash`,
		"a\x00b":                                                    `error: has a NUL in it`,
	} {
		argv, err := splitArgv(line)
		got := strings.Join(argv, "|")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// script is a program of a test.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// safeBuffer may be written by several.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A program gets the JSON and the variables, nothing of ours, and its output is logged without controls.
func TestExec(t *testing.T) {
	dir := t.TempDir()
	path := script(t, `cat >"$1/body"; env >"$1/env"; echo "told of $GATEPOST_CAUSE"; printf '\033[31mred\r\n' >&2; printf 'last'`)
	var log safeBuffer
	m := newMoments()
	p := newPace(m.now)
	environ := []string{"PATH=" + os.Getenv("PATH"), webhookSecret + "=hunter2", "NOTIFY_SOCKET=/run/x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "LANG=C"}
	c, err := newCommand(path+" '"+dir+"'", environ, newLog(&log, logText, m.now, 0), p)
	if err != nil {
		t.Fatal(err)
	}
	a := anAnnouncement(t, p)
	if err := c.deliver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if body, err := os.ReadFile(filepath.Join(dir, "body")); !bytes.Equal(body, a.body) || err != nil {
		t.Errorf("%s, %v", body, err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{
		"GATEPOST_TYPE=incident_opened", "GATEPOST_ID=" + a.ID, "GATEPOST_CAUSE=oom_kill", "GATEPOST_WAS_CAUSE=", "GATEPOST_INCIDENT=i-07", "GATEPOST_CONFIDENCE=0.99",
		"GATEPOST_HOST=erp1", "GATEPOST_TITLE=out of memory: �[31mred� <b>", "GATEPOST_FAILURES=3", "GATEPOST_FROM=2026-11-22T14:10:38Z", "LANG=C",
	} {
		if !slices.Contains(strings.Split(string(env), "\n"), v) {
			t.Errorf("%s is not in\n%s", v, env)
		}
	}
	for _, v := range []string{"hunter2", "NOTIFY", "WATCHDOG"} {
		if strings.Contains(string(env), v) {
			t.Errorf("%s is in\n%s", v, env)
		}
	}
	want := "time=2026-11-22T14:00:00.000Z level=INFO msg=output exec=" + path + " line="
	for _, line := range []string{want + `"told of oom_kill"`, want + `"�[31mred"`, want + "last"} {
		if !strings.Contains(log.String(), line+"\n") {
			t.Errorf("%q is not in %q", line, log.String())
		}
	}
}

// A program that fails is complained of once, and that it works again.
func TestExecFails(t *testing.T) {
	var log safeBuffer
	m := newMoments()
	broken := filepath.Join(t.TempDir(), "broken")
	c, err := newCommand(script(t, `test ! -e "$1" || exit 3`)+" "+broken, os.Environ(), newLog(&log, logText, m.now, 0), newPace(m.now))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.deliver(t.Context(), anAnnouncement(t, c.pace)); err == nil || err.Error() != "exit status 3" {
			t.Error(err)
		}
	}
	os.Remove(broken)
	if err := c.deliver(t.Context(), anAnnouncement(t, c.pace)); err != nil {
		t.Error(err)
	}
	if s := log.String(); strings.Count(s, "\n") != 2 || !strings.Contains(s, `error="exit status 3"`) || !strings.Contains(s, "failures=3") {
		t.Error(s)
	}
}

// A program that does not end is killed with all that it started; only one runs at a time; the rest waits for it.
func TestExecHangs(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Skipf("no pipe: %s", out)
	}
	var log safeBuffer
	m := newMoments()
	p := m.pace()
	over := make(chan struct{})
	p.sleep = func(ctx context.Context, d time.Duration) {
		if d != execLimit {
			return // the last moment of the outbox
		}
		select {
		case <-over:
		case <-ctx.Done():
		}
	}
	c, err := newCommand(script(t, `sleep 1000 & echo began >"$1"; wait`)+" "+pipe, os.Environ(), newLog(&log, logText, m.now, 0), p)
	if err != nil {
		t.Fatal(err)
	}
	a := newAnnouncer(p, c)
	for range 3 {
		a.hear(changeOf(gatepost.Opened, outOfMemory()))
	}
	for range 2 {
		f, err := os.Open(pipe) // until it began
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, f)
		f.Close()
		over <- struct{}{}
	}
	f, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	a.close()
	if d := a.out[0].deliveries(); d.failed != 3 {
		t.Errorf("%+v", d)
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, errTooLong.Error()) {
		t.Error(s)
	}
}

// Of a flood of output the beginning is logged, and how much there was.
func TestExecFlood(t *testing.T) {
	var log safeBuffer
	m := newMoments()
	out := &outputLog{log: newLog(&log, logText, m.now, 0)}
	for range execLines + 7 {
		out.Write(bytes.Repeat([]byte("x"), 10*execWidth))
		out.Write([]byte("\n"))
	}
	out.done()
	if s := log.String(); strings.Count(s, "\n") != execLines+1 || !strings.Contains(s, `msg="more output" lines=7`) || len(s) > (execLines+1)*(execWidth+100) {
		t.Errorf("%d bytes: %.200s", len(s), s)
	}
}

func TestExecIsThere(t *testing.T) {
	_, err := newCommand("no-such-program -x", nil, noLog(), newMoments().pace())
	if err == nil || err.Error() != "no-such-program: executable file not found in $PATH" {
		t.Error(err)
	}
	_, err = newCommand(t.TempDir(), nil, noLog(), newMoments().pace())
	if err == nil {
		t.Error("a directory runs")
	}
}

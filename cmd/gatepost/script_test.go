package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatepost/parser/source"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// The scripts in testdata/script are the manual of the program as tests. In each of them logs/
// holds the incident of "gatepost demo": 184 access lines with failures in lines 67, 76 and 115.
// The variables NOW, ROOT and TERMINAL stand for the clock, the machine's file system and what
// is a terminal, SEARCHED for the bytes of a log that is worth a search.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gatepost": func() { os.Exit(run(context.Background(), scriptEnv(), os.Args[1:])) },
	})
}

func scriptEnv() env {
	e := system()
	e.zone = time.UTC
	if os.Getenv("NOW") == "" {
		return e // of the machine, for what really runs
	}
	e.now = func() time.Time {
		now, err := time.Parse(time.RFC3339, os.Getenv("NOW"))
		if err != nil {
			panic(err)
		}
		return now
	}
	e.root = os.Getenv("ROOT")
	e.stdoutTerminal = strings.Contains(os.Getenv("TERMINAL"), "stdout")
	e.stderrTerminal = strings.Contains(os.Getenv("TERMINAL"), "stderr")
	e.searchLeast, _ = strconv.ParseInt(os.Getenv("SEARCHED"), 10, 64)
	return e
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(s *testscript.Env) error {
			s.Setenv("NOW", "2026-11-23T08:00:00Z")
			s.Setenv("ROOT", filepath.Join(s.WorkDir, "nowhere"))
			logs := filepath.Join(s.WorkDir, "logs")
			if err := os.CopyFS(logs, os.DirFS("demo")); err != nil {
				return err
			}
			files, err := os.ReadDir(logs)
			for _, f := range files {
				path := filepath.Join(logs, f.Name())
				err = errors.Join(err, os.Chmod(path, 0o644), os.Chtimes(path, demoRecorded, demoRecorded))
			}
			return err
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":   exitStatus,
			"waitfor":  waitFor,
			"gzip":     compress("gzip"),
			"zstd":     compress("zstd"),
			"bzip2":    compress("bzip2"),
			"xz":       compress("xz"),
			"lz4":      compress("lz4"),
			"tar":      archive("tar"),
			"zip":      archive("zip"),
			"truncate": truncate,
			"append":   appendTo,
			"quiet":    leaveQuiet,
			"head":     head,
			"count":    count,
			"rows":     rows,
			"daily":    daily,
		},
	})
}

// exitStatus N PROGRAM ARGS... runs a program that must exit with status N.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if x, ok := errors.AsType[*exec.ExitError](err); ok {
		got = x.ExitCode()
	} else {
		ts.Check(err)
	}
	if neg || got != want {
		ts.Fatalf("%s exited with status %d, want %d", args[1], got, want)
	}
}

// waitfor FILE waits until there is something in a file that a program in the background makes.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		if info, err := os.Stat(ts.MkAbs(args[0])); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not come", args[0])
}

// gzip FROM... TO and its like compress files, each as a member or frame of its own.
func compress(kind string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		var all []byte
		from, to := args[:len(args)-1], args[len(args)-1]
		for _, f := range from {
			packed, err := pack(kind, []byte(ts.ReadFile(f)))
			ts.Check(err)
			all = append(all, packed...)
		}
		ts.Check(os.WriteFile(ts.MkAbs(to), all, 0o644))
	}
}

// tar DIR TO and zip DIR TO put what is in a directory into an archive.
func archive(kind string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		data, err := archivers[kind](os.DirFS(ts.MkAbs(args[0])))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
	}
}

// truncate FILE SIZE cuts a file, to its last SIZE bytes less if that is negative.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	if size < 0 {
		size += int64(len(ts.ReadFile(args[0])))
	}
	ts.Check(os.Truncate(path, size))
}

// append TO FROM adds a file to another.
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[1]))
	ts.Check(errors.Join(err, f.Close()))
}

// quiet FILE... makes files be written into long ago, so that what they end with is whole.
func leaveQuiet(ts *testscript.TestScript, neg bool, args []string) {
	for _, path := range args {
		ts.Check(os.Chtimes(ts.MkAbs(path), demoRecorded, demoRecorded))
	}
}

// head N FROM TO writes the first N lines of a file, or with -N the rest, to another.
func head(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	lines := strings.SplitAfter(ts.ReadFile(args[1]), "\n")
	if n < 0 {
		lines = lines[-n:]
	} else {
		lines = lines[:n]
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(lines, "")), 0o644))
}

// count N TEXT says how often the last standard output must have a text.
func count(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile("stdout"), args[1]); neg || got != want {
		ts.Fatalf("%q stands %d times in the output, want %d", args[1], got, want)
	}
}

// rows N says how many lines the last standard output must have below its heading.
func rows(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile("stdout"), "\n") - 1; neg || got != want {
		ts.Fatalf("%d rows in the output, want %d", got, want)
	}
}

// daily N DIR lets what the logs in a directory tell happen on N days, one after the other.
func daily(ts *testscript.TestScript, neg bool, args []string) {
	days, err := strconv.Atoi(args[0])
	ts.Check(err)
	logs := make(folder)
	for name := range stamps {
		path := filepath.Join(args[1], name)
		if _, err := os.Stat(ts.MkAbs(path)); err != nil {
			continue
		}
		for text := range strings.Lines(ts.ReadFile(path)) {
			logs[name] = append(logs[name], line{text: strings.TrimSuffix(text, "\n")})
		}
	}
	for name, lines := range logs.daily(days) {
		var all strings.Builder
		for _, l := range lines {
			all.WriteString(l.text + "\n")
		}
		ts.Check(os.WriteFile(ts.MkAbs(filepath.Join(args[1], name)), []byte(all.String()), 0o644))
	}
}

// A moment means the same to everybody who types one at this time.
func TestMoment(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.November, 22, 14, 30, 0, 0, paris)
	f := func(in, since, until string) {
		t.Helper()
		for end, want := range map[bool]string{false: since, true: until} {
			got, err := moment(in, now, end)
			if s := got.String(); s != want || (err != nil) != (want == "") {
				t.Errorf("%q (end %v): %s, %v, want %s", in, end, s, err, want)
			}
		}
	}
	same := func(in, want string) { t.Helper(); f(in, want, want) }

	same("now", "2026-11-22T13:30:00Z")
	f("today", "2026-11-21T23:00:00Z", "2026-11-22T22:59:59.999Z")
	f("yesterday", "2026-11-20T23:00:00Z", "2026-11-21T22:59:59.999Z")
	f("2026-07-01", "2026-06-30T22:00:00Z", "2026-07-01T21:59:59.999Z")
	f("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999Z") // a day of 23 hours
	same("14:05", "2026-11-22T13:05:00Z")
	same("14:05:30", "2026-11-22T13:05:30Z")
	same("23:00", "2026-11-21T22:00:00Z") // not in the future
	same("2h", "2026-11-22T11:30:00Z")
	same("2h30m ago", "2026-11-22T11:00:00Z")
	same("1d", "2026-11-21T13:30:00Z")
	same("1w", "2026-11-15T13:30:00Z")
	same("2026-11-22T14:19:16Z", "2026-11-22T14:19:16Z")
	same("2026-11-22 14:19", "2026-11-22T13:19:00Z")
	same("2026-11-22 14:19:16,731", "2026-11-22T13:19:16.731Z")
	same("22/Nov/2026:14:19:16 +0000", "2026-11-22T14:19:16Z")
	for _, bad := range []string{"", "soon", "25:00", "-2h", "2026-13-01", "99999999d", "h"} {
		same(bad, "")
	}
}

// Progress waits a moment, shows how far reading has come, and leaves the line empty.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)
	p := newProgress(&env{stderr: &out, stderrTerminal: true, now: func() time.Time { return now }})
	p.total, p.begin = 1000, now
	f := &source.File{Path: "access.log", Size: 1000}
	p.at(f, 100)
	if out.Len() > 0 {
		t.Errorf("shown at once: %q", out.String())
	}
	now = now.Add(2 * time.Second)
	p.at(f, 500)
	if !strings.Contains(out.String(), "50%") {
		t.Errorf("no progress shown: %q", out.String())
	}
	p.done()
	last := out.String()[strings.LastIndexByte(strings.TrimRight(out.String(), "\r"), '\r')+1:]
	if strings.TrimSpace(last) != "" {
		t.Errorf("left behind: %q", last)
	}
}

// What writes a file writes all of it or leaves the old one, and leaves nothing beside it.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.txt")
	text := func(s string, err error) func(w io.Writer) error {
		return func(w io.Writer) error {
			fmt.Fprint(w, s)
			return err
		}
	}
	if err := writeFile(path, text("first", nil)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.txt")
	if err := os.Symlink("report.txt", link); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := writeFile(path, text("half", broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if err := writeFile(link, text("second", nil)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); string(got) != "second" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
	if err := writeFile(os.DevNull, text("gone", nil)); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is now %v", os.DevNull, info.Mode())
	}
}

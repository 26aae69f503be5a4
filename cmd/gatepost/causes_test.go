package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gatepost/correlate"
)

// causesRead is when the cases are read: all of them lie in the months before.
var causesRead = time.Date(2026, time.November, 23, 8, 0, 0, 0, time.UTC)

// knownFailures are cases whose right answer the program does not give yet, with what it gets
// wrong. A case that starts to pass must leave the list.
var knownFailures = map[string]string{
	"service_down_restart/wins-without-journal": "a long silence between stop and start is taken for a start that failed, with little confidence; nothing in these logs decides",
}

// TestCauses tries every cause where it must win and where something that looks like it must not.
//
// The cases of a cause lie in testdata/causes/NAME. One is a txtar: the comment tells what
// happened and why the answer is right; the files are given to "gatepost analyze" as a directory;
// "args", if there, holds further arguments; and "want" has a line "CAUSE COUNT" for each cause
// in the ledger, by name. In wins*.txtar the cause must be named; in loses*.txtar it must not be,
// or not for everything.
//
// What is wanted follows from how nginx, Odoo, Linux and PostgreSQL work. Read the case before
// believing what -update makes of it.
func TestCauses(t *testing.T) {
	root := filepath.Join("..", "..", "testdata", "causes")
	names := make(map[string]bool)
	cases := make(map[string]bool)
	for _, doc := range correlate.Docs() {
		names[doc.Name] = true
		for _, kind := range []string{"wins", "loses"} {
			files, err := filepath.Glob(filepath.Join(root, doc.Name, kind+"*.txtar"))
			if err != nil {
				t.Fatal(err)
			}
			if len(files) == 0 {
				t.Errorf("%s has no case in which it %s", doc.Name, kind)
			}
			for _, file := range files {
				name := doc.Name + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
				cases[name] = true
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					tryCause(t, file, name, kind == "wins")
				})
			}
		}
	}
	dirs, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !names[d.Name()] {
			t.Errorf("testdata/causes/%s is for no registered cause", d.Name())
		}
	}
	all, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil || len(all) != len(cases) {
		t.Errorf("%d files, of which %d are cases: %v", len(all), len(cases), err)
	}
	for name := range knownFailures {
		if !cases[name] {
			t.Errorf("%s is a known failure and no case", name)
		}
	}
}

func tryCause(t *testing.T, file, name string, wins bool) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(archive.Comment)) == 0 {
		t.Error("the case does not say what happened")
	}
	dir := t.TempDir()
	var args []string
	var want *txtar.File
	for i, f := range archive.Files {
		switch f.Name {
		case "want":
			want = &archive.Files[i]
		case "args":
			args = strings.Fields(string(f.Data))
		default:
			writeLog(t, filepath.Join(dir, f.Name), f.Data)
		}
	}
	if want == nil {
		t.Fatal("the case does not say what it wants")
	}

	l := analyzed(t, append(args, dir)...)
	if lines := failedLines(t, dir, args); len(l.failures) != lines {
		t.Errorf("%d failures in the ledger, %d in the access log", len(l.failures), lines)
	}
	checkEvidence(t, l)
	counts := make(map[string]int)
	for _, f := range l.failures {
		counts[f.Cause]++
	}
	cause, _, _ := strings.Cut(name, "/")
	checkWanted(t, string(want.Data), cause, wins)

	got, why := tally(counts), knownFailures[name]
	switch {
	case got == string(want.Data) && why != "":
		t.Errorf("no longer fails: take it out of knownFailures (%s)", why)
	case got == string(want.Data):
	case why != "":
		t.Logf("known failure: %s\ngot:\n%swant:\n%s", why, got, want.Data)
	case *update:
		want.Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s\ngot:\n%swant:\n%s", file, got, want.Data)
	}
}

func writeLog(t *testing.T, path string, data []byte) {
	t.Helper()
	written := causesRead.Add(-time.Hour) // after the last line, as with logs that were copied
	err := errors.Join(
		os.MkdirAll(filepath.Dir(path), 0o755),
		os.WriteFile(path, data, 0o644),
		os.Chtimes(path, written, written))
	if err != nil {
		t.Fatal(err)
	}
}

// failedLines counts the lines of the access logs that the ledger must have, with a pattern that
// knows nothing of the parser.
func failedLines(t *testing.T, dir string, args []string) int {
	t.Helper()
	list := "502,504"
	if i := slices.Index(args, "--status"); i >= 0 {
		list = args[i+1]
	}
	failed := regexp.MustCompile(`(?m)^.*?(HTTP/[0-9.]+" |"status": ?"?|"DownstreamStatus":|(?:/-?\d+){4} )(` + strings.ReplaceAll(list, ",", "|") + `)[ ,"].*$`)
	name := regexp.MustCompile(`access|haproxy\.log|traefik`)
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !name.MatchString(d.Name()) {
			return err
		}
		data, err := os.ReadFile(path)
		n += len(failed.FindAll(data, -1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkWanted holds a case to its name.
func checkWanted(t *testing.T, want, cause string, wins bool) {
	t.Helper()
	named, all := 0, 0
	for line := range strings.Lines(want) {
		var c string
		var n int
		if _, err := fmt.Sscanf(line, "%s %d\n", &c, &n); err != nil {
			t.Errorf("%q is not a cause and a count: %v", line, err)
		}
		all += n
		if c == cause {
			named = n
		}
	}
	if wins && named == 0 {
		t.Errorf("%s must win and is not wanted", cause)
	}
	if !wins && named > 0 && named == all {
		t.Errorf("%s must lose and is wanted for everything", cause)
	}
}

func tally(counts map[string]int) string {
	var b strings.Builder
	for _, cause := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %d\n", cause, counts[cause])
	}
	return b.String()
}

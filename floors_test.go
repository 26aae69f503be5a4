package gatepost_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house has three floors. Boxes of one floor never import each other: whoever changes a
// parser must not have to think of the store.
//
//	0  gatepost                                   the vocabulary
//	1  discovery, parser, parser/source, correlate, store, redact, reports
//	2  cmd/gatepost                               wires them
//	   bench/makelogs                             stands outside: it makes logs to measure with
var floors = map[string]int{
	"gatepost":                0,
	"gatepost/discovery":      1,
	"gatepost/parser":         1,
	"gatepost/parser/source":  1,
	"gatepost/correlate":      1,
	"gatepost/store":          1,
	"gatepost/redact":         1, // hides people in what reports draw, in rows of the store, and in messages
	"gatepost/reports":        1,
	"gatepost/cmd/gatepost":   2,
	"gatepost/bench/makelogs": 2,
}

// bans are imports that only some boxes may have, each with its reason.
var bans = []struct {
	path string // of the package, or of all below it
	only []string
	why  string
}{
	{"database/sql", []string{"gatepost/store"}, "rows and transactions are the store's business"},
	{"modernc.org", []string{"gatepost/store"}, "only the store knows that it is SQLite"},
	{"html/template", []string{"gatepost/reports"}, "only reports draw"},
	{"os", []string{"gatepost/discovery", "gatepost/parser/source", "gatepost/store", "gatepost/cmd/gatepost", "gatepost/bench/makelogs"}, "a format, a cause and a report get their bytes and give theirs back: no files"},
	{"crypto/rand", []string{"gatepost/cmd/gatepost"}, "chance is an input: the same key must give the same stand-ins"},
	{"net/http", []string{"gatepost/cmd/gatepost"}, "nothing below cmd talks to a network"},
	{"os/exec", []string{"gatepost/parser/source", "gatepost/cmd/gatepost"}, "journalctl is run where the journal is read, and the commands of --exec by who knows of options"},
	{"golang.org/x/sys", []string{"gatepost/parser/source"}, "the kernel is asked where its ring buffer is read"},
	{"log", []string{"gatepost/cmd/gatepost"}, "errors are returned; only a service has a log"},
	{"github.com/prometheus", []string{"gatepost/cmd/gatepost"}, "who collects figures asks the program, not its boxes"},
	{"github.com/wneessen/go-mail", []string{"gatepost/cmd/gatepost"}, "nothing below cmd talks to a network: reports write a letter, cmd mails it"},
	{"github.com/spf13", []string{"gatepost/cmd/gatepost"}, "flags belong to cmd"},
	{"charm.land", []string{"gatepost/cmd/gatepost"}, "the terminal belongs to cmd: reports draw rows of text"},
	{"github.com/klauspost/compress", []string{"gatepost/parser/source", "gatepost/store"}, "bytes are compressed where they are read and where they are kept"},
	{"github.com/mikelolasagasti/xz", []string{"gatepost/parser/source"}, "files are unpacked where they are read"},
	{"github.com/pierrec/lz4", []string{"gatepost/parser/source"}, "files are unpacked where they are read"},
	{"archive", []string{"gatepost/parser/source"}, "behind parser/source nothing knows of archives"},
	{"sync", []string{"gatepost/parser/source", "gatepost/store", "gatepost/cmd/gatepost"}, "parsing, judging and drawing are single-threaded and pure"},
}

// calls are functions that a box may not call, each with its reason.
var calls = []struct {
	box, call, why string
}{
	{"gatepost/correlate", "time.Now(", "time is an input: the same history must give the same verdicts"},
	{"gatepost/correlate", "go func", "verdicts must not depend on scheduling"},
	{"gatepost/parser", "time.Now(", "the same bytes must give the same batch"},
	{"gatepost/reports", "time.Now(", "the time of a report stands in its model"},
	{"gatepost/redact", "time.Now(", "the same key and text must give the same text"},
	{"gatepost/store", "time.Now(", "the store keeps what it is given"},
	{"gatepost/store", "os.Exit", "only cmd ends the process"},
	{"gatepost/parser/source", "os.Exit", "only cmd ends the process"},
	{"gatepost/store", "fmt.Print", "only cmd prints"},
	{"gatepost/parser/source", "fmt.Print", "only cmd prints"},
	{"gatepost/reports", "fmt.Print(", "a report writes to the writer it is given"},
}

func TestFloors(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || strings.HasPrefix(name, ".") && name != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		box := "gatepost"
		if dir := filepath.ToSlash(filepath.Dir(path)); dir != "." {
			box += "/" + dir
		}
		seen[box] = true
		checkFile(t, box, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for box := range floors {
		if !seen[box] {
			t.Errorf("the table of floors names %s, which is not there", box)
		}
	}
}

func checkFile(t *testing.T, box, path string) {
	t.Helper()
	floor, ok := floors[box]
	if !ok {
		t.Errorf("%s: package %s has no floor; a new box needs a reason and a line in the table", path, box)
		return
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if other, ours := floors[imported]; ours && other >= floor {
			t.Errorf("%s imports %s: boxes know the floors below them, never each other", path, imported)
		}
		if floor == 0 && strings.Contains(imported, ".") {
			t.Errorf("%s imports %s: the vocabulary needs the standard library only", path, imported)
		}
		for _, ban := range bans {
			if (imported == ban.path || strings.HasPrefix(imported, ban.path+"/")) && !slices.Contains(ban.only, box) {
				t.Errorf("%s imports %s: %s", path, imported, ban.why)
			}
		}
	}
	for _, c := range calls {
		if c.box == box && strings.Contains(string(src), c.call) {
			t.Errorf("%s calls %s: %s", path, c.call, c.why)
		}
	}
}

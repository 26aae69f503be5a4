package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/correlate"
	"gatepost/parser"
)

// TestReadme keeps the tables of the README equal to the registries; -update writes them.
func TestReadme(t *testing.T) {
	keepTables(t, filepath.Join("..", "..", "README.md"), "TestReadme", map[string]string{"causes": causeTable(), "formats": formatTable()})
}

// keepTables keeps the generated tables of a page, by name, as they should be; -update writes them.
func keepTables(t *testing.T, path, test string, tables map[string]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(data)
	for name, table := range tables {
		begin, end := fmt.Sprintf("<!-- %s: generated, see %s -->\n", name, test), fmt.Sprintf("<!-- end of %s -->\n", name)
		before, rest, ok := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no place for the table of %s", path, name)
		}
		want = before + begin + table + end + after
	}
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("the tables of %s are not what they should be; go test ./cmd/gatepost -run '^%s$' -update writes them", path, test)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func causeTable() string {
	var b strings.Builder
	b.WriteString("| cause | what it means |\n|---|---|\n")
	for _, c := range correlate.Docs() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.Name, c.Doc)
	}
	return b.String()
}

// markdownCell makes text fit for a cell of a Markdown table.
var markdownCell = strings.NewReplacer("\n", " ", "|", "\\|", "<", "&lt;")

func formatTable() string {
	var b strings.Builder
	b.WriteString("| format | log | what it understands |\n|---|---|---|\n")
	for _, f := range parser.Formats() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Title, markdownCell.Replace(f.Doc))
	}
	return b.String()
}

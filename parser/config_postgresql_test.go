package parser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// What a postgresql.conf says, and what is wrong with it: testdata/configs/postgresql/*.txtar hold
// a file and, written by -update, its settings.
func TestPostgresConf(t *testing.T) {
	files, err := filepath.Glob("../testdata/configs/postgresql/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil || len(a.Files) == 0 || a.Files[0].Name != "config" {
			t.Fatalf("%s: no section config: %v", file, err)
		}
		conf := a.Files[0].Data
		if c := DetectConfig("/etc/postgresql/15/main/postgresql.conf", conf); c == nil || c.Name != "postgresql.conf" {
			t.Fatalf("%s is not recognised", file)
		}
		var got strings.Builder
		settings, err := readPostgresConf("postgresql.conf", conf)
		for _, s := range settings {
			fmt.Fprintf(&got, "%s:%d %s %s=%q\n", s.File, s.Line, s.Program, s.Name, s.Value)
		}
		if err != nil {
			fmt.Fprintf(&got, "error: %v\n", err)
		}
		want := ""
		if len(a.Files) > 1 {
			want = string(a.Files[1].Data)
		}
		if got.String() == want {
			continue
		}
		if !*update {
			t.Errorf("%s: read as\n%s\nwant\n%s", file, got.String(), want)
			continue
		}
		a.Files = append(a.Files[:1], txtar.File{Name: "want", Data: []byte(got.String())})
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// A name tells less than the settings, and other programs have files of that ending too.
func TestPostgresConfSniff(t *testing.T) {
	f := func(name, sample string, want bool) {
		t.Helper()
		if got := sniffPostgresConf(name, []byte(sample)); got != want {
			t.Errorf("sniffPostgresConf(%q) = %v", name, got)
		}
	}
	f("postgresql.conf", "", true)
	f("backup/postgresql.auto.conf", "", true)
	f(`C:\data\postgresql.conf`, "", true)
	f("tuned.conf", "max_connections = 10\nshared_buffers = 1GB\n", true)
	f("odoo.conf", "[options]\ndb_maxconn = 64\n", false)
	f("nginx.conf", "worker_connections 768;\n", false)
	f("postgresql.log", "max_connections shared_buffers", false)
}

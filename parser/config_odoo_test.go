package parser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// testdata/configs/odoo/ holds txtar files: a comment, the file odoo.conf, and what is read of it
// in the section want, written by -update.
func TestOdooConf(t *testing.T) {
	files, err := filepath.Glob("../testdata/configs/odoo/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Files) == 0 || a.Files[0].Name != "odoo.conf" || len(a.Comment) == 0 {
			t.Fatalf("%s: want a comment and a section odoo.conf", file)
		}
		data := a.Files[0].Data
		c := DetectConfig("any name", data)
		if c == nil || c.Name != "odoo.conf" {
			t.Errorf("%s: not recognised", file)
			continue
		}
		settings, err := c.Read("odoo.conf", data)
		var got strings.Builder
		for _, s := range settings {
			fmt.Fprintf(&got, "%s:%d: %s %s = %q\n", s.File, s.Line, s.Program, s.Name, s.Value)
		}
		if err != nil {
			fmt.Fprintf(&got, "error: %v\n", err)
		}
		if *update {
			a.Files = append(a.Files[:1], txtar.File{Name: "want", Data: []byte(got.String())})
			if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if len(a.Files) != 2 || string(a.Files[1].Data) != got.String() {
			t.Errorf("%s: read as\n%s", file, got.String())
		}
		if strings.Contains(got.String(), "secret") {
			t.Errorf("%s: a secret became a setting:\n%s", file, got.String())
		}
	}
}

// Another program's [options] is not Odoo's.
func TestOdooConfOthers(t *testing.T) {
	for _, text := range []string{
		"[options]\nHoldPkg = pacman glibc\nArchitecture = auto\n",
		"[mysqld]\ndata_dir = /var/lib\n",
		"workers = 4\n",
		"",
	} {
		if c := DetectConfig("odoo.conf", []byte(text)); c != nil && c.Name == "odoo.conf" {
			t.Errorf("%q is taken for odoo.conf", text)
		}
	}
}

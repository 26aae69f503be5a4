package parser

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gatepost"
)

const configsDir = "../testdata/configs"

// TestConfigs hangs on the registry: testdata/configs/NAME/*.txtar hold a comment, a configuration
// file, and what is read of it in the section want, written by -update. No value may hold the
// word "secret".
func TestConfigs(t *testing.T) {
	for _, c := range configs {
		files, err := filepath.Glob(filepath.Join(configsDir, c.Name, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no samples: %v", c.Name, err)
		}
		for _, file := range files {
			testConfig(t, c, file)
		}
	}
	dirs, err := os.ReadDir(configsDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) != len(configs) {
		t.Errorf("%s has %d folders for %d kinds of configuration", configsDir, len(dirs), len(configs))
	}
}

func testConfig(t *testing.T, c *Config, file string) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Files) == 0 || len(bytes.TrimSpace(a.Comment)) == 0 {
		t.Fatalf("%s: want a comment and a configuration file", file)
	}
	name, data := a.Files[0].Name, a.Files[0].Data
	if got := DetectConfig(name, data); got != c {
		t.Errorf("%s: %s is not recognised", file, name)
		return
	}
	got := describeSettings(c.Read(name, data))
	if strings.Contains(got, "secret") {
		t.Errorf("%s: a secret became a setting:\n%s", file, got)
	}
	want := ""
	if len(a.Files) == 2 && a.Files[1].Name == "want" {
		want = string(a.Files[1].Data)
	}
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s: read as\n%s\nwant\n%s", file, got, want)
		return
	}
	a.Files = append(a.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
		t.Fatal(err)
	}
}

func describeSettings(settings []gatepost.Setting, err error) string {
	var out strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&out, "%s:%d %s %s", s.File, s.Line, s.Program, s.Name)
		if s.Scope != "" {
			fmt.Fprintf(&out, " in %q", s.Scope)
		}
		fmt.Fprintf(&out, " = %s\n", s.Value)
		if f, ok := NginxFormatOf(s); ok {
			fmt.Fprintf(&out, "\tformat %+q\n", f)
			if _, err := compileFormat(f); err != nil {
				fmt.Fprintf(&out, "\tunusable: %v\n", err)
			}
		}
	}
	if err != nil {
		fmt.Fprintf(&out, "error: %v\n", err)
	}
	return out.String()
}

// A configuration file is recognised by what stands in it; a name of its own is a hint, and what
// is another program's is left to it.
func TestConfigSniff(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		got := ""
		if c := DetectConfig(name, []byte(text)); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("%s with %q is taken for %q, want %q", name, text, got, want)
		}
	}
	f("postgresql.conf", "", "postgresql.conf")
	f("backup/postgresql.auto.conf", "", "postgresql.conf")
	f(`C:\data\postgresql.conf`, "", "postgresql.conf")
	f("tuned.conf", "max_connections = 10\nshared_buffers = 1GB\n", "postgresql.conf")
	f("odoo.conf", "[options]\ndb_maxconn = 64\n", "odoo.conf")
	f("odoo.conf", "[options]\nHoldPkg = pacman glibc\nArchitecture = auto\n", "")
	f("odoo.conf", "[mysqld]\ndata_dir = /var/lib\n", "")
	f("odoo.conf", "workers = 4\n", "")
	f("odoo.conf", "", "")
	f("postgresql.log", "max_connections shared_buffers", "")
	f("access.log", "10.0.0.1 - - [22/Nov/2026:14:08:41 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n", "")
	f("error.log", "2026/11/22 14:08:41 [emerg] 1#1: unknown directive \"http {\"\n", "")
}

// FuzzConfigs: no input makes a reader panic, and every setting has a line of the file.
//
//	go test -fuzz FuzzConfigs ./parser
func FuzzConfigs(f *testing.F) {
	f.Add(uint8(0), []byte("defaults a\n timeout server 1\nlisten \"b\\'c\nserver x 'y # z\n"))
	f.Add(uint8(1), []byte("http { log_format a escape=json '{\"x\":$x}' \"\\n\"; upstream o { server 127.0.0.1:1 ; } }"))
	f.Add(uint8(1), []byte("location ~ a\\{2 { proxy_pass http://${a}b; # }\n}"))
	f.Add(uint8(1), []byte("a { b 'c"))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		settings, _ := configs[int(which)%len(configs)].Read("file.conf", data)
		for _, s := range settings {
			if s.Line < 1 || s.Line > 1+bytes.Count(data, newline) {
				t.Fatalf("setting %+v stands outside the file", s)
			}
			if f, ok := NginxFormatOf(s); ok {
				_, _ = compileFormat(f) // an error is an answer, a panic is none
			}
		}
	})
}

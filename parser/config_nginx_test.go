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

// testdata/configs/nginx/*.txtar: a comment, a configuration file, and what is read from it.
func TestNginxConfig(t *testing.T) {
	files, err := filepath.Glob("../testdata/configs/nginx/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Files) != 2 || a.Files[1].Name != "want" || len(bytes.TrimSpace(a.Comment)) == 0 {
			t.Fatalf("%s: want a comment, a configuration file and the section want", file)
		}
		name, data := a.Files[0].Name, a.Files[0].Data
		if DetectConfig(name, data) != NginxConfig {
			t.Errorf("%s: %s is not taken for a configuration of nginx", file, name)
		}
		settings, err := NginxConfig.Read(name, data)
		got := describeSettings(settings, err)
		if got == string(a.Files[1].Data) {
			continue
		}
		if !*update {
			t.Errorf("%s: read as\n%s\nwant\n%s", file, got, a.Files[1].Data)
			continue
		}
		a.Files[1].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func describeSettings(settings []gatepost.Setting, err error) string {
	var out strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&out, "%s:%d %s", s.File, s.Line, s.Name)
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

// What is no configuration of nginx is left to others.
func TestNginxConfigSniff(t *testing.T) {
	for name, text := range map[string]string{
		"odoo.conf":       "[options]\nproxy_mode = True\nworkers = 4\n",
		"postgresql.conf": "max_connections = 100\n#location {\n",
		"access.log":      "10.0.0.1 - - [22/Nov/2026:14:08:41 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n",
		"error.log":       "2026/11/22 14:08:41 [emerg] 1#1: unknown directive \"http {\"\n",
	} {
		if sniffNginxConfig(name, []byte(text)) {
			t.Errorf("%s is taken for a configuration of nginx", name)
		}
	}
}

// FuzzNginxConfig: no input makes the reader panic, and every setting has a line of the file.
//
//	go test -fuzz FuzzNginxConfig ./parser
func FuzzNginxConfig(f *testing.F) {
	f.Add([]byte("http { log_format a escape=json '{\"x\":$x}' \"\\n\"; upstream o { server 127.0.0.1:1 ; } }"))
	f.Add([]byte("location ~ a\\{2 { proxy_pass http://${a}b; # }\n}"))
	f.Add([]byte("a { b 'c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, _ := readNginxConfig("nginx.conf", data)
		for _, s := range settings {
			if s.Line < 1 || s.Line > 1+bytes.Count(data, newline) {
				t.Fatalf("setting %+v stands outside the file", s)
			}
			if f, ok := NginxFormatOf(s); ok {
				if _, err := compileFormat(f); err == nil {
					continue
				}
			}
		}
	})
}

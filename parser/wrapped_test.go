package parser

import (
	"bytes"
	"strings"
	"testing"

	"gatepost"
)

// TestWrapped puts the head of a syslog line before every line of the samples: the same requests and
// events come out, and their references are whole lines of the wrapped log.
func TestWrapped(t *testing.T) {
	for _, name := range []string{"nginx_access", "nginx_error", "odoo", "postgresql"} {
		f := Lookup(name)
		for _, s := range samples(t, name) {
			plain := s.parser(t, f)
			var want gatepost.Batch
			plain.Parse(&gatepost.Block{Source: 1, Line: 1, Data: s.log}, &want)
			if len(want.Requests)+len(want.Events) == 0 || bytes.Contains(s.log, []byte("\r")) || bytes.Contains(s.log, []byte("#0")) {
				continue
			}
			var log strings.Builder
			for line := range strings.Lines(string(s.log)) {
				log.WriteString("Nov 22 14:08:41 erp1 app[4711]: " + line)
			}
			data := []byte(log.String())
			p := newParser(f, plain.Dialect, plain.State, &s.options)
			p.wrapped = new(wrapped)
			var got gatepost.Batch
			p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: data}, &got)
			if len(got.Requests) != len(want.Requests) || len(got.Events) != len(want.Events) || got.UnparsedLines != want.UnparsedLines {
				t.Errorf("%s: %d requests, %d events, %d lines unparsed behind heads, %d, %d and %d without", s.file,
					len(got.Requests), len(got.Events), got.UnparsedLines, len(want.Requests), len(want.Events), want.UnparsedLines)
				continue
			}
			for i, e := range got.Events {
				if w := want.Events[i]; e.Kind != w.Kind || e.Time != w.Time || e.Ref.Line != w.Ref.Line {
					t.Errorf("%s: %s at line %d, want %s at line %d", s.file, e.Kind, e.Ref.Line, w.Kind, w.Ref.Line)
				}
				cited := data[e.Ref.Offset : e.Ref.Offset+int64(e.Ref.Length)]
				if !bytes.HasPrefix(cited, []byte("Nov 22")) || e.Ref.Offset > 0 && data[e.Ref.Offset-1] != '\n' || bytes.HasSuffix(cited, newline) {
					t.Errorf("%s: line %d is cited as %.80q", s.file, e.Ref.Line, cited)
				}
			}
		}
	}
}

// TestWrappedDetect: one program behind heads is that program's log, many programs are a syslog.
func TestWrappedDetect(t *testing.T) {
	f := func(log, format, dialect string) {
		t.Helper()
		p := Detect([]byte(log), &Options{})
		if p == nil || p.Format.Name != format || p.Dialect != dialect {
			t.Errorf("%.60q is taken for %+v, want %s %s", log, p, format, dialect)
		}
	}
	access := `10.0.0.1 - - [22/Nov/2026:14:08:41 +0000] "GET / HTTP/1.1" 200 1 "-" "-"` + "\n"
	f(strings.Repeat("Nov 22 14:08:41 erp1 nginx: "+access, 5), "nginx_access", "combined in syslog")
	f(strings.Repeat("<190>1 2026-11-22T14:08:41Z erp1 nginx - - - "+access, 5), "nginx_access", "combined in syslog")
	f(strings.Repeat("Nov 22 14:08:41 erp1 kernel: [   12.000001] eth0: link up\n", 5), "syslog", "rfc3164")
	f(strings.Repeat("Nov 22 14:08:41 erp1 systemd[1]: Started odoo.service - Odoo.\nNov 22 14:08:41 erp1 cron[9]: (root) CMD (x)\n", 5), "syslog", "rfc3164")
}

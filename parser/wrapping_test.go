package parser

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// sorted reads a log in blocks of some size, as a Sorter sorts it, and returns what each strand holds.
func sorted(t *testing.T, data []byte, size int, o *Options) map[string]*gatepost.Batch {
	t.Helper()
	p := Detect(data[:min(len(data), SampleSize)], o)
	if p == nil || p.Sorter() == nil {
		t.Fatalf("%.80q is not taken for a wrapped log", data)
	}
	s := p.Sorter()
	all := make(map[string]*gatepost.Batch)
	var b gatepost.Block
	take := func(share Share) {
		for st := range s.Ready(share) {
			st.Take(&b, share)
			var out gatepost.Batch
			st.Parser.Clone().Parse(&b, &out)
			key := st.Host + " " + st.Name + " " + st.Parser.Format.Name
			if all[key] == nil {
				all[key] = new(gatepost.Batch)
			}
			sum := all[key]
			sum.Requests, sum.Events = append(sum.Requests, out.Requests...), append(sum.Events, out.Events...)
			sum.UnparsedLines += out.UnparsedLines
			sum.Lines += out.Lines
		}
	}
	line, offset := int64(1), int64(0)
	for len(data) > 0 {
		end := 0
		for end < len(data) && (end < size || s.wrapping.Starts != nil && !s.wrapping.Starts(trimEOL(data[end:end+lineEnd(data[end:])]))) {
			end += lineEnd(data[end:])
		}
		s.Add(&gatepost.Block{Source: 1, Offset: offset, Line: line, Data: data[:end]})
		take(Enough)
		offset, line = offset+int64(end), line+int64(strings.Count(string(data[:end]), "\n"))
		data = data[end:]
	}
	take(All)
	return all
}

// TestWrappings puts every wrapping round the lines of the samples, those of two programs mixed: the same requests and
// events come out of each as without it, and their references are whole entries of the wrapped log.
func TestWrappings(t *testing.T) {
	for _, w := range Wrappings() {
		if w.Example == nil {
			t.Errorf("wrapping %q has no example", w.Name)
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			for _, name := range []string{"nginx_access", "nginx_error", "odoo", "postgresql", "pgbouncer", "haproxy", "traefik"} {
				for _, s := range samples(t, name) {
					testWrapping(t, w, Lookup(name), s)
				}
			}
		})
	}
}

// companion is a program that writes between the lines of another.
const companion = `2026-11-22 14:08:41,123 4711 INFO prod odoo.modules.loading: Modules loaded.` + "\n"

func testWrapping(t *testing.T, w *Wrapping, f *Format, s sample) {
	plain := s.parser(t, f)
	if score, _, _ := f.Sniff(s.log, &s.options); score < wrappedShare {
		return
	}
	if p := Detect(s.log, &s.options); p == nil || p.Format != f || p.Dialect != plain.Dialect {
		return // a sample so small or broken that it does not show what it is
	}
	var want gatepost.Batch
	plain.Parse(&gatepost.Block{Source: 1, Line: 1, Data: s.log}, &want)
	text := string(s.log)
	if len(want.Requests)+len(want.Events) == 0 || strings.Contains(text, "\r") || strings.Contains(text, "#0") ||
		strings.ContainsRune(strings.ToValidUTF8(text, "�"), '�') || strings.Contains(text, "\x00") {
		return // what the writers of this test cannot write
	}
	var log strings.Builder
	var physical []int64 // of each line the number of its entry's first line
	line, at := int64(1), time.Date(2026, 11, 22, 14, 8, 41, 0, time.UTC)
	put := func(program, text string) {
		text = w.Example(program, strings.TrimSuffix(text, "\n"), at)
		log.WriteString(text)
		line += int64(strings.Count(text, "\n"))
		at = at.Add(time.Millisecond)
	}
	for text := range strings.Lines(string(s.log)) {
		physical = append(physical, line)
		put("httpd", text)
		if w.Example("a", "", at) != w.Example("b", "", at) {
			put("other", companion)
		}
	}
	data := []byte(log.String())
	var got *gatepost.Batch
	for name, b := range sorted(t, data, 300, &s.options) {
		if strings.Contains(name, "httpd") || !strings.Contains(name, "other") {
			got = b
		}
	}
	if got == nil {
		t.Errorf("%s: nothing of it is understood", s.file)
		return
	}
	if len(got.Requests) != len(want.Requests) || len(got.Events) != len(want.Events) || got.UnparsedLines != want.UnparsedLines {
		t.Errorf("%s: %d requests, %d events, %d lines unparsed inside, %d, %d and %d without", s.file,
			len(got.Requests), len(got.Events), got.UnparsedLines, len(want.Requests), len(want.Events), want.UnparsedLines)
		return
	}
	for i, e := range got.Events {
		w := want.Events[i]
		if line := physical[w.Ref.Line-1]; e.Kind != w.Kind || e.Time != w.Time && w.Time.Known() || e.Ref.Line != line {
			t.Errorf("%s: %s at line %d, want %s at line %d", s.file, e.Kind, e.Ref.Line, w.Kind, line)
		}
		if cited := data[e.Ref.Offset : e.Ref.Offset+int64(e.Ref.Length)]; e.Ref.Offset > 0 && data[e.Ref.Offset-1] != '\n' || strings.Count(string(data[:e.Ref.Offset]), "\n") != int(e.Ref.Line)-1 {
			t.Errorf("%s: line %d is cited as %.80q", s.file, e.Ref.Line, cited)
		}
	}
}

// TestWrappedDetect: the programs of a syslog whose logs are known are logs of their own, the others are a syslog; wrappings
// may lie in each other.
func TestWrappedDetect(t *testing.T) {
	access := `10.0.0.1 - - [22/Nov/2026:14:08:41 +0000] "GET / HTTP/1.1" 200 1 "-" "-"` + "\n"
	f := func(log string, want ...string) {
		t.Helper()
		var got []string
		for name, b := range sorted(t, []byte(log), 1000, &Options{}) {
			got = append(got, fmt.Sprintf("%s: %d lines", strings.TrimSpace(name), b.Lines))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%.60q is %q, want %q", log, got, want)
		}
	}
	kernel := "Nov 22 14:08:41 erp1 kernel: [   12.000001] eth0: link up\n"
	f(strings.Repeat("Nov 22 14:08:41 erp1 nginx: "+access, 5), "erp1 nginx nginx_access: 5 lines")
	f(strings.Repeat("<190>1 2026-11-22T14:08:41Z erp1 nginx - - - "+access, 5), "erp1 nginx nginx_access: 5 lines")
	f(strings.Repeat(kernel, 5), "erp1  syslog: 5 lines")
	f(strings.Repeat("Nov 22 14:08:41 erp1 systemd[1]: Started odoo.service - Odoo.\nNov 22 14:08:41 erp1 cron[9]: (root) CMD (x)\n", 5),
		"erp1  syslog: 5 lines") // nothing is made of cron's
	f(strings.Repeat(kernel+"Nov 22 14:08:41 erp1 nginx: "+access+"Nov 22 14:08:41 erp1 odoo[7]: "+companion, 5),
		"erp1  syslog: 5 lines", "erp1 nginx nginx_access: 5 lines", "erp1 odoo odoo: 5 lines")
	f(strings.Repeat("web-1  | 2026-11-22T14:08:41.123456789Z "+access+"odoo-1 | 2026-11-22T14:08:41.123456789Z "+companion, 5),
		"odoo-1 odoo: 5 lines", "web-1 nginx_access: 5 lines")
	f(strings.Repeat("2026-11-22T14:08:41.5Z stdout F Nov 22 14:08:41 erp1 nginx: "+access, 5), "erp1 nginx nginx_access: 5 lines")
}

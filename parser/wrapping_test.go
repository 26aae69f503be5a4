package parser

import (
	"bytes"
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
	if p := Detect(data[:min(len(data), SampleSize)], o); p == nil || p.Sorter() == nil {
		t.Fatalf("%.80q is not taken for a wrapped log", data)
	}
	all := make(map[string]*gatepost.Batch)
	eachStrand(data, size, o, func(st *Strand, b *gatepost.Block) {
		var out gatepost.Batch
		st.Parser.Clone().Parse(b, &out)
		key := st.Host + " " + st.Name + " " + st.Parser.Format.Name
		if all[key] == nil {
			all[key] = new(gatepost.Batch)
		}
		sum := all[key]
		sum.Requests, sum.Events = append(sum.Requests, out.Requests...), append(sum.Events, out.Events...)
		sum.UnparsedLines += out.UnparsedLines
		sum.Lines += out.Lines
	})
	return all
}

// eachStrand has a wrapped log sorted that comes in blocks of some size, and hands on the blocks of its strands.
func eachStrand(data []byte, size int, o *Options, take func(*Strand, *gatepost.Block)) {
	s := Detect(data[:min(len(data), SampleSize)], o).Sorter()
	ready := func(share Share) {
		for st := range s.Ready(share) {
			var b gatepost.Block
			st.Take(&b, share)
			take(st, &b)
		}
	}
	line, offset := int64(1), int64(0)
	for len(data) > 0 {
		end := 0
		for end < len(data) && (end < size || s.wrapping.Starts != nil && !s.wrapping.Starts(trimEOL(data[end:end+lineEnd(data[end:])]))) {
			end += lineEnd(data[end:])
		}
		s.Add(&gatepost.Block{Source: 1, Offset: offset, Line: line, Data: data[:end]})
		ready(Enough)
		offset, line = offset+int64(end), line+int64(strings.Count(string(data[:end]), "\n"))
		data = data[end:]
	}
	ready(All)
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
	// The date at the beginning of half a log's lines is not the name of a stream.
	f(strings.Repeat(`{"log":"2026-11-22 09:17:32 -05 [28594]: LOG:  listening on port 5432\n","container_name":"db"}`+"\n"+
		`{"log":"2026-11-22 09:17:32 -05 and so on\n","container_name":"db"}`+"\n", 5), "db postgresql: 10 lines")
	f(strings.Repeat("2026-11-22T14:08:41.5Z stdout F Nov 22 14:08:41 erp1 nginx: "+access, 5), "erp1 nginx nginx_access: 5 lines")
}

// TestExportGrows: a journal that grows is known from its first entry on, wherever the text ends by then.
func TestExportGrows(t *testing.T) {
	var log strings.Builder
	first := 0
	for i := range 6 {
		fmt.Fprintf(&log, "__CURSOR=s=1;i=%d\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0\n_PID=7\n_HOSTNAME=erp1\nSYSLOG_IDENTIFIER=odoo\nMESSAGE=%s\n", i, 1_795_000_000_000_000+i, i, companion)
		if i == 0 {
			first = log.Len()
		}
	}
	for n := first; n <= log.Len(); n++ {
		if p := Detect([]byte(log.String()[:n]), &Options{}); p == nil || p.Format.Name != "odoo" {
			t.Fatalf("of %d bytes nothing is known: %q", n, log.String()[:n])
		}
	}
}

// FuzzSorter: into whatever blocks a collected log is cut, each strand has the same entries. The log is what is given, several
// times over: then strands are decided and taken from while more of them is to come.
//
//	go test -fuzz FuzzSorter ./parser
func FuzzSorter(f *testing.F) {
	at := time.Date(2026, 11, 22, 14, 8, 41, 0, time.UTC)
	for i, w := range Wrappings() {
		for _, name := range []string{"nginx_error", "odoo", "postgresql"} {
			for _, s := range samples(f, name)[:2] {
				var log strings.Builder
				for text := range strings.Lines(string(s.log)) {
					log.WriteString(w.Example("httpd", strings.TrimSuffix(text, "\n"), at))
					log.WriteString(w.Example("other", strings.TrimSuffix(companion, "\n"), at))
					log.WriteString(w.Example("cron", "(root) CMD (true)", at))
					at = at.Add(time.Millisecond)
				}
				f.Add([]byte(log.String()), uint8(1+(3*SampleSize)/log.Len()), uint16(2000+1000*i))
			}
		}
	}
	o := &Options{Latest: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	f.Fuzz(func(t *testing.T, data []byte, times uint8, size uint16) {
		if data = bytes.Repeat(data, int(times)); len(data) > 1<<20 {
			return
		}
		p := Detect(data[:min(len(data), SampleSize)], o)
		if p == nil || p.Sorter() == nil {
			return
		}
		whole, cut := strandsOf(data, len(data), o), strandsOf(data, int(size)+1, o)
		for name, want := range whole {
			if cut[name] != want {
				t.Errorf("strand %q in blocks of %d bytes:\n%.2000s\nwhole:\n%.2000s", name, size+1, cut[name], want)
			}
		}
		if len(cut) != len(whole) {
			t.Errorf("%d strands in blocks of %d bytes, %d in one", len(cut), size+1, len(whole))
		}
	})
}

// strandsOf tells the lines of each strand with the entries that they stand in, and the events that come of them.
func strandsOf(data []byte, size int, o *Options) map[string]string {
	type told struct{ entries, events []byte }
	all := make(map[string]*told)
	eachStrand(data, size, o, func(st *Strand, b *gatepost.Block) {
		name := st.Host + " " + st.Name + " " + st.Parser.Format.Name
		if all[name] == nil {
			all[name] = new(told)
		}
		x := all[name]
		for i, place := range b.Places {
			end := len(b.Data)
			if i+1 < len(b.Places) {
				end = b.Places[i+1].At
			}
			x.entries = append(fmt.Appendf(x.entries, "%d+%d:%d ", place.Ref.Offset, place.Ref.Length, place.Ref.Line), b.Data[place.At:end]...)
		}
		var out gatepost.Batch
		st.Parser.Clone().Parse(b, &out)
		for _, e := range out.Events {
			x.events = fmt.Appendf(x.events, "%s %d+%d:%d\n", e.Kind, e.Ref.Offset, e.Ref.Length, e.Ref.Line)
		}
	})
	texts := make(map[string]string)
	for name, x := range all {
		texts[name] = string(x.entries) + string(x.events)
	}
	return texts
}

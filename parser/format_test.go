package parser

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gatepost"
)

// Every registered format is tested here without a line of its own: testdata/formats/NAME/ holds
// txtar files with a comment that says what they show, and the sections
//
//	options   optional: "nginx-format NAME ESCAPE TEXT", "latest 2026-11-22T00:00:00Z", one a line
//	log       lines as they stand in real logs
//	want      what becomes of them, written by -update and read by a person
//
// and ordinary.txtar, whose lines are the everyday ones that must not allocate, as are those of ordinary_*.txtar in
// other notations.

var update = flag.Bool("update", false, "rewrite the golden files")

const formatsDir = "../testdata/formats"

type sample struct {
	file    string
	archive *txtar.Archive
	options Options
	log     []byte
	want    string
}

func samples(t testing.TB, format string) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(formatsDir, format, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("format %s has no samples in %s: %v", format, filepath.Join(formatsDir, format), err)
	}
	var all []sample
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(a.Comment)) == "" {
			t.Errorf("%s: no comment that says what it shows", f)
		}
		s := sample{file: f, archive: a}
		for _, part := range a.Files {
			switch part.Name {
			case "options":
				for line := range strings.Lines(string(part.Data)) {
					readOption(t, f, &s.options, strings.TrimSpace(line))
				}
			case "log":
				s.log = part.Data
			case "want":
				s.want = string(part.Data)
			default:
				t.Errorf("%s: unknown section %q", f, part.Name)
			}
		}
		all = append(all, s)
	}
	return all
}

func readOption(t testing.TB, file string, o *Options, line string) {
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case "":
	case "nginx-format":
		f := strings.SplitN(rest, " ", 3)
		if len(f) != 3 {
			t.Fatalf("%s: nginx-format wants NAME ESCAPE TEXT", file)
		}
		o.NginxFormats = append(o.NginxFormats, NginxFormat{Name: f[0], Escape: f[1], Text: f[2]})
	case "latest":
		at, err := time.Parse(time.RFC3339, rest)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		o.Latest = at
	default:
		t.Fatalf("%s: unknown option %q", file, name)
	}
}

func (s *sample) parser(t testing.TB, f *Format) *Parser {
	t.Helper()
	score, dialect, state := f.Sniff(s.log, &s.options)
	if score == 0 {
		t.Fatalf("%s: format %s does not recognise its own sample", s.file, f.Name)
	}
	return newParser(f, dialect, state, &s.options)
}

func eachFormat(t *testing.T, test func(t *testing.T, f *Format)) {
	for _, f := range Formats() {
		t.Run(f.Name, func(t *testing.T) { test(t, f) })
	}
}

func TestGolden(t *testing.T) {
	eachFormat(t, func(t *testing.T, f *Format) {
		seen := map[gatepost.Kind]bool{}
		for _, s := range samples(t, f.Name) {
			p := s.parser(t, f)
			var out gatepost.Batch
			p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: s.log}, &out)
			for _, e := range out.Events {
				seen[e.Kind] = true
			}
			got := "dialect " + p.Dialect + "\n" + dump(&out, s.log)
			if got == s.want {
				continue
			}
			if !*update {
				t.Errorf("%s: parsed as\n%s\nwant\n%s", s.file, got, s.want)
				continue
			}
			a := s.archive
			a.Files = slices.DeleteFunc(a.Files, func(p txtar.File) bool { return p.Name == "want" })
			a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(got)})
			if err := os.WriteFile(s.file, txtar.Format(a), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range f.Kinds {
			if !seen[k] {
				t.Errorf("no sample shows a %s", k)
			}
			delete(seen, k)
		}
		for k := range seen {
			t.Errorf("%s is made but not declared in Kinds", k)
		}
	})
}

// Kinds are documented once, in the root package.
func TestKindsDocumented(t *testing.T) {
	known := map[gatepost.Kind]bool{}
	for _, d := range gatepost.KindDocs {
		known[d.Kind] = true
	}
	made := map[gatepost.Kind]bool{}
	for _, f := range Formats() {
		for _, k := range f.Kinds {
			made[k] = true
			if !known[k] {
				t.Errorf("format %s makes %s, which KindDocs lacks", f.Name, k)
			}
		}
	}
	for k := range known {
		if !made[k] {
			t.Errorf("no format makes a %s", k)
		}
	}
}

// Test data without a format is a leftover.
func TestNoOrphanSamples(t *testing.T) {
	dirs, err := os.ReadDir(formatsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if Lookup(d.Name()) == nil {
			t.Errorf("%s/%s belongs to no format", formatsDir, d.Name())
		}
	}
}

// A sample is recognised as what it is, also when it is only one of several lines.
func TestDetect(t *testing.T) {
	eachFormat(t, func(t *testing.T, f *Format) {
		for _, s := range samples(t, f.Name) {
			p := Detect(s.log, &s.options)
			if p == nil || p.Format != f {
				name := "nothing"
				if p != nil {
					name = p.Format.Name
				}
				t.Errorf("%s is taken for %s", s.file, name)
			}
		}
	})
}

// Where blocks are cut changes nothing.
func TestSplit(t *testing.T) {
	eachFormat(t, func(t *testing.T, f *Format) {
		crossed := false
		for _, s := range samples(t, f.Name) {
			var whole gatepost.Batch
			p := s.parser(t, f)
			p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: s.log}, &whole)

			var joined gatepost.Batch
			joined.Reset(1)
			q := s.parser(t, f)
			offset, line := int64(0), int64(1)
			for data := s.log; len(data) > 0; {
				end, first, lines := nextRecord(data, q.Starts())
				crossed = crossed || end > first || q.Starts() == nil
				var one gatepost.Batch
				q.Parse(&gatepost.Block{Source: 1, Offset: offset, Line: line, Data: data[:end]}, &one)
				joined.Requests = append(joined.Requests, one.Requests...)
				joined.Events = append(joined.Events, one.Events...)
				for _, u := range one.Unparsed {
					joined.Skip(u, 0)
				}
				data, offset, line = data[end:], offset+int64(end), line+lines
			}
			if !reflect.DeepEqual(joined.Requests, whole.Requests) && len(whole.Requests) > 0 {
				t.Errorf("%s: requests differ when every record is a block of its own", s.file)
			}
			if !reflect.DeepEqual(joined.Events, whole.Events) && len(whole.Events) > 0 {
				t.Errorf("%s: events differ when every record is a block of its own:\n%v\n%v", s.file, joined.Events, whole.Events)
			}
			if !reflect.DeepEqual(joined.Unparsed, whole.Unparsed) && len(whole.Unparsed) > 0 {
				t.Errorf("%s: unparsed lines differ when every record is a block of its own", s.file)
			}
		}
		if f.Starts != nil && !crossed {
			t.Errorf("no sample of %s has a record of several lines", f.Name)
		}
	})
}

// Everyday lines cost no allocation.
func TestOrdinaryAllocations(t *testing.T) {
	eachFormat(t, func(t *testing.T, f *Format) {
		found := false
		for _, s := range samples(t, f.Name) {
			name := strings.TrimSuffix(filepath.Base(s.file), ".txtar")
			if name != "ordinary" && !strings.HasPrefix(name, "ordinary_") {
				continue
			}
			found = found || name == "ordinary"
			p := s.parser(t, f)
			b := &gatepost.Block{Source: 1, Line: 1, Data: s.log}
			var out gatepost.Batch
			p.Parse(b, &out)
			if len(out.Events) > 0 || len(out.Unparsed) > 0 {
				t.Errorf("%s: %d events and %d unparsed runs in lines that should be ordinary", s.file, len(out.Events), len(out.Unparsed))
			}
			if n := testing.AllocsPerRun(20, func() { p.Parse(b, &out) }); n > 0 {
				t.Errorf("%s: %v allocations for %d lines", s.file, n, out.Lines)
			}
		}
		if !found {
			t.Errorf("format %s has no ordinary.txtar", f.Name)
		}
	})
}

// FuzzFormats: no input makes any format panic, lose a line, or point outside its block.
//
//	go test -fuzz FuzzFormats ./parser
func FuzzFormats(f *testing.F) {
	for i, format := range Formats() {
		for _, s := range samples(f, format.Name) {
			f.Add(uint8(i), s.log)
		}
	}
	o := &Options{
		Latest:       time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		NginxFormats: []NginxFormat{{"x", "default", `$remote_addr [$time_local] "$request" $status $request_time "$upstream_addr"`}},
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		format := Formats()[int(which)%len(Formats())]
		_, dialect, state := format.Sniff(data, o)
		p := newParser(format, dialect, state, o)
		var out gatepost.Batch
		p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: data}, &out)
		check := func(r gatepost.Ref) {
			if r.Source != 1 || r.Offset < 0 || r.Length < 0 || r.Offset+int64(r.Length) > int64(len(data)) || r.Line < 1 || r.Line > out.Lines {
				t.Fatalf("reference %+v points outside %d bytes, %d lines", r, len(data), out.Lines)
			}
		}
		for _, r := range out.Requests {
			check(r.Ref)
		}
		for _, e := range out.Events {
			check(e.Ref)
			if len(e.Text) > gatepost.TextLimit+2 {
				t.Fatalf("text of %d bytes", len(e.Text))
			}
		}
		for _, r := range out.Unparsed {
			check(r)
		}
	})
}

// BenchmarkFormats: go test -bench Formats/nginx_access ./parser
func BenchmarkFormats(b *testing.B) {
	for _, f := range Formats() {
		b.Run(f.Name, func(b *testing.B) {
			for _, s := range samples(b, f.Name) {
				if filepath.Base(s.file) != "ordinary.txtar" {
					continue
				}
				log := bytes.Repeat(s.log, 1+(1<<20)/len(s.log))
				p := s.parser(b, f)
				block := &gatepost.Block{Source: 1, Line: 1, Data: log}
				var out gatepost.Batch
				p.Parse(block, &out)
				b.SetBytes(int64(len(log)))
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					p.Parse(block, &out)
				}
				b.ReportMetric(float64(out.Lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			}
		})
	}
}

// dump writes a batch as text, in the order of the file.
func dump(b *gatepost.Batch, log []byte) string {
	type row struct {
		at   int64
		text string
	}
	var rows []row
	for _, r := range b.Requests {
		s := fmt.Sprintf("%3d  request %s %s", r.Ref.Line, r.Lane, r.End)
		s += fmt.Sprintf(" status=%d", r.Status)
		s += field("took", r.Duration) + field("sql", r.SQL)
		if r.Queries >= 0 {
			s += fmt.Sprintf(" queries=%d", r.Queries)
		}
		if r.Bytes >= 0 {
			s += fmt.Sprintf(" bytes=%d", r.Bytes)
		}
		if r.PID != 0 {
			s += fmt.Sprintf(" pid=%d", r.PID)
		}
		s += fmt.Sprintf(" key=%08x", uint32(r.Key))
		rows = append(rows, row{r.Ref.Offset, s})
	}
	for _, e := range b.Events {
		rows = append(rows, row{e.Ref.Offset, fmt.Sprintf("%3d  %s", e.Ref.Line, describe(&e))})
	}
	for _, u := range b.Unparsed {
		rows = append(rows, row{u.Offset, fmt.Sprintf("%3d  unparsed %.60q", u.Line, log[u.Offset:u.Offset+int64(u.Length)])})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return int(a.at - b.at) })
	var out strings.Builder
	fmt.Fprintf(&out, "stamps %s, resolution %v\n", b.Stamps, b.Resolution)
	for _, r := range b.Routes {
		fmt.Fprintf(&out, "route %s\n", r.Name)
	}
	for _, r := range rows {
		out.WriteString(r.text + "\n")
	}
	return out.String()
}

func describe(e *gatepost.Event) string {
	s := string(e.Kind)
	if e.Time.Known() {
		s += " " + e.Time.String()
	}
	n := func(name string, v int64) {
		if v != 0 {
			s += fmt.Sprintf(" %s=%d", name, v)
		}
	}
	w := func(name, v string) {
		if v != "" {
			s += fmt.Sprintf(" %s=%q", name, v)
		}
	}
	n("pid", int64(e.PID))
	n("by", int64(e.By))
	n("status", int64(e.Status))
	s += field("took", e.Duration) + field("sql", e.SQL)
	n("queries", int64(e.Queries))
	n("number", e.Number)
	w("method", e.Method)
	w("path", e.Path)
	w("client", e.Client)
	w("upstream", e.Upstream)
	w("db", e.DB)
	if e.Key != 0 {
		s += fmt.Sprintf(" key=%08x", uint32(e.Key))
	}
	w("phase", string(e.Phase))
	for _, a := range e.Attempts {
		s += fmt.Sprintf(" try={%s %d%s%s%s}", a.Addr, a.Status, field("connect", a.Connect), field("header", a.Header), field("response", a.Response))
	}
	w("name", e.Name)
	for _, p := range e.PIDs {
		n("also", int64(p))
	}
	if len(e.Text) > 120 {
		w("text", e.Text[:120]+"…")
	} else {
		w("text", e.Text)
	}
	return s
}

func field(name string, d time.Duration) string {
	if d == gatepost.Unknown {
		return ""
	}
	return fmt.Sprintf(" %s=%v", name, d)
}

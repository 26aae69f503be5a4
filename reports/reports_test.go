package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"gatepost"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenDir = "../testdata/reports"

// drawings are the golden files of one Model: every report at its default, and what has no
// report of its own.
func drawings(t *testing.T, m *gatepost.Model) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	draw := func(name string, render func(w io.Writer) error) {
		var b bytes.Buffer
		if err := render(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files[name] = b.Bytes()
	}
	for _, r := range All() {
		draw("report"+r.Ext, func(w io.Writer) error { return r.Render(w, m, Options{}) })
	}
	draw("narrow.txt", func(w io.Writer) error { return renderTimeline(w, m, Options{Width: 60}) })
	if len(failuresOf(m)) > 0 {
		f := &failuresOf(m)[len(failuresOf(m))/2]
		draw("explain.txt", func(w io.Writer) error { return Explain(w, m, f, Options{}) })
	}
	return files
}

// testdata/reports/CASE/ holds every report of the Model of that name, written by -update and
// read by a person who imagines to be woken by it.
func TestGolden(t *testing.T) {
	var expected []string
	for _, c := range models {
		for name, got := range drawings(t, citeChains(c.make())) {
			file := filepath.Join(goldenDir, c.name, name)
			expected = append(expected, file)
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Errorf("%s (%s): %v; write it with -update", c.name, c.doc, err)
				continue
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s (%s) differs:\n%s", file, c.doc, firstDifference(string(got), string(want)))
			}
		}
	}
	found, err := filepath.Glob(filepath.Join(goldenDir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if !slices.Contains(expected, f) {
			t.Errorf("%s belongs to no report", f)
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer"
}

var style = regexp.MustCompile("\x1b\\[[0-9;]*m")

// No line is wider than asked for, and no byte of a stranger is obeyed by a terminal, whatever
// the Model holds. With colour, the same text comes with styles in it.
func TestTextFitsAndIsHarmless(t *testing.T) {
	cases := slices.Clone(models)
	cases = append(cases, models[0])
	cases[len(cases)-1].name, cases[len(cases)-1].make = "long", longModel
	for _, c := range cases {
		for _, width := range []int{0, 60, 40, 120} {
			texts := func(color bool) []string {
				o, m := Options{Width: width, Color: color}, citeChains(c.make())
				var b bytes.Buffer
				if err := renderTimeline(&b, m, o); err != nil {
					t.Fatal(err)
				}
				all := []string{b.String()}
				for i := range failuresOf(m)[:min(len(failuresOf(m)), 3)] {
					b.Reset()
					if err := Explain(&b, m, &failuresOf(m)[i], o); err != nil {
						t.Fatal(err)
					}
					all = append(all, b.String())
				}
				return all
			}
			plain, colored := texts(false), texts(true)
			for i := range plain {
				checkText(t, c.name, plain[i], width)
				if style.ReplaceAllString(colored[i], "") != plain[i] {
					t.Errorf("%s: colour changes more than colour", c.name)
				}
				if len(plain[i]) > 100_000 {
					t.Errorf("%s: %d bytes of text for people", c.name, len(plain[i]))
				}
			}
		}
	}
}

func checkText(t *testing.T, name, text string, width int) {
	t.Helper()
	if width == 0 {
		width = 80
	}
	for line := range strings.SplitSeq(text, "\n") {
		if n := columns(line); n > width {
			t.Errorf("%s: %d columns of %d: %q", name, n, width, line)
		}
		for _, r := range line {
			if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
				t.Errorf("%s: %U in %q", name, r, line)
			}
		}
	}
}

func TestRegistry(t *testing.T) {
	var names []string
	for _, r := range All() {
		names = append(names, r.Name)
		if Lookup(r.Name) != r {
			t.Errorf("%s is not found by its name", r.Name)
		}
	}
	if got := strings.Join(names, " "); got != "csv html json md ndjson text" || Lookup("nothing") != nil {
		t.Errorf("reports are %q", got)
	}
}

type brokenPipe struct{ left int }

var errPipe = errors.New("broken pipe")

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errPipe
	}
	return len(p), nil
}

// A report that was cut short says so, wherever that happens.
func TestErrorsOfTheWriter(t *testing.T) {
	m := nightModel()
	for _, left := range []int{0, 5000} {
		for _, r := range All() {
			if err := r.Render(&brokenPipe{left}, m, Options{}); !errors.Is(err, errPipe) {
				t.Errorf("%s after %d bytes: %v", r.Name, left, err)
			}
		}
		if err := Explain(&brokenPipe{left / 2}, m, &failuresOf(m)[0], Options{}); !errors.Is(err, errPipe) {
			t.Errorf("explain: %v", err)
		}
	}
}

// The fields that programs rely on, as they are promised. Removing a name here is breaking them.
var promised = map[string]string{
	"failure":  "type id file line offset time status method path client upstream phase cause instance confidence state incident evidence rivals missing",
	"incident": "type id cause instance title confidence state failures clients statuses chain evidence rivals missing fix",
	"summary":  "type sources failures failures_by_status failures_by_cause requests gaps version notes",
}

func TestLedgerKeepsItsPromise(t *testing.T) {
	for _, c := range models {
		m := citeChains(c.make())
		files := drawings(t, m)
		var records []map[string]any
		for line := range strings.Lines(string(files["report.ndjson"])) {
			records = append(records, decode(t, []byte(line)))
			checkJSONText(t, c.name, line)
		}
		var order []string
		for _, r := range records {
			kind, _ := r["type"].(string)
			order = append(order, kind)
			for _, field := range strings.Fields(promised[kind]) {
				if v, ok := r[field]; !ok || v == nil {
					t.Errorf("%s: %s without %s", c.name, kind, field)
				}
			}
			if p, ok := r["confidence"].(float64); ok && (p < 0 || p > 1 || math.Abs(p*1e4-math.Round(p*1e4)) > 1e-6) {
				t.Errorf("%s: confidence %v", c.name, p)
			}
		}
		want := slices.Concat(slices.Repeat([]string{"failure"}, len(failuresOf(m))),
			slices.Repeat([]string{"incident"}, len(m.Incidents)+len(m.Outages)), []string{"summary"})
		if !slices.Equal(order, want) {
			t.Errorf("%s: records are %v", c.name, order)
		}
		checkDocument(t, c.name, decode(t, files["report.json"]), records)
	}
}

// checkDocument wants json to hold the very objects of ndjson.
func checkDocument(t *testing.T, name string, doc map[string]any, records []map[string]any) {
	t.Helper()
	var same []any
	for _, list := range []string{"failures", "incidents"} {
		l, ok := doc[list].([]any)
		if !ok {
			t.Fatalf("%s: %s is no list", name, list)
		}
		same = append(same, l...)
	}
	same = append(same, doc["summary"])
	a, errA := json.Marshal(same)
	b, errB := json.Marshal(records)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%s: json and ndjson differ", name)
	}
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %.200q", err, text)
	}
	return v
}

func checkJSONText(t *testing.T, name, line string) {
	t.Helper()
	for _, r := range strings.TrimSuffix(line, "\n") {
		if hidden(r) {
			t.Errorf("%s: %U stands bare in JSON", name, r)
		}
	}
}

// What the ledger says of the first failure of the night, and of hostile ones, field by field.
func TestLedgerFields(t *testing.T) {
	m := nightModel()
	l := newLedger(m)
	f := l.failure(&failuresOf(m)[0])
	if f.File != "logs/access.log" || f.Line != 52_000 || f.Time != "2026-11-22T01:12:03Z" || f.Start != "2026-11-22T01:11:03Z" || f.Confidence != 0.9871 {
		t.Errorf("failure: %+v", f)
	}
	if silent := f.Evidence[3]; silent.File != "" || silent.Line != 0 || silent.Role != gatepost.Against {
		t.Errorf("evidence without a line: %+v", silent)
	}
	if s := l.source(&m.Sources[odooLog-1]); s.Shift != 0.412 || s.First != "2026-11-21T20:00:01.412Z" || s.ZoneFound == "" ||
		s.Understood != 0.9999 || len(s.Unknown) != 2 || s.Unknown[0].Count != 12 || s.Unknown[0].Line != 61_004 {
		t.Errorf("source: %+v", s)
	}
	m = hostileModel()
	var back failureRecord
	if err := json.Unmarshal(drawings(t, m)["report.ndjson"][:bytes.IndexByte(drawings(t, m)["report.ndjson"], '\n')], &back); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(hostilePath, "\uFFFD\uFFFD"); back.Path != want {
		t.Errorf("path comes back as %q, want %q", back.Path, want)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 2, 0.123456} {
		if got := ratio(x); !(got >= 0 && got <= 1) {
			t.Errorf("ratio(%v) = %v", x, got)
		}
	}
}

func TestCSVReadsBack(t *testing.T) {
	for _, c := range models {
		m := citeChains(c.make())
		rows, err := csv.NewReader(bytes.NewReader(drawings(t, m)["report.csv"])).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(failuresOf(m))+1 || strings.Join(rows[0], ",") != "id,time,start,status,method,path,client,upstream,phase,cause,instance,confidence,state,incident,file,line" {
			t.Errorf("%s: %d rows under %v", c.name, len(rows), rows[0])
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
					t.Errorf("%s: %q is a formula", c.name, cell)
				}
				if visible(cell) != cell {
					t.Errorf("%s: %q hides something", c.name, cell)
				}
			}
		}
	}
}

// A long night must not wait for its report.
func BenchmarkNDJSON(b *testing.B) {
	m := nightModel()
	m.Failures = slices.Repeat(failuresOf(m), 50_000/len(failuresOf(m))+1)[:50_000]
	for b.Loop() {
		if err := renderNDJSON(io.Discard, m, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(50_000*float64(b.N)/b.Elapsed().Seconds(), "failures/s")
}

func BenchmarkTimeline(b *testing.B) {
	m := nightModel()
	m.Failures = slices.Repeat(failuresOf(m), 50_000/len(failuresOf(m))+1)[:50_000]
	for b.Loop() {
		if err := renderTimeline(io.Discard, m, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

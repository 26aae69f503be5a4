package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// folder is an incident's logs in memory, by file name. A transformation changes it in place.
type folder map[string][]line

// line is one line of a log, and which line of the recorded access log it was: a failure keeps its
// identity wherever its line goes. Lines of other logs are 0 there.
type line struct {
	text   string
	origin int
}

func readFolder(t *testing.T, in incident) folder {
	t.Helper()
	f := make(folder)
	for _, name := range in.files {
		for i, text := range fileLines(t, filepath.Join(in.dir, name)) {
			l := line{text: text}
			if name == "access.log" {
				l.origin = i + 1
			}
			f[name] = append(f[name], l)
		}
	}
	return f
}

func (f folder) clone() folder {
	c := make(folder)
	for name, lines := range f {
		c[name] = slices.Clone(lines)
	}
	return c
}

func (f folder) equal(o folder) bool { return maps.EqualFunc(f, o, slices.Equal) }

// text is a file as it is written.
func (f folder) text(name string) []byte {
	var b bytes.Buffer
	for _, l := range f[name] {
		b.WriteString(l.text + "\n")
	}
	return b.Bytes()
}

// write writes the folder. How a file is packed, and in which archive it lies, its name tells by its ending.
func (f folder) write(t *testing.T, dir string) {
	t.Helper()
	ended := f.ended()
	for name := range f {
		data, err := packingOf(name).pack(name, f.text(name), ended)
		put(t, filepath.Join(dir, name), data, ended, err)
	}
}

// ended is when the files were written last, about: it is what tells the year where a log does not.
func (f folder) ended() time.Time {
	if when := f.failing(); len(when) > 0 {
		return when[len(when)-1].Add(hour)
	}
	return clock()
}

// put writes a file of some age.
func put(t *testing.T, path string, data []byte, age time.Time, err error) {
	t.Helper()
	err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644), os.Chtimes(path, age, age))
	if err != nil {
		t.Fatal(err)
	}
}

// verdicts runs the program on the folder and returns its verdicts by the recorded line.
func (f folder) verdicts(t *testing.T) map[int]failure {
	t.Helper()
	dir := t.TempDir()
	f.write(t, dir)
	return f.verdictsAt(t, dir)
}

// verdictsAt does so where the folder was written in some way.
func (f folder) verdictsAt(t *testing.T, path string) map[int]failure {
	t.Helper()
	got := make(map[int]failure)
	begins := make(map[string][]int64) // of the lines of a file
	l := analyzed(t, path)
	for _, g := range l.summary.Gaps {
		t.Errorf("nothing is missing, and there is a gap: %+v", g)
	}
	for _, v := range l.failures {
		name := f.nameOf(strings.TrimPrefix(v.File, path))
		lines := f[name]
		if v.Line > len(lines) || lines[v.Line-1].origin == 0 {
			t.Errorf("%s:%d: is in the ledger but is no line of the access log", v.File, v.Line)
			continue
		}
		if begins[name] == nil {
			at := int64(0)
			for _, l := range lines {
				begins[name] = append(begins[name], at)
				at += int64(len(l.text)) + 1
			}
		}
		if want := begins[name][v.Line-1]; v.Offset != want {
			t.Errorf("%s:%d: begins at offset %d, not %d", v.File, v.Line, want, v.Offset)
		}
		origin := lines[v.Line-1].origin
		if _, twice := got[origin]; twice {
			t.Errorf("%s:%d: stands twice in the ledger", v.File, v.Line)
		}
		got[origin] = v
	}
	return got
}

// nameOf is the name in the folder of a file that is told below the folder's path: its own, or that of the member if all of
// the folder lies in one archive.
func (f folder) nameOf(told string) string {
	file, member, _ := strings.Cut(told, "!")
	if name := strings.TrimPrefix(file, "/"); f[name] != nil {
		return name
	}
	return member
}

// logs are the names of all files but the configuration.
func (f folder) logs() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f)), func(name string) bool { return strings.HasSuffix(name, ".conf") })
}

// edit replaces every line of a file that is there.
func (f folder) edit(name string, change func(text string) string) {
	for i := range f[name] {
		f[name][i].text = change(f[name][i].text)
	}
}

// stamp is one way of logs to write an instant.
type stamp struct {
	in     *regexp.Regexp // its first group is the stamp
	layout string         // as of package time, "" for seconds as a decimal number
}

var (
	stampCommon   = stamp{regexp.MustCompile(`\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]`), "02/Jan/2006:15:04:05 -0700"}
	stampISO      = stamp{regexp.MustCompile(`"time_iso8601":"([^"]+)"`), "2006-01-02T15:04:05-07:00"}
	stampEpoch    = stamp{regexp.MustCompile(`"msec":"(\d+\.\d{3})"`), ""}
	stampError    = stamp{regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)`), "2006/01/02 15:04:05"}
	stampOdoo     = stamp{regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})`), "2006-01-02 15:04:05,000"}
	stampWerkzeug = stamp{regexp.MustCompile(`\[(\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d)\]`), "02/Jan/2006 15:04:05"}
	stampPgMillis = stamp{regexp.MustCompile(`(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?:[A-Z]{3,4} |[+-])`), "2006-01-02 15:04:05.000"}
	stampPg       = stamp{regexp.MustCompile(`(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:[A-Z]{3,4} |[+-])`), "2006-01-02 15:04:05"}
	stampValue    = stamp{regexp.MustCompile(`'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})'`), "2006-01-02 15:04:05.000000"}
	stampDmesgT   = stamp{regexp.MustCompile(`^\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\]`), time.ANSIC}
	stampSyslog   = stamp{regexp.MustCompile(`^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) `), time.Stamp}
	stampMicros   = stamp{regexp.MustCompile(`^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{6}) `), time.StampMicro}
	stampShortISO = stamp{regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}) `), "2006-01-02T15:04:05-0700"}
	stampBoot     = stamp{regexp.MustCompile(`^\[ *(\d+\.\d{6})\]`), ""}
)

// stamps are all stamps in the lines of a file, the one that dates the line most finely first.
var stamps = map[string][]stamp{
	"access.log":     {stampEpoch, stampCommon, stampISO},
	"error.log":      {stampError},
	"odoo.log":       {stampOdoo, stampWerkzeug, stampValue},
	"postgresql.log": {stampPgMillis, stampPg, stampValue},
	"dmesg-T.txt":    {stampDmesgT},
	"dmesg.txt":      {stampBoot},
	"journal.log":    {stampSyslog, stampMicros, stampShortISO},
}

func (s stamp) parse(text string) (time.Time, error) {
	if s.layout != "" {
		return time.Parse(s.layout, text)
	}
	seconds, err := strconv.ParseFloat(text, 64)
	return time.UnixMicro(int64(seconds*1e6 + 0.5)).UTC(), err
}

// format writes t as the stamp was that it takes the place of.
func (s stamp) format(t time.Time, was string) string {
	if s.layout != "" {
		return t.Format(s.layout)
	}
	digits := len(was) - strings.IndexByte(was, '.') - 1
	return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', digits, 64)
}

// shift moves every such stamp of a text.
func (s stamp) shift(text string, d time.Duration) string {
	return s.rewrite(text, func(t time.Time) time.Time { return t.Add(d) })
}

// rewrite changes every such stamp of a text. What only looks like a stamp stays as it is.
func (s stamp) rewrite(text string, change func(time.Time) time.Time) string {
	var b strings.Builder
	end := 0
	for _, m := range s.in.FindAllStringSubmatchIndex(text, -1) {
		was := text[m[2]:m[3]]
		t, err := s.parse(was)
		if err != nil {
			continue
		}
		b.WriteString(text[end:m[2]] + s.format(change(t), was))
		end = m[3]
	}
	return b.String() + text[end:]
}

// shift moves all stamps of a file.
func (f folder) shift(name string, d time.Duration) {
	for _, s := range stamps[name] {
		f.edit(name, func(text string) string { return s.shift(text, d) })
	}
}

// at returns when a line of a file was written; ok is false for the further lines of a record.
// Stamps without an offset are read as UTC, those since boot as since 1970.
func at(name, text string) (at time.Time, ok bool) {
	for _, s := range stamps[name] {
		if m := s.in.FindStringSubmatch(text); m != nil {
			t, err := s.parse(m[1])
			return t, err == nil
		}
	}
	return time.Time{}, false
}

// starts reports whether a line is the first of a record.
func starts(name, text string) bool {
	if name == "postgresql.log" && pgContinues.MatchString(text) {
		return false
	}
	if name == "odoo-stderr.log" {
		return strings.HasPrefix(text, "Traceback ")
	}
	_, ok := at(name, text)
	return ok && !strings.HasPrefix(text, "\t")
}

// pgContinues matches lines that PostgreSQL adds to the message before them.
var pgContinues = regexp.MustCompile(`^\S+ \S+ \S+ \[\d+\]\S* .*?\b(DETAIL|HINT|CONTEXT|STATEMENT|QUERY):  `)

// records cuts a file into whole records.
func (f folder) records(name string) [][]line {
	var all [][]line
	for _, l := range f[name] {
		if len(all) == 0 || starts(name, l.text) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], l)
	}
	return all
}

// insert puts new lines where their time is, behind those of the same time.
func (f folder) insert(name string, t time.Time, texts ...string) {
	var added []line
	for _, text := range texts {
		added = append(added, line{text: text})
	}
	i := 0
	for _, r := range f.records(name) {
		if when, ok := at(name, r[0].text); ok && when.After(t) {
			break
		}
		i += len(r)
	}
	f[name] = slices.Insert(f[name], i, added...)
}

// failing returns the recorded instants of the failures, in the order of the access log.
func (f folder) failing() []time.Time {
	var all []time.Time
	for _, l := range f["access.log"] {
		if t, ok := at("access.log", l.text); ok && failing.MatchString(l.text) {
			all = append(all, t.UTC())
		}
	}
	return all
}

package main

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gatepost/parser"
	"gatepost/parser/source"
)

// input is a log as a program writes it: one notation of a format, in an incident in which it takes part.
type input struct {
	name     string                   // "PostgreSQL, csvlog"
	format   string                   // as it is registered
	incident string                   // of testdata/incidents, or a case of testdata/causes where no incident was recorded with such a log
	log      string                   // its file
	notate   func(folder, *rand.Rand) // writes it in the notation, nil when it was recorded so
	// ship is what a shipper gets of the log, nil for the lines as they are. One of a machine's logs puts a head of its own
	// before what the kernel and systemd say, where others ship the lines of the file.
	ship func(f folder, log string) []shipped
	// undated says that only a shipper dates the lines: then an instance is told with another time.
	undated bool
}

var inputs = []input{
	{name: "nginx, `log_format`", format: "nginx_access", incident: "innocent-oom-b", log: "access.log"},
	{name: "nginx, combined", format: "nginx_access", incident: "restart-a", log: "access.log"},
	{name: "nginx, JSON", format: "nginx_access", incident: "busy-c", log: "access.log"},
	{name: "nginx, error log", format: "nginx_error", incident: "s-wrong-port", log: "error.log"},
	{name: "HAProxy", format: "haproxy", incident: "oom-a", log: "access.log", notate: proxied(haproxyText(0))},
	{name: "Traefik", format: "traefik", incident: "lock-a", log: "access.log", notate: proxied(traefikText)},
	{name: "Traefik, JSON", format: "traefik", incident: "cpulimit-b", log: "access.log", notate: proxied(traefikJSON)},
	{name: "Odoo", format: "odoo", incident: "s-threaded-cron", log: "odoo.log"},
	{name: "Odoo, JSON", format: "odoo", incident: "cronlock-a", log: "odoo.log", notate: odooJSON},
	{name: "Odoo, standard error", format: "stderr", incident: "s-startfail-stderr", log: "odoo-stderr.log", ship: ofStderr, undated: true},
	{name: "PostgreSQL, `log_line_prefix`", format: "postgresql", incident: "s-table-lock", log: "postgresql.log"},
	{name: "PostgreSQL, csvlog", format: "postgresql", incident: "slowquery-a", log: "postgresql.log", notate: pgNotation(csvlog)},
	{name: "PostgreSQL, jsonlog", format: "postgresql", incident: "lock-a", log: "postgresql.log", notate: pgNotation(jsonlog)},
	{name: "PostgreSQL, CloudNativePG", format: "postgresql", incident: "cronlock-a", log: "postgresql.log", notate: pgNotation(cloudNative)},
	{name: "PgBouncer", format: "pgbouncer", incident: "pg_too_many_connections/wins-pgbouncer", log: "pgbouncer.log"},
	{name: "kernel, `dmesg`", format: "kernel", incident: "oom-a", log: "dmesg.txt", ship: ofKernel},
	{name: "kernel, `dmesg -T`", format: "kernel", incident: "oom-b", log: "dmesg-T.txt", ship: ofKernel},
	{name: "systemd", format: "syslog", incident: "s-crash-systemd", log: "journal.log", ship: ofSystemd},
}

// senseless says why a log of a format does not reach shippers of containers.
var senseless = map[string]string{
	"kernel": "no container writes the kernel's log",
	"syslog": "no container writes systemd's log",
}

// weaker are the combinations of an input and a shipper in which verdicts are less sure, with the reason. One in which they are
// no longer so must leave the list.
var weaker = map[[2]string]string{
	{"Odoo, standard error", "syslog RFC 3164"}: "the stamps have no zone, and no line in this log tells it by a line in another",
}

// asFile is the way of a log that nothing collects.
var asFile = shipper{name: "file"}

// TestInputs runs every notation of every format through every shipper, packed in every way: the verdicts are those of the plain
// log. It is a covering design: each log meets each shipper and each packing, and each shipper each packing, for what unpacks
// knows nothing of what is inside. What ran makes the tables of docs/inputs.md; -update writes them.
func TestInputs(t *testing.T) {
	ways := append([]shipper{asFile}, shippers...)
	var lock sync.Mutex
	ran := make(map[inputRun]bool)
	t.Run("runs", func(t *testing.T) {
		for i, in := range inputs {
			plain := in.folder(t)
			want := plain.verdicts(t)
			in.check(t, want)
			for j, way := range ways {
				if way.container && senseless[in.format] != "" {
					continue
				}
				run := inputRun{in.name, way.name, packings[(i+j)%len(packings)]}
				t.Run(strings.ReplaceAll(in.name+" in "+way.name+string(run.packing), " ", "_"), func(t *testing.T) {
					t.Parallel()
					f := plain.clone()
					file := in.shippedBy(way, f) + string(run.packing)
					f[file] = f[strings.TrimSuffix(file, string(run.packing))]
					if run.packing != "" {
						delete(f, strings.TrimSuffix(file, string(run.packing)))
					}
					got := f.verdicts(t)
					moved, why := movedFrom(in.timeless(want), in.timeless(got)), weaker[[2]string{in.name, way.name}]
					switch {
					case why != "" && (len(movedFrom(want, got)) == 0 || cites(got, file)):
						t.Errorf("is no longer weaker: take it out of the list (%s)", why)
					case why != "":
						sameCauses(t, want, got)
					case len(moved) > 0:
						t.Errorf("%d of %d verdicts are others: %s", len(moved), len(want), moved[0])
					case !cites(got, file):
						t.Errorf("%s takes no part: no verdict rests on it", file)
					}
					lock.Lock()
					defer lock.Unlock()
					ran[run] = !t.Failed()
				})
			}
		}
	})
	if t.Failed() || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return
	}
	checkCovered(t, ran)
	checkInputsPage(t, ran, ways)
}

// inputRun is a log that a shipper collected and that was packed.
type inputRun struct {
	input, shipper string
	packing        packing
}

// folder is the incident with the log in its notation.
func (in input) folder(t *testing.T) folder {
	t.Helper()
	f := make(folder)
	if path := filepath.Join("..", "..", "testdata", "causes", in.incident+".txtar"); strings.Contains(in.incident, "/") {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name != "want" {
				f.append(file.Name, strings.TrimSuffix(string(file.Data), "\n"))
			}
		}
		for i := range f["access.log"] {
			f["access.log"][i].origin = i + 1
		}
	} else {
		f = readFolder(t, loadIncident(t, in.incident))
	}
	if in.notate != nil {
		before := f.clone()
		in.notate(f, rand.New(rand.NewPCG(1, 2)))
		if f.equal(before) {
			t.Errorf("%s: %s is so already", in.name, in.incident)
		}
	}
	return f
}

// check holds that the plain log is of its format and takes part.
func (in input) check(t *testing.T, verdicts map[int]failure) {
	t.Helper()
	if len(verdicts) == 0 || !cites(verdicts, in.log) {
		t.Errorf("%s: takes no part in %s", in.name, in.incident)
	}
	sample := in.folder(t).text(in.log)
	if p := parser.Detect(sample[:min(len(sample), parser.SampleSize)], &parser.Options{Latest: clock()}); p == nil || p.Format.Name != in.format {
		t.Errorf("%s: is not taken for %s", in.name, in.format)
	}
}

func sameCauses(t *testing.T, want, got map[int]failure) {
	t.Helper()
	for line, v := range want {
		if got[line].Cause != v.Cause {
			t.Errorf("line %d is %s, not %s", line, got[line].Cause, v.Cause)
		}
	}
}

// timeless leaves out of verdicts what depends on lines that only a shipper dates.
func (in input) timeless(verdicts map[int]failure) map[int]failure {
	if !in.undated {
		return verdicts
	}
	all := maps.Clone(verdicts)
	for line, v := range all {
		v.Instance = ""
		if v.Cause == "service_down_restart" || v.Cause == "service_down_startup_failure" { // before or after the first start failed
			v.Cause, v.Confidence = "service_down_startup_failure", 0
		}
		all[line] = v
	}
	return all
}

// cites reports whether a verdict is about or rests on a line of a file, or of what is in that.
func cites(verdicts map[int]failure, name string) bool {
	is := func(path string) bool {
		path, _, _ = strings.Cut(path, "!")
		return filepath.Base(path) == name
	}
	for _, v := range verdicts {
		if is(v.File) || slices.ContainsFunc(v.Evidence, func(e evidence) bool { return is(e.File) }) {
			return true
		}
	}
	return false
}

// shippedBy puts what the shipper makes of the log in its place, and returns its name.
func (in input) shippedBy(w shipper, f folder) string {
	if w.name == asFile.name {
		return in.log
	}
	var all []shipped
	if in.ship != nil {
		all = in.ship(f, in.log)
	} else {
		for i, at := range f.written(in.log) {
			all = append(all, shipped{programs[in.log], 4711, f[in.log][i].text, at})
		}
	}
	const name = "shipped.log"
	zone := f.zone()
	if w.before != "" {
		f.append(name, w.before)
	}
	for i, s := range all {
		s.at = s.at.In(zone)
		if !w.machine {
			s.text = f[in.log][i].text
		}
		f[name] = append(f[name], w.wrap(s, f[in.log][i].origin)...)
	}
	if w.behind != "" {
		f.append(name, w.behind)
	}
	delete(f, in.log)
	return name
}

// ofKernel are the messages of the kernel without its stamps. Those since boot are dated by the first kill: in the second
// in which the first request failed.
func ofKernel(f folder, log string) (all []shipped) {
	written := f.written(log)
	var boot time.Duration
	if i := slices.IndexFunc(f[log], func(l line) bool { return strings.Contains(l.text, "Killed process") }); i >= 0 && log == "dmesg.txt" {
		boot = f.failing()[0].Add(time.Second / 2).Sub(written[i])
	}
	for i, l := range f[log] {
		_, text, _ := strings.Cut(l.text, "] ")
		all = append(all, shipped{"kernel", 0, text, written[i].Add(boot)})
	}
	return all
}

var systemdHead = regexp.MustCompile(`^\S+ +\d+ \S+ \S+ ([^ \[]+)\[(\d+)\]: `)

// ofSystemd are the messages in a file of syslog with their programs. Its stamps are of the machine's zone, and of no year.
func ofSystemd(f folder, log string) (all []shipped) {
	year := f.failing()[0].Year()
	for i, t := range f.written(log) {
		text := f[log][i].text
		m := systemdHead.FindStringSubmatch(text)
		pid, _ := strconv.Atoi(m[2])
		local := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), f.zone())
		all = append(all, shipped{m[1], pid, text[len(m[0]):], local})
	}
	return all
}

var accessZone = regexp.MustCompile(`:\d\d ?([+-]\d\d):?(\d\d)`)

// zone is that of the machine, by its access log, which HAProxy writes without one.
func (f folder) zone() *time.Location {
	m := accessZone.FindStringSubmatch(f["access.log"][0].text)
	if m == nil {
		return time.UTC
	}
	at, err := time.Parse("-0700", m[1]+m[2])
	if err != nil {
		panic(err) // the pattern fits nothing else
	}
	return at.Location()
}

// ofStderr are the lines of a program that cannot start, again and again from when it was started until requests fail no more.
func ofStderr(f folder, log string) (all []shipped) {
	fails := f.failing()
	var begin time.Time
	for _, t := range f.written("odoo.log") {
		if t.Before(fails[0]) {
			begin = t
		}
	}
	records := f.records(log)
	every := fails[len(fails)-1].Sub(begin) / time.Duration(len(records))
	for i, r := range records {
		for _, l := range r {
			all = append(all, shipped{"odoo", 5000 + i, l.text, begin.Add(every * time.Duration(i))})
		}
	}
	return all
}

// checkCovered holds that every entry of the registries ran, and every pair of a log, a shipper and a packing.
func checkCovered(t *testing.T, ran map[inputRun]bool) {
	t.Helper()
	seen := make(map[string]bool)
	for run := range ran {
		for _, pair := range []string{run.input + " × " + run.shipper, run.input + " × " + string(run.packing), run.shipper + " × " + string(run.packing)} {
			seen[pair] = true
		}
	}
	need := func(a, b string) {
		if !seen[a+" × "+b] {
			t.Errorf("did not run: %s × %s", a, b)
		}
	}
	formats, wrappings := make(map[string]bool), make(map[string]bool)
	for _, in := range inputs {
		formats[in.format] = true
		for _, w := range shippers {
			if !w.container || senseless[in.format] == "" {
				need(in.name, w.name)
			}
		}
		for _, p := range packings {
			need(in.name, string(p))
		}
	}
	for _, w := range shippers {
		wrappings[w.wrapping] = true
		for _, p := range packings {
			need(w.name, string(p))
		}
	}
	for _, f := range parser.Formats() {
		if !formats[f.Name] {
			t.Errorf("format %s has no input", f.Name)
		}
	}
	for _, w := range parser.Wrappings() {
		if !wrappings[w.Name] {
			t.Errorf("wrapping %s has no shipper", w.Name)
		}
	}
	unpacked := append(slices.Collect(maps.Values(packedBy)), slices.Collect(maps.Values(archivedBy))...)
	for _, k := range source.Kinds() {
		if k.Name != "journal" && !slices.Contains(unpacked, k.Name) { // only the journal makes its files: TestJournalFile
			t.Errorf("kind %s has no packing", k.Name)
		}
	}
	for _, a := range source.Archives() {
		if !slices.Contains(unpacked, a.Name) {
			t.Errorf("archive %s has no packing", a.Name)
		}
	}
}

// checkInputsPage keeps the tables of docs/inputs.md equal to what ran.
func checkInputsPage(t *testing.T, ran map[inputRun]bool, ways []shipper) {
	t.Helper()
	keepTables(t, filepath.Join("..", "..", "docs", "inputs.md"), "TestInputs", map[string]string{
		"runs": runsTable(ran, ways), "shippers": shippersTable(), "packings": packingsTable(ran), "combinations without sense": senselessTable(),
	})
}

// packingName is what a packing is called in a table.
func packingName(p packing) string {
	if p == "" {
		return "plain"
	}
	return strings.TrimPrefix(string(p), ".")
}

// runsTable has a row for each log and a column for each way that it takes; a cell says how it was packed there.
func runsTable(ran map[inputRun]bool, ways []shipper) string {
	var b strings.Builder
	b.WriteString("| log | in the incident |")
	for _, w := range ways {
		b.WriteString(" " + w.name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(ways)) + "\n")
	for _, in := range inputs {
		fmt.Fprintf(&b, "| %s | %s |", in.name, in.incident)
		for _, w := range ways {
			cell := "–"
			for _, p := range packings {
				if ran[inputRun{in.name, w.name, p}] {
					cell = packingName(p)
				}
			}
			if weaker[[2]string{in.name, w.name}] != "" {
				cell += " (weaker)"
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	for _, pair := range slices.SortedFunc(maps.Keys(weaker), func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) }) {
		fmt.Fprintf(&b, "\nWeaker: %s in %s; %s.\n", pair[0], pair[1], weaker[pair])
	}
	return b.String()
}

// shippersTable says what the columns are, by an example of each.
func shippersTable() string {
	var b strings.Builder
	b.WriteString("| shipper | wrapping | a line in it |\n|---|---|---|\n")
	at := time.Date(2026, 11, 22, 14, 10, 38, 0, time.UTC)
	for _, w := range shippers {
		text := strings.Join(strings.Fields(w.line(shipped{"odoo", 4711, "2026-11-22 14:10:38,114 4711 INFO …", at})), " ")
		fmt.Fprintf(&b, "| %s | `%s` | `` %s `` |\n", w.name, w.wrapping, strings.ReplaceAll(text, "|", "\\|"))
	}
	return b.String()
}

// packingsTable says with how many logs and shippers each packing ran.
func packingsTable(ran map[inputRun]bool) string {
	var b strings.Builder
	b.WriteString("| packing | runs | with logs | with shippers |\n|---|---|---|---|\n")
	for _, p := range packings {
		runs, logs, ways := 0, make(map[string]bool), make(map[string]bool)
		for run := range ran {
			if run.packing == p {
				runs++
				logs[run.input], ways[run.shipper] = true, true
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", packingName(p), runs, len(logs), len(ways))
	}
	return b.String()
}

// senselessTable lists the combinations that did not run.
func senselessTable() string {
	var b strings.Builder
	b.WriteString("| logs of format | shippers | why not |\n|---|---|---|\n")
	var containers []string
	for _, w := range shippers {
		if w.container {
			containers = append(containers, w.name)
		}
	}
	for _, format := range slices.Sorted(maps.Keys(senseless)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", format, strings.Join(containers, ", "), senseless[format])
	}
	return b.String()
}

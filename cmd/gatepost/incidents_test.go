package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"gatepost"
)

// incidentsDir holds recorded incidents: a folder of logs each, and the true cause of every line
// of its access log with status 502 or 504. Its README says how they were made.
var incidentsDir = filepath.Join("..", "..", "testdata", "incidents")

// incident is one folder of recorded logs.
type incident struct {
	name, dir string
	files     []string // names within dir
	truth     map[int]truth
}

// truth is what was really done to the request of one line of the access log.
type truth struct {
	Line   int      `json:"line"`
	Status int      `json:"status"`
	Cause  string   `json:"cause"`
	Also   []string `json:"also"`  // names that are right too
	Blind  bool     `json:"blind"` // the given logs cannot tell it
}

func (x truth) accepts(cause string) bool {
	return cause == x.Cause || slices.Contains(x.Also, cause)
}

// recorded returns all incidents. A folder without a truth, or a truth without a folder, fails.
func recorded(t *testing.T) []incident {
	t.Helper()
	entries, err := os.ReadDir(incidentsDir)
	if err != nil {
		t.Fatal(err)
	}
	var all []incident
	for _, e := range entries {
		name, isTruth := strings.CutSuffix(e.Name(), ".truth.jsonl")
		switch {
		case isTruth:
			if info, err := os.Stat(filepath.Join(incidentsDir, name)); err != nil || !info.IsDir() {
				t.Fatalf("%s: has no logs", e.Name())
			}
		case e.IsDir():
			all = append(all, loadIncident(t, e.Name()))
		}
	}
	return all
}

func loadIncident(t *testing.T, name string) incident {
	t.Helper()
	in := incident{name: name, dir: filepath.Join(incidentsDir, name), truth: make(map[int]truth)}
	entries, err := os.ReadDir(in.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		in.files = append(in.files, e.Name())
	}
	rows, err := os.ReadFile(in.dir + ".truth.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(rows)) {
		var x truth
		if err := json.Unmarshal([]byte(row), &x); err != nil {
			t.Fatalf("%s.truth.jsonl: %v", name, err)
		}
		in.truth[x.Line] = x
	}
	return in
}

// judged are the verdicts of the incidents as they were recorded, which many tests compare with.
var judged sync.Map

// verdicts are those of the incident as it was recorded, by line.
func (in incident) verdicts(t *testing.T) map[int]failure {
	t.Helper()
	once, _ := judged.LoadOrStore(in.name, sync.OnceValue(func() map[int]failure {
		all := make(map[int]failure)
		for _, f := range analyzed(t, in.dir).failures {
			all[f.Line] = f
		}
		return all
	}))
	return once.(func() map[int]failure)()
}

// paths returns where the files that keep selects lie, all of them when keep is nil.
func (in incident) paths(keep func(name string) bool) []string {
	var all []string
	for _, name := range in.files {
		if keep == nil || keep(name) {
			all = append(all, filepath.Join(in.dir, name))
		}
	}
	return all
}

// ledger is what "gatepost analyze --format ndjson" says.
type ledger struct {
	status    int // exit status
	stderr    string
	failures  []failure
	incidents []incidentRecord
	summary   summary
}

type failure struct {
	File       string     `json:"file"`
	Line       int        `json:"line"`
	Offset     int64      `json:"offset"`
	Status     int        `json:"status"`
	Phase      string     `json:"phase"`
	State      string     `json:"state"`
	Cause      string     `json:"cause"`
	Instance   string     `json:"instance"`
	Confidence float64    `json:"confidence"`
	Evidence   []evidence `json:"evidence"`
}

type incidentRecord struct {
	Failures int        `json:"failures"`
	Outage   bool       `json:"outage"`
	Evidence []evidence `json:"evidence"`
}

type evidence struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

type summary struct {
	Failures         int            `json:"failures"`
	FailuresByStatus map[string]int `json:"failures_by_status"`
	FailuresByCause  map[string]int `json:"failures_by_cause"`
	Gaps             []gap          `json:"gaps"`
}

// clock is when the program believes to run in these tests: after every recorded stamp, also
// after those that a test moves.
func clock() time.Time { return time.Date(2028, time.January, 1, 0, 0, 0, 0, time.UTC) }

// analyzed runs "gatepost analyze" with arguments, paths among them, and reads its ledger.
func analyzed(t *testing.T, args ...string) *ledger { return analyzedAtOnce(t, 0, args...) }

// analyzedAtOnce says how many failures are judged at once.
func analyzedAtOnce(t *testing.T, atOnce int, args ...string) *ledger {
	t.Helper()
	var stdout, stderr bytes.Buffer
	e := env{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		now: clock, zone: time.UTC, getenv: func(string) string { return "" }, atOnce: atOnce,
	}
	l := &ledger{status: run(context.Background(), e, append([]string{"analyze", "--format", "ndjson"}, args...))}
	l.stderr = stderr.String()
	if l.status != statusDone {
		t.Fatalf("exit status %d: %s", l.status, l.stderr)
	}
	for d := json.NewDecoder(&stdout); ; {
		var record json.RawMessage
		if err := d.Decode(&record); err == io.EOF {
			return l
		} else if err != nil {
			t.Fatal(err)
		}
		l.read(t, record)
	}
}

func (l *ledger) read(t *testing.T, record json.RawMessage) {
	t.Helper()
	var head struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(record, &head)
	switch head.Type {
	case "failure":
		var f failure
		err = cmp.Or(err, json.Unmarshal(record, &f))
		l.failures = append(l.failures, f)
	case "incident":
		var i incidentRecord
		err = cmp.Or(err, json.Unmarshal(record, &i))
		l.incidents = append(l.incidents, i)
	case "summary":
		err = cmp.Or(err, json.Unmarshal(record, &l.summary))
	default:
		t.Errorf("a record of type %q", head.Type)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, record)
	}
}

// TestIncidents holds the program to the truth about all recorded incidents. Run with -v it prints
// how well it does, and how the rules of thumb beside which it must justify itself do.
func TestIncidents(t *testing.T) {
	var s score
	for _, in := range recorded(t) {
		t.Run(in.name, func(t *testing.T) {
			l := analyzed(t, in.dir)
			checkLedger(t, in, l)
			checkEvidence(t, l)
			s.judged(in, l)
		})
	}
	t.Logf("\n%s%s", s.byIncident(), s.details())
	for v := range s.wrongAbove(0.8) {
		if v.truth.Blind {
			t.Errorf("sure of what the logs cannot tell: %s", v)
		}
	}
	s = s.told()
	if got := s.accuracy(); got < 0.97 {
		t.Errorf("accuracy %.3f, want 0.97", got)
	}
	if got := s.macroF1(); got < 0.95 {
		t.Errorf("macro-F1 %.3f, want 0.95", got)
	}
	if got := s.selective(); got < 0.98 {
		t.Errorf("of the named causes %.3f are right, want 0.98", got)
	}
	if got := s.coverage(); got < 0.90 {
		t.Errorf("a cause is named for %.3f of the failures, want 0.90", got)
	}
	for v := range s.wrongAbove(0.95) {
		t.Errorf("wrong and sure: %s", v)
	}
}

// failing finds the lines of an access log that the ledger must hold, in all of the forms in
// which the incidents have them.
var failing = regexp.MustCompile(`^(?:[^"]*"[^"]*" |\{.*"status":"?)(50[24])[ ,"]`)

// checkLedger holds that the ledger adds up: each failing access line once, and nothing else.
func checkLedger(t *testing.T, in incident, l *ledger) {
	t.Helper()
	path := filepath.Join(in.dir, "access.log")
	want := make(map[int]int)
	for i, line := range fileLines(t, path) {
		if m := failing.FindStringSubmatch(line); m != nil {
			want[i+1] = int(m[1][2]-'0') + 500
		}
	}
	if len(want) != len(in.truth) {
		t.Fatalf("the truth is about %d lines, but the access log has %d failures", len(in.truth), len(want))
	}
	got := make(map[int]int)
	for _, f := range l.failures {
		if f.File != path || want[f.Line] == 0 {
			t.Errorf("%s:%d: is in the ledger but is no failure", f.File, f.Line)
		}
		if _, twice := got[f.Line]; twice {
			t.Errorf("line %d: stands twice in the ledger", f.Line)
		}
		if f.Cause == "" || len(f.Evidence) == 0 {
			t.Errorf("line %d: cause %q with %d pieces of evidence", f.Line, f.Cause, len(f.Evidence))
		}
		got[f.Line] = f.Status
	}
	if !maps.Equal(got, want) {
		t.Errorf("line to status: %v, want %v", got, want)
	}
	inIncidents := 0
	for _, i := range l.incidents {
		inIncidents += i.Failures
	}
	for what, n := range map[string]int{
		"failures": l.summary.Failures, "failures by cause": sum(l.summary.FailuresByCause),
		"failures by status": sum(l.summary.FailuresByStatus), "failures of incidents": inIncidents,
	} {
		if n != len(want) {
			t.Errorf("%s: %d, want %d", what, n, len(want))
		}
	}
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// checkEvidence holds that every line which is cited stands where it is said to stand.
func checkEvidence(t *testing.T, l *ledger) {
	t.Helper()
	lines := make(map[string][]string)
	check := func(e evidence) {
		if e.File == "" {
			return
		}
		if lines[e.File] == nil {
			lines[e.File] = fileLines(t, e.File)
		}
		if e.Line < 1 || e.Line > len(lines[e.File]) {
			t.Errorf("%s:%d: is cited but is not there", e.File, e.Line)
		} else if there := lines[e.File][e.Line-1:]; !quotedIn(e.Text, there) {
			t.Errorf("%s:%d: is cited as %q but reads %q", e.File, e.Line, e.Text, there[0])
		}
	}
	for _, f := range l.failures {
		cited := 0
		for _, e := range f.Evidence {
			check(e)
			if e.File != "" {
				cited++
			}
		}
		if cited == 0 && f.Cause != gatepost.Undetermined {
			t.Errorf("line %d: %s without a line that proves it", f.Line, f.Cause)
		}
	}
	for _, i := range l.incidents {
		for _, e := range i.Evidence {
			check(e)
		}
	}
}

// quotedIn reports whether a citation is the text that begins with the first of lines: all of that
// line, or as much as is cited of a long one, and the further lines of its record.
func quotedIn(cited string, lines []string) bool {
	for i, line := range strings.Split(strings.TrimSpace(cited), "\n") {
		if i >= len(lines) {
			return false
		}
		if strings.TrimSpace(line) != strings.TrimSpace(lines[i]) {
			return len(cited) > evidenceLimit-utf8.UTFMax && strings.HasPrefix(lines[i], line)
		}
	}
	return cited != ""
}

func fileLines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// TestOtherStatuses asks for statuses that are no failures by default, on outages that users saw as
// these: the same causes explain them. What is ordinary among them may stay undetermined.
func TestOtherStatuses(t *testing.T) {
	f := func(name, statuses, cause string) {
		t.Helper()
		l := analyzed(t, "--status", statuses, filepath.Join(incidentsDir, name))
		named := 0
		for _, f := range l.failures {
			switch f.Cause {
			case cause:
				named++
			case gatepost.Undetermined:
			default:
				t.Errorf("%s line %d is %s", name, f.Line, f.Cause)
			}
		}
		if named*3 < len(l.failures)*2 || named == 0 {
			t.Errorf("%s: %s is named for %d of %d", name, cause, named, len(l.failures))
		}
	}
	f("connections-a", "302,404", "pg_too_many_connections")
	f("database-b", "302,404", "service_down_db_unreachable")
	f("memoryhard-a", "500", "memory_limit")
	f("disk-a", "500", "disk_full")
}

package store_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gatepost/store"
)

var update = flag.Bool("update", false, "rewrite testdata/plans.txtar")

const plansComment = `How SQLite answers what the program asks its store (program), what docs/store.md shows (manual), and
what people are likely to ask (people). Made by go test ./store -run Plans -update: read what changed.

SEARCH finds rows by an index, SCAN walks through all. The letters behind INDEX 0: are what the virtual
table requests was told, so that it need not decode every chunk: f from, t to, e a single time, s a
source, l a lane.

`

const owners = "what evidence belongs to is put together of failures and incidents; a million take about a second"

const nightly = "is done once a night, and looks at every verdict"

// fullScans are the questions that may walk through a table that grows with the input, each with its
// reason.
var fullScans = map[string]string{
	"program: all failures":                              "a report needs every failure",
	"program: the key of stand-ins":                      "there is one",
	"program: the columns of all views":                  "there are ten of them",
	"program: prune the failures":                        nightly,
	"program: failures that are judged anew":             nightly,
	"program: count what is left of an incident":         "groups the failures of the one through which the time goes",
	"program: the last rows of verdicts":                 "SQLite goes to the last row at once, and calls that a search without an index",
	"program: prune the arguments":                       nightly,
	"program: prune lines that were cited":               "asks all evidence whether it cites them, once a night for each source",
	"program: how much of a file is free":                "there is one",
	"manual: What failed, and why?":                      "counts every failure",
	"manual: How did the causes change from day to day?": "counts every failure",
	"manual: Which lines prove it?":                      owners,
	"manual: What did Odoo finish although the user had seen an error, and may have sent again?": "looks at every failure",
	"people: evidence of a failure":                                                      owners,
	"people: evidence of an incident":                                                    owners,
	"manual: How many requests and how many errors in each minute?":                      "adds up every second",
	"manual: What happened on the machine in the five minutes before the first failure?": "an event's time is found by the clock of its source, row by row; a million take about a second",
	"people: requests of a client":                                                       "clients are not in the index of the chunks",
	"people: events of a kind":                                                           "an index would cost every run more than it saves the few who ask",
}

// question is a statement and what it is asked for.
type question struct{ name, text string }

// people are likely to ask these, beside what the manual shows.
var people = []question{
	{"a failure", "SELECT * FROM failures WHERE id = 'f-3b9c00000000'"},
	{"failures of an hour", "SELECT * FROM failures WHERE time >= '2026-11-22T14' AND time < '2026-11-22T15' ORDER BY time"},
	{"when it began", "SELECT min(time) FROM failures"},
	{"evidence of a failure", "SELECT * FROM evidence WHERE failure = 'f-3b9c00000000'"},
	{"evidence of an incident", "SELECT * FROM evidence WHERE incident = 'i-01'"},
	{"events of a file", "SELECT * FROM events WHERE source = 2 ORDER BY time"},
	{"events of a kind", "SELECT * FROM events WHERE kind = 'kernel_oom'"},
	{"seconds of a file", "SELECT * FROM seconds WHERE source = 1"},
	{"requests since", "SELECT * FROM requests WHERE time >= '2026-11-22T14:05'"},
	{"requests after", "SELECT * FROM requests WHERE time > '2026-11-22T14:05'"},
	{"requests until", "SELECT * FROM requests WHERE time <= '2026-11-22T14:05'"},
	{"requests before", "SELECT * FROM requests WHERE time < '2026-11-22T14:05' ORDER BY time"},
	{"requests of an instant", "SELECT * FROM requests WHERE time = '2026-11-22T14:10:38.000Z'"},
	{"requests of ten minutes", "SELECT * FROM requests WHERE time BETWEEN '2026-11-22T14:05' AND '2026-11-22T14:15' ORDER BY time"},
	{"requests of a file", "SELECT * FROM requests WHERE source = 1"},
	{"requests of some files", "SELECT * FROM requests WHERE source IN (1, 3)"},
	{"requests of a lane", "SELECT * FROM requests WHERE lane = 'odoo'"},
	{"requests of a lane and file within ten minutes", "SELECT * FROM requests WHERE lane = 'odoo' AND source = 1 AND time >= '2026-11-22T14:05' AND time < '2026-11-22T14:15'"},
	{"requests since the first failure", "SELECT * FROM requests WHERE time >= (SELECT min(time) FROM failures)"},
	{"requests that failed in an incident", "SELECT r.* FROM failures f JOIN requests r ON r.time = f.time AND r.source = f.source AND r.offset = f.offset WHERE f.incident = 'i-01'"},
	{"requests of a client", "SELECT * FROM requests WHERE client = hash('10.20.2.46')"},
}

// TestPlans holds the plans of all statements against testdata/plans.txtar, and none may walk through a
// table that grows unless fullScans says why.
func TestPlans(t *testing.T) {
	s := open(t, "")
	golden := txtar.Archive{Comment: []byte(plansComment)}
	excused := map[string]bool{}
	add := func(name, statement string, rows [][]any) {
		steps := planOf(rows)
		data := fmt.Sprintf("%s\n\n%s\n", strings.TrimSpace(statement), strings.Join(steps, "\n"))
		golden.Files = append(golden.Files, txtar.File{Name: name, Data: []byte(data)})
		for _, step := range steps {
			if !walksThroughAll(step) {
				continue
			}
			if excused[name] = fullScans[name] != ""; !excused[name] {
				t.Errorf("%s:\n%s\nwalks through all rows: %s\ngive it an index, or its reason a line in fullScans", name, statement, strings.TrimSpace(step))
			}
		}
	}
	for _, q := range store.Statements() {
		rows, err := s.Explain(t.Context(), q[1])
		check(t, err)
		add("program: "+q[0], q[1], rows)
	}
	explain := func(prefix string, all []question) {
		for _, q := range all {
			rows, err := s.Query(t.Context(), "EXPLAIN QUERY PLAN "+q.text)
			check(t, err)
			add(prefix+q.name, q.text, gather(t, rows.Rows))
		}
	}
	explain("manual: ", manualQuestions(t))
	explain("people: ", people)
	for name := range fullScans {
		if !excused[name] {
			t.Errorf("fullScans excuses %q, which needs no excuse", name)
		}
	}

	path := filepath.Join("testdata", "plans.txtar")
	text := txtar.Format(&golden)
	if *update {
		check(t, os.WriteFile(path, text, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if bytes.Equal(text, want) {
		return
	}
	before := map[string]string{}
	for _, f := range txtar.Parse(want).Files {
		before[f.Name] = string(f.Data)
	}
	for _, f := range golden.Files {
		if before[f.Name] != string(f.Data) {
			t.Errorf("%s: the plan is now\n%s\nand was\n%s", f.Name, f.Data, before[f.Name])
		}
	}
	t.Errorf("%s is not what it was; go test ./store -run Plans -update writes it", path)
}

// planOf draws the rows of EXPLAIN QUERY PLAN: id, parent, a number that says nothing, words.
func planOf(rows [][]any) (steps []string) {
	depth := map[any]int{}
	for _, row := range rows {
		depth[row[0]] = depth[row[1]] + 1
		steps = append(steps, strings.Repeat("  ", depth[row[0]]-1)+"- "+fmt.Sprint(row[3]))
	}
	if len(steps) == 0 {
		return []string{"- nothing to find"}
	}
	return steps
}

var planStep = regexp.MustCompile(`^ *- (SCAN|SEARCH) (\S+)(.*)$`)

// small are tables that do not grow with the lines of the logs, and their names in the views.
var small = []string{"_sources", "_routes", "_statuses", "_settings", "_incidents", "_unparsed", "_unknown", "_gaps", "_lost", "_passed", "_judgement", "_judged", "j", "s", "i", "u", "sqlite_schema", "json_each"}

// walksThroughAll reports whether a step of a plan reads all rows of a table that grows. A scan of an
// index does, and so does a search without one, which is how SQLite calls finding a least value.
func walksThroughAll(step string) bool {
	m := planStep.FindStringSubmatch(step)
	if m == nil || slices.Contains(small, m[2]) || strings.HasPrefix(m[2], "pragma_") {
		return false
	}
	if strings.Contains(m[3], "VIRTUAL TABLE") {
		return strings.HasSuffix(m[3], ":")
	}
	return m[1] == "SCAN" || !strings.Contains(m[3], "USING") || strings.Contains(m[3], "AUTOMATIC")
}

// manualQuestions are the questions of the manual with the statements that answer them. Where one
// question has several, the later ones are numbered.
func manualQuestions(t *testing.T) (all []question) {
	manual, err := os.ReadFile("../docs/store.md")
	check(t, err)
	asked, behind, n := "", 0, 0
	for _, block := range sqlBlock.FindAllSubmatchIndex(manual, -1) {
		n++
		name := fmt.Sprintf("%s (%d)", asked, n)
		if words := strings.TrimSpace(string(manual[behind:block[0]])); words != "" {
			asked, n = words[strings.LastIndexByte(words, '\n')+1:], 1
			name = asked
		}
		all = append(all, question{name, string(manual[block[2]:block[3]])})
		behind = block[1]
	}
	return all
}

// TestStatements keeps the list whose plans are tested complete: no query stands in the package that is
// not on it.
func TestStatements(t *testing.T) {
	files, err := filepath.Glob("*.go")
	check(t, err)
	found := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		check(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			check(t, err)
			if !regexp.MustCompile(`^(SELECT|UPDATE|DELETE|WITH|REPLACE) `).MatchString(text) {
				return true
			}
			found++
			if !slices.ContainsFunc(store.Statements(), func(q [2]string) bool { return strings.HasPrefix(q[1], text) }) {
				t.Errorf("%s: the plan of %q is not tested", path, text)
			}
			return true
		})
	}
	if found < 10 {
		t.Errorf("only %d queries found", found)
	}
}

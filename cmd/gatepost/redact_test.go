package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gatepost"
)

// hostileLogs are testdata/redact/secrets.txtar on the disk.
type hostileLogs struct {
	dir                   string
	secrets, never, stays []string
}

func writeHostileLogs(t *testing.T) hostileLogs {
	a, err := txtar.ParseFile(filepath.Join("..", "..", "testdata", "redact", "secrets.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	l := hostileLogs{dir: t.TempDir()}
	lists := map[string]*[]string{"secrets": &l.secrets, "never": &l.never, "stays": &l.stays}
	for _, f := range a.Files {
		if list := lists[f.Name]; list != nil {
			*list = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			continue
		}
		path := filepath.Join(l.dir, f.Name)
		written := time.Date(2026, time.November, 22, 14, 10, 0, 0, time.UTC)
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// said runs a command and returns what it wrote to both its outputs.
func said(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := system()
	e.stdout, e.stderr, e.zone = &out, &errs, time.UTC
	e.stdoutTerminal, e.stderrTerminal = false, false
	e.now = func() time.Time { return time.Date(2026, time.November, 23, 8, 0, 0, 0, time.UTC) }
	e.key = []byte("a key for tests")
	if status := run(context.Background(), e, args); status == statusUsage {
		t.Fatalf("gatepost %q: %s", args, errs.String())
	}
	return out.String(), errs.String()
}

// storeViews are all that a statement can ask.
var storeViews = []string{"sources", "events", "failures", "incidents", "evidence", "seconds", "routes", "settings", "unparsed", "unknown", "gaps", "requests"}

var dotted = regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b`)

// TestRedact runs every command with every format over logs that are full of secrets, and finds none of them in what it says.
func TestRedact(t *testing.T) {
	logs := writeHostileLogs(t)
	work := t.TempDir()
	db := filepath.Join(work, "night.db")
	all := map[string]string{} // what was said, by the command
	try := func(args ...string) string {
		out, errs := said(t, args...)
		all[strings.Join(args, " ")] = out + errs
		return out
	}
	files := []string{"analyze", "--redact", "--db", db, logs.dir}
	for _, format := range reportNames() {
		try("analyze", "--redact", "--format", format, logs.dir)
		files = append(files, "--format", format, "--output", filepath.Join(work, "report."+format))
	}
	try(files...)
	for _, format := range reportNames() {
		b, err := os.ReadFile(filepath.Join(work, "report."+format))
		if err != nil {
			t.Fatal(err)
		}
		all["file "+format] = string(b)
		try("report", "--redact", "--db", db, "--format", format)
	}
	ids := regexp.MustCompile(`"f-[0-9a-f]{12}"`).FindAllString(all["file ndjson"], -1)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		try("explain", "--redact", strings.Trim(id, `"`), "--db", db)
	}
	try("explain", "--redact", "203.0.113.77", "--db", db)
	for _, view := range storeViews {
		for _, format := range []string{"table", "csv", "json"} {
			try("sql", "--redact", "--db", db, "--format", format, "SELECT * FROM "+view)
		}
	}
	for _, statement := range []string{
		"SELECT substr(client, 1), client || '', upper(path), quote(text) FROM events",
		"SELECT client, min(path), group_concat(client), json_group_array(text) FROM events GROUP BY client",
		"SELECT * FROM main.failures", "SELECT text FROM main.evidence", "SELECT client FROM _failures", "SELECT client FROM temp._requests",
		"WITH f AS (SELECT client, path FROM main.failures) SELECT * FROM f",
		"SELECT (SELECT group_concat(client) FROM main._failures)", "SELECT key FROM _redaction", "SELECT hex(data) FROM _chunks", "SELECT text FROM _lines",
		"SELECT '203.0.113.77' = client, '203.0.113.77' FROM failures", "SELECT nothing FROM failures WHERE client = '203.0.113.77'",
		"SELECT f.key FROM json_each((SELECT rivals FROM failures LIMIT 1)) f", "SELECT r.value FROM failures, json_each(rivals) r",
	} {
		try("sql", "--redact", "--db", db, "--format", "json", statement)
	}
	try("demo", "--redact", "--format", "ndjson")
	for what, text := range all {
		for _, a := range dotted.FindAllString(text, -1) {
			if !slices.Contains([]string{"127.0.0.1", "10.7.7.7", "10.7.7.8"}, a) {
				t.Errorf("%s shows the address %s", what, a)
			}
		}
		for _, secret := range slices.Concat(logs.secrets, logs.never) {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s shows %q: …%s…", what, secret, text[max(0, i-100):min(len(text), i+len(secret)+60)])
			}
		}
	}
	shown := all["sql --redact --db "+db+" --format json SELECT * FROM events"]
	for _, s := range logs.stays {
		if !strings.Contains(shown, s) {
			t.Errorf("%q does not stay", s)
		}
	}
	for _, client := range []string{"203.0.113.77", "203.0.113.78", "198.51.100.23"} {
		if hash := strconv.FormatInt(int64(gatepost.HashOf(client)), 10); strings.Contains(all["sql --redact --db "+db+" --format json SELECT * FROM requests"], hash) {
			t.Errorf("requests show the hash of %s, which is not keyed", client)
		}
	}

	// The secrets of configurations are not even kept.
	for _, name := range []string{db, db + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, secret := range logs.never {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}

	// Without --redact all is as it was: the secrets are there to be found.
	plain, _ := said(t, "sql", "--db", db, "--format", "csv", "SELECT client, path, text FROM events")
	for _, secret := range []string{"203.0.113.77", "Mustermann", "hunter2", "8675309"} {
		if !strings.Contains(plain, secret) {
			t.Errorf("without --redact %q is not shown, so that the test finds nothing", secret)
		}
	}
	consistent(t, db, all)
}

// consistent holds that one client has one stand-in in all formats and in all commands, and that statements may ask for it by the address.
func consistent(t *testing.T, db string, all map[string]string) {
	var ledger struct {
		Failures []struct{ ID, Client, Path string }
	}
	if err := json.Unmarshal([]byte(all["file json"]), &ledger); err != nil {
		t.Fatal(err)
	}
	plain, _ := said(t, "report", "--db", db, "--format", "json")
	named := ledger
	named.Failures = nil
	if err := json.Unmarshal([]byte(plain), &named); err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for i, f := range named.Failures {
		standIn := ledger.Failures[i].Client
		if ledger.Failures[i].ID != f.ID || of[f.Client] != "" && of[f.Client] != standIn {
			t.Errorf("%s of %s is %s and %s", f.ID, f.Client, of[f.Client], standIn)
		}
		of[f.Client] = standIn
	}
	if len(of) < 4 {
		t.Fatalf("%d clients are too few to compare", len(of))
	}
	for address, standIn := range of {
		for _, format := range []string{"csv", "ndjson", "md"} {
			if !strings.Contains(all["file "+format], standIn) && (format != "md" || address == "203.0.113.77") {
				t.Errorf("%s has no %s", format, standIn)
			}
		}
		for _, statement := range []string{
			"SELECT DISTINCT client FROM failures WHERE client = '%[2]s'", "SELECT DISTINCT client FROM events WHERE client = '%[2]s'",
			"SELECT DISTINCT client FROM requests WHERE client = hash('%[1]s')",
		} {
			out, errs := said(t, "sql", "--redact", "--db", db, "--format", "csv", fmt.Sprintf(statement, address, standIn))
			if out != "client\n"+standIn+"\n" {
				t.Errorf(statement+": got %[3]q, %[4]s", address, standIn, out, errs)
			}
		}
	}
}

// TestRedactChangesNoVerdict holds for the recorded incidents that IDs, counts, causes and confidences are those without --redact.
func TestRedactChangesNoVerdict(t *testing.T) {
	texts := regexp.MustCompile(`"(?:method|path|client|instance|via|text|says|why_not|title|dialect|do|why|line|price|missing|notes)":(?:"(?:[^"\\]|\\.)*"|\[(?:"(?:[^"\\]|\\.)*",?)*\])`)
	for _, name := range []string{"mix-a", "oom-a", "s-lock-request", "s-two-upstreams", "disk-a"} {
		dir := filepath.Join("..", "..", "testdata", "incidents", name)
		plain, _ := said(t, "analyze", "--format", "ndjson", dir)
		redacted, _ := said(t, "analyze", "--redact", "--format", "ndjson", dir)
		if plain == redacted {
			t.Errorf("%s: --redact does nothing", name)
		}
		if texts.ReplaceAllString(plain, "") != texts.ReplaceAllString(redacted, "") {
			t.Errorf("%s: --redact changes more than texts", name)
		}
	}
}

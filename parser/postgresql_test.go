package parser

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatepost"
)

// Statements of a kind become the same text, whatever a client wrote into them.
func TestNormalSQL(t *testing.T) {
	f := func(sql, want string) {
		t.Helper()
		if got := normalSQL([]byte(sql)); got != want {
			t.Errorf("normalSQL(%q) = %q, want %q", sql, got, want)
		}
	}
	f("", "")
	f("SELECT 1;", "SELECT ?")
	f("SELECT  *\n\tFROM\tt1 -- all\n WHERE a2 = 2", "SELECT * FROM t1 WHERE a2 = ?")
	f("x IN (1, 'a', $3 ,4.5e-6)", "x IN (?)")
	f("VALUES (1, NULL, 2), (3, now(), 4)", "VALUES (?, NULL, ?), (?, now(), ?)")
	f(`SELECT "a 1" FROM é WHERE b = 'it''s' AND c = E'\'' AND d = $x$ ' $x$::text`, `SELECT "a 1" FROM é WHERE b = ? AND c = ? AND d = ?::text`)
	f("a = 'never ends", "a = ?")
	f("a /* never ends", "a")
	f("a = $x$ never ends", "a = ?")
	f(strings.Repeat("a", 1000), strings.Repeat("a", normalSQLLimit))
	f(strings.Repeat("a", 299)+"é", strings.Repeat("a", 299))
	f("x IN ("+strings.Repeat("1,", 1<<20)+"1)", "x IN (?)")
}

// A server that logs to syslog writes syslog.
func TestPostgresSniffRefusesWrapped(t *testing.T) {
	line := "Nov 22 14:10:12 web1 postgres[815]: [3-1] 2026-11-22 14:10:12.880 UTC [815] LOG:  checkpoint starting: time\n"
	if score, dialect, _ := sniffPostgres([]byte(line), &Options{}); score > 0 {
		t.Errorf("taken for %q", dialect)
	}
	if score, _, _ := sniffSyslog([]byte(line), &Options{}); score != 1000 {
		t.Errorf("syslog's score is %d", score)
	}
}

// A night that PostgreSQL logged in three notations is the same night in each.
func TestPostgresNotations(t *testing.T) {
	events := make(map[string][]gatepost.Event)
	for _, s := range samples(t, "postgresql") {
		name := strings.TrimSuffix(filepath.Base(s.file), ".txtar")
		if !strings.HasPrefix(name, "recorded_") {
			continue
		}
		var out gatepost.Batch
		s.parser(t, Lookup("postgresql")).Parse(&gatepost.Block{Source: 1, Line: 1, Data: s.log}, &out)
		for _, e := range out.Events {
			e.Ref, e.Hash = gatepost.Ref{}, 0
			e.Text = strings.TrimSuffix(e.Text, " at character 29") // a column of its own elsewhere
			events[name] = append(events[name], e)
		}
	}
	want := events["recorded_stderr"]
	for _, name := range []string{"recorded_csv", "recorded_json"} {
		if got := events[name]; len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%v\nstderr:\n%v", name, got, want)
		}
	}
}

// What a client puts into a statement cannot begin a record of a csvlog.
func TestCSVStarts(t *testing.T) {
	const head = `2026-11-22 14:10:12.880 UTC,"odoo","prod",1,"[local]",6b02f7c4.1,2,"idle",2026-11-22 14:10:12 UTC,,0,LOG,00000,`
	const bare = `2026-11-22 14:10:12.880 UTC,,,1,,6b02f7c4.1,2,,2026-11-22 14:10:12 UTC,,0,FATAL,53300,`
	f := func(want bool, line string) {
		t.Helper()
		if got := pgStartsCSV([]byte(line)); got != want {
			t.Errorf("pgStartsCSV(%q) = %v", line, got)
		}
	}
	f(true, head+`"duration: 1.0 ms  statement: SELECT ""a""`)
	f(true, head+`"""a"" is not there",,,,`)
	f(true, head+`"`) // the message begins with a newline
	f(true, bare+`"out of memory",,,,,,,,,"",,,0`)
	for _, forged := range []string{head + `"sorry",,`, bare + `"sorry",,`, bare + `"`, bare, head} {
		quoted := strings.ReplaceAll(forged, `"`, `""`)
		f(false, quoted)
		f(false, quoted+`",,,"psql"`)   // the field ends behind it
		f(false, quoted+`"""",,"psql"`) // and it with a quote
	}
}

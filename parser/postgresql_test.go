package parser

import (
	"strings"
	"testing"
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

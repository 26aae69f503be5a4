package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// Transformations that write a whole log in another notation of its program's.

// pgEntry is one message of PostgreSQL with what its log adds to it.
type pgEntry struct {
	time, pid, user, db, severity, message, detail, context, statement string
}

var pgField = regexp.MustCompile(`(?s)^(?:user=(\w*),db=(\w*),app=[^,]*,client=\S* |(\w+)@(\w+)/\S+ )?([A-Z]+):  (.*)$`)

// pgEntries reads a stderr log.
func (f folder) pgEntries() (all []pgEntry) {
	for _, record := range f.records("postgresql.log") {
		var texts []string // of the fields, with the lines that go on with a tab
		for _, l := range record {
			if strings.HasPrefix(l.text, "\t") && len(texts) > 0 {
				texts[len(texts)-1] += "\n" + l.text[1:]
			} else {
				texts = append(texts, l.text)
			}
		}
		var e pgEntry
		for i, text := range texts {
			head := pgHead.FindString(text)
			m := pgHead.FindStringSubmatch(text)
			if m == nil {
				continue
			}
			if strings.Contains(head, "user=") {
				head = head[:strings.Index(head, "user=")]
			}
			field := pgField.FindStringSubmatch(text[len(head):])
			if field == nil {
				continue
			}
			switch value := field[6]; {
			case i == 0:
				e = pgEntry{time: m[1] + m[2] + " " + m[3], pid: m[4], user: m[6] + field[1] + field[3], db: m[7] + field[2] + field[4], severity: field[5], message: value}
			case field[5] == "DETAIL":
				e.detail = value
			case field[5] == "CONTEXT":
				e.context = value
			case field[5] == "STATEMENT":
				e.statement = value
			}
		}
		if e.severity != "" {
			all = append(all, e)
		}
	}
	return all
}

// pgNotation writes PostgreSQL's log in another notation.
func pgNotation(write func(e pgEntry) string) func(folder, *rand.Rand) {
	return func(f folder, _ *rand.Rand) {
		all := f.pgEntries()
		if len(all) == 0 {
			return
		}
		f["postgresql.log"] = nil
		for _, e := range all {
			f.append("postgresql.log", write(e))
		}
	}
}

// append adds the lines of a text to a file.
func (f folder) append(name, text string) {
	for text := range strings.SplitSeq(text, "\n") {
		f[name] = append(f[name], line{text: text})
	}
}

// csvlog writes an entry as version 14 and later do. The SQLSTATE is not told by a stderr log.
func csvlog(e pgEntry) string {
	q := func(s string) string {
		if s == "" {
			return ""
		}
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return strings.Join([]string{e.time, q(e.user), q(e.db), e.pid, "", "6b02f7c4.5ce0", "1", "", e.time, "3/17", "0", e.severity, pgState(e),
		q(e.message), q(e.detail), "", "", "", q(e.context), q(e.statement), "", "", `""`, `"client backend"`, "", "0"}, ",")
}

func pgState(e pgEntry) string {
	if e.severity == "LOG" {
		return "00000"
	}
	return "XX000"
}

// jsonlog writes an entry as version 15 and later do.
func jsonlog(e pgEntry) string {
	return object("timestamp", e.time, "user", e.user, "dbname", e.db, "pid", json.Number(e.pid), "session_id", "6b02f7c4.5ce0", "error_severity", e.severity,
		"state_code", pgState(e), "message", e.message, "detail", e.detail, "context", e.context, "statement", e.statement, "backend_type", "client backend")
}

// cloudNative writes an entry as CloudNativePG does.
func cloudNative(e pgEntry) string {
	record := object("log_time", e.time, "user_name", e.user, "database_name", e.db, "process_id", e.pid, "error_severity", e.severity, "sql_state_code", pgState(e),
		"message", e.message, "detail", e.detail, "context", e.context, "query", e.statement)
	return object("level", "info", "ts", json.Number("1795355181.123"), "logger", "postgres", "msg", "record", "record", json.RawMessage(record))
}

// object writes names and values as a JSON object, in this order, without empty strings.
func object(pairs ...any) string {
	var fields []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		value, err := json.Marshal(pairs[i+1])
		if err != nil {
			panic(err)
		}
		fields = append(fields, fmt.Sprintf("%q: %s", pairs[i], value))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

var (
	odooHead = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (\d+) (DEBUG|INFO|WARNING|ERROR|CRITICAL) (\S+) ([^ :]+): (.*)$`)
	odooPerf = regexp.MustCompile(`^(.*" \d{3} -) (\d+ [\d.]+ [\d.]+.*|- - -)$`)
)

// odooJSON writes Odoo's log as OCA's logging_json does. The lines behind a warning or an error are its
// traceback; those behind others are what somebody else printed, and stay.
func odooJSON(f folder, _ *rand.Rand) {
	records := f.records("odoo.log")
	f["odoo.log"] = nil
	for _, record := range records {
		m := odooHead.FindStringSubmatch(record[0].text)
		if m == nil {
			f["odoo.log"] = append(f["odoo.log"], record...)
			continue
		}
		message, perf, rest := strings.TrimRight(m[6], " "), "", record[1:]
		if p := odooPerf.FindStringSubmatch(message); p != nil && m[5] == "werkzeug" {
			message, perf = p[1], p[2]
		}
		var trace []string
		for ; len(rest) > 0 && (m[3] == "WARNING" || m[3] == "ERROR" || m[3] == "CRITICAL"); rest = rest[1:] {
			if strings.HasPrefix(rest[0].text, "Traceback ") || len(trace) > 0 {
				trace = append(trace, rest[0].text)
			} else {
				message += "\n" + rest[0].text
			}
		}
		f.append("odoo.log", object("asctime", m[1], "pid", json.Number(m[2]), "levelname", m[3], "dbname", m[4], "name", m[5], "message", message,
			"exc_info", strings.Join(trace, "\n"), "perf_info", perf))
		f["odoo.log"] = append(f["odoo.log"], rest...)
	}
}

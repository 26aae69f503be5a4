package parser

import "gatepost"

// jsonlog writes an object a line, and leaves out what is empty. CloudNativePG reads a csvlog and writes it as
// {"level":…,"logger":"postgres","msg":"record","record":{…}} with the names of csvlog's columns inside.

// readJSON takes a line of a JSON log apart; it has no message when it is none.
func (rec *pgRecord) readJSON(p *Parser, r *record) {
	rec.dated = undated
	var severity []byte
	p.fresh()
	logger := false
	s, ok := jsonObject(r.line)
	for ok {
		var name, value []byte
		if name, value, s, ok = jsonPair(s); !ok {
			break
		}
		switch string(name) {
		case "timestamp", "log_time":
			if !rec.dated.at.Known() {
				rec.stamp(value)
			}
		case "pid", "process_id":
			if n, digits := atoi(value); rec.pid == 0 && digits > 0 && digits < 10 {
				rec.pid = int(n)
			}
		case "dbname", "database_name":
			p.first(&rec.db, value)
		case "error_severity":
			p.first(&severity, value)
		case "state_code", "sql_state_code":
			p.first(&rec.code, value)
		case "message":
			p.first(&rec.message, value)
		case "detail":
			p.first(&rec.detail, value)
		case "context":
			p.first(&rec.context, value)
		case "logger":
			logger = true
		}
	}
	if severity == nil {
		rec.message = nil
		rec.foreign = logger // what CloudNativePG says of its own
		return
	}
	rec.severity = pgWordBy(severity, rec.code)
}

// sniffPostgresJSON recognises an object a line with a message and its severity.
func sniffPostgresJSON(sample []byte) (score int, dialect string, worth gatepost.Stamps) {
	var p Parser
	score, _ = sniffHeads(sample, func(line []byte) (string, gatepost.Stamps) {
		var rec pgRecord
		rec.readJSON(&p, &record{line: line, all: line})
		switch {
		case rec.foreign:
			return "foreign", 0
		case rec.message == nil || rec.step == 0:
			return "", 0
		case dialect == "":
			dialect, worth = "jsonlog", rec.worth
			if contains(line, `"log_time"`) {
				dialect = "CloudNativePG"
			}
		}
		return dialect, rec.worth
	})
	if dialect == "" {
		return 0, "", gatepost.StampsNone
	}
	return score, dialect, worth
}

package parser

import "bytes"

// The records of logging_json:
//
//	{"asctime": "2026-11-22 14:08:41,123", "pid": 4711, "levelname": "INFO", "dbname": "prod", "name": "werkzeug",
//	 "message": "203.0.113.7 - - [22/Nov/2026 14:08:41] \"GET /web HTTP/1.0\" 200 -", "perf_info": "57 0.084 0.215"}
//
// on one line, with exc_info where there was an exception, and whatever else the logger was given. The first six
// come first and in this order.

const odooJSONHead = `{"asctime": "`

// startsOdooJSON recognises such a record by its beginning.
func startsOdooJSON(line []byte) bool {
	if !hasPrefix(line, odooJSONHead) {
		return false
	}
	_, ok := dateTime(line[len(odooJSONHead):], '-')
	return ok
}

// readJSON takes a record apart that begins with a JSON object; false when it is none. What the text log
// has behind the first line stands in the object, and lines that others wrote into the stream follow it.
func (r *odooRecord) readJSON(p *Parser, rec *record) bool {
	p.fresh()
	var stamp, pid, level, db, name, message, perf, trace, stack []byte
	s, ok := jsonObject(rec.line)
	for ok {
		var key, value []byte
		if key, value, s, ok = jsonPair(s); !ok {
			break
		}
		switch string(key) {
		case "asctime":
			p.first(&stamp, value)
		case "pid":
			p.first(&pid, value)
		case "levelname":
			p.first(&level, value)
		case "dbname":
			p.first(&db, value)
		case "name":
			p.first(&name, value)
		case "message":
			p.first(&message, value)
		case "perf_info":
			p.first(&perf, value)
		case "exc_info":
			p.first(&trace, value)
		case "stack_info":
			p.first(&stack, value)
		}
	}
	sec, ok := dateTime(stamp, '-')
	if !ok {
		return false
	}
	ns, n := fraction(stamp[19:])
	number, digits := atoi(pid)
	r.level = odooLevelOf(level)
	if n == 0 || digits == 0 || digits > 9 || r.level == 0 || len(name) == 0 || message == nil {
		return false
	}
	r.time, r.pid = nano(sec, ns), int(number)
	if r.db = db; string(db) == "?" || string(db) == "null" || len(db) == 0 {
		r.db = nil
	}
	r.named, r.logger = name, odooLogger(name)

	begin := len(p.unpacked)
	text := append(p.unpacked, message...)
	if len(perf) > 0 {
		text = append(append(text, ' '), perf...)
	}
	for _, more := range [][]byte{trace, stack, rec.all[lineEnd(rec.all):]} {
		if len(more) > 0 && string(more) != "null" {
			text = append(append(text, '\n'), more...)
		}
	}
	if coloured(text[begin:]) { // Odoo colours the performance fields on a terminal
		end := len(text)
		text = appendPlain(text, text[begin:end])
		begin = end
	}
	p.unpacked = text
	r.msg, r.rest = text[begin:], nil
	if i := bytes.IndexByte(r.msg, '\n'); i >= 0 {
		r.msg, r.rest = r.msg[:i], r.msg[i+1:]
	}
	r.msg = bytes.TrimSpace(r.msg)
	return true
}

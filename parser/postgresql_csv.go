package parser

import (
	"bytes"
	"fmt"

	"gatepost"
)

// csvlog: a line of 23 columns (9.0), 24 (13: backend_type) or 26 (14: leader_pid, query_id). Text stands
// in quotes, a quote in it is doubled, and it may hold newlines.

// Columns of csvlog, as the manual counts them from 0.
const (
	csvTime = iota
	csvUser
	csvDB
	csvPID
	csvAddress
	csvSession
	csvLine
	csvTag
	csvSessionStart
	csvVirtualTransaction
	csvTransaction
	csvSeverity
	csvCode
	csvMessage
	csvDetail
	csvHint
	csvInternalQuery
	csvInternalPosition
	csvContext
	csvColumns = 26 // at most
)

// pgStartsCSV recognises the first line of a record by the columns before the message, and by the quote
// that opens the message. What a client sends cannot pass for one: in a quoted field its quotes are
// doubled, so a run of them that is odd has the one that opens or closes the field, and behind the
// latter comes a comma.
func pgStartsCSV(line []byte) bool {
	rest := line
	for i := range csvMessage {
		var value []byte
		var ok bool
		if value, rest, ok = csvField(rest); !ok || rest == nil {
			return false
		}
		good := true
		switch i {
		case csvTime:
			_, good = dateTime(value, '-')
		case csvPID:
			_, n := atoi(value)
			good = n > 0 && n == len(value)
		case csvSession:
			good = bytes.IndexByte(value, '.') > 0
		case csvCode:
			good = sqlState(value)
		}
		if !good {
			return false
		}
	}
	quotes := 0
	for quotes < len(rest) && rest[quotes] == '"' {
		quotes++
	}
	return quotes%2 == 1 && (quotes == len(rest) || rest[quotes] != ',')
}

// csvField splits s behind its first field: the text of it, with its doubled quotes, and what comes
// behind the comma, nil when there is none. A field without its closing quote is all of s, and not ok.
func csvField(s []byte) (value, rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '"' {
		i := bytes.IndexByte(s, ',')
		if i < 0 {
			return s, nil, true
		}
		return s[:i], s[i+1:], true
	}
	for i := 1; ; i += 2 {
		j := bytes.IndexByte(s[min(i, len(s)):], '"')
		if j < 0 {
			return s[1:], nil, false
		}
		i += j
		switch {
		case i+1 == len(s):
			return s[1:i], nil, true
		case s[i+1] == ',':
			return s[1:i], s[i+2:], true
		case s[i+1] != '"':
			return s[1:], nil, false
		}
	}
}

// readCSV takes a record of a csvlog apart; it has no message when it is none.
func (rec *pgRecord) readCSV(p *Parser, r *record) {
	rec.dated = undated
	if !pgStartsCSV(r.line) {
		return
	}
	var severity []byte
	p.fresh()
	rest := r.all
	for i := 0; rest != nil && i < csvColumns; i++ {
		var value []byte
		value, rest, _ = csvField(rest)
		switch i {
		case csvTime:
			rec.stamp(value)
		case csvDB:
			rec.db = p.undouble(value)
		case csvPID:
			pid, _ := atoi(value)
			rec.pid = int(pid)
		case csvSeverity:
			severity = value
		case csvCode:
			rec.code = value
		case csvMessage:
			rec.message = p.undouble(value)
		case csvDetail:
			rec.detail = p.undouble(value)
		case csvContext:
			rec.context = p.undouble(value)
		}
	}
	rec.severity = pgWordBy(severity, rec.code)
}

// stamp reads "2026-11-22 14:10:12.880 UTC".
func (rec *pgRecord) stamp(s []byte) {
	prefix := pgPrefix{dated: undated}
	if len(s) > 0 && prefix.stamp(s) == len(s) {
		rec.dated = prefix.dated
	}
}

// undouble makes one quote of two. The result is s, or lies in p.unpacked.
func (p *Parser) undouble(s []byte) []byte {
	if bytes.IndexByte(s, '"') < 0 {
		return s
	}
	begin := len(p.unpacked)
	for i := 0; i < len(s); i++ {
		p.unpacked = append(p.unpacked, s[i])
		if s[i] == '"' {
			i++
		}
	}
	return p.unpacked[begin:]
}

// sniffPostgresCSV recognises a csvlog by the first lines of its records. Lines behind one of them belong to it.
func sniffPostgresCSV(sample []byte) (score int, dialect string, worth gatepost.Stamps) {
	heads, before, columns := 0, 0, 0
	for r := range records(&gatepost.Block{Source: 1, Data: sample}, pgStartsCSV) {
		if !pgStartsCSV(r.line) {
			before += 1 + bytes.Count(r.all, newline)
			continue
		}
		var rec pgRecord
		rec.dated = undated
		value, _, _ := csvField(r.line)
		rec.stamp(value)
		if heads++; heads == 1 {
			worth = rec.worth
		}
		if n := csvCount(r.all); columns == 0 && n >= 23 {
			columns = n
		}
	}
	if heads == 0 {
		return 0, "", gatepost.StampsNone
	}
	dialect = "csvlog"
	if columns > 0 {
		dialect = fmt.Sprintf("csvlog, %d columns", columns)
	}
	return heads * 1000 / (heads + before), dialect, worth
}

// csvCount counts the fields of a record.
func csvCount(s []byte) (n int) {
	for ; s != nil; n++ {
		_, s, _ = csvField(s)
	}
	return n
}

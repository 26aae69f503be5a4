package parser

import (
	"bytes"
	"strings"
	"time"

	"gatepost"
)

var _ = Register(Format{
	Name:    "odoo",
	Title:   "Odoo server log",
	Program: "odoo",
	Doc: `The log of Odoo 8 to 19 and of OpenERP's name for it, as a file or on standard error:
"2026-11-22 14:08:41,123 4711 INFO prod odoo.http: text". The stamps are UTC whatever the zone of
the host is. From version 12 on request lines end in performance fields (statements, seconds in
SQL, other seconds). Lines may be coloured. A record goes on until the next head, so tracebacks
and statements of several lines belong to the line before them.
Also as JSON, an object a line, as OCA's module logging_json has it written (ODOO_LOGGING_JSON=1), from the
line on at which the module is loaded: asctime, pid, levelname, dbname, name, message, exc_info, perf_info.
Facts: netsvc.py, service/server.py, service/model.py, sql_db.py, modules/*.py and ir_cron.py of
each version, serving.py of Werkzeug 0.9 to 3.0, pywsgi.py of gevent.`,
	Kinds: []gatepost.Kind{
		gatepost.OdooRequest, gatepost.OdooStart, gatepost.OdooListening, gatepost.OdooGeventReady,
		gatepost.OdooLoaded, gatepost.OdooStop, gatepost.OdooWorkerAlive, gatepost.OdooWorkerExit,
		gatepost.OdooWorkerTimeout, gatepost.OdooWorkerCPU, gatepost.OdooWorkerMemory,
		gatepost.OdooWorkerRecycle, gatepost.OdooWorkerError, gatepost.OdooParentChanged,
		gatepost.OdooThreadLimit, gatepost.OdooCronStart, gatepost.OdooCronEnd, gatepost.OdooCronError,
		gatepost.OdooDBFailed, gatepost.OdooPoolFull, gatepost.OdooRetry, gatepost.OdooBadQuery,
		gatepost.OdooLoadError, gatepost.OdooMemoryError, gatepost.OdooDiskFull, gatepost.OdooError,
		gatepost.OdooUpgrade,
	},
	Sniff:  sniffOdoo,
	Starts: startsOdooRecord,
	Parse:  parseOdoo,
})

// odooRecord is one record of the log, without colours. Its slices are valid until the next one.
type odooRecord struct {
	ref    gatepost.Ref
	raw    []byte // the whole record as the file has it
	time   gatepost.Time
	pid    int
	level  odooLevel
	db     []byte // empty when the log has "?"
	logger []byte // without its root "odoo." or "openerp.", which alone becomes ""
	named  []byte // the logger as written
	msg    []byte // first line of the message, trailing blanks cut
	rest   []byte // the lines behind it
}

type odooLevel uint8

const (
	odooDebug odooLevel = iota + 1
	odooInfo
	odooWarning
	odooFailure // ERROR and CRITICAL
)

// odooLevelOf returns 0 for a word that is no level.
func odooLevelOf(word []byte) odooLevel {
	switch string(word) {
	case "DEBUG":
		return odooDebug
	case "INFO":
		return odooInfo
	case "WARNING":
		return odooWarning
	case "ERROR", "CRITICAL":
		return odooFailure
	}
	return 0
}

// startsOdooRecord recognises the head of a record in either notation.
func startsOdooRecord(line []byte) bool { return startsOdoo(line) || startsOdooJSON(line) }

// startsOdoo recognises a head by its shape: "2026-11-22 14:08:41,123 4711 " and a level, which
// may be coloured.
func startsOdoo(line []byte) bool {
	if len(line) < 27 || line[4] != '-' || line[7] != '-' || line[10] != ' ' || line[13] != ':' ||
		line[16] != ':' || line[19] != ',' || line[23] != ' ' || line[0]-'0' > 9 {
		return false
	}
	_, n := atoi(line[24:])
	if n == 0 || n > 9 || 24+n+1 >= len(line) || line[24+n] != ' ' {
		return false
	}
	c := line[24+n+1]
	return c == 'I' || c == 'W' || c == 'E' || c == 'C' || c == 'D' || c == esc || c == '#'
}

// readAny takes a record of either notation apart; false when it is none.
func (r *odooRecord) readAny(p *Parser, rec *record) bool {
	switch {
	case startsOdooJSON(rec.line):
		return r.readJSON(p, rec)
	case coloured(rec.all):
		p.fresh()
		p.unpacked = appendPlain(p.unpacked, rec.all)
		return r.read(p.unpacked)
	}
	return r.read(rec.all)
}

// read takes the head of an uncoloured record apart; false when it is none.
func (r *odooRecord) read(text []byte) bool {
	line := text
	r.rest = nil
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		line, r.rest = trimEOL(text[:i]), text[i+1:]
	}
	if !startsOdoo(line) {
		return false
	}
	sec, ok := dateTime(line, '-')
	ns, n := fraction(line[19:23])
	if !ok || n != 4 {
		return false
	}
	r.time = nano(sec, ns)
	pid, n := atoi(line[24:])
	r.pid = int(pid)

	level, line := odooWord(line[24+n:])
	r.db, line = odooWord(line)
	r.level = odooLevelOf(level)
	colon := bytes.IndexByte(line, ':')
	if r.level == 0 || len(r.db) == 0 || colon < 2 {
		return false
	}
	if string(r.db) == "?" {
		r.db = nil
	}
	r.named = line[1:colon]
	r.logger = odooLogger(r.named)
	r.msg = bytes.TrimSpace(line[colon+1:])
	return true
}

// odooLogger cuts the name of the root package, which was "openerp" up to version 9.
func odooLogger(name []byte) []byte {
	switch {
	case hasPrefix(name, "odoo."):
		return name[len("odoo."):]
	case hasPrefix(name, "openerp."):
		return name[len("openerp."):]
	case string(name) == "odoo" || string(name) == "openerp":
		return nil
	}
	return name
}

// odooWord returns the word behind the blank that s begins with, and what follows the word.
func odooWord(s []byte) (word, rest []byte) {
	if len(s) == 0 || s[0] != ' ' {
		return nil, nil
	}
	s = s[1:]
	if i := bytes.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i:]
	}
	return s, nil
}

func parseOdoo(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	out.Stamps = gatepost.StampsAbsolute
	out.Resolution = time.Millisecond
	var r odooRecord
	for rec := range records(b, startsOdooRecord) {
		if !r.readAny(p, &rec) {
			out.Skip(rec.ref, 1+int64(bytes.Count(rec.all, newline)))
			continue
		}
		r.ref, r.raw = rec.ref, rec.all
		out.See(r.time)
		switch string(r.named) {
		case "werkzeug":
			if r.request(p, gatepost.LaneOdoo, out) {
				continue
			}
		case "longpolling":
			if r.request(p, gatepost.LaneGevent, out) {
				continue
			}
		}
		r.notable(out)
	}
}

// notable appends the event of a record that is no request. Who speaks says what it can be, and
// the traceback that a warning or an error carries sharpens that. A traceback behind a line of
// lesser weight is another's, printed into the same stream, unless the line says nothing itself.
func (r *odooRecord) notable(out *gatepost.Batch) {
	e, ok := r.dispatch()
	if !ok && r.level >= odooWarning {
		e, ok = r.event(gatepost.OdooError), true
		e.Name = clip(r.named)
		r.sharpen(&e, classify(r.msg))
	}
	if ok && r.level < odooWarning {
		out.Events = append(out.Events, e)
		r.foreign(out)
		return
	}
	d := decide(r.rest)
	if !ok && d.kind != "" {
		e, ok = r.event(d.kind), true
		e.Name = clip(d.name)
	}
	if ok {
		r.sharpen(&e, d)
		out.Events = append(out.Events, e)
	}
}

// foreign appends the event of text without a head that another writer printed behind a line
// which is complete by itself; what can be told of its time and process is that line's.
func (r *odooRecord) foreign(out *gatepost.Batch) {
	if len(r.rest) == 0 {
		return
	}
	d := decide(r.rest)
	if d.kind == "" {
		return
	}
	e := r.event(d.kind)
	if head := lineEnd(r.raw); head < len(r.raw) { // in JSON, the line itself may hold the text
		e.Ref.Offset += int64(head)
		e.Ref.Length -= head
		e.Ref.Line++
		e.Hash = gatepost.HashOf(trimEOL(r.raw[head : head+lineEnd(r.raw[head:])]))
	}
	e.Name = clip(d.name)
	e.Text = clip(d.line)
	out.Events = append(out.Events, e)
}

func (r *odooRecord) dispatch() (gatepost.Event, bool) {
	switch string(r.logger) {
	case "":
		if v := odooVersion(r.msg); v != nil {
			e := r.event(gatepost.OdooStart)
			e.Name = clip(v)
			return e, true
		}
	case "service.server":
		return r.server()
	case "addons.base.ir.ir_cron", "addons.base.models.ir_cron":
		return r.cron()
	case "sql_db":
		return r.database()
	case "service.model":
		return r.retry()
	case "tools.misc":
		return r.stackDump()
	case "modules.loading", "modules.graph", "modules.module", "modules.module_graph", "modules.registry", "registry":
		return r.loading()
	}
	return gatepost.Event{}, false
}

// event returns an event with what every record tells.
func (r *odooRecord) event(k gatepost.Kind) gatepost.Event {
	e := gatepost.NewEvent(k, r.ref, r.time)
	e.Hash = gatepost.HashOf(trimEOL(r.raw[:lineEnd(r.raw)]))
	e.PID = r.pid
	e.DB = clip(r.db)
	e.Text = clip(r.msg)
	return e
}

// messageShare bounds the message in a text that must have room for the deciding line too.
const messageShare = gatepost.TextLimit / 2

// sharpen lets the deciding line of a traceback say what a general event really is. That a worker
// ended is a fact of its own and stays one: there the line only becomes the name.
func (r *odooRecord) sharpen(e *gatepost.Event, d decision) {
	if d.line == nil {
		return
	}
	switch e.Kind {
	case gatepost.OdooError, gatepost.OdooCronError, gatepost.OdooDBFailed, gatepost.OdooBadQuery, gatepost.OdooLoadError:
		if d.kind != "" && d.kind != e.Kind {
			e.Kind, e.Name = d.kind, ""
		}
		if d.kind != "" && d.name != nil {
			e.Name = clip(d.name)
		}
	}
	if e.Name == "" {
		switch e.Kind {
		case gatepost.OdooWorkerError, gatepost.OdooCronError:
			e.Name = clip(d.line)
		case gatepost.OdooBadQuery:
			_, message, _ := cut(d.line, ": ")
			e.Name = clip(message)
		}
	}
	if bytes.Equal(d.line, r.msg) {
		return
	}
	e.Text = clip(d.line)
	if len(r.msg) > 0 {
		e.Text = clip([]byte(clip(r.msg[:min(len(r.msg), messageShare)]) + " … " + e.Text))
	}
}

// odooVersion returns what "Odoo version 16.0" names; rebranded builds change the first word.
func odooVersion(msg []byte) []byte {
	brand, v, ok := cut(msg, " version ")
	if !ok || len(v) == 0 || v[0]-'0' > 9 || bytes.IndexByte(brand, ' ') >= 0 {
		return nil
	}
	return v
}

func sniffOdoo(sample []byte, o *Options) (score int, dialect string, state any) {
	var p Parser
	var r odooRecord
	heads, objects, others, trace := 0, 0, 0, false
	fields := ""
	for len(sample) > 0 {
		end := lineEnd(sample)
		line := trimEOL(sample[:end])
		sample = sample[end:]
		if !r.readAny(&p, &record{line: line, all: line}) {
			// What follows the head of a traceback is a continuation, indented or not.
			trace = trace || hasPrefix(line, traceHead)
			if !trace && len(line) > 0 && line[0] != ' ' && line[0] != '\t' {
				others++
			}
			continue
		}
		heads++
		if line[0] == '{' {
			objects++
		}
		trace = false
		if len(r.logger) == 0 && dialect == "" {
			dialect = clip(odooVersion(r.msg))
		}
		if string(r.named) == "werkzeug" && fields == "" {
			fields = perfFields(r.msg)
		}
	}
	if heads == 0 {
		return 0, "", nil
	}
	if dialect == "" {
		dialect = fields
	}
	if objects*2 > heads {
		dialect = strings.TrimPrefix(dialect+" in JSON", " ")
	}
	return heads * 1000 / (heads + others), dialect, nil
}

const esc = 0x1b

// coloured reports whether s may hold an escape sequence for a colour, plain or as rsyslog writes
// it.
func coloured(s []byte) bool {
	return bytes.IndexByte(s, esc) >= 0 || contains(s, "#033[")
}

// appendPlain appends s without its colours to dst.
func appendPlain(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == esc || s[i] == '#' {
			if n := colourLen(s[i:]); n > 0 {
				i += n - 1
				continue
			}
		}
		dst = append(dst, s[i])
	}
	return dst
}

// colourLen returns the length of the colour sequence that s begins with, 0 when it is none.
func colourLen(s []byte) int {
	n := 0
	switch {
	case hasPrefix(s, "\x1b["):
		n = 2
	case hasPrefix(s, "#033["):
		n = 5
	default:
		return 0
	}
	for n < len(s) && (s[n]-'0' <= 9 || s[n] == ';') {
		n++
	}
	if n < len(s) && s[n] == 'm' {
		return n + 1
	}
	return 0
}

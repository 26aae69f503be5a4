package parser

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"gatepost"
)

var _ = Register(Format{
	Name:    "postgresql",
	Title:   "PostgreSQL server log",
	Program: "postgresql",
	Doc: "The stderr log with any log_line_prefix whose parts tell themselves by their shape; the dialect is that " +
		"prefix ('%?' is a value that does not tell what it is). A record is a line with a severity and the " +
		"DETAIL, HINT, CONTEXT and STATEMENT lines of the same process behind it; every event has the process and " +
		"the database of its line. Also csvlog (9.0 and later), jsonlog (15 and later), and the JSON that CloudNativePG makes of csvlog. " +
		"Statements faster than the threshold of slow requests make nothing. The stamps are local when their zone is an " +
		"abbreviation of several zones. Messages should be English (lc_messages = C or en_*): of a server that speaks German, Spanish, " +
		"French, Italian, Russian, Swedish or Ukrainian are understood when it is ready and when it is shut down, slow statements, and what " +
		"an SQLSTATE tells (csvlog, jsonlog, %e), but no lock. Messages from the sources of 9.1 to 18 and from live output of 15, other languages from the catalogs of 15.",
	Kinds: []gatepost.Kind{
		gatepost.PgStart, gatepost.PgReady, gatepost.PgStop, gatepost.PgDown, gatepost.PgCrash, gatepost.PgRefused,
		gatepost.PgTooMany, gatepost.PgStatement, gatepost.PgLockWait, gatepost.PgLockAcquired, gatepost.PgDeadlock,
		gatepost.PgClientLost, gatepost.PgDiskFull, gatepost.PgMemory, gatepost.PgCanceled,
		gatepost.PgSerialization, gatepost.PgError,
	},
	Sniff:  sniffPostgres,
	Starts: pgStarts,
	Parse:  parsePostgres,
})

// pgLog is how a source is written, and the worth of its stamps.
type pgLog struct {
	notation pgNotation
	worth    gatepost.Stamps
}

type pgNotation uint8

const (
	pgText pgNotation = iota // stderr with a prefix
	pgCSV
	pgJSON
)

// starts holds for the notation of the source: a quoted statement in a csvlog may have lines that look
// like those of a stderr log.
func (l pgLog) starts(line []byte) bool {
	switch l.notation {
	case pgCSV:
		return pgStartsCSV(line)
	case pgJSON:
		return true
	}
	return pgStarts(line)
}

// pgStarts reports whether a line has a severity of its own; DETAIL and the like belong to the
// line before.
func pgStarts(line []byte) bool {
	_, _, word, ok := pgSeverity(line)
	return ok && !word.extra()
}

func sniffPostgres(sample []byte, o *Options) (int, string, any) {
	if score, dialect, worth := sniffPostgresCSV(sample); score >= minScore {
		return score, dialect, pgLog{pgCSV, worth}
	}
	if score, dialect, worth := sniffPostgresJSON(sample); score >= minScore {
		return score, dialect, pgLog{pgJSON, worth}
	}
	score, dialect, worth := sniffPostgresText(sample, o)
	return score, dialect, pgLog{pgText, worth}
}

// sniffPostgresText describes the prefix by the commonest one of the lines that know a database, and
// says with %q which part of it background processes leave out.
func sniffPostgresText(sample []byte, o *Options) (int, string, gatepost.Stamps) {
	type shape struct {
		text string
		db   bool
	}
	counts := map[shape]int{}
	traceback := contains(sample, traceHead) // whose text quotes what PostgreSQL said, at the beginning of a line
	score, best := sniffHeads(sample, func(line []byte) (string, gatepost.Stamps) {
		if _, wrapped := readSyslogHead(line, o); wrapped {
			return "", 0
		}
		start, _, _, ok := pgSeverity(line)
		if !ok {
			return "", 0
		}
		prefix := pgPrefix{draw: true, dated: undated}
		prefix.read(line[:start])
		text := strings.TrimRight(string(prefix.shape), " ")
		if prefix.step == 0 && (traceback || text != "" && prefix.pid == 0) {
			return "", 0 // another program's line
		}
		if len(counts) < 100 {
			counts[shape{text, strings.Contains(text, "%d")}]++
		}
		// Shapes differ within a file; what counts is whether the stamps are of one worth.
		return "found " + prefix.worth.String(), prefix.worth
	})
	if score == 0 {
		return 0, "", gatepost.StampsNone
	}
	shapes := slices.SortedFunc(maps.Keys(counts), func(a, b shape) int {
		if a.db != b.db {
			if a.db {
				return -1
			}
			return 1
		}
		return cmp.Or(counts[b]-counts[a], strings.Compare(a.text, b.text))
	})
	dialect := shapes[0].text
	for _, s := range shapes[1:] {
		if tail, ok := strings.CutPrefix(dialect, s.text+" "); ok && !s.db {
			dialect = s.text + " %q" + tail
			break
		}
	}
	return score, dialect, best.worth
}

func parsePostgres(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	log := p.State.(pgLog)
	out.Stamps = log.worth
	for r := range records(b, log.starts) {
		var rec pgRecord
		switch log.notation {
		case pgText:
			rec.read(&r, log.worth, out)
		case pgCSV:
			rec.readCSV(p, &r)
		case pgJSON:
			rec.readJSON(p, &r)
		}
		if log.notation != pgText {
			if rec.foreign {
				continue
			}
			if rec.message == nil {
				out.Skip(r.ref, 1+int64(bytes.Count(r.all, newline)))
				continue
			}
			rec.dated = rec.dated.in(log.worth)
			rec.dated.note(out)
		}
		e := gatepost.NewEvent("", r.ref, rec.at)
		if !pgMessage(&rec, p.Options.slow(), &e) {
			continue
		}
		e.Hash, e.Text = gatepost.HashOf(r.line), oneLine(rec.message)
		out.Events = append(out.Events, e)
	}
}

// pgRecord is one message of the server with what it adds to it, whatever the notation. Its fields are
// pieces of the block, or of the parser's unpacked text; they hold newlines and tabs where the log does.
type pgRecord struct {
	dated
	pid      int
	db       []byte
	severity pgWord // 0 when the file begins within a record
	code     []byte // SQLSTATE, nil when not told
	message  []byte
	detail   []byte
	context  []byte

	foreign bool // well-formed, and not PostgreSQL's
}

// read takes a record of a stderr log apart. Lines of others between its own (the output of an archive
// command) go to out as lines that fit nothing.
func (rec *pgRecord) read(r *record, worth gatepost.Stamps, out *gatepost.Batch) {
	var field *[]byte // the field that a line with a tab continues
	begin := 0        // where its text begins in r.all
	line := r.ref.Line
	for pos := 0; pos < len(r.all); line++ {
		end := pos + lineEnd(r.all[pos:])
		s := trimEOL(r.all[pos:end])
		switch start, after, word, ok := pgSeverity(s); {
		case len(s) == 0:
		case s[0] == '\t':
			if field != nil {
				*field = r.all[begin : pos+len(s)]
			}
		case !ok:
			field = nil
			out.Skip(gatepost.Ref{Source: r.ref.Source, Offset: r.ref.Offset + int64(pos), Length: len(s), Line: line}, 1)
		default:
			var prefix pgPrefix
			prefix.dated = undated
			prefix.read(s[:start])
			stamp := prefix.dated.in(worth)
			stamp.note(out)
			field = nil
			if !word.extra() {
				rec.dated, rec.pid, rec.db, rec.code, rec.severity = stamp, prefix.pid, prefix.db, prefix.code, word
				field = &rec.message
			} else if prefix.pid == rec.pid {
				field = rec.extra(word)
			}
			if begin = pos + after; field != nil {
				*field = s[after:]
			}
		}
		pos = end
	}
}

func (rec *pgRecord) extra(word pgWord) *[]byte {
	switch word {
	case pgDetail:
		return &rec.detail
	case pgContext:
		return &rec.context
	}
	return nil
}

// pgSeverity finds the word of severity, or the name of an extra line, in the first bytes of a
// line: start is where it begins and after where the text behind it does. Two blanks after the
// colon tell it from what a prefix may hold.
func pgSeverity(line []byte) (start, after int, word pgWord, ok bool) {
	if len(line) == 0 || line[0] == '\t' {
		return 0, 0, 0, false
	}
	const longestPrefix = 512
	head := line[:min(len(line), longestPrefix)]
	for after < len(head) {
		i := bytes.Index(head[after:], []byte(":  "))
		if i < 0 {
			break
		}
		end := after + i
		after = end + len(":  ")
		end = len(bytes.TrimRight(head[:end], " \u00a0")) // French has a blank before the colon
		start = end
		for start > 0 && ('A' <= head[start-1] && head[start-1] <= 'Z' || '1' <= head[start-1] && head[start-1] <= '5' || head[start-1] >= 0x80) {
			start--
		}
		if start > 0 && (letter(head[start-1]) || head[start-1] == '_') {
			continue
		}
		if word, ok = pgWordOf(head[start:end]); ok {
			return start, after, word, true
		}
	}
	return 0, 0, 0, false
}

// oneLine makes an event's text of a message that may go over several lines.
func oneLine(msg []byte) string {
	msg = msg[:min(len(msg), gatepost.TextLimit)]
	if bytes.IndexByte(msg, '\n') < 0 {
		return clip(msg)
	}
	var line []byte
	for part := range bytes.Lines(msg) {
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, bytes.TrimPrefix(trimEOL(part), []byte{'\t'})...)
	}
	return clip(line)
}

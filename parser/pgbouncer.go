package parser

import (
	"bytes"

	"gatepost"
)

var _ = Register(Format{
	Name:    "pgbouncer",
	Title:   "PgBouncer log",
	Program: "pgbouncer",
	Doc: "Lines with a time stamp, of versions with and without a zone in it: what clients were told (pooler error) when their pool was used up, " +
		"a limit was reached or the server could not be had, failed logins and connections to the server, and clients that vanished. Everything else, " +
		"statistics included, makes nothing; one lost server connection (server conn crashed?) is no outage. The journal's lines, which have no " +
		"stamp of their own, are not this format. Facts: util.c, objects.c, client.c, server.c of 1.25, reports of 1.5 to 1.21.",
	Kinds: []gatepost.Kind{gatepost.PgTooMany, gatepost.PgRefused, gatepost.PgClientLost},
	Sniff: sniffBouncer,
	Parse: parseBouncer,
})

// bouncerLine is a line: "2026-11-22 14:10:12.880 UTC [812] WARNING C-0x55d0: prod/odoo@127.0.0.1:41724 text".
type bouncerLine struct {
	dated
	side byte   // 'C' of a client's connection, 'S' of one to the server, 0 without one
	db   []byte // nil when not told
	peer []byte // address and port, or unix(pid)
	text []byte
}

// readBouncer takes a line apart; ok is false when it is none. Names are chosen by clients: one that has a
// blank in it leaves the line without a text.
func readBouncer(line []byte) (l bouncerLine, ok bool) {
	sec, ok := dateTime(line, '-')
	if !ok || len(line) < 21 || line[10] != ' ' || line[19] != '.' {
		return l, false
	}
	ns, n := fraction(line[19:])
	rest := line[19+n:]
	l.dated = dated{nano(sec, ns), fractionStep(n), gatepost.StampsLocal}
	word, after := odooWord(rest)
	if east, m, known := zone(word); m > 0 && m == len(word) {
		if known {
			l.at, l.worth = nano(sec-int64(east), ns), gatepost.StampsAbsolute
		}
		word, after = odooWord(after)
	}
	if _, digits := atoi(bytes.Trim(word, "[]")); digits == 0 {
		return l, false
	}
	level, after := odooWord(after)
	switch string(level) {
	case "FATAL", "ERROR", "WARNING", "LOG", "INFO", "DEBUG", "NOISE":
	default:
		return l, false
	}
	l.text = bytes.TrimPrefix(after, []byte{' '})
	if !hasPrefix(l.text, "C-0x") && !hasPrefix(l.text, "S-0x") {
		return l, true
	}
	l.side = l.text[0]
	_, after, _ = cut(l.text, ":")
	socket, after := odooWord(after)
	db, who, _ := cut(socket, "/")
	_, l.peer, ok = cut(who, "@")
	if !ok {
		l.text = nil
		return l, true
	}
	if l.text = bytes.TrimPrefix(after, []byte{' '}); string(db) != "(nodb)" {
		l.db = db
	}
	return l, true
}

// sniffBouncer wants a line that only PgBouncer writes: others put the same things before theirs.
func sniffBouncer(sample []byte, _ *Options) (int, string, any) {
	own := false
	score, best := sniffHeads(sample, func(line []byte) (string, gatepost.Stamps) {
		l, ok := readBouncer(line)
		if !ok {
			return "", 0
		}
		own = own || l.side != 0 || hasPrefix(l.text, "stats: ") || contains(l.text, "PgBouncer")
		return l.worth.String(), l.worth
	})
	if !own {
		score = 0
	}
	return score, "", best.worth
}

func parseBouncer(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	worth := p.State.(gatepost.Stamps)
	out.Stamps = worth
	for r := range records(b, nil) {
		l, ok := readBouncer(r.line)
		if !ok {
			if !continues(r.line) {
				out.Skip(r.ref, 1)
			}
			continue
		}
		stamp := l.dated.in(worth)
		stamp.note(out)
		e := gatepost.NewEvent("", r.ref, stamp.at)
		if !l.event(&e) {
			continue
		}
		if pid, n := atoi(bytes.TrimPrefix(l.peer, []byte("unix("))); l.side == 'C' && hasPrefix(l.peer, "unix(") && n > 0 && n < 10 {
			e.PID = int(pid)
		}
		e.Hash, e.Text = gatepost.HashOf(r.line), clip(l.text)
		if e.DB == "" {
			e.DB = clip(l.db)
		}
		out.Events = append(out.Events, e)
	}
}

// event fills in e; it returns false for what no verdict can use. A client that is sent away has two lines:
// "closing because", which log_disconnections can switch off, and "pooler error".
func (l *bouncerLine) event(e *gatepost.Event) bool {
	said := l.text
	switch {
	case l.side == 'C' && (hasPrefix(said, "pooler error: ") || hasPrefix(said, "Pooler Error: ")):
		if bytes.IndexByte(said, '@') >= 0 {
			return false // part of a name
		}
		return bouncerRefuses(said[len("pooler error: "):], e)
	case l.side == 'C' && hasPrefix(said, "closing because: client unexpected eof"):
		e.Kind = gatepost.PgClientLost
	case l.side == 'S' && hasPrefix(said, "closing because: "):
		switch reason, _, _ := cut(said[len("closing because: "):], " (age="); string(reason) {
		case "connect failed", "connect timeout", "server DNS lookup failed":
			e.Kind, e.Name = gatepost.PgRefused, "unreachable"
		case "client disconnect while server was not ready", "client disconnected with query in progress":
			e.Kind, e.Name = gatepost.PgClientLost, "transaction"
		default:
			return false
		}
	case hasPrefix(said, "server login failed: "):
		return pgRefused(bouncerFatal(said[len("server login failed: "):]), e)
	default:
		return false
	}
	return true
}

// bouncerRefuses reads what a client was told.
func bouncerRefuses(reason []byte, e *gatepost.Event) bool {
	switch {
	case string(reason) == "query_wait_timeout":
		e.Kind, e.Name = gatepost.PgTooMany, "query_wait_timeout"
	case hasPrefix(reason, "no more connections allowed"), hasPrefix(reason, "client connections exceeded"):
		e.Kind, e.Name = gatepost.PgTooMany, clip(between(reason, "(", ")"))
	case hasPrefix(reason, "server login has been failing"):
		_, cached, _ := cut(reason, "cached error: ")
		if !pgRefused(bouncerFatal(cached), e) {
			e.Kind, e.Name = gatepost.PgRefused, "unreachable"
		}
	case hasPrefix(reason, "client_login_timeout (server down)"), hasPrefix(reason, "pgbouncer cannot connect to server"):
		e.Kind, e.Name = gatepost.PgRefused, "unreachable"
	default:
		return false
	}
	return true
}

// bouncerFatal cuts the severity off PostgreSQL's answer to a login: "FATAL sorry, too many clients already".
func bouncerFatal(answer []byte) []byte {
	answer = bytes.TrimPrefix(answer, []byte("FATAL"))
	answer = bytes.TrimLeft(answer, ": ")
	return bytes.TrimSuffix(answer, []byte(" (server_login_retry)"))
}

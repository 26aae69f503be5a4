package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// syslogHead is what stands before the message of a syslog line.
type syslogHead struct {
	dated
	dialect string
	host    []byte
	tag     []byte // program, empty when the line names none
	pid     int    // 0 when not told
	msg     []byte
	reader  syslogReader
}

// readSyslogHead reads the head of any of the notations. A line with a stamp and a host but
// without a tag ("last message repeated 3 times") is recognised as well.
func readSyslogHead(line []byte, o *Options) (h syslogHead, ok bool) {
	bare := skipPriority(line)
	if len(bare) < len(line) && hasPrefix(bare, "1 ") {
		return rfc5424Head(bare[2:])
	}
	n := h.readStamp(bare, o)
	if n == 0 || n >= len(bare) || bare[n] != ' ' {
		return h, false
	}
	host, rest, ok := cut(bare[n+1:], " ")
	if !ok || !hostname(host) {
		return h, false
	}
	h.host = host
	h.readTag(rest)
	return h, true
}

// hostname reports whether s can be one: dmesg and other logs have words with brackets or a
// colon at their end here.
func hostname(s []byte) bool {
	for _, c := range s {
		if !letter(c) && c-'0' > 9 && c != '-' && c != '.' && c != '_' && c != ':' {
			return false
		}
	}
	return len(s) > 0 && s[len(s)-1] != ':' && s[0] != '-'
}

// readTag reads "tag[pid]: message" or "tag: message".
func (h *syslogHead) readTag(s []byte) {
	h.msg = s
	i := bytes.IndexAny(s, "[: ")
	if i <= 0 {
		return
	}
	tag := s[:i]
	if s[i] == '[' {
		n := bytes.IndexByte(s[i:], ']')
		if n < 0 {
			return
		}
		if pid, m := atoi(s[i+1 : i+n]); m == n-1 && m < 10 {
			h.pid = int(pid)
		}
		i += n + 1
	}
	// A blank behind the colon tells a tag from a time of day: docker logs -t puts a stamp of
	// this notation before whatever the program wrote.
	if i >= len(s) || s[i] != ':' || i+1 < len(s) && s[i+1] != ' ' {
		h.pid = 0
		return
	}
	h.tag, h.msg = tag, bytes.TrimPrefix(s[i+1:], []byte{' '})
}

// readStamp reads the stamp and names the dialect; it returns the stamp's length, 0 without one.
func (h *syslogHead) readStamp(s []byte, o *Options) int {
	if len(s) < 16 {
		return 0
	}
	switch c := s[0]; {
	case c == '[':
		return h.monotonicStamp(s)
	case letter(c) && s[3] == ' ' && s[4]-'0' <= 9 && s[5]-'0' <= 9 && s[6]-'0' <= 9:
		return h.fullStamp(s)
	case letter(c):
		return h.rfc3164Stamp(s, o)
	case '0' <= c && c <= '9' && len(s) > 19 && s[10] == 'T':
		return h.isoStamp(s)
	case '0' <= c && c <= '9':
		return h.unixStamp(s)
	}
	return 0
}

// rfc3164Stamp reads "Nov  2 13:46:21", with a fraction in short-precise.
func (h *syslogHead) rfc3164Stamp(s []byte, o *Options) int {
	m := month(s)
	if m == 0 || s[3] != ' ' || s[6] != ' ' {
		return 0
	}
	day, sec := dayOf(s[4:]), clock(s[7:])
	if day == 0 || sec < 0 {
		return 0
	}
	ns, n := fraction(s[15:])
	year := yearFor(o.Latest, m, day)
	h.dialect = "rfc3164"
	h.dated = dated{nano(civil(year, m, day, 0, 0, 0)+int64(sec), ns), fractionStep(n), gatepost.StampsLocal}
	return 15 + n
}

// isoStamp reads "2026-11-22T13:46:21.003123+00:00".
func (h *syslogHead) isoStamp(s []byte) int {
	sec, ok := dateTime(s, '-')
	if !ok {
		return 0
	}
	ns, n := fraction(s[19:])
	if n > 0 && s[19] == ',' {
		return 0 // dmesg --time-format iso
	}
	east, m := offset(s[19+n:])
	h.dialect = "iso"
	h.dated = dated{nano(sec-int64(east), ns), fractionStep(n), gatepost.StampsAbsolute}
	if m == 0 {
		h.worth = gatepost.StampsLocal
	}
	return 19 + n + m
}

// fullStamp reads "Sun 2026-11-22 13:46:21 UTC".
func (h *syslogHead) fullStamp(s []byte) int {
	sec, ok := dateTime(s[4:], '-')
	if !ok || len(s) < 25 {
		return 0
	}
	ns, n := fraction(s[23:])
	end := 23 + n
	if end+1 >= len(s) || s[end] != ' ' {
		return 0
	}
	east, m, known := zone(s[end+1:])
	if m == 0 {
		return 0
	}
	h.dialect = "short-full"
	h.dated = dated{nano(sec-int64(east), ns), fractionStep(n), gatepost.StampsAbsolute}
	if !known {
		h.worth = gatepost.StampsLocal
	}
	return end + 1 + m
}

// unixStamp reads "1795355181.123456".
func (h *syslogHead) unixStamp(s []byte) int {
	sec, n := atoi(s)
	if n < 9 || n > 10 {
		return 0
	}
	ns, m := fraction(s[n:])
	if m != 7 {
		return 0
	}
	h.dialect = "short-unix"
	h.dated = dated{nano(sec, ns), time.Microsecond, gatepost.StampsAbsolute}
	return n + m
}

// monotonicStamp reads "[ 1234.567890]".
func (h *syslogHead) monotonicStamp(s []byte) int {
	k := bracketHead(s)
	if k.dialect != "raw" {
		return 0
	}
	h.dialect, h.dated = "short-monotonic", k.dated
	return bytes.IndexByte(s, ']') + 1
}

// rfc5424Head reads what follows "<PRI>1 ": stamp, host, app, procid, msgid, structured data and
// the message; "-" stands for what is not told.
func rfc5424Head(s []byte) (h syslogHead, ok bool) {
	var field [5][]byte
	for i := range field {
		if field[i], s, ok = cut(s, " "); !ok {
			return h, false
		}
	}
	h.dated = dated{gatepost.NoTime, 0, gatepost.StampsAbsolute}
	if stamp := field[0]; string(stamp) != "-" && (len(stamp) < 20 || h.isoStamp(stamp) != len(stamp)) {
		return h, false
	}
	h.dialect, h.host, h.tag = "rfc5424", field[1], field[2]
	if pid, n := atoi(field[3]); n == len(field[3]) && n < 10 {
		h.pid = int(pid)
	}
	h.msg = bytes.TrimPrefix(skipStructured(s), []byte("\ufeff"))
	return h, true
}

// skipStructured drops "-" or "[id key="value"]…" and the blank behind. A bracket inside a value
// is escaped with a backslash.
func skipStructured(s []byte) []byte {
	if hasPrefix(s, "-") {
		return bytes.TrimPrefix(s[1:], []byte{' '})
	}
	for len(s) > 0 && s[0] == '[' {
		i := 1
		for i < len(s) && s[i] != ']' {
			if s[i] == '\\' {
				i++
			}
			i++
		}
		s = s[min(i+1, len(s)):]
	}
	return bytes.TrimPrefix(s, []byte{' '})
}

// journalNoise reports whether a line is a remark of journalctl itself: "-- Boot 3f2a… --".
func journalNoise(line []byte) bool { return hasPrefix(line, "-- ") }

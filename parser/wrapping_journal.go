package parser

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatepost"
)

// The systemd journal in the forms that keep its fields. Facts: systemd.journal-fields(7), "Journal Export Formats" and
// "Journal JSON Format" of systemd's documentation.

var _ = registerWrapping(Wrapping{
	Name: "journal json",
	Doc: "journalctl -o json, json-pretty, json-seq and json-sse. Programs are told apart by host and container or identifier; a message that is no " +
		"text is a list of its bytes",
	Starts: func(line []byte) bool { return startsJSON(journalRecord(line)) },
	Ends:   endsJSON,
	Read: func(raw []byte, e *entry, o *Options) bool {
		var j journalEntry
		for key, value := range jsonMembers(journalRecord(raw)) {
			if j.field(key) == nil {
				continue
			}
			at := len(e.scratch)
			if len(value) > 0 && value[0] == '[' {
				e.scratch = jsonBytes(e.scratch, value)
				j.set(key, e.scratch[at:])
				continue
			}
			text := value.bare()
			if bytes.IndexByte(text, '\\') >= 0 {
				e.scratch = unescape(e.scratch, text)
				text = e.scratch[at:]
			}
			j.set(key, text)
		}
		return j.into(e, "journal json")
	},
	Syslog: journalSyslog,
	Example: func(program, line string, at time.Time) string {
		message := jsonString(line)
		if !journalText(line) {
			message = strings.Join(strings.Fields(fmt.Sprint([]byte(line))), ",")
		}
		return fmt.Sprintf(`{"__REALTIME_TIMESTAMP":"%d","MESSAGE":%s,"_HOSTNAME":"erp1","SYSLOG_IDENTIFIER":"%s","_PID":"4711"}`+"\n", at.UnixMicro(), message, program)
	},
})

var _ = registerWrapping(Wrapping{
	Name:   "journal export",
	Doc:    "journalctl -o export, what systemd-journal-remote takes: a field on each line, a blank line between entries, fields that are no text with their length",
	Starts: func(line []byte) bool { return hasPrefix(line, "__CURSOR=") },
	Ends: func(entry []byte) bool {
		_, over := readExport(entry)
		return over
	},
	Read: func(raw []byte, e *entry, o *Options) bool {
		j, _ := readExport(raw)
		return j.into(e, "journal export")
	},
	Syslog: journalSyslog,
	Example: func(program, line string, at time.Time) string {
		message := "MESSAGE=" + line
		if !journalText(line) {
			message = "MESSAGE\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(line)))) + line
		}
		return fmt.Sprintf("__CURSOR=s=1;i=%x\n__REALTIME_TIMESTAMP=%d\n%s\n_HOSTNAME=erp1\nSYSLOG_IDENTIFIER=%s\n_PID=4711\n\n", at.UnixMicro(), at.UnixMicro(), message, program)
	},
})

// readExport reads the fields of an entry, and reports whether the blank line behind them is there.
func readExport(raw []byte) (j journalEntry, over bool) {
	for s := raw; len(s) > 0; {
		end := lineEnd(s)
		line := trimEOL(s[:end])
		s = s[end:]
		over = len(line) == 0
		key, value, ok := cut(line, "=")
		if !ok && len(line) > 0 && len(s) >= 8 {
			n := binary.LittleEndian.Uint64(s)
			if n > uint64(len(s)-8) {
				break // it was cut off
			}
			key, value = line, s[8:8+n]
			s = s[8+n:]
			s = s[min(1, len(s)):]
		}
		j.set(key, value)
	}
	return j, over
}

// journalRecord drops what json-seq and json-sse put before an object.
func journalRecord(line []byte) []byte {
	return bytes.TrimPrefix(bytes.TrimPrefix(line, []byte{0x1e}), []byte("data: "))
}

// journalEntry holds the fields of an entry that count.
type journalEntry struct {
	message, realtime, host, identifier, comm, container, pid, syslogPID, transport, partial []byte
}

func (j *journalEntry) field(key []byte) *[]byte {
	switch string(key) {
	case "MESSAGE":
		return &j.message
	case "__REALTIME_TIMESTAMP":
		return &j.realtime
	case "_HOSTNAME":
		return &j.host
	case "SYSLOG_IDENTIFIER":
		return &j.identifier
	case "_COMM":
		return &j.comm
	case "CONTAINER_NAME":
		return &j.container
	case "_PID":
		return &j.pid
	case "SYSLOG_PID":
		return &j.syslogPID
	case "_TRANSPORT":
		return &j.transport
	case "CONTAINER_PARTIAL_MESSAGE":
		return &j.partial
	}
	return nil
}

func (j *journalEntry) set(key, value []byte) {
	if f := j.field(key); f != nil {
		*f = value
	}
}

// into fills an entry, and reports whether it is one.
func (j *journalEntry) into(e *entry, dialect string) bool {
	us, n := atoi(j.realtime)
	if n == 0 || n != len(j.realtime) || j.message == nil {
		return false
	}
	e.dated = dated{gatepost.Time(us * int64(time.Microsecond)), time.Microsecond, gatepost.StampsAbsolute}
	e.dialect, e.host, e.text = dialect, j.host, j.message
	for _, name := range [][]byte{j.container, j.identifier, j.comm} {
		if e.name = name; len(name) > 0 {
			break
		}
	}
	for _, pid := range [][]byte{j.pid, j.syslogPID} {
		if v, n := atoi(pid); n > 0 && n == len(pid) && n < 10 {
			e.pid = int(v)
			break
		}
	}
	if string(j.transport) == "kernel" {
		e.name = []byte("kernel")
	}
	reader := readerOf(&syslogHead{tag: e.name, pid: e.pid})
	e.system = reader == readKernel || reader == readSystemd
	e.part = len(j.partial) > 0
	return true
}

// journalSyslog writes an entry as journalctl -o short-iso-precise does.
func journalSyslog(dst, _ []byte, e *entry) []byte {
	dst = time.Unix(0, int64(e.at)).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000-07:00")
	dst = append(append(dst, ' '), orUnknown(e.host)...)
	dst = append(append(dst, ' '), orUnknown(e.name)...)
	if e.pid > 0 {
		dst = append(strconv.AppendInt(append(dst, '['), int64(e.pid), 10), ']')
	}
	dst = append(dst, ": "...)
	for _, c := range e.text {
		if c == '\n' || c == '\r' {
			dst = append(dst, "#012"...) // as rsyslog does
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

func orUnknown(s []byte) []byte {
	if len(s) == 0 {
		return []byte("unknown")
	}
	return s
}

// jsonBytes appends a list of numbers as bytes.
func jsonBytes(dst []byte, list jsonText) []byte {
	for s := []byte(list); len(s) > 0; s = s[1:] {
		if v, n := atoi(s); n > 0 {
			if v < 256 {
				dst = append(dst, byte(v))
			}
			s = s[n-1:]
		}
	}
	return dst
}

// journalText reports whether journalctl takes a message for text.
func journalText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

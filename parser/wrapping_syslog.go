package parser

import (
	"strings"
	"time"
)

var _ = registerWrapping(Wrapping{
	Name: "syslog",
	Doc: "the head of a syslog line, as rsyslog, syslog-ng and journalctl write it: RFC 3164 with and without priority, RFC 5424, " +
		"the file format of rsyslog and the short forms of journalctl. Programs are told apart by host and tag",
	Read: func(raw []byte, e *entry, o *Options) bool {
		h, ok := readSyslogHead(raw, o)
		if !ok || len(h.tag) == 0 || h.dialect == "short-monotonic" && !journalMonotonic(raw) {
			return false
		}
		e.dated, e.dialect, e.host, e.name, e.pid, e.text = h.dated, h.dialect, h.host, h.tag, h.pid, h.msg
		reader := readerOf(&h)
		e.system = reader == readKernel || reader == readSystemd
		if contains(h.msg, "#0") {
			e.scratch = unescapeSyslog(e.scratch, h.msg)
			e.text = e.scratch
		}
		return true
	},
	Syslog: func(dst, raw []byte, _ *entry) []byte { return append(dst, raw...) },
	Example: func(program, line string, at time.Time) string {
		return at.Format("Jan _2 15:04:05") + " erp1 " + program + "[4711]: " + strings.ReplaceAll(line, "\t", "#011") + "\n"
	},
})

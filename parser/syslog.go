package parser

import (
	"bytes"

	"gatepost"
)

var _ = Register(Format{
	Name:    "syslog",
	Title:   "syslog and journalctl",
	Program: "systemd",
	Doc: "Files of a syslog daemon and the short forms of journalctl, one dialect for each head: rfc3164 with and " +
		"without priority (no year, no zone; short and short-precise of journalctl are the same), iso (rsyslog's " +
		"file format, short-iso, short-iso-precise), rfc5424, short-full and with-unit, short-unix, " +
		"short-monotonic (since boot). Messages of the kernel are read as in format kernel, those of systemd's " +
		"process 1 and of systemd-oomd as the life of units, and exceptions that Odoo prints to its standard " +
		"error before it can log. Lines of other programs are recognised and make nothing. The host is not kept: " +
		"a file should be of one machine.",
	Kinds: []gatepost.Kind{
		gatepost.KernelOOM, gatepost.KernelOOMScope, gatepost.KernelSegfault, gatepost.KernelOverflow,
		gatepost.KernelStall, gatepost.KernelDisk, gatepost.KernelNetwork, gatepost.KernelBoot,
		gatepost.UnitStart, gatepost.UnitStarted, gatepost.UnitStop, gatepost.UnitStopped, gatepost.UnitExit,
		gatepost.UnitFailed, gatepost.UnitRestart, gatepost.UnitGaveUp, gatepost.UnitOOM,
		gatepost.OdooTraceback,
	},
	Sniff: sniffSyslog,
	Parse: parseSyslog,
})

func sniffSyslog(sample []byte, o *Options) (int, string, any) {
	score, best := sniffHeads(sample, func(line []byte) (string, gatepost.Stamps) {
		h, ok := readSyslogHead(line, o)
		if !ok || len(h.tag) == 0 || h.dialect == "short-monotonic" && !journalMonotonic(line) {
			return "", 0
		}
		return h.dialect, h.worth
	})
	return score, best.dialect, best.worth
}

// journalMonotonic tells journalctl's short-monotonic from dmesg, whose messages often look like
// a host and a tag ("[ 1.2] usb 1-1: New device"): the kernel names itself, others their pid.
func journalMonotonic(line []byte) bool {
	h, ok := readSyslogHead(line, &Options{})
	return ok && h.dialect == "short-monotonic" && (h.pid > 0 || string(h.tag) == "kernel")
}

func parseSyslog(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	worth := p.State.(gatepost.Stamps)
	out.Stamps = worth
	for r := range records(b, nil) {
		if continues(r.line) || journalNoise(r.line) {
			continue
		}
		h, ok := readSyslogHead(r.line, p.Options)
		if !ok {
			out.Skip(r.ref, 1)
			continue
		}
		stamp := h.dated.in(worth)
		stamp.note(out)
		msg := p.syslogText(&h)
		e := gatepost.NewEvent("", r.ref, stamp.at)
		if !syslogMessage(&h, msg, &e) {
			continue
		}
		e.Hash, e.Text = gatepost.HashOf(r.line), oneLine(msg)
		out.Events = append(out.Events, e)
	}
}

// syslogReader is how the messages of a program are read.
type syslogReader uint8

const (
	readNothing syslogReader = iota
	readKernel
	readSystemd
	readStderr
)

// readerOf chooses by tag. A program whose lines are of another format (nginx, PostgreSQL) gets
// its reader here.
func readerOf(h *syslogHead) syslogReader {
	switch string(h.tag) {
	case "kernel":
		return readKernel
	case "systemd", "init.scope": // the latter from journalctl -o with-unit
		if h.pid > 1 {
			return readNothing // a user's own manager
		}
		return readSystemd
	case "systemd-oomd", "systemd-oomd.service":
		return readSystemd
	}
	if hasPrefix(h.tag, "odoo") || hasPrefix(h.tag, "openerp") || hasPrefix(h.tag, "python") {
		return readStderr
	}
	return readNothing
}

// syslogText returns the message as the program wrote it: without rsyslog's note of repetition,
// without the kernel's own stamp, with control characters decoded. It is valid until the next
// call; of programs that are not looked at it is nil.
func (p *Parser) syslogText(h *syslogHead) []byte {
	h.reader = readerOf(h)
	if h.reader == readNothing {
		return nil
	}
	msg := h.msg
	if hasPrefix(msg, "message repeated ") {
		if _, text, ok := cut(msg, " times: ["); ok {
			msg = bytes.TrimPrefix(bytes.TrimSuffix(text, []byte{']'}), []byte{' '})
		}
	}
	if h.reader == readKernel && len(msg) > 0 && msg[0] == '[' {
		if k := bracketHead(msg); k.dialect == "raw" {
			msg = skipCaller(k.msg)
		}
	}
	if contains(msg, "#0") {
		p.scratch = unescapeSyslog(p.scratch[:0], msg)
		msg = p.scratch
	}
	return msg
}

// unescapeSyslog appends s to dst with rsyslog's octal escapes ("#011" is a tab) decoded.
func unescapeSyslog(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '#' && i+3 < len(s) && s[i+1] == '0' && s[i+2]-'0' < 4 && s[i+3]-'0' < 8 {
			dst = append(dst, (s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

func syslogMessage(h *syslogHead, msg []byte, e *gatepost.Event) bool {
	switch h.reader {
	case readKernel:
		return kernelMessage(msg, e)
	case readSystemd:
		return systemdMessage(msg, e)
	case readStderr:
		last := stderrException(msg)
		if last == nil {
			return false
		}
		e.Kind, e.PID, e.Name, e.Number = gatepost.OdooTraceback, h.pid, clip(last), 1
		return true
	}
	return false
}

// stderrException returns the last line of a Python traceback in a message, nil without one. Most
// daemons make a message of every line, some one of the whole traceback.
func stderrException(msg []byte) (last []byte) {
	for line := range bytes.Lines(msg) {
		if line = trimEOL(line); namesException(line) {
			last = line
		}
	}
	return last
}

// namesException reports whether a line is like "ModuleNotFoundError: No module named 'x'".
func namesException(line []byte) bool {
	n := 0
	for n < len(line) && (letter(line[n]) || '0' <= line[n] && line[n] <= '9' || line[n] == '.' || line[n] == '_') {
		n++
	}
	if n == 0 || n < len(line) && line[n] != ':' {
		return false
	}
	name := line[:n]
	for _, end := range []string{"Error", "Exception", "SystemExit", "KeyboardInterrupt"} {
		if bytes.HasSuffix(name, []byte(end)) {
			return true
		}
	}
	return hasPrefix(name, "psycopg2.errors.")
}

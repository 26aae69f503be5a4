package parser

import (
	"bytes"
	"time"

	"gatepost"
)

var _ = Register(Format{
	Name:    "kernel",
	Title:   "kernel log",
	Program: "kernel",
	Doc: "What dmesg prints and /dev/kmsg holds, one dialect for each kind of stamp: raw '[12345.678901]' " +
		"(seconds since boot), ctime '[Sun Nov 22 13:46:21 2026]' (dmesg -T: the viewer's zone, localised " +
		"names leave a line undated), iso with a comma and an offset, kmsg '6,50,2509,-;', delta '[<0.000013>]' " +
		"and reltime, which are undated. Priorities (<6>, 'kern  :info  :') and caller ids ([T123]) are skipped. " +
		"dmesg -t (no stamps) and dmesg -J (JSON) are not understood. Wordings from the sources of Linux 3 to 6 " +
		"and from live output of 6.18.",
	Kinds: []gatepost.Kind{
		gatepost.KernelOOM, gatepost.KernelOOMScope, gatepost.KernelSegfault, gatepost.KernelOverflow,
		gatepost.KernelStall, gatepost.KernelDisk, gatepost.KernelNetwork, gatepost.KernelBoot,
	},
	Sniff: sniffKernel,
	Parse: parseKernel,
})

func sniffKernel(sample []byte, _ *Options) (int, string, any) {
	score, best := sniffHeads(sample, func(line []byte) (string, gatepost.Stamps) {
		h, ok := readKernelHead(line)
		if !ok || journalMonotonic(line) {
			return "", 0
		}
		return h.dialect, h.worth
	})
	return score, best.dialect, best.worth
}

func parseKernel(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	worth := p.State.(gatepost.Stamps)
	out.Stamps = worth
	for r := range records(b, nil) {
		if continues(r.line) {
			continue
		}
		h, ok := readKernelHead(r.line)
		if !ok {
			out.Skip(r.ref, 1)
			continue
		}
		stamp := h.dated.in(worth)
		stamp.note(out)
		e := gatepost.NewEvent("", r.ref, stamp.at)
		if !kernelMessage(h.msg, &e) {
			continue
		}
		e.Hash, e.Text = gatepost.HashOf(r.line), clip(h.msg)
		out.Events = append(out.Events, e)
	}
}

// kernelHead is what stands before the text of a kernel line.
type kernelHead struct {
	dated
	dialect string
	msg     []byte
}

func readKernelHead(line []byte) (kernelHead, bool) {
	line = skipFacility(skipPriority(line))
	if len(line) == 0 {
		return kernelHead{}, false
	}
	var h kernelHead
	switch c := line[0]; {
	case c == '[':
		h = bracketHead(line)
	case '0' <= c && c <= '9':
		if h = isoKernelHead(line); h.dialect == "" {
			h = kmsgHead(line)
		}
	}
	h.msg = skipCaller(h.msg)
	return h, h.dialect != ""
}

// bracketHead reads the heads in brackets; the dialect is "" when it is none of them.
func bracketHead(line []byte) kernelHead {
	const longest = 64 // a localised ctime with a delta
	end := bytes.IndexByte(line[:min(len(line), longest)], ']')
	if end < 2 {
		return kernelHead{}
	}
	h := kernelHead{dated: undated, msg: bytes.TrimPrefix(line[end+1:], []byte{' '})}
	in := bytes.TrimLeft(line[1:end], " ")
	if in, _, ok := cut(in, "<"); ok && len(in) == 0 && line[end-1] == '>' {
		h.dialect = "delta"
		return h
	}
	if line[end-1] == '>' {
		in, _, _ = cut(in, " <")
	}
	if at, ok := sinceBoot(in); ok {
		h.dated, h.dialect = at, "raw"
		return h
	}
	if relative(in) {
		h.dialect = "reltime"
		return h
	}
	if at, ok := ctime(in); ok {
		h.dated, h.dialect = at, "ctime"
	}
	return h
}

// sinceBoot reads "12345.678901": always six decimals, unlike the clocks of other programs.
func sinceBoot(s []byte) (dated, bool) {
	sec, n := atoi(s)
	if n == 0 || n > 9 || len(s) != n+7 || s[n] != '.' {
		return undated, false
	}
	ns, m := fraction(s[n:])
	return dated{nano(sec, ns), time.Microsecond, gatepost.StampsBoot}, m == 7
}

// relative reports whether s is a stamp of dmesg -e: "Nov22 13:46" opens a minute, "+0.000013"
// counts from the line before.
func relative(s []byte) bool {
	if len(s) > 1 && s[0] == '+' {
		_, ok := sinceBoot(s[1:])
		return ok
	}
	return len(s) == 11 && month(s) > 0 && d2(s[3:]) > 0 && s[5] == ' ' && s[8] == ':' && d2(s[6:]) >= 0 && d2(s[9:]) >= 0
}

// ctime reads "Sun Nov 22 13:46:21 2026". Names in another language end in the same time and
// year, but tell no instant.
func ctime(s []byte) (dated, bool) {
	stamp := dated{gatepost.NoTime, time.Second, gatepost.StampsLocal}
	i := len(s) - len("13:46:21 2026")
	if i < 1 || s[i+8] != ' ' {
		return stamp, false
	}
	sec, year := clock(s[i:]), d4(s[i+9:])
	if sec < 0 || year < 1970 {
		return stamp, false
	}
	if i != len("Sun Nov 22 ") {
		return stamp, true
	}
	m, day := month(s[4:]), dayOf(s[8:])
	if m > 0 && day > 0 {
		stamp.at = nano(civil(year, m, day, 0, 0, 0)+int64(sec), 0)
	}
	return stamp, true
}

// dayOf reads a day of the month in two bytes, padded with a blank or a zero; 0 when it is none.
func dayOf(s []byte) int {
	if s[0] == ' ' {
		return max(0, d2([]byte{'0', s[1]}))
	}
	if d := d2(s); d > 0 && d <= 31 {
		return d
	}
	return 0
}

// isoKernelHead reads "2026-11-22T13:46:21,002509+00:00 "; the comma tells it from syslog's.
func isoKernelHead(line []byte) kernelHead {
	sec, ok := dateTime(line, '-')
	if !ok || line[10] != 'T' || len(line) < 20 || line[19] != ',' {
		return kernelHead{}
	}
	ns, n := fraction(line[19:])
	east, m := offset(line[19+n:])
	end := 19 + n + m
	if n == 0 || m == 0 || end >= len(line) || line[end] != ' ' {
		return kernelHead{}
	}
	at := dated{nano(sec-int64(east), ns), fractionStep(n), gatepost.StampsAbsolute}
	return kernelHead{at, "iso", line[end+1:]}
}

// kmsgHead reads "6,50,2509,-;": priority, sequence, microseconds since boot, flags.
func kmsgHead(line []byte) kernelHead {
	_, n := atoi(line)
	if n > 3 || n >= len(line) || line[n] != ',' {
		return kernelHead{}
	}
	rest := line[n+1:]
	if _, n = atoi(rest); n == 0 || n >= len(rest) || rest[n] != ',' {
		return kernelHead{}
	}
	rest = rest[n+1:]
	us, n := atoi(rest)
	if n == 0 || n > 15 || n+1 >= len(rest) || rest[n] != ',' {
		return kernelHead{}
	}
	_, msg, ok := cut(rest, ";")
	if !ok {
		return kernelHead{}
	}
	at := dated{gatepost.Time(us * int64(time.Microsecond)), time.Microsecond, gatepost.StampsBoot}
	return kernelHead{at, "kmsg", msg}
}

// skipPriority drops "<6>".
func skipPriority(line []byte) []byte {
	if len(line) < 3 || line[0] != '<' {
		return line
	}
	if _, n := atoi(line[1:]); n > 0 && n <= 3 && n+1 < len(line) && line[n+1] == '>' {
		return line[n+2:]
	}
	return line
}

// skipFacility drops "kern  :info  : ".
func skipFacility(line []byte) []byte {
	rest := line
	for range 2 {
		n := 0
		for n < len(rest) && ('a' <= rest[n] && rest[n] <= 'z' || '0' <= rest[n] && rest[n] <= '9') {
			n++
		}
		if n < 3 || n > 8 {
			return line
		}
		for n < len(rest) && rest[n] == ' ' {
			n++
		}
		if n >= len(rest) || rest[n] != ':' {
			return line
		}
		rest = rest[n+1:]
	}
	return bytes.TrimPrefix(rest, []byte{' '})
}

// skipCaller drops "[T23594] " or "[    C1] ": the thread or CPU that printed the line.
func skipCaller(msg []byte) []byte {
	if len(msg) < 4 || msg[0] != '[' {
		return msg
	}
	in := bytes.TrimLeft(msg[1:], " ")
	if len(in) < 3 || (in[0] != 'T' && in[0] != 'C') {
		return msg
	}
	if _, n := atoi(in[1:]); n > 0 && n+1 < len(in) && in[n+1] == ']' {
		return bytes.TrimPrefix(in[n+2:], []byte{' '})
	}
	return msg
}

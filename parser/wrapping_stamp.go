package parser

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// A stamp of RFC 3339 before every line is what most shippers have in common.

var _ = registerWrapping(Wrapping{
	Name: "stamped",
	Doc: "a stamp of RFC 3339 before every line: docker logs -t, kubectl logs --timestamps, CloudWatch's exports to S3, " +
		"Grafana's text download (with nanoseconds before it), Loki's logcli (with the labels behind it, which tell whose line it is)",
	Read: func(raw []byte, e *entry, o *Options) bool {
		if v, n := longNumber(firstWord(raw, '\t')); n > 0 { // Grafana
			e.dated = dated{gatepost.Time(v), 1, gatepost.StampsAbsolute}
			raw = raw[n+1:]
			if d, n := isoStamp(raw); n > 0 && n < len(raw) && (raw[n] == '\t' || raw[n] == ' ') {
				e.dated, raw = d, raw[n+1:]
			}
			e.text = raw
			return true
		}
		d, n := isoStamp(raw)
		if n == 0 || d.worth != gatepost.StampsAbsolute || n < len(raw) && raw[n] != ' ' {
			return false
		}
		e.dated, e.text = d, bytes.TrimPrefix(raw[n:], []byte{' '})
		e.name, e.text = labels(e.text)
		return true
	},
	Example: func(program, line string, at time.Time) string {
		return at.Format(time.RFC3339Nano) + ` {app="` + program + `"} ` + line + "\n"
	},
})

var _ = registerWrapping(Wrapping{
	Name: "cri",
	Doc:  "the files of a Kubernetes node (containerd, CRI-O) below /var/log/pods: a stamp, the stream, F or P for a whole or a part of a line",
	Read: func(raw []byte, e *entry, o *Options) bool {
		d, n := isoStamp(raw)
		if n == 0 || n == len(raw) {
			return false
		}
		rest := raw[n:]
		if !hasPrefix(rest, " stdout ") && !hasPrefix(rest, " stderr ") {
			return false
		}
		tag, text, _ := cut(rest[len(" stdout "):], " ")
		if tag, _, _ = cut(tag, ":"); string(tag) != "F" && string(tag) != "P" {
			return false
		}
		e.dated, e.text, e.part = d, text, tag[0] == 'P'
		return true
	},
	Example: func(program, line string, at time.Time) string {
		const limit = 16 << 10 // of containerd
		var all strings.Builder
		for len(line) > limit {
			all.WriteString(at.Format(time.RFC3339Nano) + " stdout P " + line[:limit] + "\n")
			line = line[limit:]
		}
		return all.String() + at.Format(time.RFC3339Nano) + " stdout F " + line + "\n"
	},
})

var _ = registerWrapping(Wrapping{
	Name:  "stream",
	Doc:   "the name of a log stream before every line, as aws logs tail prints it behind a stamp",
	Vague: true,
	Read: func(raw []byte, e *entry, o *Options) bool {
		name, text, ok := cut(raw, " ")
		if !ok || bytes.ContainsAny(name, "\"{(=<") || !slices.ContainsFunc(name, letter) {
			return false // a date is no name
		}
		e.name, e.text = name, text
		return true
	},
	Example: func(program, line string, at time.Time) string {
		return program + "/" + program + "/3f2a " + line + "\n"
	},
})

// isoStamp reads "2026-11-22T13:46:21.003123+00:00"; n is its length, 0 when there is none.
func isoStamp(s []byte) (d dated, n int) {
	if len(s) < 19 || s[10] != 'T' {
		return undated, 0
	}
	var h syslogHead
	if n = h.isoStamp(s); n == 0 {
		return undated, 0
	}
	return h.dated, n
}

// labels splits Loki's labels, {app="odoo", pod="x"}, from the text behind them.
func labels(s []byte) (name, text []byte) {
	if len(s) < 2 || s[0] != '{' || !letter(s[1]) {
		return nil, s
	}
	end := bytes.Index(s, []byte("} "))
	if end < 0 || !contains(s[:end], `="`) {
		return nil, s
	}
	return s[1:end], s[end+2:]
}

// firstWord returns what stands before the first sep.
func firstWord(s []byte, sep byte) []byte {
	if i := bytes.IndexByte(s, sep); i >= 0 {
		return s[:i]
	}
	return nil
}

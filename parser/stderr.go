package parser

import (
	"bytes"

	"gatepost"
)

var _ = Register(Format{
	Name:    "stderr",
	Title:   "standard error of Odoo",
	Program: "odoo",
	Doc: `What Odoo prints beside its log: tracebacks of a start that failed before logging was set
up, refusals of the command line, last words of libraries. The lines carry neither stamp nor
process. Where Odoo logs to standard error as well, the text is an Odoo server log.
Facts: cli/server.py, tools/config.py and service/server.py of Odoo 8 to 19; recorded starts.`,
	Kinds:  []gatepost.Kind{gatepost.OdooTraceback},
	Sniff:  sniffStderr,
	Starts: startsStderr,
	Parse:  parseStderr,
})

// stderrLine says what a line on standard error is when it stands for itself.
type stderrLine uint8

const (
	stderrOther stderrLine = iota
	stderrNoise
	stderrFatal
)

// stderrNoises are beginnings of lines that say nothing about why Odoo is down.
var stderrNoises = []string{
	"Warn: Can't find .pfb for face",
	"Running as user 'root' is a security risk",
	"Forced shutdown.",
	"ERROR: couldn't create the logfile directory. Logging to the standard output.",
	"Usage: odoo",
	"Usage: openerp",
}

func stderrLineOf(line []byte) stderrLine {
	for _, n := range stderrNoises {
		if hasPrefix(line, n) {
			return stderrNoise
		}
	}
	if headless(line).kind != "" || contains(line, "error: no such option") ||
		contains(line, "The config file '") && contains(line, "selected with -c/--config") {
		return stderrFatal
	}
	return stderrOther
}

// bareException reports whether a line is the end of a traceback that tells by itself why Odoo did
// not start. Inside a traceback such a line begins no record.
func bareException(line []byte) bool {
	class, _, _ := cut(line, ":")
	return bytes.HasSuffix(class, []byte("Error")) && bytes.IndexByte(class, ' ') < 0 && classify(line).kind != ""
}

func startsStderr(line []byte) bool {
	return hasPrefix(line, traceHead) || stderrLineOf(line) != stderrOther
}

func parseStderr(p *Parser, b *gatepost.Block, out *gatepost.Batch) {
	out.Stamps = gatepost.StampsNone
	for rec := range records(b, startsStderr) {
		if !hasPrefix(rec.line, traceHead) {
			parseStderrLines(rec, out)
			continue
		}
		if name := deciding(rec.all); name != nil {
			out.Events = append(out.Events, stderrEvent(rec.ref, rec.line, name))
		}
	}
}

// deciding returns the line that a traceback comes down to, nil when the next traceback continues
// it. In one that was cut off it is the last line.
func deciding(text []byte) []byte {
	text = bytes.TrimRight(text, " \t\r\n")
	last := text[bytes.LastIndexByte(text, '\n')+1:]
	if hasPrefix(last, "During handling of the above exception") || hasPrefix(last, "The above exception was the direct cause") {
		return nil
	}
	if d := decide(text); d.line != nil {
		return d.line
	}
	return bytes.TrimSpace(last)
}

// parseStderrLines reads a record without a traceback: every line speaks for itself, indented ones
// belong to the line before.
func parseStderrLines(rec record, out *gatepost.Batch) {
	ref := rec.ref
	for text := rec.all; len(text) > 0; {
		end := lineEnd(text)
		line := trimEOL(text[:end])
		ref.Length = len(line)
		switch {
		case len(line) == 0 || line[0] == ' ' || line[0] == '\t':
		case stderrLineOf(line) == stderrFatal || bareException(line):
			out.Events = append(out.Events, stderrEvent(ref, line, line))
		case stderrLineOf(line) == stderrOther:
			out.Skip(ref, 1)
		}
		text = text[end:]
		ref.Offset += int64(end)
		ref.Line++
	}
}

func stderrEvent(ref gatepost.Ref, first, line []byte) gatepost.Event {
	e := gatepost.NewEvent(gatepost.OdooTraceback, ref, gatepost.NoTime)
	e.Hash = gatepost.HashOf(first)
	e.Name = clip(line)
	e.Text = e.Name
	e.Number = 1
	return e
}

// stderrScore bounds the score: any format with heads of its own knows a text with tracebacks
// better.
const stderrScore = 500

// sniffStderr is humble: it wants a traceback or a line it knows, and few others beside them.
func sniffStderr(sample []byte, o *Options) (score int, dialect string, state any) {
	known, others, trace := 0, 0, false
	for len(sample) > 0 {
		end := lineEnd(sample)
		line := trimEOL(sample[:end])
		sample = sample[end:]
		switch {
		case startsOdoo(line):
			return 0, "", nil
		case len(line) == 0 || line[0] == ' ' || line[0] == '\t':
		case startsStderr(line):
			known++
			trace = hasPrefix(line, traceHead)
		case trace || bareException(line):
			known++
			trace = false // its exception; what follows is no part of it
		default:
			others++
		}
	}
	if known == 0 || others > known {
		return 0, "", nil
	}
	return stderrScore * known / (known + others), "", nil
}

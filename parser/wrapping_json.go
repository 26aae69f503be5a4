package parser

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"gatepost"
)

var _ = registerWrapping(Wrapping{
	Name: "json",
	Doc: "a JSON object round every line, on one line or spread over several: Docker's json-file, Fluent Bit and Fluentd, Filebeat and Vector, " +
		"Loki (logcli -o jsonl), CloudWatch (aws logs filter-log-events, get-log-events), Google Cloud. The text is the member log, message, msg, line, " +
		"textPayload or @message; whose it is, is told by the members about container, pod, service or stream",
	Starts: startsJSON,
	Ends:   endsJSON,
	Read:   readJSON,
	Example: func(program, line string, at time.Time) string {
		return fmt.Sprintf(`{"log":%s,"stream":"stdout","attrs":{"com.docker.compose.service":"%s"},"time":"%s"}`+"\n", jsonString(line+"\n"), program, at.Format(time.RFC3339Nano))
	},
})

// startsJSON reports whether an object begins with a line. Inside of one that is spread over lines, no line begins with
// a brace.
func startsJSON(line []byte) bool {
	line = skipBlanks(line)
	return len(line) > 0 && line[0] == '{'
}

// endsJSON reports whether an object ends with its last line. One that is spread over lines closes at the margin.
func endsJSON(entry []byte) bool {
	entry = trimEOL(entry)
	last := entry[bytes.LastIndexByte(entry, '\n')+1:]
	return hasPrefix(last, "}") || len(last) == len(entry) && bytes.HasSuffix(last, []byte{'}'})
}

// dockerLimit is the length at which Docker splits a line, in bytes: only the last part ends in a newline.
const dockerLimit = 16 << 10

func readJSON(raw []byte, e *entry, o *Options) bool {
	var text, name jsonText
	for key, value := range jsonMembers(raw) {
		switch string(key) {
		case "log", "message", "msg", "line", "textPayload", "@message":
			if value.isString() && len(text) == 0 {
				text = value
			}
		case "time", "timestamp", "@timestamp", "ts", "date":
			e.dated = jsonStamp(value)
		case "container_name", "logStreamName", "container", "service", "service_name":
			if value.isString() {
				name = value
			}
		case "kubernetes", "labels", "docker", "resource", "attrs", "tags":
			if inside := containerOf(value); inside != nil {
				name = inside
			}
		case "host", "hostname":
			if value.isString() {
				e.host = value.bare()
			}
		case "levelname", "error_severity":
			return false // a log of its own: Odoo's, PostgreSQL's
		}
	}
	if text == nil {
		return false
	}
	e.name = bytes.Trim(name.bare(), "/")
	e.text = text.bare()
	if bytes.IndexByte(e.text, '\\') >= 0 {
		e.scratch = unescape(e.scratch, e.text)
		e.text = e.scratch
	}
	e.part = len(e.text) >= dockerLimit && e.text[len(e.text)-1] != '\n'
	e.text = bytes.TrimRight(e.text, "\r\n")
	return true
}

// containerOf returns what names the program best in an object about where a line comes from, nil when nothing does.
func containerOf(object jsonText) (name jsonText) {
	best := 0
	for key, value := range jsonMembers(object) {
		if !value.isString() {
			if inside := containerOf(value); inside != nil && best == 0 {
				name = inside
			}
			continue
		}
		rank := 0
		switch k := string(key); {
		case strings.HasSuffix(k, "container_name"), k == "container", k == "com.docker.compose.service", k == "compose_service":
			rank = 3
		case k == "app", k == "service", k == "service_name", strings.HasSuffix(k, "/name"):
			rank = 2
		case k == "job", k == "filename", k == "name", k == "tag":
			rank = 1
		}
		if rank > best {
			best, name = rank, value
		}
	}
	return name
}

// jsonStamp reads RFC 3339, or a number of seconds, milliseconds or nanoseconds since 1970.
func jsonStamp(value jsonText) dated {
	s := value.bare()
	if d, n := isoStamp(s); n > 0 && n == len(s) {
		return d
	}
	v, n := atoi(s)
	var ns int64
	switch {
	case n < 9:
		return undated
	case n <= 10: // seconds
		ns, _ = fraction(s[n:])
		return dated{nano(v, ns), fractionStep(len(s) - n), gatepost.StampsAbsolute}
	case n <= 13:
		return dated{gatepost.Time(v * 1e6), 1e6, gatepost.StampsAbsolute}
	case n <= 16:
		return dated{gatepost.Time(v * 1e3), 1e3, gatepost.StampsAbsolute}
	}
	if v, n = longNumber(s); n == len(s) {
		return dated{gatepost.Time(v), 1, gatepost.StampsAbsolute}
	}
	return undated
}

// longNumber reads nanoseconds since 1970, which have 19 digits.
func longNumber(s []byte) (v int64, n int) {
	if len(s) != 19 {
		return 0, 0
	}
	v, n = atoi(s)
	last := s[18] - '0'
	if n != 18 || last > 9 || v > (1<<63-1)/10-1 {
		return 0, 0
	}
	return v*10 + int64(last), 19
}

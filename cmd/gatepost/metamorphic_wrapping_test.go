package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatepost/parser"
)

// What shippers make of the lines of programs.

// shipped is a line of a program that a shipper takes.
type shipped struct {
	program string
	pid     int
	text    string
	at      time.Time
}

// shipper is one notation of a wrapping.
type shipper struct {
	name     string // "docker json-file"
	wrapping string // as it is registered
	write    func(s shipped) string
	// What stands before and behind all lines, "" for nothing.
	before, behind string
	// container says that it collects what containers write, machine that it has a place for what the kernel and systemd say.
	container, machine bool
}

var shippers = []shipper{
	{name: "docker json-file", wrapping: "json", container: true},
	{name: "docker logs -t", wrapping: "stamped", container: true, write: func(s shipped) string { return s.at.UTC().Format(nine) + " " + s.text + "\n" }},
	{name: "docker compose", wrapping: "compose", container: true},
	{name: "CRI", wrapping: "cri", container: true},
	{name: "kubectl --prefix", wrapping: "kubectl", container: true},
	{name: "stern", wrapping: "stern", container: true},
	{name: "Fluent Bit", wrapping: "json", write: func(s shipped) string {
		return object("date", json.Number(strconv.FormatFloat(float64(s.at.UnixMicro())/1e6, 'f', 6, 64)), "log", s.text+"\n", "stream", "stdout",
			"kubernetes", json.RawMessage(object("pod_name", "erp-0", "namespace_name", "erp", "container_name", s.program))) + "\n"
	}},
	{name: "Loki, logcli", wrapping: "stamped"},
	{name: "Loki, jsonl", wrapping: "json", write: func(s shipped) string {
		return object("labels", json.RawMessage(object("app", s.program, "job", "erp")), "line", s.text, "timestamp", s.at.UTC().Format(nine)) + "\n"
	}},
	{name: "CloudWatch events", wrapping: "json", before: "{\n    \"events\": [", behind: "    ]\n}", write: func(s shipped) string {
		return fmt.Sprintf("        {\n            \"logStreamName\": %q,\n            \"timestamp\": %d,\n            \"message\": %s,\n            \"eventId\": \"3\"\n        },\n",
			s.program, s.at.UnixMilli(), quotedJSON(s.text))
	}},
	{name: "aws logs tail", wrapping: "stream", write: func(s shipped) string {
		return s.at.UTC().Format("2006-01-02T15:04:05.000000+00:00") + " " + s.program + "/3f2a " + s.text + "\n"
	}},
	{name: "log stream", wrapping: "stream"},
	{name: "journal JSON", wrapping: "journal json", machine: true},
	{name: "journal export", wrapping: "journal export", machine: true},
	{name: "syslog RFC 3164", wrapping: "syslog", machine: true},
	{name: "syslog RFC 5424", wrapping: "syslog", machine: true, write: func(s shipped) string {
		return fmt.Sprintf("<190>1 %s erp1 %s %d - - %s\n", s.at.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), s.program, s.pid, s.text)
	}},
	{name: "rsyslog file", wrapping: "syslog", machine: true, write: func(s shipped) string {
		return fmt.Sprintf("%s erp1 %s[%d]: %s\n", s.at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), s.program, s.pid, strings.ReplaceAll(s.text, "\t", "#011"))
	}},
}

// nine digits behind the second, as Docker and Loki write stamps.
const nine = "2006-01-02T15:04:05.000000000Z07:00"

func quotedJSON(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string is no error
	}
	return string(data)
}

// line is what the shipper makes of a line. The example of a wrapping is of the process 4711.
func (w shipper) line(s shipped) string {
	if w.write != nil {
		return w.write(s)
	}
	for _, r := range parser.Wrappings() {
		if r.Name == w.wrapping {
			return strings.Replace(r.Example(s.program, s.text, s.at), "4711", strconv.Itoa(s.pid), 1)
		}
	}
	panic("no wrapping " + w.wrapping)
}

// named reports whether the shipper tells whose a line is.
func (w shipper) named() bool {
	at := time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)
	return w.line(shipped{"a", 1, "", at}) != w.line(shipped{"b", 1, "", at})
}

// programs are who writes the logs; a web server's container writes both of its logs into one stream.
var programs = map[string]string{
	"access.log": "web", "error.log": "web", "odoo.log": "odoo", "odoo-1.log": "odoo-1", "odoo-2.log": "odoo-2", "postgresql.log": "db", "pgbouncer.log": "pgbouncer",
}

// shippedBy collects the lines of the programs in one file, mixed as they were written, about. Where the wrapping tells
// nobody's name, each program has a file.
func shippedBy(w shipper, logs ...string) func(folder, *rand.Rand) {
	type placed struct {
		line
		share float64 // of its log that stands before it
	}
	return func(f folder, _ *rand.Rand) {
		files := make(map[string][]placed)
		for _, name := range f.logs() {
			program, ok := programs[name]
			if !ok || !wrappable(f[name]) || len(logs) > 0 && !slices.Contains(logs, name) {
				continue
			}
			file := "collected.log"
			if !w.named() {
				file = program + ".collected.log"
			}
			written := f.written(name)
			for i, l := range f[name] {
				for _, part := range w.wrap(shipped{program, 4711, l.text, written[i]}, l.origin) {
					files[file] = append(files[file], placed{part, float64(i) / float64(len(f[name]))})
				}
			}
			delete(f, name)
		}
		for name, lines := range files {
			slices.SortStableFunc(lines, func(a, b placed) int { return cmp.Compare(a.share, b.share) })
			if w.before != "" {
				f.append(name, w.before)
			}
			for _, l := range lines {
				f[name] = append(f[name], l.line)
			}
			if w.behind != "" {
				f.append(name, w.behind)
			}
		}
	}
}

// wrap is an entry. What the shipper makes several lines of is one entry: the failing line is its first.
func (w shipper) wrap(s shipped, origin int) (all []line) {
	for text := range strings.SplitSeq(strings.TrimSuffix(w.line(s), "\n"), "\n") {
		all = append(all, line{text, origin})
		origin = 0
	}
	return all
}

// written are when the lines of a log were written, about: what the lines of no stamp follow on. In a log without any
// it is some day.
func (f folder) written(name string) []time.Time {
	last := time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)
	all := make([]time.Time, 0, len(f[name]))
	for _, l := range f[name] {
		if t, ok := at(path.Base(name), l.text); ok {
			last = t
		}
		all = append(all, last)
	}
	return all
}

// wrappable reports whether every wrapping can hold the lines.
func wrappable(lines []line) bool {
	return !slices.ContainsFunc(lines, func(l line) bool { return strings.ContainsAny(l.text, "\r\x00") })
}

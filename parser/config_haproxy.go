package parser

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gatepost"
)

var _ = RegisterConfig(Config{
	Name: "haproxy.cfg",
	Doc: `HAProxy's configuration: timeouts and servers of backends and listen sections. What a defaults section says is
told for each section that it holds for. The scope of a server is "backend/server/", as the log names it, that of a timeout
"backend/".`,
	Sniff: sniffHAProxyConfig,
	Read:  readHAProxyConfig,
})

// haproxyTimeouts are the timeouts between HAProxy and a server.
var haproxyTimeouts = []string{"server", "connect", "queue", "tunnel", "check"}

// haproxySections begin a section; what stands in others, such as the passwords of a userlist, is not read.
var haproxySections = []string{
	"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "mailers", "resolvers", "cache", "program", "ring",
	"http-errors", "fcgi-app", "log-forward", "crt-store", "traces", "acme",
}

// sniffHAProxyConfig wants a section that passes requests on, and a line that only HAProxy has in one.
func sniffHAProxyConfig(name string, sample []byte) bool {
	if strings.HasSuffix(name, "haproxy.cfg") {
		return true
	}
	section, known := false, false
	for line := range bytes.Lines(sample) {
		words := bytes.Fields(line)
		if len(words) < 2 || bytes.HasSuffix(words[len(words)-1], []byte{';'}) || bytes.HasSuffix(words[len(words)-1], []byte{'{'}) {
			continue
		}
		switch string(words[0]) {
		case "frontend", "backend", "listen":
			section = section || line[0] != ' ' && line[0] != '\t'
		case "timeout", "bind", "default_backend":
			known = true
		case "server":
			known = known || len(words) > 2
		}
	}
	return section && known
}

// haproxyConfig is the reader of a file.
type haproxyConfig struct {
	file     string
	settings []gatepost.Setting
	defaults map[string][]gatepost.Setting // of each defaults section by its name, "" for the last one
	kind     string                        // of the section
	name     string
	own      []gatepost.Setting // of the section
	from     string             // the defaults that hold for it
}

func readHAProxyConfig(file string, data []byte) (all []gatepost.Setting, err error) {
	r := haproxyConfig{file: file, defaults: make(map[string][]gatepost.Setting)}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		words := haproxyWords(line)
		if len(words) == 0 {
			continue
		}
		if slices.Contains(haproxySections, words[0]) {
			r.end()
			r.begin(words)
			continue
		}
		if problem := r.keyword(words, number); problem != "" && err == nil {
			err = fmt.Errorf("%s:%d: %s", file, number, problem)
		}
	}
	r.end()
	return r.settings, err
}

// haproxyWords splits a line at blanks outside of quotes, up to a comment.
func haproxyWords(line []byte) (words []string) {
	var word []byte
	inside, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\n' || c == '\r':
		case quote == 0 && c == '#':
			line = line[:i]
		case quote == 0 && (c == ' ' || c == '\t'):
			if inside {
				words = append(words, string(word))
			}
			word, inside = word[:0], false
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote != '\'' && c == '\\' && i+1 < len(line):
			i++
			word, inside = append(word, line[i]), true
		default:
			word, inside = append(word, c), true
		}
	}
	if inside {
		words = append(words, string(word))
	}
	return words
}

// begin opens a section: "backend odoo from web".
func (r *haproxyConfig) begin(words []string) {
	r.kind, r.name, r.own, r.from = words[0], "", nil, ""
	if len(words) > 1 {
		r.name = words[1]
	}
	if len(words) > 3 && words[2] == "from" {
		r.from = words[3]
	}
}

// end keeps what a section says, and what its defaults say where it says nothing.
func (r *haproxyConfig) end() {
	switch r.kind {
	case "defaults":
		r.defaults[""] = r.own
		if r.name != "" {
			r.defaults[r.name] = r.own
		}
	case "backend", "listen":
		for _, x := range r.defaults[r.from] {
			if !slices.ContainsFunc(r.own, func(o gatepost.Setting) bool { return o.Name == x.Name }) {
				r.own = append(r.own, x)
			}
		}
		for _, x := range r.own {
			x.Scope = r.name + "/" + x.Scope
			r.settings = append(r.settings, x)
		}
	}
}

// keyword reads a line of a section, and says what is wrong with it.
func (r *haproxyConfig) keyword(words []string, line int) (problem string) {
	x := gatepost.Setting{Program: "haproxy", Name: words[0], File: r.file, Line: line}
	switch {
	case words[0] == "timeout" && len(words) == 2:
		return "a timeout without a time"
	case words[0] == "timeout" && len(words) > 2 && slices.Contains(haproxyTimeouts, words[1]):
		x.Name, x.Value = "timeout "+words[1], words[2]
	case words[0] == "retries" && len(words) > 1:
		x.Value = words[1]
	case words[0] == "server" && r.kind != "backend" && r.kind != "listen":
		return ""
	case words[0] == "server" && len(words) < 3:
		return "a server without an address"
	case words[0] == "server":
		x.Scope, x.Value = words[1]+"/", serverValue(words[2:])
	default:
		return ""
	}
	r.own = append(r.own, x)
	return ""
}

// serverValue is the address of a server and how many connections it may have. What else stands there may be a secret.
func serverValue(words []string) string {
	value := words[0]
	if i := slices.Index(words, "maxconn"); i > 0 && i+1 < len(words) {
		value += " maxconn " + words[i+1]
	}
	return value
}

package parser

import (
	"bytes"
	"fmt"
	"strings"

	"gatepost"
)

// The reader of nginx.conf and the files that it includes. An include is recorded, not
// followed: which files are at hand is the caller's business. The scope of a location is its
// path; a regex location is "~ regex" and an exact one "= path", which are no prefix of any path.
var _ = RegisterConfig(Config{
	Name:  "nginx.conf",
	Doc:   "nginx.conf, sites-available/*, conf.d/*: timeouts, upstream servers, formats and places of logs",
	Sniff: sniffNginxConfig,
	Read:  readNginxConfig,
})

// nginxSettings are the directives that become Settings.
var nginxSettings = map[string]bool{
	"access_log": true, "error_log": true, "include": true, "log_format": true,
	"proxy_pass": true, "proxy_next_upstream": true, "proxy_next_upstream_tries": true,
	"proxy_next_upstream_timeout": true, "proxy_read_timeout": true, "proxy_connect_timeout": true,
	"proxy_send_timeout": true, "proxy_buffer_size": true, "proxy_request_buffering": true,
	"proxy_ignore_client_abort": true, "proxy_intercept_errors": true,
	"uwsgi_read_timeout": true, "fastcgi_read_timeout": true,
	"keepalive": true, "client_max_body_size": true, "worker_connections": true,
}

// foreignBlocks hold no directives of the HTTP proxy: pairs of a map, or another protocol.
var foreignBlocks = map[string]bool{
	"map": true, "geo": true, "types": true, "split_clients": true, "charset_map": true, "match": true,
	"stream": true, "mail": true,
}

func sniffNginxConfig(name string, sample []byte) bool {
	if strings.HasSuffix(name, "nginx.conf") {
		return true
	}
	for line := range bytes.Lines(sample) {
		words := bytes.Fields(line)
		if len(words) < 2 {
			continue
		}
		last := words[len(words)-1]
		switch string(words[0]) {
		case "server", "http", "events", "upstream", "location":
			if last[len(last)-1] == '{' || last[len(last)-1] == '}' {
				return true
			}
		case "proxy_pass", "access_log", "error_log", "proxy_read_timeout":
			if last[len(last)-1] == ';' {
				return true
			}
		case "log_format":
			return true
		}
	}
	return false
}

func readNginxConfig(file string, data []byte) ([]gatepost.Setting, error) {
	r := nginxConfReader{file: file, data: data, line: 1}
	err := r.block("", "", false, 0)
	return r.settings, err
}

type nginxConfReader struct {
	file     string
	data     []byte // what is left
	line     int
	settings []gatepost.Setting
}

// maxDepth bounds nested blocks.
const maxDepth = 100

// block reads directives up to the closing brace of a block, or the end of the file at depth 0.
// inside is the name of the block that upstream servers and scopes depend on; mute blocks give
// no settings.
func (r *nginxConfReader) block(inside, scope string, mute bool, depth int) error {
	if depth > maxDepth {
		return r.errorf(r.line, "blocks are nested too deep")
	}
	start := r.line
	for {
		words, line, end, err := r.directive()
		if err != nil {
			return err
		}
		switch {
		case end == 0 && depth > 0:
			return r.errorf(start, "block is not closed")
		case end == '}' && depth == 0:
			return r.errorf(line, `unexpected "}"`)
		case end == 0, end == '}':
			return nil
		case end == ';' && !mute:
			r.add(words, inside, scope, line)
		case end == '{':
			name, inner := words[0], blockScope(words, scope)
			if err := r.block(name, inner, mute || foreignBlocks[name], depth+1); err != nil {
				return err
			}
		}
	}
}

// blockScope is the scope inside a block.
func blockScope(words []string, outer string) string {
	switch {
	case words[0] == "upstream" && len(words) > 1:
		return words[1]
	case words[0] != "location" || len(words) < 2:
		return outer
	case words[1] == "^~" && len(words) > 2:
		return words[2]
	}
	return strings.Join(words[1:], " ")
}

func (r *nginxConfReader) add(words []string, inside, scope string, line int) {
	name, args := words[0], words[1:]
	value := strings.Join(args, " ")
	switch {
	case name == "server" && inside == "upstream":
		name = "upstream_server"
	case !nginxSettings[name] || len(args) == 0:
		return
	case name == "log_format":
		value = logFormatValue(args)
	}
	r.settings = append(r.settings, gatepost.Setting{Program: "nginx", Name: name, Value: value, Scope: scope, File: r.file, Line: line})
}

// logFormatValue joins the strings of a log_format as nginx does: without anything in between.
func logFormatValue(args []string) string {
	escape, texts := "default", args[1:]
	if len(texts) > 0 && strings.HasPrefix(texts[0], "escape=") {
		escape, texts = strings.TrimPrefix(texts[0], "escape="), texts[1:]
	}
	return args[0] + " escape=" + escape + " " + strings.Join(texts, "")
}

// NginxFormatOf turns the Setting of a log_format back into what it says; ok is false for any
// other Setting.
func NginxFormatOf(s gatepost.Setting) (f NginxFormat, ok bool) {
	if s.Program != "nginx" || s.Name != "log_format" {
		return f, false
	}
	name, rest, _ := strings.Cut(s.Value, " escape=")
	escape, text, ok := strings.Cut(rest, " ")
	return NginxFormat{Name: name, Escape: escape, Text: text}, ok
}

// directive reads the words of one directive, the line of the first, and what ends it: ';', '{',
// '}', or 0 at the end of the file.
func (r *nginxConfReader) directive() (words []string, line int, end byte, err error) {
	for {
		r.skipSpace()
		if len(words) == 0 {
			line = r.line
		}
		if len(r.data) == 0 {
			if len(words) > 0 {
				return nil, line, 0, r.errorf(line, "directive %q is not ended by \";\"", words[0])
			}
			return nil, line, 0, nil
		}
		c := r.data[0]
		switch c {
		case ';', '{', '}':
			r.data = r.data[1:]
			if c == '}' && len(words) > 0 {
				return nil, line, c, r.errorf(line, "directive %q is not ended by \";\"", words[0])
			}
			if c != '}' && len(words) == 0 {
				return nil, line, c, r.errorf(line, "unexpected %q", string(c))
			}
			return words, line, c, nil
		case '"', '\'':
			word, err := r.quotedWord(c)
			if err != nil {
				return nil, line, 0, err
			}
			words = append(words, word)
		default:
			words = append(words, r.word())
		}
	}
}

// skipSpace skips blanks and comments.
func (r *nginxConfReader) skipSpace() {
	for len(r.data) > 0 {
		switch r.data[0] {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		case '#':
			r.data = r.data[lineEnd(r.data):]
			r.line++
			continue
		default:
			return
		}
		r.data = r.data[1:]
	}
}

// quotedWord reads a word in quotes.
func (r *nginxConfReader) quotedWord(quote byte) (string, error) {
	start := r.line
	var word []byte
	for i := 1; i < len(r.data); i++ {
		c := r.data[i]
		switch {
		case c == quote:
			r.data = r.data[i+1:]
			return string(word), nil
		case c == '\\' && i+1 < len(r.data):
			i++
			word = appendEscape(word, r.data[i])
			c = r.data[i]
		default:
			word = append(word, c)
		}
		if c == '\n' {
			r.line++
		}
	}
	return "", r.errorf(start, "quote is not closed")
}

// word reads a word without quotes. A brace in ${name} does not end it.
func (r *nginxConfReader) word() string {
	var word []byte
	i := 0
	for ; i < len(r.data); i++ {
		c := r.data[i]
		if c == '\\' && i+1 < len(r.data) {
			i++
			if r.data[i] == '\n' {
				r.line++
			}
			word = appendEscape(word, r.data[i])
			continue
		}
		if c == '$' && i+1 < len(r.data) && r.data[i+1] == '{' {
			word = append(word, "${"...)
			i++
			continue
		}
		if c == '}' && bytes.LastIndexByte(word, '{') > bytes.LastIndexByte(word, '}') {
			word = append(word, c)
			continue
		}
		if strings.IndexByte(" \t\r\n;{}", c) >= 0 {
			break
		}
		word = append(word, c)
	}
	r.data = r.data[i:]
	return string(word)
}

// appendEscape appends what a backslash and c stand for. Before anything else the backslash
// stays, as regexes need it.
func appendEscape(word []byte, c byte) []byte {
	switch c {
	case '"', '\'', '\\':
		return append(word, c)
	case 't':
		return append(word, '\t')
	case 'r':
		return append(word, '\r')
	case 'n':
		return append(word, '\n')
	}
	return append(word, '\\', c)
}

func (r *nginxConfReader) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{r.file, line}, args...)...)
}

package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// variable is a value of an access line that is worth reading.
type variable uint8

const (
	varNone variable = iota
	varMsec
	varTime
	varStatus
	varRequest
	varMethod
	varURI  // as the client sent it
	varPath // after rewriting
	varClient
	varBytes
	varDuration
	varUpAddr
	varUpStatus
	varUpConnect
	varUpHeader
	varUpResponse
	varCount
)

// number reports whether values of v begin with a digit.
func (v variable) number() bool {
	return v == varMsec || v == varTime || v == varStatus || v == varBytes || v == varDuration
}

// variableOf knows the variables of nginx, and the names that people give them in key=value and
// JSON logs. A forwarded address is no client here: whoever sends a request can write one.
func variableOf(name []byte) variable {
	switch string(name) {
	case "msec", "time_msec", "time_epoch", "epoch":
		return varMsec
	case "time_local", "time_iso8601", "time", "@timestamp", "timestamp", "ts", "date", "datetime", "time_iso8601_ms", "@time", "local_time":
		return varTime
	case "status", "status_code", "statuscode", "response_status", "response_code", "http_status", "code", "st":
		return varStatus
	case "request", "request_line", "req", "http_request":
		return varRequest
	case "request_method", "method", "verb", "http_method":
		return varMethod
	case "request_uri", "url", "request_url":
		return varURI
	case "uri", "path", "request_path", "document_uri":
		return varPath
	case "remote_addr", "remote_ip", "remoteip", "client", "client_ip", "clientip", "client_addr", "remote", "ip", "the_real_ip":
		return varClient
	case "body_bytes_sent", "bytes_sent", "bytes", "size", "body_bytes", "response_size":
		return varBytes
	case "request_time", "rt", "req_time", "response_time", "responsetime", "duration", "request_duration", "latency":
		return varDuration
	case "upstream_addr", "ua", "upstream", "upstream_address", "upstream_host", "upstreamhost", "uaddr":
		return varUpAddr
	case "upstream_status", "us", "ustatus", "upstream_code":
		return varUpStatus
	case "upstream_connect_time", "uct", "upstream_connect", "uconnect":
		return varUpConnect
	case "upstream_header_time", "uht", "upstream_header", "uheader":
		return varUpHeader
	case "upstream_response_time", "urt", "ut", "upstream_time", "upstreamtime", "upstream_response", "urtime":
		return varUpResponse
	}
	return varNone
}

// accessLine holds the values of one line; they are pieces of it. A value is nil when the format
// does not log it.
type accessLine [varCount][]byte

// learn takes a value found by its name. The first of a name counts, unless it was empty: what
// follows may have been written by a stranger. It reports whether the name is known.
func (l *accessLine) learn(name, value []byte) bool {
	v := variableOf(name)
	if v == varNone || (v == varUpAddr && !address(value)) {
		return false
	}
	if len(l[v]) == 0 || string(l[v]) == "-" {
		l[v] = value
	}
	return true
}

// address tells addresses of upstream servers from user agents, which are called "ua" as well.
func address(s []byte) bool {
	first, _ := nextTry(s)
	if hasPrefix(first, "unix:") {
		return true
	}
	for _, c := range first {
		if !letter(c) && c-'0' > 9 && bytes.IndexByte([]byte(".:-_[]"), c) < 0 {
			return false
		}
	}
	return true
}

// learnFields reads the key=value and key="value" fields that people append to a format, and
// skips what is none. known is the number of fields whose name it knows.
func (l *accessLine) learnFields(s []byte) (known int) {
	for len(s) > 0 {
		switch s[0] {
		case ' ', '\t', ',', ';', '|':
			s = s[1:]
			continue
		case '"':
			_, s = quoted(s)
			continue
		}
		n := 0
		for n < len(s) && (letter(s[n]) || s[n] == '_' || s[n]-'0' <= 9) {
			n++
		}
		if n == 0 || n == len(s) || s[n] != '=' {
			s = s[wordEnd(s):]
			continue
		}
		var value []byte
		name := s[:n]
		if s = s[n+1:]; len(s) > 0 && s[0] == '"' {
			value, s = quoted(s)
		} else {
			end := listEnd(s)
			value, s = s[:end], s[end:]
		}
		if l.learn(name, value) {
			known++
		}
	}
	return known
}

// quoted splits a string that begins with a quote behind its closing quote.
func quoted(s []byte) (value, rest []byte) {
	for i := 1; ; {
		j := bytes.IndexByte(s[i:], '"')
		if j < 0 {
			return s[1:], nil
		}
		i += j
		if !escaped(s, i) {
			return s[1:i], s[i+1:]
		}
		i++
	}
}

// escaped reports whether the byte at i of a quoted string stands behind an odd number of
// backslashes.
func escaped(s []byte, i int) bool {
	n := 0
	for i-1-n > 0 && s[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// wordEnd is the end of the word that s begins with, at least 1.
func wordEnd(s []byte) int {
	if i := bytes.IndexByte(s[1:], ' '); i >= 0 {
		return 1 + i
	}
	return len(s)
}

// listEnd is the end of an unquoted list of values that s begins with.
func listEnd(s []byte) int {
	for i := 0; ; i++ {
		j := bytes.IndexByte(s[i:], ' ')
		if j < 0 {
			return len(s)
		}
		if i += j; !insideList(s, i) {
			return i
		}
	}
}

// insideList reports whether the blank at i belongs to a separator of a list: ", " stands between
// tries, " : " between groups of tries.
func insideList(s []byte, i int) bool {
	if i == 0 {
		return false
	}
	return s[i-1] == ',' || hasPrefix(s[i:], " : ") || (s[i-1] == ':' && i > 1 && s[i-2] == ' ')
}

// maxAttempts bounds what a line can make an event grow to.
const maxAttempts = 64

// attempts makes tries of the upstream lists: nil when none is logged, empty when no server was
// tried.
func (l *accessLine) attempts() []gatepost.Attempt {
	lists := [...][]byte{l[varUpAddr], l[varUpStatus], l[varUpConnect], l[varUpHeader], l[varUpResponse]}
	logged, tried := false, false
	for _, list := range lists {
		logged = logged || list != nil
		tried = tried || (len(list) > 0 && string(list) != "-")
	}
	if !logged {
		return nil
	}
	all := []gatepost.Attempt{}
	for tried && len(all) < maxAttempts {
		var one [len(lists)][]byte
		tried = false
		for i, list := range lists {
			one[i], lists[i] = nextTry(list)
			tried = tried || len(lists[i]) > 0
		}
		status, _ := atoi(one[1])
		a := gatepost.Attempt{Status: int(status) % 1000, Connect: duration(one[2]), Header: duration(one[3]), Response: duration(one[4])}
		if string(one[0]) != "-" {
			a.Addr = clip(one[0])
		}
		all = append(all, a)
	}
	return all
}

// nextTry takes the first value of a list.
func nextTry(list []byte) (value, rest []byte) {
	for i := 0; i < len(list); i++ {
		if list[i] == ',' && i+1 < len(list) && list[i+1] == ' ' {
			return list[:i], list[i+2:]
		}
		if list[i] == ' ' && hasPrefix(list[i:], " : ") {
			return list[:i], list[i+3:]
		}
	}
	return list, nil
}

// duration reads seconds with a fraction, Unknown when s is "-" or empty.
func duration(s []byte) time.Duration {
	d, n := seconds(s)
	if n == 0 {
		return gatepost.Unknown
	}
	return d
}

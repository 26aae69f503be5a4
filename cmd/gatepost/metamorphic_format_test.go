package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"
)

// Transformations of how lines are written.

// access is one line of the access log.
type access struct {
	client, user, time, request, status, bytes, referer, agent string
	// The rest is not in every format: seconds since 1970, duration, and of the tries the times
	// of connection, header and answer, the addresses and the statuses.
	msec, rt, uct, uht, urt, ua, us string
}

var accessLine = regexp.MustCompile(`^(\S+) - (\S+) \[([^\]]+)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"` +
	`(?: rt=(\S+) uct="([^"]*)" uht="([^"]*)" urt="([^"]*)" ua="([^"]*)" us="([^"]*)")?$`)

// parseAccess reads a line in one of the three formats of the incidents.
func parseAccess(text string) (access, bool) {
	if m := accessLine.FindStringSubmatch(text); m != nil {
		return access{m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], "", m[9], m[10], m[11], m[12], m[13], m[14]}, true
	}
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&fields) != nil {
		return access{}, false
	}
	get := func(name string) string { return fmt.Sprint(fields[name]) }
	a := access{
		client: get("remote_addr"), user: "-", status: get("status"), bytes: get("body_bytes_sent"),
		request: get("request_method") + " " + get("request_uri") + " " + get("server_protocol"),
		referer: cmp.Or(get("http_referer"), "-"), agent: get("http_user_agent"),
		msec: get("msec"), rt: get("request_time"), uct: get("upstream_connect_time"), uht: get("upstream_header_time"),
		urt: get("upstream_response_time"), ua: get("upstream_addr"), us: get("upstream_status"),
	}
	t, err := time.Parse(stampISO.layout, get("time_iso8601"))
	a.time = t.Format(stampCommon.layout)
	return a, err == nil
}

// format is a log_format of nginx: its definition for nginx.conf, and a line in it.
type format struct {
	name       string
	definition func(a access) string
	line       func(a access) string
}

var combinedFormat = format{
	name:       "combined",
	definition: func(access) string { return "" }, // nginx has it built in
	line: func(a access) string {
		return fmt.Sprintf(`%s - %s [%s] "%s" %s %s "%s" "%s"`, a.client, a.user, a.time, a.request, a.status, a.bytes, a.referer, a.agent)
	},
}

var jsonFormat = format{
	name: "structured",
	definition: func(a access) string {
		a = access{"$remote_addr", "-", "$time_iso8601", "$request", "$status", "$body_bytes_sent", "$http_referer", "$http_user_agent",
			variable(a.msec, "$msec"), variable(a.rt, "$request_time"), "$upstream_connect_time", "$upstream_header_time",
			"$upstream_response_time", "$upstream_addr", "$upstream_status"}
		return "  log_format structured escape=json '" + jsonLine(a) + "';"
	},
	line: func(a access) string {
		t, err := time.Parse(stampCommon.layout, a.time)
		if err != nil {
			return ""
		}
		a.time = t.Format(stampISO.layout)
		return jsonLine(a)
	},
}

func variable(has, name string) string {
	if has == "" {
		return ""
	}
	return name
}

// jsonLine writes what is known of a request in the order that nginx.conf would have it.
func jsonLine(a access) string {
	fields := []string{
		quoted("time", a.time), quoted("client", a.client), quoted("request", a.request),
		`"status":` + a.status, `"bytes":` + a.bytes, quoted("referer", strings.TrimPrefix(a.referer, "-")), quoted("agent", a.agent),
	}
	if a.msec != "" {
		fields = append(fields, quoted("msec", a.msec))
	}
	if a.rt != "" {
		fields = append(fields, `"request_time":`+a.rt, quoted("upstream_connect_time", a.uct), quoted("upstream_header_time", a.uht),
			quoted("upstream_response_time", a.urt), quoted("upstream_addr", a.ua), quoted("upstream_status", a.us))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func quoted(name, value string) string {
	return fmt.Sprintf(`"%s":"%s"`, name, value)
}

var (
	accessLogDirective = regexp.MustCompile(`(access_log \S+) \w+;`)
	logFormatDirective = regexp.MustCompile(`(?s)\s*log_format [^;]*;`)
)

// reformat writes the access log in another format, and nginx.conf, if it is there, for it. A log
// that has the format already stays as it is.
func reformat(to format) func(folder, *rand.Rand) {
	return func(f folder, _ *rand.Rand) {
		first, ok := parseAccess(f["access.log"][0].text)
		isJSON := strings.HasPrefix(f["access.log"][0].text, "{")
		if !ok || isJSON == (to.name == jsonFormat.name) && (isJSON || first.rt == "") {
			return
		}
		f.edit("access.log", func(text string) string {
			a, ok := parseAccess(text)
			if !ok {
				return text
			}
			return to.line(a)
		})
		conf, had := f["nginx.conf"]
		if !had {
			return
		}
		var texts []string
		for _, l := range conf {
			texts = append(texts, l.text)
		}
		text := logFormatDirective.ReplaceAllString(strings.Join(texts, "\n"), "")
		text = accessLogDirective.ReplaceAllString(text, "$1 "+to.name+";")
		text = strings.Replace(text, "http {\n", "http {\n"+to.definition(first)+"\n", 1)
		f["nginx.conf"] = nil
		for text := range strings.SplitSeq(text, "\n") {
			f["nginx.conf"] = append(f["nginx.conf"], line{text: text})
		}
	}
}

// otherPrefix writes PostgreSQL's log with the prefix '%t [%p]: user=%u,db=%d,app=%a,client=%h '
// instead of '%m [%p] %q%u@%d '.
func otherPrefix(f folder, _ *rand.Rand) {
	f.edit("postgresql.log", func(text string) string {
		m := pgHead.FindStringSubmatch(text)
		if m == nil || m[2] == "" {
			return text
		}
		client := ""
		if m[6] != "" {
			client = "127.0.0.1"
		}
		return fmt.Sprintf("%s %s [%s]: user=%s,db=%s,app=,client=%s %s", m[1], m[3], m[4], m[6], m[7], client, text[len(m[0]):])
	})
}

// pgZone writes PostgreSQL's stamps in a zone of that offset and name.
func pgZone(offset time.Duration, name string) func(folder, *rand.Rand) {
	// Only the stamps of lines are moved: one within a message has its own zone behind it.
	head := regexp.MustCompile(`^(\S+ \d\d:\d\d:\d\d(?:\.\d{3})?) (UTC|[+-]\d\d(?::?\d\d)?) `)
	return func(f folder, _ *rand.Rand) {
		f.edit("postgresql.log", func(text string) string {
			m := head.FindStringSubmatch(text)
			if m == nil {
				return text
			}
			layout := stampPg.layout
			if strings.Contains(m[1], ".") {
				layout = stampPgMillis.layout
			}
			t, err := time.Parse(layout+" Z0700", m[1]+" "+strings.Replace(m[2]+"00", "UTC00", "Z", 1))
			if err != nil {
				return text
			}
			return t.UTC().Add(offset).Format(layout) + " " + name + text[len(m[0])-1:]
		})
	}
}

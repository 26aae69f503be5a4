package parser

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// TestAccessRoundTrip writes requests as nginx would, under each kind of format, and reads them
// back. The paths are random bytes: whatever a stranger sends, no line is lost and no field of
// another line's is believed.
func TestAccessRoundTrip(t *testing.T) {
	formats := []struct {
		NginxFormat
		told    bool // by the configuration
		dialect string
		hides   string // what the format does not log
	}{
		{NginxFormat{Text: builtin("combined")}, false, "combined", "duration upstream"},
		{NginxFormat{Text: "$host:$server_port " + builtin("combined")}, false, "combined", "duration upstream"},
		{NginxFormat{Text: builtin("combined") + ` rt=$request_time ua="$upstream_addr" us="$upstream_status"`}, false, "combined+fields", ""},
		{NginxFormat{Text: builtin("combined") + ` "$http_x_forwarded_for" rt=$request_time us=$upstream_status ua=$upstream_addr`}, false, "combined+fields", ""},
		{NginxFormat{Text: builtin("ingress")}, false, "ingress", ""},
		{NginxFormat{Escape: "json", Text: `{"ua": "$http_user_agent", "time": "$time_iso8601", "ip": "$remote_addr", "request": "$request", "status": $status, "rt": $request_time, "upstream_addr": "$upstream_addr", "us": $upstream_status}`}, false, "json", ""},
		{NginxFormat{Text: `{"time":"$time_local","remote_addr":"$remote_addr","request":"$request","status":"$status","request_time":"$request_time","upstream_addr":"$upstream_addr","upstream_status":"$upstream_status"}`}, false, "json", ""},
		{NginxFormat{Name: "x", Text: `$http_user_agent|$request|$status|$time_local|$remote_addr|$request_time|$upstream_addr|$upstream_status`}, true, "log_format x", ""},
		{NginxFormat{Name: "x", Text: `$upstream_addr,$upstream_status,$request_time,$remote_addr,$time_iso8601,$status,$request`}, true, "log_format x", ""},
		{NginxFormat{Name: "x", Escape: "json", Text: `{"t":"$msec","s":"$status","c":"$remote_addr","r":"$request","d":"$request_time","a":"$upstream_addr","u":"$upstream_status"}`}, true, "log_format x", ""},
	}
	for _, f := range formats {
		t.Run(f.dialect, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 2))
			var log bytes.Buffer
			var want []string
			for range 300 {
				r := randomRequest(rnd, !f.told)
				log.WriteString(render(f.NginxFormat, r))
				log.WriteByte('\n')
				want = append(want, r.describe(f.hides))
			}
			o := &Options{}
			if f.told {
				o.NginxFormats = []NginxFormat{f.NginxFormat}
			}
			p := Detect(log.Bytes(), o)
			if p == nil || p.Format != nginxAccess || p.Dialect != f.dialect {
				t.Fatalf("taken for %+v\n%s", p, log.Bytes()[:500])
			}
			var out gatepost.Batch
			p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: log.Bytes()}, &out)
			if len(out.Requests) != len(want) || len(out.Events) != len(want) || out.UnparsedLines > 0 {
				t.Fatalf("%d requests and %d events of %d lines, %d unparsed", len(out.Requests), len(out.Events), len(want), out.UnparsedLines)
			}
			for i, e := range out.Events {
				if got := describeRequest(&e); got != want[i] {
					t.Fatalf("line %s\nread as %s\nwant    %s", e.Text, got, want[i])
				}
				if q := out.Requests[i]; q.Key != e.Key || q.Client != gatepost.HashOf(e.Client) || q.Ref != e.Ref {
					t.Fatalf("request %+v and event %+v differ", q, e)
				}
			}
		})
	}
}

// builtin is the text of a format that is known without configuration.
func builtin(name string) string {
	const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	if name == "combined" {
		return combined
	}
	return combined + ` $request_length $request_time [$proxy_upstream_name] [] $upstream_addr 0 $upstream_response_time $upstream_status $req_id`
}

type fakeRequest map[string]string

func randomRequest(rnd *rand.Rand, pipes bool) fakeRequest {
	pick := func(all ...string) string { return all[rnd.IntN(len(all))] }
	path := []byte("/")
	for range rnd.IntN(40) {
		path = append(path, pick("a", "7", "/", "%41", `"`, `\`, " 502 ", `" 504 1 "`, "{", "}", "\x00", "é", "\xff", "=", "rt=9", "&", "?")...)
	}
	if pipes {
		path = append(path, pick("", "|", ",", `","status":"200`)...)
	}
	at := time.Date(2026, 11, 22, 14, 8, rnd.IntN(60), 0, time.FixedZone("", 3600))
	addr, status := pick("10.0.0.1:8069|502", "[::1]:8069, 10.0.0.1:8069|502, 504", "unix:/run/odoo.sock : odoo|504 : 502", "-|-"), ""
	addr, status, _ = strings.Cut(addr, "|")
	took := pick("0.000", "60.001")
	tried := took
	if addr == "-" {
		tried = "-"
	}
	return fakeRequest{
		"request": pick("GET", "POST", "M-SEARCH") + " " + string(path) + " HTTP/1.1", "path": string(path),
		"status": pick("502", "504"), "remote_addr": pick("203.0.113.7", "2001:db8::17", "unix:"),
		"time_local": at.Format("02/Jan/2006:15:04:05 -0700"), "time_iso8601": at.Format("2006-01-02T15:04:05-07:00"), "msec": fmt.Sprintf("%d.000", at.Unix()),
		"request_time": took, "upstream_response_time": tried, "upstream_addr": addr, "upstream_status": status, "host": "odoo.example.com", "server_port": "443",
		"http_user_agent": pick("Mozilla/5.0 (X11; Linux x86_64)", `"quoted"`, ""), "body_bytes_sent": "157", "request_length": "700",
	}
}

func (r fakeRequest) describe(hidden string) string {
	s := fmt.Sprintf("%s %s %s %.1000q", r["msec"][:10], r["status"], r["remote_addr"], strings.ToValidUTF8(r["path"], "�"))
	if !strings.Contains(hidden, "duration") {
		s += " " + r["request_time"]
	}
	if !strings.Contains(hidden, "upstream") && r["upstream_addr"] != "-" {
		s += strings.ReplaceAll(" "+r["upstream_addr"]+" "+r["upstream_status"], " : ", ", ")
	}
	return s
}

func describeRequest(e *gatepost.Event) string {
	s := fmt.Sprintf("%d %d %s %.1000q", e.Time.Second(), e.Status, e.Client, e.Path)
	if e.Duration != gatepost.Unknown {
		s += fmt.Sprintf(" %.3f", e.Duration.Seconds())
	}
	if len(e.Attempts) > 0 {
		var statuses []string
		for _, a := range e.Attempts {
			statuses = append(statuses, fmt.Sprint(a.Status))
		}
		s += " " + e.Upstream + " " + strings.Join(statuses, ", ")
	}
	return s
}

// render writes a line as nginx does.
func render(f NginxFormat, values fakeRequest) string {
	var line strings.Builder
	literal, name, rest := nextVariable([]byte(f.Text))
	for line.Write(literal); name != nil; line.Write(literal) {
		value := values[string(name)]
		if value == "" && f.Escape != "json" {
			value = "-"
		}
		for i := 0; i < len(value); i++ {
			switch c := value[i]; {
			case f.Escape == "json" && (c == '"' || c == '\\'):
				line.WriteString(`\` + string(c))
			case f.Escape == "json" && c < 0x20:
				fmt.Fprintf(&line, `\u%04X`, c)
			case f.Escape != "json" && (c < 0x20 || c >= 0x7f || c == '"' || c == '\\'):
				fmt.Fprintf(&line, `\x%02X`, c)
			default:
				line.WriteByte(c)
			}
		}
		literal, name, rest = nextVariable(rest)
	}
	return line.String()
}

// Formats that cannot tell a failure, or when it was, are never chosen.
func TestCompileFormat(t *testing.T) {
	for _, text := range []string{``, `plain`, `$status`, `$time_local "$request"`, `[$msec] $upstream_status`} {
		if f, err := compileFormat(NginxFormat{Name: "x", Text: text}); err == nil {
			t.Errorf("%q compiles to %+v", text, f)
		}
	}
}

// The logs of other programs are left to others, although Odoo's request lines look alike.
func TestSniffAccess(t *testing.T) {
	for _, log := range []string{
		"2026-11-22 14:08:41,120 4242 INFO db werkzeug: 203.0.113.7 - - [22/Nov/2026 14:08:41] \"GET / HTTP/1.1\" 200 - 5 0.002 0.005\n",
		"2026/11/22 14:08:41 [error] 1#1: *4 x, client: 1.2.3.4, server: , request: \"GET /203.0.113.7 - - [x] 200 HTTP/1.1\"\n",
		"203.0.113.7 - - [2026-11-22 14:08:41] \"GET /longpolling HTTP/1.1\" 200 4 0.01\n",
		`{"timestamp":"2026-11-22 14:08:41.120 UTC","pid":4242,"error_severity":"LOG","message":"duration: 1.2 ms"}` + "\n",
		"\x00\x00\x00\n",
		"",
	} {
		if score, dialect, _ := sniffAccess([]byte(log), &Options{}); score > 0 {
			t.Errorf("%q scores %d as %s", log, score, dialect)
		}
	}
}

// BenchmarkNginxAccess measures each dialect, with every request another ("distinct") where the
// memory of recent requests cannot help.
//
//	go test -bench NginxAccess ./parser
func BenchmarkNginxAccess(b *testing.B) {
	for _, s := range samples(b, nginxAccess.Name) {
		name := strings.TrimSuffix(s.file[strings.LastIndexByte(s.file, '/')+1:], ".txtar")
		switch name {
		case "ordinary":
			benchmarkAccess(b, name, &s.options, bytes.Repeat(s.log, 1+(1<<20)/len(s.log)))
			benchmarkAccess(b, "distinct", &s.options, distinct(s.log))
		case "fields", "json", "ingress", "log_format":
			benchmarkAccess(b, name, &s.options, bytes.Repeat(ordinaryLines(&s), 1+(1<<18)/len(s.log)))
		}
	}
}

func benchmarkAccess(b *testing.B, name string, o *Options, log []byte) {
	b.Run(name, func(b *testing.B) {
		p := Detect(log, o)
		block := &gatepost.Block{Source: 1, Line: 1, Data: log}
		var out gatepost.Batch
		p.Parse(block, &out)
		b.SetBytes(int64(len(log)))
		b.ReportAllocs()
		for b.Loop() {
			p.Parse(block, &out)
		}
		b.ReportMetric(float64(out.Lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	})
}

// distinct repeats a log of combined lines with a number behind each path.
func distinct(log []byte) []byte {
	var out bytes.Buffer
	for n := 0; out.Len() < 1<<20; {
		for line := range bytes.Lines(log) {
			before, behind, _ := bytes.Cut(line, []byte(" HTTP/"))
			fmt.Fprintf(&out, "%s/%d HTTP/%s", before, n, behind)
			n++
		}
	}
	return out.Bytes()
}

// ordinaryLines are the lines of a sample that become no events.
func ordinaryLines(s *sample) []byte {
	_, dialect, state := sniffAccess(s.log, &s.options)
	p := newParser(nginxAccess, dialect, state, &s.options)
	var lines []byte
	for line := range bytes.Lines(s.log) {
		var out gatepost.Batch
		p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: line}, &out)
		if len(out.Requests) == 1 && len(out.Events) == 0 {
			lines = append(lines, line...)
		}
	}
	return lines
}

// FuzzPlainestLine holds that the one pass over the plainest line reads what the steps of its format do, also
// where lines of other kinds and other seconds stand in between.
//
//	go test -fuzz FuzzPlainestLine ./parser
func FuzzPlainestLine(f *testing.F) {
	const line = `10.20.9.104 - - [21/Nov/2026:20:00:00 +0000] "GET /web/image/7/x?y=%20 HTTP/1.1" 200 2947 "-" "Odoo-Mobile/17.0"` + "\n"
	for _, change := range [][2]string{
		{"", ""}, {"- -", "- admin"}, {":00 +", ":01 +"}, {"+0000", "]0000"}, {"+0000", "+0530"}, {"21/Nov", "41/Nov"}, {"x?y", `x"y`},
		{"200", "20"}, {"2947", "-"}, {"2947", "123456789012345678901"}, {`"-"`, `"a\" "b"`}, {"17.0\"", "17.0"}, {"17.0\"", "17.0\" rt=0.5"},
		{`"-"`, `""`}, {"GET /web/image/7/x?y=%20 HTTP/1.1", "-"}, {"10.20.9.104", "\x00\x00::1"}, {"\n", "\r\n"}, {"200 ", "504 "},
	} {
		f.Add([]byte(line + strings.Replace(line, change[0], change[1], 1) + line))
	}
	for _, s := range samples(f, nginxAccess.Name) {
		f.Add(s.log)
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		read := func(own *logFormat) string {
			p := newParser(nginxAccess, "", &accessDialect{formats: []*logFormat{own, jsonKeys, combined, similar}}, &Options{})
			var out gatepost.Batch
			p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: log}, &out)
			return fmt.Sprintf("%+v", out)
		}
		steps := *combined // equal, but not the one that is read in one pass
		if one, by := read(combined), read(&steps); one != by {
			t.Errorf("%q\nin one pass %s\nstep by step %s", log, one, by)
		}
	})
}

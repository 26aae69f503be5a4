package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// Other proxies in nginx's place: what HAProxy and Traefik would have written of the same requests. They have no error
// log, so what nginx's tells goes into their access lines as far as they tell it, and is gone where they do not.

// passed is a request as another proxy sees it.
type passed struct {
	access
	began    time.Time
	took     time.Duration
	phase    string // why it failed, as nginx's error log says it; "" for a request that did not
	upstream string // the last address that was tried
	server   string // HAProxy's name for it, backend and server: each port is a backend
}

// phrases tell the phase in a line of nginx's error log, the one that says most about a request first.
var phrases = []struct{ phase, says string }{
	{"header_timeout", "timed out) while reading response header from upstream"},
	{"body_timeout", "timed out) while reading upstream"},
	{"premature", "prematurely closed connection"},
	{"reset", "reset by peer"},
	{"protocol", "upstream sent "},
	{"connect_timeout", "timed out) while connecting to upstream"},
	{"no_live", "no live upstreams"},
	{"refused", "connect() failed"},
}

var (
	errorHead   = regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[`)
	errorOf     = regexp.MustCompile(`, client: ([^,]+), .*?request: "([^"]*)`)
	servedLine  = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) .*"([A-Z]+ \S+) HTTP/1`)
	confTimeout = regexp.MustCompile(`proxy_read_timeout\s+(\w+);`)
)

// errorsOf are the lines of nginx's error log by client and request, with its zone's wall clock.
func errorsOf(f folder) map[string][]time.Time {
	all := make(map[string][]time.Time)
	for _, l := range f["error.log"] {
		head, of := errorHead.FindStringSubmatch(l.text), errorOf.FindStringSubmatch(l.text)
		if head == nil || of == nil {
			continue
		}
		at, err := time.Parse("2006/01/02 15:04:05", head[1])
		if err != nil {
			continue
		}
		for _, p := range phrases {
			if strings.Contains(l.text, p.says) {
				key := p.phase + " " + of[1] + " " + of[2]
				all[key] = append(all[key], at)
				break
			}
		}
	}
	return all
}

// servedOf are the ends of requests in Odoo's log by what was asked for.
func servedOf(f folder) map[string][]time.Time {
	all := make(map[string][]time.Time)
	for name, lines := range f {
		for _, l := range lines {
			if m := servedLine.FindStringSubmatch(l.text); m != nil && strings.HasPrefix(name, "odoo") {
				if at, err := time.Parse("2006-01-02 15:04:05,000", m[1]); err == nil {
					all[m[2]] = append(all[m[2]], at)
				}
			}
		}
	}
	return all
}

// asPassed reads the access log of a folder; ok is false where it tells no durations: other proxies do.
func asPassed(f folder) (all []passed, ok bool) {
	failed, served := errorsOf(f), servedOf(f)
	last := make(map[bool]string) // upstream of each kind: nginx names the group where it tries none
	backends, servers := make(map[string]string), make(map[string]string)
	for _, l := range f["access.log"] {
		a, read := parseAccess(l.text)
		rt, err := strconv.ParseFloat(a.rt, 64)
		if !read || err != nil {
			return nil, false
		}
		p := passed{access: a, took: time.Duration(rt*1000+0.5) * time.Millisecond}
		end, err := time.Parse(stampCommon.layout, a.time)
		if err != nil {
			return nil, false
		}
		// nginx's error log is written on its wall clock.
		_, east := end.Zone()
		wall := end.UTC().Add(time.Duration(east) * time.Second)
		for _, x := range phrases {
			times := failed[x.phase+" "+a.client+" "+a.request]
			i := slices.IndexFunc(times, func(t time.Time) bool { return wall.Sub(t).Abs() <= time.Second })
			if i >= 0 && (a.status == "502" || a.status == "504") {
				failed[x.phase+" "+a.client+" "+a.request] = slices.Delete(times, i, i+1)
				p.phase = x.phase
				break
			}
		}
		p.began = precise(end, a, served).Add(-p.took)
		chat := strings.Contains(a.request, "/websocket") || strings.Contains(a.request, "/longpolling/")
		for t := range strings.SplitSeq(a.ua, ", ") {
			if strings.Contains(t, ":") {
				last[chat] = t
			}
		}
		p.upstream = last[chat]
		_, port, _ := strings.Cut(p.upstream, ":")
		if backends[port] == "" {
			backends[port] = fmt.Sprintf("b%d", len(backends)+1)
		}
		if servers[p.upstream] == "" {
			servers[p.upstream] = fmt.Sprintf("%s/s%d", backends[port], len(servers)+1)
		}
		p.server = servers[p.upstream]
		all = append(all, p)
	}
	return all, len(all) > 0
}

// precise is when a request ended, to the millisecond: as nginx's $msec or Odoo's line of it says, else in the middle of the second
// that is told.
func precise(end time.Time, a access, served map[string][]time.Time) time.Time {
	if a.msec != "" {
		if at, err := stampEpoch.parse(a.msec); err == nil {
			return at
		}
	}
	method, path, _ := strings.Cut(a.request, " ")
	path, _, _ = strings.Cut(path, " HTTP/")
	key := method + " " + path
	for i, t := range served[key] {
		if d := t.Sub(end); d >= 0 && d < time.Second && a.status != "504" {
			served[key] = slices.Delete(served[key], i, i+1)
			return t
		}
	}
	return end.Add(500 * time.Millisecond)
}

// haproxyState is how HAProxy ends a request that nginx saw end by a phase: its status and termination state.
var haproxyState = map[string][2]string{
	"header_timeout": {"504", "sH--"}, "body_timeout": {"504", "sD--"}, "premature": {"502", "SH--"}, "reset": {"502", "SH--"},
	"protocol": {"502", "PH--"}, "connect_timeout": {"503", "sC--"}, "refused": {"503", "SC--"}, "no_live": {"503", "SC--"},
}

// haproxyText is the line of option httplog, in a zone that it does not name.
func haproxyText(east time.Duration) func(p passed) string {
	return func(p passed) string {
		status, state, server, retries := p.status, "----", p.server, 0
		ms := p.took.Milliseconds()
		timers := fmt.Sprintf("0/0/0/%d/%d", ms, ms)
		if s, ok := haproxyState[p.phase]; ok {
			status, state = s[0], s[1]
			switch {
			case p.phase == "no_live":
				server, timers = strings.Split(server, "/")[0]+"/<NOSRV>", fmt.Sprintf("0/-1/-1/-1/%d", ms)
			case p.phase == "refused" || p.phase == "connect_timeout":
				timers, retries = fmt.Sprintf("0/0/-1/-1/%d", ms), 3
			default:
				timers = fmt.Sprintf("0/0/0/-1/%d", ms)
			}
		} else if status == "499" {
			status, state, timers = "-1", "CH--", fmt.Sprintf("0/0/0/-1/%d", ms)
		}
		request := strings.NewReplacer("#", "#23", `\x22`, "#22", `\x`, "#").Replace(p.request)
		return fmt.Sprintf(`%s:41000 [%s] web~ %s %s %s %s - - %s 9/9/4/4/%d 0/0 "%s"`, p.client,
			p.began.UTC().Add(east).Format("02/Jan/2006:15:04:05.000"), server, timers, status, p.bytes, state, retries, request)
	}
}

func haproxyInSyslog(p passed) string {
	const east = -3 * hour
	return p.began.Add(p.took).UTC().Add(east).Format(time.Stamp) + " lb1 haproxy[3012]: " + haproxyText(east)(p)
}

// traefikStatus is what Traefik answers by itself: it has no servers that are set aside, as without health checks.
func traefikStatus(p passed) string {
	switch p.phase {
	case "header_timeout", "body_timeout", "connect_timeout":
		return "504"
	case "premature", "reset", "refused", "no_live":
		return "502"
	case "protocol":
		return "500"
	}
	return p.status
}

func traefikText(p passed) string {
	return fmt.Sprintf(`%s - - [%s] "%s" %s %s "%s" "%s" 7 "odoo@docker" "http://%s" %dms`, p.client,
		p.began.UTC().Format(stampCommon.layout), p.request, traefikStatus(p), p.bytes, p.referer, p.agent, p.upstream, p.took.Milliseconds())
}

func traefikJSON(p passed) string {
	method, path, _ := strings.Cut(p.request, " ")
	path, _, _ = strings.Cut(path, " HTTP/")
	status := traefikStatus(p)
	return fmt.Sprintf(`{"ClientAddr":"%s:41000","ClientHost":"%s","DownstreamContentSize":%s,"DownstreamStatus":%s,"Duration":%d,"OriginDuration":%d,`+
		`"OriginStatus":%s,"RequestMethod":"%s","RequestPath":%q,"RouterName":"odoo@docker","ServiceAddr":"%s","StartUTC":"%s","level":"info","msg":"","time":"%s"}`,
		p.client, p.client, p.bytes, status, p.took.Nanoseconds(), p.took.Nanoseconds(), status, method, path, p.upstream,
		p.began.UTC().Format(time.RFC3339Nano), p.began.Add(p.took).Format(time.RFC3339))
}

// notation is one way of another proxy to write an access log.
type notation struct {
	name, doc string
	line      func(passed) string
	conf      func(f folder, all []passed) // adds what it has beside its access lines, nil for nothing
	checks    bool                         // it has lines about servers; where a long history is cut must change nothing then
	// weakens names the incidents in which failures lose their cause, or have one that is not true, with the reason. One that
	// is no longer so must leave the list.
	weakens map[string]string
}

// aside is why an incident of two upstreams is another one with Traefik.
const aside = "nginx left the servers aside for ten seconds when Odoo was back: Traefik, which refuses nobody by itself, would have reached it"

var notations = []notation{
	{name: "haproxy", doc: "option httplog, on a machine in UTC, with haproxy.cfg and lines about servers", line: haproxyText(0), conf: haproxyChecks, checks: true},
	{name: "haproxy_in_India", doc: "the same in another zone, which nothing names, and without haproxy.cfg", line: haproxyText(5*hour + 30*time.Minute), weakens: map[string]string{
		"s-wrong-port": "the log names servers, and only haproxy.cfg tells to which ports these are",
	}},
	{name: "haproxy_in_syslog", doc: "the same behind the heads that rsyslog writes, in a third zone, with haproxy.cfg", line: haproxyInSyslog, conf: haproxyConf},
	{name: "traefik", doc: "Traefik's text form", line: traefikText, weakens: map[string]string{"twoupstreams-d": aside}},
	{name: "traefik_json", doc: "Traefik's JSON", line: traefikJSON, weakens: map[string]string{"twoupstreams-d": aside}},
}

// proxied puts another proxy's access log in nginx's place.
func proxied(write func(passed) string) func(folder, *rand.Rand) {
	return func(f folder, _ *rand.Rand) {
		all, ok := asPassed(f)
		if !ok {
			return
		}
		for i := range f["access.log"] {
			f["access.log"][i].text = write(all[i])
		}
		delete(f, "error.log")
		delete(f, "nginx.conf")
	}
}

// haproxyChecks writes haproxy.cfg, and the lines of HAProxy's checks: a server is found down when nobody was there for two requests
// in a row, and up before the first that it serves again.
func haproxyChecks(f folder, all []passed) {
	haproxyConf(f, all)
	gone := make(map[string]int)
	var lines []line
	for i, l := range f["access.log"] {
		p := all[i]
		away := p.phase == "refused" || p.phase == "no_live"
		if !away && gone[p.server] >= 2 {
			lines = append(lines, line{text: "Server " + p.server + " is UP, reason: Layer4 check passed, check duration: 0ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."})
		}
		lines = append(lines, l)
		if gone[p.server]++; !away {
			gone[p.server] = 0
		}
		if gone[p.server] == 2 {
			backend, _, _ := strings.Cut(p.server, "/")
			lines = append(lines,
				line{text: "Server " + p.server + ` is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 0 backup servers left. 1 sessions active, 0 requeued, 0 remaining in queue.`},
				line{text: "backend " + backend + " has no server available!"})
		}
	}
	f["access.log"] = lines
}

// haproxyConf writes haproxy.cfg with the servers that were tried, and with nginx's patience where nginx.conf tells it.
func haproxyConf(f folder, all []passed) {
	texts := []string{"defaults", "  mode http"}
	for _, l := range f["nginx.conf"] {
		if m := confTimeout.FindStringSubmatch(l.text); m != nil {
			texts = append(texts, "  timeout server "+m[1])
		}
	}
	named := make(map[string]bool)
	for _, p := range all {
		if backend, server, _ := strings.Cut(p.server, "/"); !named[p.server] {
			named[p.server] = true
			texts = append(texts, "backend "+backend, "  server "+server+" "+p.upstream)
		}
	}
	for _, text := range texts {
		f["haproxy.cfg"] = append(f["haproxy.cfg"], line{text: text})
	}
}

// TestOtherProxies puts another proxy in nginx's place: the cause of every failure must be what it was, as far as the other's log
// lets it be told.
func TestOtherProxies(t *testing.T) {
	for _, n := range notations {
		t.Run(n.name, func(t *testing.T) {
			tried := 0
			for _, in := range recorded(t) {
				f := readFolder(t, in)
				all, ok := asPassed(f)
				if !ok {
					continue
				}
				tried++
				for i := range f["access.log"] {
					f["access.log"][i].text = n.line(all[i])
				}
				delete(f, "error.log")
				if n.conf != nil {
					n.conf(f, all)
				}
				delete(f, "nginx.conf")
				t.Run(in.name, func(t *testing.T) {
					t.Parallel()
					weaker := n.weaker(t, in, f)
					switch why := n.weakens[in.name]; {
					case len(weaker) > 0 && why == "":
						t.Errorf("%d of %d verdicts: %s", len(weaker), len(in.truth), strings.Join(weaker, "; "))
					case len(weaker) == 0 && why != "":
						t.Errorf("is no longer weaker: take it out of the list (%s)", why)
					}
				})
			}
			if tried < 30 {
				t.Errorf("only %d incidents tell durations", tried)
			}
		})
	}
}

// weaker are the failures of an incident that the other proxy's log gives no cause, or a false one.
func (n notation) weaker(t *testing.T, in incident, f folder) (all []string) {
	t.Helper()
	dir := t.TempDir()
	f.write(t, dir)
	got := make(map[int]failure)
	whole := analyzed(t, "--status", "502,503,504", dir)
	if n.checks {
		if cut := analyzedAtOnce(t, 3, "--status", "502,503,504", dir); !reflect.DeepEqual(cut, whole) {
			t.Errorf("judged three at once:\n%+v\nelse\n%+v", cut, whole)
		}
	}
	for _, v := range whole.failures {
		got[f[filepath.Base(v.File)][v.Line-1].origin] = v
	}
	text := make(map[int]string)
	for _, l := range f["access.log"] {
		text[l.origin] = l.text
	}
	for line, truth := range in.truth {
		v, listed := got[line]
		if !listed && strings.Contains(text[line], " 500 ") {
			continue // Traefik's word for an answer that it cannot pass on
		}
		switch {
		case !listed:
			all = append(all, fmt.Sprintf("line %d is not in the ledger", line))
		case truth.Blind && (v.Confidence < 0.9 || truth.accepts(v.Cause)), truth.accepts(v.Cause):
		case v.Cause == gatepost.Undetermined:
			all = append(all, fmt.Sprintf("line %d lost %s", line, truth.Cause))
		default:
			all = append(all, fmt.Sprintf("line %d is %s, not %s (%.2f)", line, v.Cause, truth.Cause, v.Confidence))
		}
	}
	slices.Sort(all)
	return all
}

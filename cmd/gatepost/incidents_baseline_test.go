package main

import (
	"cmp"
	"strings"
	"time"

	"gatepost"
)

// Rules of thumb by which people without the program find a cause. The program must be better
// than each of them, or it is not worth its while.

// baseline names the cause of one failing line of the access log.
type baseline struct {
	name  string
	cause func(s *sight, line int) string
}

var baselines = []baseline{
	{"the most frequent cause", func(s *sight, line int) string { return s.usual }},
	{"nginx's message", byMessage},
	{"nearest frightening line", byNearest},
}

// sight is what a rule of thumb sees of an incident.
type sight struct {
	logs    folder
	usual   string // the most frequent cause of all incidents, known by cheating
	scary   []fright
	anyText string
}

// fright is a line that draws the eye.
type fright struct {
	at    time.Time
	cause string
}

// sightOf reads the logs of an incident that keep selects.
func sightOf(all folder, keep func(name string) bool, usual string) *sight {
	s := &sight{logs: make(folder), usual: usual}
	var text strings.Builder
	for _, name := range all.logs() {
		if keep != nil && !keep(name) {
			continue
		}
		s.logs[name] = all[name]
		var last time.Time
		for _, l := range all[name] {
			text.WriteString(l.text + "\n")
			if t, ok := at(name, l.text); ok {
				last = t
			}
			// Neither error.log nor dmesg without -T says when it is.
			if c := frightening(l.text); c != "" && !last.IsZero() && name != "dmesg.txt" && name != "error.log" && name != "access.log" {
				s.scary = append(s.scary, fright{last.Add(-zoneOf(l.text)), c})
			}
		}
	}
	s.anyText = text.String()
	return s
}

// zoneOf is what a line of PostgreSQL is ahead of UTC.
func zoneOf(text string) time.Duration {
	m := pgHead.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	zone, err := time.Parse("-07", m[3])
	if err != nil {
		return 0
	}
	_, offset := zone.Zone()
	return time.Duration(offset) * time.Second
}

// rules map what a line says to a cause; the first that fits decides.
type rules []struct{ says, cause string }

func (r rules) find(text string) string {
	for _, x := range r {
		if strings.Contains(text, x.says) {
			return x.cause
		}
	}
	return ""
}

var frights = rules{
	{"Killed process", "oom_kill"},
	{" timeout after ", "worker_time_limit"},
	{"CPU time limit exceeded", "worker_time_limit"},
	{"Stopping gracefully", "service_down_restart"},
	{"No space left on device", "disk_full"},
	{"MemoryError", "memory_limit"},
	{"ModuleNotFoundError", "service_down_startup_failure"},
	{"ImportError", "service_down_startup_failure"},
	{"OperationalError", "service_down_db_unreachable"},
	{"still waiting for", "lock_wait"},
	{"duration: ", "slow_query"},
	{" CRITICAL ", "service_down_crash"},
	{" FATAL:  ", "service_down_db_unreachable"},
	{" ERROR ", "slow_app_code"},
}

func frightening(text string) string { return frights.find(text) }

var messages = rules{
	{"Connection refused", "service_down_crash"},
	{"Connection reset", "service_down_crash"},
	{"no live upstreams", "service_down_crash"},
	{"prematurely closed", "worker_crash"},
	{"timed out", "proxy_timeout_too_low"},
}

// anywhere are what anybody looks for anywhere in the logs, by what nginx's message alone says.
var anywhere = map[string]rules{
	"service_down_crash":    {{"Killed process", "oom_kill"}, {"Stopping gracefully", "service_down_restart"}},
	"worker_crash":          {{"Killed process", "oom_kill"}, {" timeout after ", "worker_time_limit"}},
	"proxy_timeout_too_low": {{"still waiting for", "lock_wait"}, {"duration: ", "slow_query"}, {" timeout after ", "worker_time_limit"}},
}

func byMessage(s *sight, line int) string {
	c := s.message(line)
	return cmp.Or(anywhere[c].find(s.anyText), c)
}

// message is the cause that nginx's error line suggests, or without one the status.
func (s *sight) message(line int) string {
	text := s.logs["access.log"][line-1].text
	if a, ok := parseAccess(text); ok {
		for _, l := range s.logs["error.log"] {
			if strings.Contains(l.text, "client: "+a.client+",") && strings.Contains(l.text, `"`+a.request+`"`) {
				if c := messages.find(l.text); c != "" {
					return c
				}
			}
		}
	}
	if m := failing.FindStringSubmatch(text); m != nil && m[1] == "504" {
		return "proxy_timeout_too_low"
	}
	return "service_down_crash"
}

// byNearest blames the frightening line nearest in time, within a minute.
func byNearest(s *sight, line int) string {
	t, _ := at("access.log", s.logs["access.log"][line-1].text)
	best := fright{cause: s.message(line)}
	for _, x := range s.scary {
		if gap := t.Sub(x.at).Abs(); gap <= time.Minute && (best.at.IsZero() || gap < t.Sub(best.at).Abs()) {
			best = x
		}
	}
	return best.cause
}

// mostFrequent is the cause that most failures of all incidents have.
func mostFrequent(all []incident) string {
	count := make(map[string]int)
	best := gatepost.Undetermined
	for _, in := range all {
		for _, x := range in.truth {
			if count[x.Cause]++; count[x.Cause] > count[best] {
				best = x.Cause
			}
		}
	}
	return best
}

// guessed adds what a baseline says of an incident.
func (s *score) guessed(in incident, b baseline, seen *sight) {
	for line, x := range in.truth {
		*s = append(*s, scored{in.name, x, b.cause(seen, line), 1})
	}
}

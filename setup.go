package gatepost

import (
	"strconv"
	"strings"
	"time"
)

// Setting is one line of a configuration file that a verdict or a fix can use. Secrets never
// become Settings: the readers of configuration keep only names they know.
type Setting struct {
	Program string // "nginx", "haproxy", "odoo", "postgresql"
	Name    string // "proxy_read_timeout", "workers", "max_connections"
	Value   string // as written
	Scope   string // nginx: the location's path, "" outside; upstream servers: the group's name; HAProxy: "backend/" or "backend/server/"
	File    string
	Line    int
}

// Setup is what the configuration files say.
type Setup []Setting

// Find returns the setting of a program that holds for a path: the longest location wins, the
// last of equals. An empty path finds the widest.
func (s Setup) Find(program, name, path string) (Setting, bool) {
	var best Setting
	found := false
	for _, x := range s {
		if x.Program != program || x.Name != name || !strings.HasPrefix(path, x.Scope) {
			continue
		}
		if !found || len(x.Scope) >= len(best.Scope) {
			best, found = x, true
		}
	}
	return best, found
}

// Number returns an integer setting; ok is false when it is absent or no number.
func (s Setup) Number(program, name string) (n int64, ok bool) {
	x, found := s.Find(program, name, "")
	if !found {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(x.Value), 10, 64)
	return n, err == nil
}

// Duration returns a time setting: nginx's "60s", "2m", "500ms", and plain numbers, which are seconds as Odoo has
// them, but milliseconds where HAProxy does.
func (s Setup) Duration(program, name, path string) (d time.Duration, ok bool) {
	x, found := s.Find(program, name, path)
	if !found {
		return 0, false
	}
	v := strings.TrimSpace(x.Value)
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		if program == "haproxy" {
			n /= 1000
		}
		return time.Duration(n * float64(time.Second)), true
	}
	d, err := time.ParseDuration(strings.ReplaceAll(v, " ", ""))
	return d, err == nil
}

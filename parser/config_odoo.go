package parser

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gatepost"
)

var _ = RegisterConfig(Config{
	Name: "odoo.conf",
	Doc: `Odoo's configuration (odoo.conf, openerp-server.conf, .odoorc): an ini file whose section
[options] holds everything. A value may go on in indented lines. Names are kept as written:
xmlrpc_port became http_port in version 11, longpolling_port became gevent_port in 16.`,
	Sniff: sniffOdooConf,
	Read:  readOdooConf,
})

// odooSettings are the names that a verdict or a fix can use. Passwords are not among them.
var odooSettings = []string{
	"workers", "max_cron_threads",
	"limit_time_cpu", "limit_time_real", "limit_time_real_cron", "limit_time_worker_cron",
	"limit_memory_soft", "limit_memory_hard", "limit_memory_soft_gevent", "limit_memory_hard_gevent", "limit_request",
	"db_maxconn", "db_maxconn_gevent", "db_host", "db_port", "db_name", "db_user",
	"http_port", "xmlrpc_port", "gevent_port", "longpolling_port", "http_interface", "xmlrpc_interface", "proxy_mode",
	"logfile", "log_level", "log_handler",
	"server_wide_modules", "addons_path", "data_dir",
}

// sniffOdooConf wants the section and a name that is Odoo's: other programs have [options] too.
func sniffOdooConf(name string, sample []byte) bool {
	section, known := false, false
	for line := range bytes.Lines(sample) {
		line = bytes.TrimSpace(line)
		section = section || string(line) == "[options]"
		key, _, ok := splitOption(line)
		known = known || ok && (slices.Contains(odooSettings, key) || key == "admin_passwd")
	}
	return section && known
}

// splitOption splits "name = value" or "name: value" at whichever comes first.
func splitOption(line []byte) (name, value string, ok bool) {
	i := bytes.IndexAny(line, "=:")
	if i < 0 {
		return "", "", false
	}
	return strings.ToLower(strings.TrimSpace(string(line[:i]))), strings.TrimSpace(string(line[i+1:])), true
}

// readOdooConf reports the first line it cannot read and goes on behind it.
func readOdooConf(file string, data []byte) (all []gatepost.Setting, err error) {
	report := func(line int, problem string) {
		if err == nil {
			err = fmt.Errorf("%s:%d: %s", file, line, problem)
		}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	section := ""
	indent := -1 // of the option that a deeper line continues, -1 when there is none
	kept := false
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := bytes.TrimSpace(line)
		if len(text) == 0 || text[0] == '#' || text[0] == ';' {
			continue
		}
		depth := len(line) - len(bytes.TrimLeft(line, " \t"))
		if indent >= 0 && depth > indent {
			if kept {
				last := &all[len(all)-1]
				last.Value = strings.TrimSpace(last.Value + " " + string(text))
			}
			continue
		}
		indent, kept = -1, false
		if text[0] == '[' {
			section = string(text)
			continue
		}
		name, value, ok := splitOption(text)
		switch {
		case section == "":
			report(number, "setting outside of any section (put [options] above it)")
			continue
		case section != "[options]":
			continue
		case !ok:
			report(number, "no '=' in this line (a setting is written name = value, a comment begins with # or ;)")
			continue
		}
		indent = depth
		if kept = slices.Contains(odooSettings, name); kept {
			all = append(all, gatepost.Setting{Program: "odoo", Name: name, Value: value, File: file, Line: number})
		}
	}
	return all, err
}

// OdooArguments returns the settings that Odoo's command line makes, which beat those of its configuration file: --limit-time-real=300
// is limit_time_real there.
func OdooArguments(args []string) (all gatepost.Setup) {
	for i, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			value, ok = args[i+1], true
		}
		name, long := strings.CutPrefix(name, "--")
		if a == "-p" {
			name, long = "http_port", true
		}
		if name = strings.ReplaceAll(name, "-", "_"); ok && long && slices.Contains(odooSettings, name) {
			all = append(all, gatepost.Setting{Program: "odoo", Name: name, Value: value})
		}
	}
	return all
}

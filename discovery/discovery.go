// Package discovery finds the logs of a machine without being told anything: where the configuration of what runs there says that
// they lie, where they usually lie, in the journal, and in the kernel's ring buffer.
//
//	processes ──▶ configuration files ──▶ logs that they name ──┐
//	     └──────▶ settings                                      ├──▶ Found
//	usual places of configuration files and of logs ────────────┘
//
// A program is one value in one file: nginx.go says where nginx's configuration lies and what it tells of logs. Nothing is
// read but configuration; what the files that are found are is seen by their content, later.
package discovery

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatepost"
)

// Reader understands configuration: this package knows only where it lies and what its settings mean for logs.
type Reader struct {
	// File returns the settings of a configuration file; ok is false when it is none that is known.
	File func(path string, data []byte) (settings gatepost.Setup, ok bool)
	// OdooArguments returns the settings that a command line of Odoo makes.
	OdooArguments func(args []string) gatepost.Setup
}

// Found is what there is on a machine.
type Found struct {
	Places []Place         // configuration first; no path twice
	Setup  gatepost.Setup  // what the command lines of running programs say
	Errors []error         // what could not be looked at
	Boot   gatepost.Time   // when the machine came up, NoTime when nothing tells
	System bool            // a system log is among the places: syslog's, or a journal's files
	seen   map[string]bool // paths of places
	config map[string]bool // configuration files that were read
	closed map[string]bool // directories that must not be looked into
	reader Reader
	root   string // before all paths
}

// Place is a file or a directory to read.
type Place struct {
	Path string
	Why  string // "/etc/nginx/nginx.conf:41", "command line of process 812"; "" where it is usual
}

// program is how the logs of one program are found.
type program struct {
	name     string   // of its Settings
	binaries []string // names of what runs it
	config   []string // patterns of the paths where its configuration usually lies
	logs     []string // patterns of the paths where its logs usually lie

	// arguments returns the configuration file that a command line names, and what it sets.
	arguments func(p *process, r Reader) (config string, set gatepost.Setup)
	// named returns patterns of the logs, and of the further configuration files, that a setting names; dir is where its file lies.
	named func(s gatepost.Setting, dir string) (logs, config []string)
}

// programs are all, in the order in which their logs are read.
var programs = []*program{nginx, haproxy, traefik, odoo, postgresql, pgbouncer, containers}

// systemLogs hold what the kernel, systemd and all the others said, where syslog writes them.
var systemLogs = []string{"/var/log/syslog", "/var/log/messages", "/var/log/kern.log"}

// journals are where the journal lies.
var journals = []string{"/var/log/journal", "/run/log/journal"}

// Machine finds what is on the machine whose file system lies under root: "" for the one this runs on, a directory for
// the disk of another, where nothing runs.
func Machine(root string, r Reader) *Found {
	f := newFound(strings.TrimSuffix(root, "/"), r)
	var running []*process
	if root == "" {
		running = processes("/proc")
		f.Boot = bootTime("/proc/stat")
	}
	var logs []Place
	for _, p := range programs {
		logs = append(logs, f.of(p, running)...)
	}
	for _, p := range logs {
		f.place(p)
	}
	for _, p := range programs {
		f.usual(p.logs)
	}
	before := len(f.Places)
	f.usual(withRotated(systemLogs))
	f.System = slices.ContainsFunc(f.Places[before:], func(p Place) bool { return !strings.Contains(p.Path, "kern.log") })
	switch {
	case f.System:
	case root != "":
		f.usual(journals)
		f.System = true
	default:
		f.mayReadJournal()
	}
	return f
}

func newFound(root string, r Reader) *Found {
	return &Found{Boot: gatepost.NoTime, root: root, reader: r, seen: map[string]bool{}, config: map[string]bool{}, closed: map[string]bool{}}
}

// mayReadJournal says so when journalctl will keep silent about what this user must not see.
func (f *Found) mayReadJournal() {
	for _, dir := range journals {
		for _, path := range f.match("", dir+"/*/system.journal") {
			if file, err := os.Open(path); err != nil {
				f.Errors = append(f.Errors, err)
			} else {
				file.Close()
			}
		}
	}
}

// of finds the configuration of a program, which it adds to the places, and the logs that this names.
func (f *Found) of(p *program, running []*process) (logs []Place) {
	for _, r := range running {
		if p.arguments == nil || !slices.Contains(p.binaries, r.name) {
			continue
		}
		config, set := p.arguments(r, f.reader)
		if config != "" {
			if path, err := follow(r.root, r.root+r.absolute(config)); err == nil {
				logs = append(logs, f.read(p, path, r.root)...)
			}
		}
		for _, s := range set {
			s.File = r.String()
			f.Setup = append(f.Setup, s)
			named, _ := f.named(p, s, r.dir, r.root)
			logs = append(logs, named...)
		}
	}
	for _, pattern := range p.config {
		for _, path := range f.match(f.root, pattern) {
			logs = append(logs, f.read(p, path, f.root)...)
		}
	}
	return logs
}

// read reads a configuration file and those it includes, and returns the logs that they name. root lies before what is named.
func (f *Found) read(p *program, path, root string) (logs []Place) {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		if f.config[resolved] {
			return nil
		}
		f.config[resolved] = true
	}
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		f.Errors = append(f.Errors, err)
		return nil
	}
	settings, ok := f.reader.File(path, data)
	if !ok {
		return nil // it holds nothing that is of use, such as a list of types
	}
	f.place(Place{path, "configuration of " + p.name})
	for _, s := range settings {
		named, more := f.named(p, s, filepath.Dir(path), root)
		logs = append(logs, named...)
		for _, included := range more {
			logs = append(logs, f.read(p, included, root)...)
		}
	}
	return logs
}

// named returns the logs and the configuration files that a setting names and that exist. dir is where its file lies.
func (f *Found) named(p *program, s gatepost.Setting, dir, root string) (logs []Place, config []string) {
	if p.named == nil {
		return nil, nil
	}
	why := s.File
	if s.Line > 0 {
		why += ":" + strconv.Itoa(s.Line)
	}
	patterns, more := p.named(s, dir)
	for _, path := range f.matchAll(root, withRotated(patterns)) {
		logs = append(logs, Place{path, why})
	}
	return logs, f.matchAll(root, more)
}

// configLimit bounds what is read of a configuration file.
const configLimit = 4 << 20

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist // no file of ours, and it might block
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, configLimit))
}

// usual adds what exists of the usual places.
func (f *Found) usual(patterns []string) {
	for _, path := range f.matchAll(f.root, patterns) {
		f.place(Place{Path: path})
	}
}

func (f *Found) place(p Place) {
	key := p.Path
	if resolved, err := filepath.EvalSymlinks(key); err == nil {
		key = resolved
	}
	if !f.seen[key] {
		f.seen[key] = true
		f.Places = append(f.Places, p)
	}
}

func (f *Found) matchAll(root string, patterns []string) (paths []string) {
	for _, pattern := range patterns {
		paths = append(paths, f.match(root, pattern)...)
	}
	return paths
}

// match returns what there is of a pattern below a root, by name. A directory of it that must not be looked into is an error.
func (f *Found) match(root, pattern string) (paths []string) {
	pattern = within(root, pattern)
	dir := filepath.Dir(pattern)
	for strings.ContainsAny(dir, "*?[") {
		dir = filepath.Dir(dir)
	}
	seen, err := follow(root, dir)
	if err != nil {
		return nil
	}
	if d, err := os.Open(seen); err == nil {
		d.Close()
	} else if errors.Is(err, fs.ErrPermission) && !f.closed[seen] {
		f.closed[seen] = true
		f.Errors = append(f.Errors, err)
	}
	found, err := filepath.Glob(seen + strings.TrimPrefix(pattern, dir))
	if err != nil {
		return nil // strangers write configuration
	}
	for _, path := range found {
		if path, err = follow(root, path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// withRotated adds to the patterns of logs those of what rotation makes of them: access.log.1, access.log.2.gz,
// access.log-20261121, access-20261121.log.gz.
func withRotated(patterns []string) (all []string) {
	for _, p := range patterns {
		all = append(all, p, p+".[0-9]*", p+"-[0-9]*")
		if base, ok := strings.CutSuffix(p, ".log"); ok {
			all = append(all, base+"-[0-9]*.log*")
		}
	}
	return all
}

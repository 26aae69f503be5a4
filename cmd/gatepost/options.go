package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/correlate"
	"gatepost/parser"
)

// readingFlags are the options of every command that reads logs, as they were typed.
type readingFlags struct {
	since, until string
	zone         string
	status       string
	sources      []string
	nginxFormats []string
	odooConf     []string
	year         int
	bootTime     string
	workers      int
	db           string
	root         string
	whole        bool // no option: the command wants all lines, whatever time is asked for
}

func (f *readingFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.since, "since", "", "judge failures from `TIME` on: "+momentForms)
	fs.StringVar(&f.until, "until", "", "judge failures up to `TIME`; a day is meant to its end")
	fs.StringVar(&f.status, "status", "", "`LIST` of the statuses that are failures, such as 5xx,499 (default 502,504)")
	fs.StringVar(&f.zone, "tz", "", "`ZONE` of logs that do not say theirs, and of the times in the report: Europe/Paris, +01:00")
	fs.StringArrayVar(&f.sources, "source", nil, "read a file as a format, whatever it looks like: `FORMAT=PATH`")
	fs.StringArrayVar(&f.nginxFormats, "nginx-format", nil, "log_format of nginx, or an nginx.conf that has it: `STRING-or-FILE`")
	fs.StringArrayVar(&f.odooConf, "odoo-conf", nil, "configuration `FILE` of Odoo")
	fs.IntVar(&f.year, "year", 0, "`YEAR` of stamps that have none; otherwise by the file's modification time")
	fs.StringVar(&f.bootTime, "boot-time", "", "the machine booted at `TIME`, for stamps that count from there")
	fs.IntVar(&f.workers, "workers", 0, "Odoo has `N` HTTP workers, when no odoo.conf tells")
	fs.StringVar(&f.root, "root", "", "without a PATH, find the logs of the machine whose disk lies in `DIR`")
	addDB(cmd, &f.db, "keep what was read in `FILE`, and next time read only what is new")
	completeWith(cmd, "source", func() []string {
		var names []string
		for _, f := range parser.Formats() {
			names = append(names, f.Name+"=")
		}
		return names
	})
}

func addDB(cmd *cobra.Command, db *string, doc string) { cmd.Flags().StringVar(db, "db", "", doc) }

func completeWith(cmd *cobra.Command, flag string, words func() []string) {
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // a flag of that name is not there: a mistake in this program
	}
}

// reading is what readingFlags mean.
type reading struct {
	since, until gatepost.Time
	zone         *time.Location // nil when the sources must tell
	watched      []int
	overrides    []override
	formats      []parser.NginxFormat
	setup        gatepost.Setup // from the options alone
	year         int
	bootTime     gatepost.Time
	db           string
	root         string
	whole        bool
	searchLeast  int64 // bytes of a log that is worth a search
}

// override is a --source: the format of a file, or of all files in a directory.
type override struct{ format, path string }

func (f *readingFlags) resolve(e *env) (*reading, error) {
	r := &reading{since: gatepost.NoTime, until: gatepost.NoTime, bootTime: gatepost.NoTime, year: f.year, db: f.db, root: f.root, whole: f.whole}
	r.searchLeast = cmp.Or(e.searchLeast, searchLeast)
	now := e.now().In(e.zone)
	var err error
	if f.zone != "" {
		if r.zone, err = zone(f.zone); err != nil {
			return nil, usage("--tz Europe/Paris or --tz +01:00", "--tz: %w", err)
		}
		now = now.In(r.zone)
	}
	for _, m := range []struct {
		flag, value string
		end         bool
		to          *gatepost.Time
	}{
		{"--since", f.since, false, &r.since},
		{"--until", f.until, true, &r.until},
		{"--boot-time", f.bootTime, false, &r.bootTime},
	} {
		if m.value == "" {
			continue
		}
		if *m.to, err = moment(m.value, now, m.end); err != nil {
			return nil, usage(momentForms, "%s: %w", m.flag, err)
		}
	}
	if r.since.Known() && r.until.Known() && r.until < r.since {
		return nil, usage("", "--until: %s lies before --since %s", r.until, r.since)
	}
	if r.watched, err = statuses(cmp.Or(f.status, "502,504")); err != nil {
		return nil, usage("--status 502,504 or --status 5xx,499", "--status: %w", err)
	}
	if f.year != 0 && (f.year < 1970 || f.year > 9999) {
		return nil, usage("", "--year: %d is no year of a log", f.year)
	}
	if f.workers < 0 {
		return nil, usage("", "--workers: %d is no number of processes", f.workers)
	}
	if r.overrides, err = overrides(f.sources); err != nil {
		return nil, err
	}
	if err := r.configure(f); err != nil {
		return nil, err
	}
	return r, nil
}

// configure reads what the options say about the configuration of the servers.
func (r *reading) configure(f *readingFlags) error {
	for _, v := range f.nginxFormats {
		if err := r.nginxFormat(v); err != nil {
			return usage("", "--nginx-format: %w", err)
		}
	}
	for _, path := range f.odooConf {
		data, err := os.ReadFile(path)
		if err != nil {
			return usage("", "--odoo-conf: %s: %w", path, reason(err))
		}
		if err := r.config("odoo.conf", path, data); err != nil {
			return usage("", "--odoo-conf: %w", err)
		}
	}
	if f.workers > 0 {
		r.setup = append(r.setup, gatepost.Setting{
			Program: "odoo", Name: "workers", Value: strconv.Itoa(f.workers), File: "--workers",
		})
	}
	return nil
}

// nginxFormat takes the text of a log_format, the directive as a whole, or a file that has it.
func (r *reading) nginxFormat(value string) error {
	data, err := os.ReadFile(value)
	switch {
	case err == nil:
		return r.config("nginx.conf", value, data)
	case strings.HasPrefix(strings.TrimSpace(value), "log_format"):
		return r.config("nginx.conf", "--nginx-format", []byte(value))
	case strings.Contains(value, "$"):
		r.formats = append(r.formats, parser.NginxFormat{Name: "--nginx-format", Escape: "default", Text: value})
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: neither a file nor a log_format", value)
	}
	return fmt.Errorf("%s: %w", value, reason(err))
}

// config reads data as the kind of configuration file that name is typical of.
func (r *reading) config(name, path string, data []byte) error {
	c := parser.DetectConfig(name, data)
	if c == nil || c.Name != name {
		return fmt.Errorf("%s: is no %s", path, name)
	}
	settings, err := c.Read(path, data)
	r.setup = append(r.setup, settings...)
	r.formats = append(r.formats, logFormats(settings)...)
	return err
}

// correlation is what the correlator needs to know beside the logs.
func (r *reading) correlation(setup gatepost.Setup) correlate.Options {
	return correlate.Options{
		Watched: r.watched, Setup: setup, Zone: r.zone, BootTime: r.bootTime, Since: r.since, Until: r.until,
	}
}

// parsing is what the formats need to know about a file that was last written at a time.
func (r *reading) parsing(modified time.Time) *parser.Options {
	o := &parser.Options{NginxFormats: r.formats, Latest: modified}
	if r.year != 0 {
		o.Latest = time.Date(r.year, time.December, 31, 23, 59, 59, 0, time.UTC)
	}
	for _, s := range r.watched {
		if s != 499 && s < 500 {
			o.Notable = append(o.Notable, s)
		}
	}
	return o
}

// formatOf returns the format that --source gives to a file, "" when it gives none.
func (r *reading) formatOf(path string) string {
	for _, o := range r.overrides {
		rest, inside := strings.CutPrefix(filepath.Clean(path), filepath.Clean(o.path))
		if inside && (rest == "" || rest[0] == filepath.Separator || rest[0] == '!') {
			return o.format
		}
	}
	return ""
}

// paths adds to the arguments what only --source names.
func (r *reading) paths(args []string) []string {
	all := slices.Clone(args)
	for _, o := range r.overrides {
		path := o.path
		if archive, _, ok := strings.Cut(path, "!"); ok {
			if _, err := os.Lstat(path); err != nil {
				path = archive // with the member
			}
		}
		all = append(all, path)
	}
	return all
}

func overrides(values []string) ([]override, error) {
	var all []override
	for _, v := range values {
		format, path, ok := strings.Cut(v, "=")
		if !ok || path == "" {
			return nil, usage("--source nginx_access=/var/log/nginx/access.log", "--source: %q is not FORMAT=PATH", v)
		}
		if parser.Lookup(format) == nil {
			return nil, usage("one of "+strings.Join(formatNames(), ", "), "--source: unknown format %q", format)
		}
		all = append(all, override{format, path})
	}
	return all, nil
}

func formatNames() []string {
	var names []string
	for _, f := range parser.Formats() {
		names = append(names, f.Name)
	}
	return names
}

// statuses reads a list such as "502,504" or "5xx,499".
func statuses(list string) ([]int, error) {
	var all []int
	for s := range strings.SplitSeq(list, ",") {
		s = strings.ToLower(strings.TrimSpace(s))
		if class, ok := strings.CutSuffix(s, "xx"); ok && len(class) == 1 && '1' <= class[0] && class[0] <= '5' {
			first := int(class[0]-'0') * 100
			for n := first; n < first+100; n++ {
				all = append(all, n)
			}
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 100 || n > 599 {
			return nil, fmt.Errorf("%q is no HTTP status", s)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

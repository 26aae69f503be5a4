package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/correlate"
	"gatepost/reports"
)

// writingFlags are the options of every command that writes a report, as they were typed.
type writingFlags struct {
	formats []string
	outputs []string
	html    string
	quiet   bool // the report goes elsewhere, so standard output need not get one
	failOn  []string
	look    lookFlags
}

// lookFlags are the options of everything that is drawn for a terminal.
type lookFlags struct {
	color string
	width int
}

func (f *writingFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVarP(&f.formats, "format", "f", nil, "`FORMAT` of the report: "+strings.Join(reportNames(), ", ")+" (default text); repeatable with --output")
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, "write the report to `FILE`, whole or not at all; the first --output belongs to the first --format")
	fs.StringVar(&f.html, "html", "", "write a page for a browser to `FILE` as well: short for --format html --output FILE; or into a folder, see above")
	fs.StringArrayVar(&f.failOn, "fail-on", nil, "exit with status 4 if `CONDITION` holds: any, undetermined, cause=NAME")
	f.look.add(cmd)
	completeWith(cmd, "format", reportNames)
}

func (f *lookFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.color, "color", "auto", "colour `WHEN`: auto, always, never; NO_COLOR is heeded")
	fs.IntVar(&f.width, "width", 0, "`COLUMNS` of a text report (default the terminal's)")
	completeWith(cmd, "color", func() []string { return []string{"auto", "always", "never"} })
}

func reportNames() []string {
	var names []string
	for _, r := range reports.All() {
		names = append(names, r.Name)
	}
	return names
}

// writing is what writingFlags mean.
type writing struct {
	targets    []target
	nights     *nights // nil for none
	conditions []condition
	look       look
}

// target is one report and where it goes: path is "" for standard output.
type target struct {
	report *reports.Report
	path   string
}

// look is how a report is drawn on standard output and in a file.
type look struct{ stdout, file reports.Options }

func (f *writingFlags) resolve(e *env) (*writing, error) {
	w := &writing{}
	var err error
	if f.html == "" && !f.quiet || len(f.formats)+len(f.outputs) > 0 {
		if w.targets, err = targets(f.formats, f.outputs); err != nil {
			return nil, err
		}
	}
	if f.html == "-" {
		return nil, usage("--format html", "--html: takes a FILE, not standard output")
	}
	switch {
	case f.html == "":
	case namesFolder(f.html):
		w.nights = &nights{f.html}
	default:
		w.targets = append(w.targets, target{reports.Lookup("html"), f.html})
	}
	e.night = w.nights != nil || slices.ContainsFunc(w.targets, func(t target) bool { return t.report.Night })
	if w.look, err = f.look.resolve(e); err != nil {
		return nil, err
	}
	for _, v := range f.failOn {
		c, err := parseCondition(v)
		if err != nil {
			return nil, err
		}
		w.conditions = append(w.conditions, c)
	}
	return w, nil
}

func (f *lookFlags) resolve(e *env) (look, error) {
	if f.width < 0 {
		return look{}, usage("", "--width: %d is no number of columns", f.width)
	}
	l := look{stdout: reports.Options{Width: f.width}, file: reports.Options{Width: f.width}}
	if f.width == 0 {
		l.stdout.Width = e.width
	}
	switch f.color {
	case "auto":
		l.stdout.Color = e.stdoutTerminal && e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb"
	case "always":
		l.stdout.Color, l.file.Color = true, true
	case "never":
	default:
		return look{}, usage("--color auto, always or never", "--color: unknown value %q", f.color)
	}
	return l, nil
}

// targets pairs formats with files. A file without a format has that of its extension; a format
// without a file goes to standard output, which takes one.
func targets(formats, outputs []string) ([]target, error) {
	var all []target
	toStdout := 0
	for i := range max(len(formats), len(outputs), 1) {
		var t target
		if i < len(outputs) && outputs[i] != "-" {
			t.path = outputs[i]
		}
		name := "text"
		if i < len(formats) {
			name = formats[i]
		} else if t.path != "" {
			name = formatOfExtension(t.path)
			if name == "" {
				return nil, usage("--format text --output "+t.path, "--output: %s: no format has that extension", t.path)
			}
		}
		if t.report = reports.Lookup(name); t.report == nil {
			return nil, usage("one of "+strings.Join(reportNames(), ", "), "--format: unknown format %q", name)
		}
		if t.path == "" {
			toStdout++
		}
		all = append(all, t)
	}
	if toStdout > 1 {
		return nil, usage("--format text --output report.txt --format json --output report.json",
			"--format: standard output takes one report, and %d have no --output", toStdout)
	}
	return all, nil
}

func formatOfExtension(path string) string {
	ext := filepath.Ext(path)
	i := slices.IndexFunc(reports.All(), func(r *reports.Report) bool { return r.Ext == ext })
	if i < 0 {
		return ""
	}
	return reports.All()[i].Name
}

// condition is a --fail-on.
type condition struct{ cause string } // "" stands for any

func parseCondition(s string) (condition, error) {
	switch s {
	case "any":
		return condition{}, nil
	case gatepost.Undetermined:
		return condition{gatepost.Undetermined}, nil
	}
	var known []string
	for _, d := range correlate.Docs() {
		known = append(known, d.Name)
	}
	name, ok := strings.CutPrefix(s, "cause=")
	switch {
	case !ok:
		return condition{}, usage("--fail-on any, --fail-on undetermined or --fail-on cause=oom_kill", "--fail-on: unknown condition %q", s)
	case name != gatepost.Undetermined && !slices.Contains(known, name):
		return condition{}, usage("one of "+strings.Join(known, ", "), "--fail-on: unknown cause %q", name)
	}
	return condition{name}, nil
}

func (c condition) holds(m *gatepost.Model) (bool, error) {
	for f, err := range m.Failures.Entries() {
		if err != nil || c.cause == "" || f.Verdict.Cause == c.cause {
			return err == nil, err
		}
	}
	return false, nil
}

// write writes all reports of a model and returns the error that a condition makes of it. Pages of days before oldest are removed
// from a folder of nights, "" for none.
func (w *writing) write(e *env, m *gatepost.Model, oldest string) error {
	for _, t := range w.targets {
		draw := func(out io.Writer, o reports.Options) error { return t.report.Render(out, m, o) }
		if err := w.look.write(e, t.path, draw); err != nil {
			return err
		}
	}
	if w.nights != nil {
		draw := func(out io.Writer) error { return reports.Lookup("html").Render(out, m, w.look.file) }
		if err := w.nights.write(m, oldest, draw); err != nil {
			return err
		}
	}
	for _, c := range w.conditions {
		if holds, err := c.holds(m); err != nil {
			return err
		} else if holds {
			return &exit{status: statusCondition}
		}
	}
	return nil
}

// write draws on standard output, or into a file when path is not "".
func (l look) write(e *env, path string, draw func(io.Writer, reports.Options) error) error {
	if path == "" {
		out := bufio.NewWriter(e.stdout)
		if err := errors.Join(draw(out, l.stdout), out.Flush()); err != nil {
			return fmt.Errorf("standard output: %w", reason(err))
		}
		return nil
	}
	if err := writeFile(path, func(out io.Writer) error { return draw(out, l.file) }); err != nil {
		return fmt.Errorf("%s: %w", path, reason(err))
	}
	return nil
}

// writeFile writes a file whole or not at all: under a temporary name beside it, to the disk, and
// then under its own. What is no regular file, such as /dev/null or a pipe, is written as it is.
func writeFile(path string, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(fill(f, write), f.Close())
	}
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	err = errors.Join(fill(f, write), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func fill(f *os.File, write func(io.Writer) error) error {
	out := bufio.NewWriter(f)
	return errors.Join(write(out), out.Flush())
}

// createBeside creates a file in the directory of path, with the rights that path has or gets.
func createBeside(path string) (*os.File, error) {
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s.%d-%d.tmp", path, os.Getpid(), n)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) && n < 100 {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(path); err == nil {
			f.Chmod(info.Mode().Perm()) // where it is not allowed the umask decides
		}
		return f, nil
	}
}

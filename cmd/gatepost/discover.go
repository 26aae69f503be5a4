package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatepost"
	"gatepost/discovery"
	"gatepost/parser"
	"gatepost/parser/source"
)

// machine is what was found on a machine when no path was given.
type machine struct {
	*discovery.Found
	live bool // it is the one that this runs on
}

// find returns the files to read: those that the arguments name, or else all that there is on the machine.
func (e *env) find(ctx context.Context, in *ingest, args []string) (files []*source.File, paths []string, err error) {
	paths = in.paths(args)
	if len(paths) == 0 {
		root := cmp.Or(in.root, e.root)
		in.machine = &machine{discovery.Machine(root, discovery.Reader{File: settingsOf, OdooArguments: parser.OdooArguments}), root == ""}
		for _, err := range in.machine.Errors {
			in.trouble(remedy(err), "%v", err)
		}
		in.reading.setup = append(in.machine.Setup, in.reading.setup...)
		for _, p := range in.machine.Places {
			paths = append(paths, p.Path)
		}
		if len(paths) == 0 {
			return nil, nil, failed("gatepost analyze DIR-or-FILE..., or gatepost demo", "no logs in the usual places of %s, nor in those that its configuration names", cmp.Or(root, "this machine"))
		}
	}
	if e.asked {
		e.redactor().Files(paths...)
	}
	files, problems := source.Find(ctx, paths, e.stdin, e.now())
	for _, p := range problems {
		if in.follows && errors.Is(p, fs.ErrNotExist) {
			in.note("%s: is not there, and is followed when it is", p.Path)
			continue
		}
		in.trouble(remedy(p), "%v", p)
	}
	if in.machine != nil {
		files = in.withoutOld(files)
	}
	return in.withoutStore(files), paths, nil
}

// withoutStore leaves out the store itself, which may lie among the logs, with what SQLite puts beside it.
func (in *ingest) withoutStore(files []*source.File) []*source.File {
	if in.db == "" {
		return files
	}
	var own []os.FileInfo
	for _, suffix := range []string{"", "-wal", "-shm", "-lock"} {
		if info, err := os.Stat(in.db + suffix); err == nil {
			own = append(own, info)
		}
	}
	return slices.DeleteFunc(files, func(f *source.File) bool {
		info, err := os.Stat(f.Path)
		return err == nil && slices.ContainsFunc(own, func(o os.FileInfo) bool { return os.SameFile(o, info) })
	})
}

// settingsOf reads a configuration file for those who look for what it names. What is wrong with it is told when it is used.
func settingsOf(path string, data []byte) (gatepost.Setup, bool) {
	c := parser.DetectConfig(filepath.Base(path), data)
	if c == nil {
		return nil, false
	}
	settings, _ := c.Read(path, data)
	return settings, true
}

// place returns why a file was found, nil when it was named.
func (m *machine) place(path string) *discovery.Place {
	if m == nil {
		return nil
	}
	var best *discovery.Place
	for i := range m.Places {
		p := &m.Places[i]
		rest, below := strings.CutPrefix(path, p.Path)
		if below && (rest == "" || rest[0] == filepath.Separator || rest[0] == '!') && (best == nil || len(p.Path) > len(best.Path)) {
			best = p
		}
	}
	return best
}

// isUsual reports whether nobody says that a file is a log: it only lies where logs do.
func (m *machine) isUsual(path string) bool {
	p := m.place(path)
	return p != nil && p.Why == ""
}

// longLife is how long before the time that is asked for something may have been logged that still counts for it, such as the
// birth of a worker.
const longLife = 24 * time.Hour

// withoutOld leaves out the logs that ended long before the time that is asked for. On the machine itself the time of a file is
// that of its last line.
func (in *ingest) withoutOld(files []*source.File) (kept []*source.File) {
	if !in.since.Known() || in.db != "" {
		return files
	}
	from := in.since.Add(-longLife).Std()
	for _, f := range files {
		if f.Modified.IsZero() || !f.Modified.Before(from) || isConfig(f) {
			kept = append(kept, f)
		} else {
			f.Close()
		}
	}
	if n := len(files) - len(kept); n > 0 {
		in.note("%d older logs were left out: nothing was written into them since %s", n, gatepost.TimeOf(from))
	}
	return kept
}

// systemLogs are what the journal and the kernel's ring buffer of this machine hold, where syslog writes no files. With a store
// they are what came since the last run.
func (in *ingest) systemLogs(ctx context.Context, logs []*source.File, now time.Time) []*source.File {
	if in.machine == nil || !in.machine.live || in.machine.System {
		return nil
	}
	f, err := in.journal(ctx, logs, now)
	if errors.Is(err, source.ErrNoJournalctl) {
		f, err = in.kernelRing(now)
	}
	if err != nil {
		in.trouble(remedy(err), "%v", err)
	}
	if f == nil {
		return nil
	}
	return []*source.File{f}
}

// journal is what came into the journal since it was read last.
func (in *ingest) journal(ctx context.Context, logs []*source.File, now time.Time) (*source.File, error) {
	in.systemSince = in.earliest(logs).Add(-time.Hour)
	return source.Journal(ctx, in.journalPoint(), now)
}

// journalPoint is where reading of the journal goes on.
func (in *ingest) journalPoint() source.JournalPoint {
	p := source.JournalPoint{Since: in.systemSince}
	last := 0
	for i := range in.known {
		if k := &in.known[i]; k.Path == source.JournalName && k.Cursor != "" && k.ID > last {
			last, p.After = k.ID, k.Cursor
		}
	}
	return p
}

// followSystem follows what systemLogs read, from where that ended.
func (in *ingest) followSystem(ctx context.Context, now time.Time) (*source.Following, error) {
	if in.machine == nil || !in.machine.live || in.machine.System {
		return nil, nil
	}
	f, err := source.FollowJournal(ctx, in.journalPoint(), now)
	if errors.Is(err, source.ErrNoJournalctl) && in.machine.Boot.Known() {
		return source.FollowKernel(in.machine.Boot, in.ringEnd(), now)
	}
	return f, err
}

// ringEnd is the time of the last line of the ring buffer that was read, NoTime when none was.
func (in *ingest) ringEnd() gatepost.Time {
	after := gatepost.NoTime
	for i := range in.known {
		if k := &in.known[i]; k.Path == source.RingName {
			after = max(after, k.Last)
		}
	}
	return after
}

// kernelRing is the ring buffer, nil when nothing tells when its stamps began. A store has its lines up to the last that was kept.
func (in *ingest) kernelRing(now time.Time) (*source.File, error) {
	if !in.machine.Boot.Known() {
		return nil, nil
	}
	return source.KernelRing(in.machine.Boot, in.ringEnd(), now)
}

// earliest is when the first of the access logs begins, or the time that is asked for: before that the system's logs
// say nothing that counts.
func (in *ingest) earliest(logs []*source.File) gatepost.Time {
	first := gatepost.NoTime
	for _, f := range logs {
		for _, seen := range in.begin(f) {
			t := seen.First
			if seen.Stamps != gatepost.StampsAbsolute {
				t = t.Add(-anyZone)
			}
			if holdsFailures(seen.Format) && t.Known() && (!first.Known() || t < first) {
				first = t
			}
		}
	}
	if since := in.since.Add(-longLife); since.Known() && since > first {
		return since
	}
	return first
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// watch knows which logs there are and what becomes of them. It goes by what the files hold, not by what somebody says of them: a
// notice that something changed is a reason to look, and so is a second without one.
//
//	a file that appears             is followed from its beginning
//	another one at its path         it was rotated: the old one is read on, until it has been quiet for long
//	text that is not there any more it was truncated: the rest of it is looked for in a copy, and the file read anew
//	a rotated file nobody saw       several rotations passed: it is read from its beginning, or from where it was read
type watch struct {
	*ingest
	followers []*follower
	paths     []string            // what is to be followed
	list      func() []string     // the paths of all logs, as they lie there now
	logs      []string            // those that were named, whose rotated files are not among the paths
	passes    []os.FileInfo       // rotated files that were there before following began
	older     []gatepost.Source   // those of them that are not read, by their heads
	suspected []whereabouts       // logs that were read before and are to be found
	seen      map[string]glimpse  // files that are not followed, as they were when they were looked at
	unread    map[string]string   // why files cannot be read, as it was said
	absent    map[string]*absence // logs that are not where they were
	looked    time.Time           // for files, last
	stirred   bool                // something changed in a directory since
	started   bool                // what appears now was not there before
	again     time.Time           // when what the system writes is to be followed again; zero when it is
	there     []string            // the paths of all logs in the beginning
	links     map[string]string   // where those logs are that are links
	saw, held func(*gatepost.Batch)
	missed    func(ctx context.Context, path string, src *gatepost.Source, why string) error
	// configured is called when the setup is another one than it was.
	configured func()
}

const (
	// lookEvery is how long a new file may lie there before it is found, if nothing tells of it.
	lookEvery = time.Second
	// readOn is how long a file that was rotated must be quiet until it is left.
	readOn = 30 * time.Minute
	// mostOld is how many rotated files are read on at once.
	mostOld = 64
)

// newWatch watches what paths name: files, patterns, and what lies in directories. What is rotated from now on is read, also before anything
// else is.
func newWatch(in *ingest, paths []string) *watch {
	w := &watch{ingest: in, paths: paths, seen: make(map[string]glimpse), links: make(map[string]string), unread: make(map[string]string), absent: make(map[string]*absence)}
	w.list = listed(paths, w.readable)
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			w.logs = append(w.logs, path)
			rotated, _ := w.rotations(path)
			for _, path := range rotated {
				if info, err := os.Stat(path); err == nil {
					w.passes = append(w.passes, info)
				}
			}
		}
	}
	in.busy = func(id int) bool { return w.reader(id) != nil }
	return w
}

// dirs are the directories in which something can happen.
func (w *watch) dirs() []string {
	var all []string
	for _, path := range w.logs {
		for _, name := range w.names(path) {
			all = append(all, filepath.Dir(name))
		}
	}
	for _, f := range w.followers {
		all = append(all, filepath.Dir(f.following.Path))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// names are the paths at which a log is rotated: its own, and that to which it is a link, or was when it was seen last.
func (w *watch) names(path string) []string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		w.links[path] = real
	}
	if real := w.links[path]; real != "" && real != path {
		return []string{path, real}
	}
	return []string{path}
}

// rotations are the files into which a log was rotated, by its path. An error comes while a directory is away, as when a
// disk is unmounted.
func (w *watch) rotations(path string) (all []string, away error) {
	for _, name := range w.names(path) {
		rotated, err := source.Rotations(name)
		away = cmp.Or(away, err)
		all = append(all, rotated...)
	}
	return all, away
}

// close lets go of all files.
func (w *watch) close() error {
	var errs []error
	for _, f := range w.followers {
		errs = append(errs, f.following.Close())
	}
	return errors.Join(errs...)
}

// look finds the files that are new.
func (w *watch) look(ctx context.Context) error {
	now := w.now()
	if !w.stirred && now.Sub(w.looked) < lookEvery {
		return nil
	}
	w.looked, w.stirred = now, false
	if !w.started {
		var err error
		if w.older, err = w.store.Passed(ctx); err != nil {
			return err
		}
		w.there = w.list()
		w.suspected = w.suspects()
	}
	if err := w.searchLost(ctx); err != nil {
		return err
	}
	for _, log := range w.logs {
		rotated, _ := w.rotations(log)
		for _, path := range rotated {
			if err := w.open(ctx, path, true); err != nil {
				return err
			}
		}
	}
	for _, path := range w.list() {
		if err := w.open(ctx, path, false); err != nil {
			return err
		}
	}
	w.absences()
	w.started = true
	return nil
}

// open follows a file that is not followed yet. Of rotated ones only those that hold something which was not read, and was not there in the
// beginning.
func (w *watch) open(ctx context.Context, path string, rotated bool) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if i := slices.IndexFunc(w.followers, func(f *follower) bool { return f.following.Is(info) }); i >= 0 {
		if f := w.followers[i]; f.following.Path != path && f.following.Fate() != source.Stays && !f.following.Repeats() {
			f.moved(path)
		}
		return nil
	}
	was, looked := w.seen[path]
	unchanged := looked && was.is(info)
	if unchanged && (was.of == nil || was.of.src == nil || was.of.src.Position < info.Size() || w.looked.Sub(was.at) < over) {
		return nil
	}
	f, err := source.Follow(path)
	if err != nil {
		w.readable(path, err)
		return nil
	}
	w.readable(path, nil)
	if unchanged { // the copy is whole by now, and all of it is stored
		w.seen[path] = glimpse{info: info}
		return errors.Join(w.passed(ctx, was.of, f), f.Close())
	}
	what, of, err := w.wants(ctx, f, rotated)
	if err == nil && what == toFollow {
		delete(w.seen, path)
		w.follow(f)
		return nil
	}
	if err == nil && what != later {
		w.seen[path] = glimpse{info, of, w.looked}
	}
	return errors.Join(err, f.Close())
}

func (w *watch) follow(f *source.Following) {
	next := w.newFollower(f)
	next.log = w.family(f.Path)
	next.saw, next.held, next.waits = w.saw, w.held, func() bool { return w.waits(f) }
	w.followers = append(w.followers, next)
}

// readable takes what it came to to open a file or a directory, and says once that it cannot be read. It is tried again whenever files are looked for:
// somebody may mend it without touching the file. What was so in the beginning was said when the logs were found.
func (w *watch) readable(path string, err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		delete(w.unread, path)
		return
	}
	why := reason(err).Error()
	if w.unread[path] != why && w.started {
		w.trouble(remedy(err), "%s: %s", path, why)
	}
	w.unread[path] = why
}

// interest is what is done with a file that is found.
type interest int

const (
	toLeave  interest = iota // until it changes
	toFollow                 // from now on
	later                    // it is looked at again, what it is does not show yet
)

// wants tells what is to be done with a file, and of which one it is a copy that need not be read. What is packed is read at once, if it holds
// something that is new.
func (w *watch) wants(ctx context.Context, f *source.Following, rotated bool) (what interest, of *follower, err error) {
	if f.Repeats() {
		return toFollow, nil, nil // what it is shows when its text comes
	}
	stream, err := f.Open()
	if err != nil {
		w.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return toLeave, nil, nil
	}
	defer stream.Close()
	sample := bytes.Clone(stream.Peek(parser.SampleSize))
	if parser.DetectConfig(f.Name(), sample) != nil {
		w.configure(f.File)
		return toLeave, nil, nil
	}
	if len(w.withoutStore([]*source.File{f.File})) == 0 {
		return toLeave, nil, nil
	}
	packed := stream.Kind != nil
	if (packed || rotated) && slices.ContainsFunc(w.older, func(o gatepost.Source) bool { return source.BeginsLike(sample, &o) }) {
		return toLeave, nil, nil
	}
	length := f.Size()
	if packed {
		if length, err = f.File.Length(); err != nil && w.now().Sub(f.Modified) < forsaken {
			return later, nil, nil // it is being packed
		}
	}
	read, old, longer := false, false, false
	for _, k := range w.alike(sample) {
		if o := w.reader(k.ID); o != nil {
			switch {
			case o.rewritten():
				return later, nil, nil // this may be the copy in which the rest stands: see truncated
			case packed && o.following.BeginsWith(sample):
				read = true // it is read there
			case !packed && o.following.Holds(f):
				return toLeave, o, nil
			case !packed && f.Holds(o.following) && (w.isRotationOf(o.following.Path, f.Path) || w.replaces(f, o)):
				// That is a copy of this, which is read on from where it ends.
				if err := w.remove(ctx, o); err != nil {
					return later, nil, err
				}
			}
			continue
		}
		at, same, err := f.OpenAt(&k)
		if err != nil {
			return later, nil, nil
		}
		more := same && len(at.Peek(1)) > 0
		at.Close()
		switch {
		case more && k.Lines > 0:
			what, err = w.take(ctx, packed, f)
			return what, nil, err
		case more: // a copy that was passed over, and was not whole then
			longer = true
			continue
		}
		// What is shorter than what was read is a copy from before the end of it.
		old = old || !same && length < k.Position && (packed || rotated || f.Path != k.Path)
		read = read || same || old
	}
	switch {
	case longer && !read && !old: // it goes on behind the copy
	case !packed && !rotated && (!read || !w.started && !old):
		return toFollow, nil, nil
	case read || len(sample) == 0:
		return toLeave, nil, nil
	case !w.started && !w.wasFollowed(f) && slices.ContainsFunc(w.passes, f.Is):
		o := gatepost.Source{}
		o.HeadSize, o.Head = source.Head(sample)
		w.older = append(w.older, o)
		return toLeave, nil, w.store.Pass(ctx, o.HeadSize, o.Head)
	}
	what, err = w.take(ctx, packed, f)
	return what, nil, err
}

// reader is what reads a source, nil when nothing does.
func (w *watch) reader(id int) *follower {
	i := slices.IndexFunc(w.followers, func(f *follower) bool {
		return f.feed != nil && slices.ContainsFunc(f.sources(), func(s *gatepost.Source) bool { return s.ID == id })
	})
	if i < 0 {
		return nil
	}
	return w.followers[i]
}

// take follows a file, or reads it at once.
func (w *watch) take(ctx context.Context, packed bool, f *source.Following) (interest, error) {
	if packed {
		return toLeave, w.readPacked(ctx, f)
	}
	return toFollow, nil
}

// configure takes what a configuration file says that came, or was changed, while logs are followed.
func (w *watch) configure(f *source.File) {
	if !w.started {
		return // it was read with the logs
	}
	settings, _, err := readConfig(f)
	if err != nil {
		w.trouble(remedy(err), "%s: %v", f.Path, reason(err))
	}
	own := len(w.setup) - len(w.reading.setup) // what the user says beats what is found, so it stays last
	found := slices.DeleteFunc(slices.Clone(w.setup[:own]), func(s gatepost.Setting) bool { return s.File == f.Path })
	w.setup = slices.Concat(found, settings, w.reading.setup)
	w.formats = append(w.formats, logFormats(settings)...)
	w.configured()
}

// readPacked reads a packed file to its end.
func (w *watch) readPacked(ctx context.Context, f *source.Following) error {
	files, _ := source.Find(ctx, []string{f.Path}, nil, w.now())
	for _, file := range files {
		r := &fileReading{ingest: w.ingest, file: file, done: make(chan struct{})}
		if err := r.begin(ctx); err != nil {
			return err
		}
		if err := r.finish(); err != nil {
			return err
		}
	}
	return nil
}

// fates sees what became of the files, and reports whether one was truncated.
func (w *watch) fates(ctx context.Context) (truncated bool, err error) {
	var old []*follower
	for _, f := range slices.Clone(w.followers) {
		if ended, why := f.following.Ended(); ended && f.behind() == 0 {
			if err := w.ended(ctx, f, why); err != nil {
				return truncated, err
			}
			continue
		}
		if f.following.Rewritten() {
			if w.now().Sub(f.read) < readOn && w.isAway(f) {
				continue // a copy is looked for when it can be
			}
			if err := w.truncated(ctx, f); err != nil {
				return true, err
			}
			truncated = true
			continue
		}
		stays := f.following.Fate() == source.Stays
		// What is packed is not followed, and journalctl does not follow a file to another name: they are found anew.
		if f.packed || !stays && f.following.Repeats() {
			if err := w.remove(ctx, f); err != nil {
				return truncated, err
			}
			continue
		}
		rotated := f.log != "" && w.isRotationOf(f.following.Path, f.log) // and known by its new name, at which it stays
		if stays && !(rotated && w.now().Sub(f.read) >= readOn) {
			continue
		}
		old = append(old, f)
	}
	slices.SortFunc(old, func(a, b *follower) int { return a.read.Compare(b.read) })
	for i, f := range old {
		if now := w.now(); now.Sub(f.read) >= readOn || len(old)-i > mostOld && now.Sub(f.read) >= over {
			if err := w.drop(ctx, f); err != nil {
				return truncated, err
			}
		}
	}
	return truncated, nil
}

// ended lets go of a stream that came to its end. What the system writes is followed again in a moment, from where reading ended.
func (w *watch) ended(ctx context.Context, f *follower, why error) error {
	name := f.following.Path
	if why != nil {
		w.note("%s: %v", name, why)
	}
	if name != source.RingName && name != source.JournalName {
		return w.drop(ctx, f)
	}
	w.again = w.now().Add(tryAgain)
	return w.remove(ctx, f)
}

// drop ends the following of a file: what is left of it is as it stays.
func (w *watch) drop(ctx context.Context, f *follower) error {
	if err := f.finish(ctx, source.Nothing); err != nil {
		return err
	}
	return w.remove(ctx, f)
}

// remove lets go of a file.
func (w *watch) remove(ctx context.Context, f *follower) error {
	if err := f.release(ctx); err != nil {
		return err // it is tried again
	}
	w.followers = slices.DeleteFunc(w.followers, func(o *follower) bool { return o == f })
	w.stirred = true
	return f.following.Close()
}

// trouble is what is wrong with a path, said as a note since following goes on.
func (w *watch) trouble(hint, format string, args ...any) {
	w.note("%s", fmt.Sprintf(format, args...))
}

// listed returns how all logs are listed that paths name: files, patterns, and what lies in directories. It tells of each directory whether it can be read.
func listed(paths []string, readable func(dir string, err error)) func() []string {
	return func() (all []string) {
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				if found, _ := filepath.Glob(path); found != nil {
					all = append(all, found...)
				}
				continue
			}
			if !info.IsDir() {
				all = append(all, path)
				continue
			}
			dirs := make(map[string]error)
			filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					all = append(all, path)
				} else {
					dirs[path] = err // it comes a second time when it cannot be read
				}
				return nil // what cannot be read now is looked for again
			})
			for dir, err := range dirs {
				readable(dir, err)
			}
		}
		return all
	}
}

package main

import (
	"bytes"
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
	list      func() []string        // the paths of all logs, as they lie there now
	logs      []string               // those that were named, whose rotated files are not among the paths
	older     []gatepost.Source      // heads of rotated files that were there before and are not read
	seen      map[string]os.FileInfo // files that are not followed, as they were when they were looked at
	looked    time.Time              // for files, last
	stirred   bool                   // something changed in a directory since
	started   bool                   // what appears now was not there before
	again     time.Time              // when what the system writes is to be followed again; zero when it is
	saw       func(*gatepost.Batch)
	missed    func(ctx context.Context, f *follower, why string) error
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

// newWatch watches what paths name: files, patterns, and what lies in directories.
func newWatch(in *ingest, paths []string) *watch {
	w := &watch{ingest: in, list: listed(paths), seen: make(map[string]os.FileInfo)}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			w.logs = append(w.logs, path)
		}
	}
	in.busy = func(id int) bool {
		return slices.ContainsFunc(w.followers, func(f *follower) bool {
			return f.feed != nil && slices.ContainsFunc(f.sources(), func(s *gatepost.Source) bool { return s.ID == id })
		})
	}
	return w
}

// dirs are the directories in which something can happen.
func (w *watch) dirs() []string {
	var all []string
	for _, path := range w.logs {
		all = append(all, filepath.Dir(path))
	}
	for _, f := range w.followers {
		all = append(all, filepath.Dir(f.following.Path))
	}
	slices.Sort(all)
	return slices.Compact(all)
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
	for _, path := range w.logs {
		rotated, err := source.Rotations(path)
		if err != nil {
			continue // the directory is not there now
		}
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
		if f := w.followers[i]; f.following.Path != path && f.following.Fate() != source.Stays {
			f.moved(path)
		}
		return nil
	}
	if was := w.seen[path]; was != nil && os.SameFile(was, info) && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) {
		return nil
	}
	f, err := source.Follow(path)
	if err != nil {
		return w.unreadable(path, info, err)
	}
	keep, err := w.wants(ctx, f, rotated)
	if err != nil || !keep {
		w.seen[path] = info
		return errors.Join(err, f.Close())
	}
	delete(w.seen, path)
	w.follow(f)
	return nil
}

func (w *watch) follow(f *source.Following) {
	next := w.newFollower(f)
	next.saw, next.waits = w.saw, func() bool { return w.waits(f) }
	w.followers = append(w.followers, next)
}

// unreadable says once that a file cannot be read, as it is now.
func (w *watch) unreadable(path string, info os.FileInfo, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	w.seen[path] = info
	w.trouble(remedy(err), "%s: %v", path, reason(err))
	return nil
}

// wants reports whether a file is one to follow. What is packed is read at once, if it holds something that is new.
func (w *watch) wants(ctx context.Context, f *source.Following, rotated bool) (bool, error) {
	stream, err := f.Open()
	if err != nil {
		w.trouble(remedy(err), "%s: %v", f.Path, reason(err))
		return false, nil
	}
	defer stream.Close()
	sample := bytes.Clone(stream.Peek(parser.SampleSize))
	if parser.DetectConfig(f.Name(), sample) != nil {
		w.configure(f.File)
		return false, nil
	}
	if len(w.withoutStore([]*source.File{f.File})) == 0 {
		return false, nil
	}
	packed := stream.Kind != nil
	if !packed && !rotated {
		return true, nil
	}
	if slices.ContainsFunc(w.older, func(o gatepost.Source) bool { return source.BeginsLike(sample, &o) }) {
		return false, nil
	}
	known := false
	for _, k := range w.alike(sample) {
		at, same, err := f.OpenAt(&k)
		if err != nil {
			return false, nil // it is looked at again when it changes
		}
		more := same && len(at.Peek(1)) > 0
		at.Close()
		if more {
			return !packed, w.readPacked(ctx, packed, f)
		}
		known = known || same
	}
	if known || len(sample) == 0 {
		return false, nil
	}
	if !w.started {
		o := gatepost.Source{}
		o.HeadSize, o.Head = source.Head(sample)
		w.older = append(w.older, o)
		return false, nil
	}
	return !packed, w.readPacked(ctx, packed, f)
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
func (w *watch) readPacked(ctx context.Context, packed bool, f *source.Following) error {
	if !packed {
		return nil
	}
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

// waits reports whether a file is the copy of one that is read, as far as it goes: when that one is truncated, it is where the rest stands.
func (w *watch) waits(f *source.Following) bool {
	return slices.ContainsFunc(w.followers, func(o *follower) bool {
		return o.feed != nil && f.Size() <= o.following.Size() && !o.following.Rewritten() && f.BeginsAs(o.following)
	})
}

// fates sees what became of the files.
func (w *watch) fates(ctx context.Context) error {
	var old []*follower
	for _, f := range slices.Clone(w.followers) {
		if ended, why := f.following.Ended(); ended && f.behind() == 0 {
			if err := w.ended(ctx, f, why); err != nil {
				return err
			}
			continue
		}
		if f.following.Rewritten() {
			if err := w.truncated(ctx, f); err != nil {
				return err
			}
			continue
		}
		if f.following.Fate() == source.Stays {
			continue
		}
		old = append(old, f)
	}
	slices.SortFunc(old, func(a, b *follower) int { return a.read.Compare(b.read) })
	for i, f := range old {
		if now := w.now(); now.Sub(f.read) >= readOn || len(old)-i > mostOld && now.Sub(f.read) >= over {
			if err := w.drop(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended lets go of a stream that came to its end. What the system writes is followed again in a moment, from where reading ended.
func (w *watch) ended(ctx context.Context, f *follower, why error) error {
	name := f.following.Path
	if why != nil {
		w.note("%s: %v", name, why)
	}
	if name != source.RingName && !source.JournalEnd(name).Known() {
		return w.drop(ctx, f)
	}
	w.again = w.now().Add(tryAgain)
	return w.remove(ctx, f)
}

// truncated reads on in a copy what was not read of a file before it was truncated, and lets the file be found anew.
func (w *watch) truncated(ctx context.Context, f *follower) error {
	if f.feed == nil {
		return w.drop(ctx, f)
	}
	rotated, err := source.Rotations(f.following.Path)
	if err != nil {
		rotated = nil
	}
	for _, path := range slices.Backward(rotated) {
		c, err := source.Follow(path)
		if err != nil {
			continue
		}
		at, same, err := c.OpenAt(f.src)
		if err != nil || !same {
			c.Close()
			continue
		}
		packed := at.Kind != nil
		at.Close()
		if err := w.remove(ctx, f); err != nil {
			return err
		}
		if packed {
			return errors.Join(w.readPacked(ctx, true, c), c.Close())
		}
		w.follow(c)
		w.stirred = true
		return nil
	}
	if err := w.missed(ctx, f, "the file was truncated, and no copy of it was found: what was written before that and not read is lost"); err != nil {
		return err
	}
	return w.drop(ctx, f)
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
	w.followers = slices.DeleteFunc(w.followers, func(o *follower) bool { return o == f })
	w.stirred = true
	err := f.release(ctx)
	return errors.Join(err, f.following.Close())
}

// trouble is what is wrong with a path, said as a note since following goes on.
func (w *watch) trouble(hint, format string, args ...any) {
	w.note("%s", fmt.Sprintf(format, args...))
}

// listed returns how all logs are listed that paths name: files, patterns, and what lies in directories.
func listed(paths []string) func() []string {
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
			filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					all = append(all, path)
				}
				return nil // what cannot be read now is looked for again
			})
		}
		return all
	}
}

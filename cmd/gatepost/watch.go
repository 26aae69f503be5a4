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
	"strings"
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

// glimpse is a file that is not followed, as it was when it was looked at.
type glimpse struct {
	info os.FileInfo
	of   *follower // of which it is a copy, as long as that is not stored
	at   time.Time // when it was seen first as it is
}

// is reports whether that is the file, as it was.
func (s glimpse) is(info os.FileInfo) bool {
	return os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime())
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

// replaces reports whether a file lies where another one lay that is not there any more, or where that would be rotated to: with all of its text, it is
// that log on another disk.
func (w *watch) replaces(f *source.Following, o *follower) bool {
	path := o.following.Path
	return o.following.Fate() != source.Stays && (f.Path == path || w.isRotationOf(f.Path, path) || w.isRotationOf(f.Path, o.log))
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

// family is the log of which a path is a rotation, as far as the paths of what was read tell, or else the path itself.
func (w *watch) family(path string) string {
	if real := w.links[path]; real != "" {
		path = real
	}
	log := path
	try := func(p string) {
		if len(p) < len(log) && source.IsRotation(p, path) {
			log = p
		}
	}
	for _, p := range w.logs {
		try(p)
		try(w.links[p])
	}
	for _, p := range w.there {
		try(p)
	}
	for i := range w.before {
		try(w.before[i].Path)
	}
	return log
}

// isStrand reports whether a row is that of a strand of another one, which stands for the file.
func (w *watch) isStrand(row *gatepost.Source) bool {
	return row.Strand+row.Host != "" && slices.ContainsFunc(w.known, func(k gatepost.Source) bool { return k.ID != row.ID && isStrandOf(&k, row) })
}

// wasFollowed reports whether the log of a rotated file was followed before. Then what was there in the beginning was passed, and what is not known
// came since.
func (w *watch) wasFollowed(f *source.Following) bool {
	log := w.family(f.Path)
	return slices.ContainsFunc(w.before, func(k gatepost.Source) bool { return w.counts(&k) && w.family(k.Path) == log })
}

// whereabouts is a log that was read before, and where it is not known to be.
type whereabouts struct {
	log string
	src gatepost.Source
}

// suspects are the sources of logs that were read before into which something may have been written since: of each log the one at its path, the
// youngest, and the one with the last line.
func (w *watch) suspects() (all []whereabouts) {
	for _, of := range [][]gatepost.Source{w.before, w.known} {
		logs := make(map[string][]*gatepost.Source)
		for i := range of {
			if k := &of[i]; w.counts(k) && k.Problem == "" {
				log := w.family(k.Path)
				logs[log] = append(logs[log], k)
			}
		}
		for log, of := range logs {
			if !w.concerns(log) {
				continue
			}
			young := slices.MaxFunc(of, func(a, b *gatepost.Source) int { return cmp.Compare(a.ID, b.ID) })
			late := slices.MaxFunc(of, func(a, b *gatepost.Source) int { return cmp.Compare(a.Last, b.Last) })
			there := slices.MaxFunc(of, func(a, b *gatepost.Source) int {
				return cmp.Or(cmp.Compare(w.isAt(a, log), w.isAt(b, log)), cmp.Compare(a.ID, b.ID))
			})
			for _, k := range []*gatepost.Source{young, late, there} {
				if !slices.ContainsFunc(all, func(s whereabouts) bool { return s.src.ID == k.ID }) {
					all = append(all, whereabouts{log, *k})
				}
			}
		}
	}
	return all
}

// searchLost says which suspects are nowhere any more: what was written into them since is lost. Those whose directory is away are looked for
// again when it is back.
func (w *watch) searchLost(ctx context.Context) error {
	var away []whereabouts
	for _, s := range w.suspected {
		is, err := w.isThere(&s.src, s.log)
		switch {
		case err != nil:
			away = append(away, s)
		case !is:
			src := s.src
			if i := slices.IndexFunc(w.known, func(n gatepost.Source) bool { return n.ID == src.ID }); i >= 0 {
				src = w.known[i] // as it is by now
			}
			if err := w.missed(ctx, s.src.Path, &src, "what was read of it is nowhere any more: what was written behind that is lost"); err != nil {
				return err
			}
		}
	}
	w.suspected = away
	return nil
}

// isAt is 1 for a source that lay at the path of its log when it was read, or at a link to that, and else 0.
func (w *watch) isAt(k *gatepost.Source, log string) int {
	if k.Path == log || w.links[k.Path] == log {
		return 1
	}
	return 0
}

// counts reports whether a source is a file of which something was read, be it that it is not in the store yet. Of a copy that was passed over
// nothing was.
func (w *watch) counts(k *gatepost.Source) bool {
	return k.Format != "" && k.HeadSize > 0 && (k.Lines > 0 || k.Position == 0) && !w.isStrand(k)
}

// concerns reports whether a log is among those that are followed.
func (w *watch) concerns(log string) bool {
	return slices.ContainsFunc(w.paths, func(path string) bool {
		return log == path || log == w.links[path] || strings.HasPrefix(log, strings.TrimSuffix(path, string(filepath.Separator))+string(filepath.Separator))
	}) || slices.Contains(w.list(), log)
}

// isThere reports whether a source lies somewhere, as far as it was read, or a copy of its beginning.
func (w *watch) isThere(k *gatepost.Source, log string) (bool, error) {
	paths, err := w.rotations(log)
	if err != nil {
		return false, err
	}
	paths = append(paths, log, k.Path)
	for _, path := range slices.Backward(paths) {
		f, err := source.Follow(path)
		if err != nil {
			continue
		}
		at, same, err := f.OpenAt(k)
		there := same
		if err == nil {
			if !same && path != log && source.BeginsLike(at.Peek(source.HeadSize), k) {
				length, err := f.File.Length()
				there = err == nil && length < k.Position
			}
			at.Close()
		}
		f.Close()
		if there {
			return true, nil
		}
	}
	return false, nil
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

// waits reports whether a file is the copy of one that is read, as far as it goes: when that one is truncated, it is where the rest stands.
func (w *watch) waits(f *source.Following) bool {
	return slices.ContainsFunc(w.followers, func(o *follower) bool {
		switch {
		case o.following == f:
			return false
		case o.feed == nil:
			return w.isRotationOf(f.Path, o.following.Path) && f.Size() > 0 && o.following.Holds(f)
		case o.rewritten():
			return w.mayBeCopy(f.Path, o) // which of them has the rest is found out now
		}
		return o.following.Holds(f)
	})
}

// mayBeCopy reports whether a path is one at which a copy of a file is looked for when that is truncated. The file may have been renamed since.
func (w *watch) mayBeCopy(path string, of *follower) bool {
	return w.isRotationOf(path, of.following.Path) || w.isRotationOf(path, of.log)
}

// isRotationOf reports whether a file has a name that rotation gives to a log.
func (w *watch) isRotationOf(path, log string) bool {
	return slices.ContainsFunc(w.names(log), func(name string) bool { return source.IsRotation(name, path) })
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

// truncated reads on in a copy what was not read of a file before it was truncated, and lets the file be found anew.
func (w *watch) truncated(ctx context.Context, f *follower) error {
	if f.src == nil || f.src.Format == "" {
		if err := w.drop(ctx, f); err != nil {
			return err
		}
		if f.src == nil && f.following.Held() > 0 {
			return w.missed(ctx, f.following.Path, nil, "the file was truncated before a line of it was finished")
		}
		return nil
	}
	c, packed, length := w.copyOf(f)
	if c == nil {
		if err := w.drop(ctx, f); err != nil {
			return err
		}
		return w.missed(ctx, f.following.Path, f.src, "the file was truncated, and no copy of it was found: what was written before that and not read is lost")
	}
	if err := w.forgetCopies(ctx, f); err != nil {
		return errors.Join(err, c.Close())
	}
	if f.feed != nil && length < f.stream.Offset() { // more was read than is in the copy, which was made before
		return errors.Join(w.drop(ctx, f), w.passed(ctx, f, c), c.Close())
	}
	if err := w.remove(ctx, f); err != nil {
		return errors.Join(err, c.Close())
	}
	if packed {
		return errors.Join(w.readPacked(ctx, c), c.Close())
	}
	if slices.ContainsFunc(w.followers, func(o *follower) bool { return o.following.Same(c) }) {
		return c.Close()
	}
	w.follow(c)
	return nil
}

// forgetCopies lets go of files that wait for what becomes of one of which they are copies, since that is decided.
func (w *watch) forgetCopies(ctx context.Context, f *follower) error {
	for _, o := range slices.Clone(w.followers) {
		if o == f || o.feed != nil || !w.mayBeCopy(o.following.Path, f) || !w.beginsAs(o.following, f) {
			continue
		}
		if err := w.remove(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// beginsAs reports whether a file begins as one that was truncated did.
func (w *watch) beginsAs(c *source.Following, f *follower) bool {
	s, err := c.Open()
	if err != nil {
		return false
	}
	defer s.Close()
	text := s.Peek(parser.SampleSize)
	return source.BeginsLike(text, f.src) || len(text) > 0 && bytes.HasPrefix(f.sample, text)
}

// passed remembers a copy as one that was read, because the file of which it is one was.
func (w *watch) passed(ctx context.Context, f *follower, c *source.Following) error {
	src, err := c.Passed()
	if err != nil || src.PositionLine == 1 {
		return nil // it is gone by now, or has no whole line, so that every other log may begin like it
	}
	if slices.ContainsFunc(w.known, func(k gatepost.Source) bool { return k.HeadSize == src.HeadSize && k.Head == src.Head }) {
		return nil // it is known, by the head of the file or one of its own
	}
	src.Format, src.Dialect, src.Stamps = f.src.Format, f.src.Dialect, f.src.Stamps
	if err := w.store.AddSource(ctx, &src); err != nil {
		return err
	}
	w.knows(&src)
	return nil
}

// isAway reports whether the directory of a file is not there.
func (w *watch) isAway(f *follower) bool {
	_, away := w.rotations(f.following.Path)
	_, awayToo := w.rotations(f.log)
	return away != nil || awayToo != nil
}

// copyOf finds the copy of a file that was made before it was truncated, and how long its text is. A file that is packed meanwhile has
// another name than it had in the list.
func (w *watch) copyOf(f *follower) (c *source.Following, packed bool, length int64) {
	for range 3 {
		vanished := false
		paths, _ := w.rotations(f.following.Path)
		more, _ := w.rotations(f.log) // the file may have been renamed since
		for _, path := range slices.Backward(append(paths, more...)) {
			c, err := source.Follow(path)
			if err != nil {
				vanished = vanished || errors.Is(err, fs.ErrNotExist)
				continue
			}
			at, same, err := c.OpenAt(f.src)
			if err != nil {
				c.Close()
				continue
			}
			text := at.Peek(parser.SampleSize)
			begins := same || source.BeginsLike(text, f.src) || len(text) > 0 && bytes.HasPrefix(f.sample, text)
			packed := at.Kind != nil
			at.Close()
			if begins {
				length, err := c.File.Length()
				if err == nil && (same || length < f.src.Position) {
					return c, packed, length
				}
			}
			c.Close()
		}
		if !vanished {
			break
		}
	}
	return nil, false, 0
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

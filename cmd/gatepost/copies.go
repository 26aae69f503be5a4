package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// Copies of followed files: each line counts once, whether a log is truncated behind a copy of it or lies on another disk by now. While both are
// there the copy waits; what became of the file decides which of them is read on.

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

// replaces reports whether a file lies where another one lay that is not there any more, or where that would be rotated to: with all of its text, it is
// that log on another disk.
func (w *watch) replaces(f *source.Following, o *follower) bool {
	path := o.following.Path
	return o.following.Fate() != source.Stays && (f.Path == path || w.isRotationOf(f.Path, path) || w.isRotationOf(f.Path, o.log))
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
	return f.began(s.Peek(parser.SampleSize))
}

// began reports whether a text is the beginning of the file, as it was.
func (f *follower) began(text []byte) bool {
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
			begins := same || f.began(at.Peek(parser.SampleSize))
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

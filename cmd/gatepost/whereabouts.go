package main

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"gatepost"
	"gatepost/parser/source"
)

// Where the logs are by now that were read before: under which names, and whether anywhere.

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

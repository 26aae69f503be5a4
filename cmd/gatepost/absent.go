package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"gatepost/parser/source"
)

// absence is that of a log which is not where it was and was not given another name: it was removed, or its disk was unmounted.
type absence struct {
	since time.Time
	said  bool
}

// absences says of logs that they are away, once they are for longer than rotation takes, and that they are there again.
func (w *watch) absences() {
	now := w.now()
	for _, f := range w.followers {
		path := f.following.Path
		stream := f.following.File.Size < 0
		if !stream && f.log == path && w.absent[path] == nil && f.following.Fate() == source.Gone {
			w.absent[path] = &absence{since: now}
		}
	}
	var gone, back []string
	for path, a := range w.absent {
		if _, err := os.Stat(path); err == nil {
			delete(w.absent, path)
			if a.said {
				back = append(back, path)
			}
		} else if !a.said && now.Sub(a.since) >= over {
			a.said = true
			gone = append(gone, path)
		}
	}
	if len(gone) > 0 {
		w.note("%s: not there any more; what is written is read when it is there again", some(gone))
	}
	if len(back) > 0 {
		w.note("%s: there again", some(back))
	}
}

// some names paths, of many the first.
func some(paths []string) string {
	const most = 5
	slices.Sort(paths)
	if n := len(paths); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(paths[:most], ", "), n-most)
	}
	return strings.Join(paths, ", ")
}

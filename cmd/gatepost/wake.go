package main

import (
	"context"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// waker waits for something to happen in directories. That nothing is told of it is no reason to believe that nothing happened: it only
// makes following quicker.
type waker struct {
	events *fsnotify.Watcher      // nil where the system has none to give
	dirs   map[string]os.FileInfo // as they were when it began to watch them
	looked time.Time              // whether they still are
}

func newWaker() *waker {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		events = nil
	}
	return &waker{events: events, dirs: make(map[string]os.FileInfo)}
}

// watch makes it wake for these directories as well. One that is another than it was, since a disk was mounted there, is watched anew.
func (w *waker) watch(dirs []string) {
	if w.events == nil {
		return
	}
	now := time.Now()
	look := now.Sub(w.looked) >= lookEvery
	if look {
		w.looked = now
	}
	for _, dir := range dirs {
		was := w.dirs[dir]
		if was != nil && !look {
			continue
		}
		is, err := os.Stat(dir)
		if err != nil || was != nil && os.SameFile(was, is) {
			continue
		}
		if was != nil {
			w.events.Remove(dir)
			delete(w.dirs, dir)
		}
		if w.events.Add(dir) == nil {
			w.dirs[dir] = is
		}
	}
}

// breath is the least time between two turns: a log that is written a line at a time is not read a line at a time.
const breath = 5 * time.Millisecond

// wait returns when something happened, after a time at the latest, and reports whether a file came, went or got another name.
func (w *waker) wait(ctx context.Context, longest time.Duration) (stirred bool) {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(breath):
	}
	timer := time.NewTimer(max(0, longest-breath))
	defer timer.Stop()
	var events chan fsnotify.Event
	var errors chan error
	if w.events != nil {
		events, errors = w.events.Events, w.events.Errors
	}
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return false
	case <-errors:
		return true // events may have been lost
	case e := <-events:
		stirred = w.takes(e)
	}
	for { // what came with it
		select {
		case e := <-events:
			stirred = w.takes(e) || stirred
		default:
			return stirred
		}
	}
}

// takes reports whether an event is about names, and forgets a directory that went.
func (w *waker) takes(e fsnotify.Event) bool {
	if e.Has(fsnotify.Remove | fsnotify.Rename) {
		delete(w.dirs, e.Name)
	}
	return e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename)
}

func (w *waker) close() {
	if w.events != nil {
		w.events.Close()
	}
}

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A directory that is another one now, as after a disk was mounted there, is watched anew: what happens in it wakes.
func TestWakesInAnother(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "log")
	must(t, os.Mkdir(dir, 0o755))
	w := newWaker()
	defer w.close()
	if w.events == nil {
		t.Skip("nothing tells of changes here")
	}
	w.watch([]string{dir})
	must(t, os.Mkdir(filepath.Join(parent, "other"), 0o755))
	must(t, os.Rename(dir, filepath.Join(parent, "old")))
	must(t, os.Rename(filepath.Join(parent, "other"), dir))
	w.dirs[dir] = mustDo(os.Stat(filepath.Join(parent, "old"))) // a disk that is mounted over it tells nothing
	w.looked = time.Time{}
	w.watch([]string{dir})
	for w.wait(t.Context(), 10*time.Millisecond) { // what was told of that
	}
	must(t, os.WriteFile(filepath.Join(dir, "access.log"), nil, 0o600))
	if !w.wait(t.Context(), mostPatient) {
		t.Error("nothing woke")
	}
}

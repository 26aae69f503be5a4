package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gatepost"
	"gatepost/store"
)

// linesIn is how many lines a store has by now.
func linesIn(t *testing.T, db string) (n int64) {
	t.Helper()
	if _, err := os.Stat(db); err != nil {
		return 0
	}
	st, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	sources, err := st.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range sources {
		n += src.Lines
	}
	return n
}

// TestKilled follows a log with the program itself, ends it with SIGKILL at any moment, and begins again with the same store: each line is in it once.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(seed(t), 9))
	dir, db := t.TempDir(), filepath.Join(t.TempDir(), "gatepost.db")
	s := newScribe(t, rnd, time.Now, filepath.Join(dir, "access.log"), serialLine)
	s.down = true // nothing may rest on what the reader saw
	kills := 4
	if rotations(0) > 0 {
		kills = 40
	}
	for n := range kills {
		c := &exec.Cmd{Path: self, Args: []string{"gatepost", "tail", "--db", db, s.path}, Env: append(os.Environ(), "NOW="), Stderr: os.Stderr}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for first := int64(0); n == 0; { // what was rotated before following began is not read, so it must have begun
			s.write(1)
			time.Sleep(20 * time.Millisecond)
			stored := linesIn(t, db)
			if first > 0 && stored > first || time.Since(s.written[1]) > 20*time.Second {
				break
			}
			first = stored
		}
		for until := time.Now().Add(time.Duration(150+rnd.IntN(400)) * time.Millisecond); time.Now().Before(until); {
			s.write(1 + rnd.IntN(200))
			if rnd.IntN(20) == 0 {
				s.rename(rnd.IntN(2) == 0)
			}
			time.Sleep(time.Millisecond)
		}
		c.Process.Signal(syscall.SIGKILL)
		c.Wait()
	}
	s.finish()
	c := &exec.Cmd{Path: self, Args: []string{"gatepost", "tail", "--db", db, s.path}, Env: append(os.Environ(), "NOW="), Stderr: os.Stderr}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second) // a last record is stored when it was quiet for two
	c.Process.Signal(syscall.SIGKILL)
	c.Wait()
	st, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	counted := make(map[int]int)
	for r, err := range st.Requests(t.Context(), gatepost.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		counted[int(r.Bytes)]++
	}
	var lost, doubled []int
	for n := 1; n < len(s.written); n++ {
		switch {
		case counted[n] == 0:
			lost = append(lost, n)
		case counted[n] > 1:
			doubled = append(doubled, n)
		}
	}
	what := fmt.Sprintf("%d kills, %d rotations, %d lines: %d lost, %d doubled", kills, s.rotated, len(s.written)-1, len(lost), len(doubled))
	if len(lost)+len(doubled) > 0 {
		t.Errorf("%s: %s; %s", what, ranges(lost), ranges(doubled))
	}
	t.Log(what)
}

package main

import (
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	hpcloud "github.com/hpcloud/tail"
	nxadm "github.com/nxadm/tail"
)

// yardstick is a library that follows a file: it calls line with each line, and returns how to stop it and how far it is.
type yardstick struct {
	name string
	open func(path string, at int64, line func(string)) (stop func() (at int64), err error)
}

var silent = log.New(io.Discard, "", 0)

func followNxadm(poll bool) func(string, int64, func(string)) (func() int64, error) {
	return func(path string, at int64, line func(string)) (func() int64, error) {
		f, err := nxadm.TailFile(path, nxadm.Config{Follow: true, ReOpen: true, Poll: poll, CompleteLines: true, Logger: silent, Location: &nxadm.SeekInfo{Offset: at}})
		if err != nil {
			return nil, err
		}
		var all sync.WaitGroup
		all.Go(func() {
			for l := range f.Lines {
				line(l.Text)
			}
		})
		return func() int64 {
			at, _ := f.Tell()
			f.Stop()
			all.Wait()
			return at
		}, nil
	}
}

func followHpcloud(poll bool) func(string, int64, func(string)) (func() int64, error) {
	return func(path string, at int64, line func(string)) (func() int64, error) {
		f, err := hpcloud.TailFile(path, hpcloud.Config{Follow: true, ReOpen: true, Poll: poll, Logger: silent, Location: &hpcloud.SeekInfo{Offset: at}})
		if err != nil {
			return nil, err
		}
		var all sync.WaitGroup
		all.Go(func() {
			for l := range f.Lines {
				line(l.Text)
			}
		})
		return func() int64 {
			at, _ := f.Tell()
			f.Stop()
			all.Wait()
			return at
		}, nil
	}
}

var serialOf = regexp.MustCompile(`" (?:200|502) (\d+) "-"`)

// TestYardsticks has the scribe of the torture suite write for libraries that follow files, and counts what they lose and double. It asserts
// nothing: docs/tailing.md has the figures. What ends their process, as a directory that vanishes may, is not done to them.
func TestYardsticks(t *testing.T) {
	if os.Getenv("GATEPOST_TORTURE") == "" {
		t.Skip("a measurement: GATEPOST_TORTURE=1000 runs it")
	}
	for i, y := range []yardstick{
		{"nxadm/tail, inotify", followNxadm(false)}, {"nxadm/tail, poll", followNxadm(true)},
		{"hpcloud/tail, inotify", followHpcloud(false)}, {"hpcloud/tail, poll", followHpcloud(true)},
	} {
		t.Run(y.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed(t), uint64(i)))
			s := newScribe(t, rnd, time.Now, filepath.Join(t.TempDir(), "access.log"), serialLine)
			var mu sync.Mutex
			counted := make(map[int]int)
			line := func(text string) {
				if m := serialOf.FindStringSubmatch(text); m != nil {
					n, _ := strconv.Atoi(m[1])
					mu.Lock()
					counted[n]++
					mu.Unlock()
				}
			}
			wait := 10 * time.Millisecond
			if i%2 == 1 {
				wait = 600 * time.Millisecond // they look every 250 ms
			}
			looks := func() {
				if !s.down {
					time.Sleep(wait)
					s.look()
					s.settled()
				}
			}
			s.write(10)
			stop, err := y.open(s.path, 0, line)
			if err != nil {
				t.Fatal(err)
			}
			at, kills := int64(0), 0
			began := time.Now()
			for s.rotated < rotations(0) && time.Since(began) < 2*time.Minute {
				for range 1 + rnd.IntN(3) {
					s.write(1 + rnd.IntN(20))
					if rnd.IntN(2) == 0 {
						looks()
					}
				}
				switch kind := rnd.IntN(12); {
				case kind < 9:
					s.rotate(kind, looks, looks)
				case kind == 10 && !s.down:
					at = stop()
					kills++
					s.killed()
				case kind == 11:
					s.keep(8)
				}
				if s.down && rnd.IntN(4) == 0 {
					s.down = false
					if stop, err = y.open(s.path, at, line); err != nil {
						t.Fatal(err)
					}
				}
			}
			if s.down {
				if stop, err = y.open(s.path, at, line); err != nil {
					t.Fatal(err)
				}
			}
			s.finish()
			time.Sleep(time.Second)
			stop()
			lost, doubled := 0, 0
			for n := 1; n < len(s.written); n++ {
				switch c := counted[n]; {
				case c == 0 && !s.gone[n]:
					lost++
				case c > 1:
					doubled++
				}
			}
			t.Logf("%s: %d rotations, %d restarts, %d lines: %d lost, %d doubled", y.name, s.rotated, kills, len(s.written)-1, lost, doubled)
		})
	}
}

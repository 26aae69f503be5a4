package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatepost"
)

// journalRemote writes files of the journal; Debian's package systemd-journal-remote has it.
const journalRemote = "/usr/lib/systemd/systemd-journal-remote"

// journaled is a file of the journal that grows: requests of Odoo with a serial number each, as the number of their statements.
type journaled struct {
	t     *testing.T
	in    io.WriteCloser
	clock *time.Time
	last  *int
}

func (p *tortured) journal(t *testing.T, path string, last *int) *journaled {
	t.Helper()
	c := exec.Command(journalRemote, "-o", path, "-")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	j := &journaled{t, in, p.clock, last}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return j
}

// write writes entries, as journalctl exports them.
func (j *journaled) write(entries int) {
	j.t.Helper()
	for range entries {
		*j.last++
		*j.clock = j.clock.Add(time.Millisecond)
		at := j.clock.UTC()
		text := fmt.Sprintf("%s 4711 INFO prod werkzeug: 127.0.0.1 - - [%s] \"GET /web HTTP/1.1\" 200 - %d 0.004 0.012", at.Format("2006-01-02 15:04:05,000"), at.Format("02/Jan/2006 15:04:05"), *j.last)
		if _, err := fmt.Fprintf(j.in, "__CURSOR=s=a;i=%x\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=0123456789abcdef0123456789abcde0\n"+
			"_HOSTNAME=erp1\nSYSLOG_IDENTIFIER=odoo\n_PID=4711\nMESSAGE=%s\n\n", *j.last, at.UnixMicro(), *j.last, text); err != nil {
			j.t.Fatal(err)
		}
	}
}

// await gives the reader turns until it has read so many requests, each once.
func (p *tortured) await(t *testing.T, last int) {
	t.Helper()
	var counted map[int]int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		p.turns(t, 1, false)
		requests, _ := p.counts(t)
		if counted = requests[gatepost.LaneOdoo]; len(counted) >= last {
			break
		}
	}
	for n := 1; n <= last; n++ {
		if counted[n] != 1 {
			t.Fatalf("entry %d of %d was read %d times", n, last, counted[n])
		}
	}
}

// TestJournalGrows follows a file of the journal while systemd writes it, through a kill of the reader and a rotation.
func TestJournalGrows(t *testing.T) {
	for _, program := range []string{journalRemote, "journalctl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	dir := filepath.Join(t.TempDir(), "0123456789abcdef0123456789abcde0")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	p := &tortured{clock: &now, db: filepath.Join(t.TempDir(), "gatepost.db"), paths: []string{dir}}
	path := filepath.Join(dir, "system.journal")
	last := 0
	j := p.journal(t, path, &last)
	p.start(t)
	j.write(40)
	p.await(t, last)
	j.write(400)
	p.await(t, last)
	p.kill(t)
	j.write(300)
	p.start(t)
	j.write(1)
	p.await(t, last)
	if err := os.Rename(path, filepath.Join(dir, "system@0005.journal")); err != nil {
		t.Fatal(err)
	}
	j.write(20)
	next := p.journal(t, path, &last)
	next.write(60)
	p.await(t, last)
	p.kill(t)
	next.write(5)
	p.start(t)
	p.await(t, last)
	p.watch.close()
	if !slices.ContainsFunc(mustDo(p.store.Sources(t.Context())), func(s gatepost.Source) bool { return s.Path == path && s.Host == "erp1" }) {
		t.Errorf("no source is %s", path)
	}
}

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
	"gatepost/discovery"
)

// journalRemote writes files of the journal; Debian's package systemd-journal-remote has it.
const journalRemote = "/usr/lib/systemd/systemd-journal-remote"

// journaled is a file of the journal that grows: requests of Odoo with a serial number each, as the number of their statements.
type journaled struct {
	t     *testing.T
	in    io.WriteCloser
	clock *time.Time
	last  *int // serial number
	// entries are how many were written
	entries *int
}

func (p *tortured) journal(t *testing.T, path string, last, entries *int) *journaled {
	t.Helper()
	for _, program := range []string{journalRemote, "journalctl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	c := exec.Command(journalRemote, "-o", path, "-")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	j := &journaled{t, in, p.clock, last, entries}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return j
}

// write writes requests, and a traceback now and then, into which another program speaks.
func (j *journaled) write(records int) {
	j.t.Helper()
	for range records {
		*j.last++
		at := j.clock.UTC()
		stamp := at.Format("2006-01-02 15:04:05,000")
		if *j.last%7 > 0 {
			j.entry("odoo", fmt.Sprintf("%s 4711 INFO prod werkzeug: 127.0.0.1 - - [%s] \"GET /web HTTP/1.1\" 200 - %d 0.004 0.012", stamp, at.Format("02/Jan/2006 15:04:05"), *j.last))
			continue
		}
		j.entry("odoo", fmt.Sprintf("%s 4711 ERROR prod odoo.addons.n%d: failed", stamp, *j.last))
		j.entry("odoo", "Traceback (most recent call last):")
		j.entry("cron", "(root) CMD (\n__CURSOR=s=none;i=1\n\ntrue)")
		j.entry("odoo", "ValueError: ежик")
	}
}

// entry writes an entry, as journalctl exports them.
func (j *journaled) entry(program, message string) {
	j.t.Helper()
	*j.entries++
	*j.clock = j.clock.Add(time.Millisecond)
	field := "MESSAGE=" + message
	if strings.Contains(message, "\n") {
		field = "MESSAGE\n" + string([]byte{byte(len(message)), 0, 0, 0, 0, 0, 0, 0}) + message
	}
	if _, err := fmt.Fprintf(j.in, "__CURSOR=s=a;i=%x\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=0123456789abcdef0123456789abcde0\n"+
		"_HOSTNAME=erp1\nSYSLOG_IDENTIFIER=%s\n_PID=4711\n%s\n\n", *j.entries, j.clock.UnixMicro(), *j.entries, program, field); err != nil {
		j.t.Fatal(err)
	}
}

// await gives the reader turns until it has read so many requests, each once.
func (p *tortured) await(t *testing.T, last int) {
	t.Helper()
	var counted map[int]int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		p.turns(t, 1, true)
		requests, records := p.counts(t)
		counted = requests[gatepost.LaneOdoo]
		maps.Copy(counted, records)
		if len(counted) >= last {
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
	dir := filepath.Join(t.TempDir(), "0123456789abcdef0123456789abcde0")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	p := &tortured{clock: &now, db: filepath.Join(t.TempDir(), "gatepost.db"), paths: []string{dir}}
	path := filepath.Join(dir, "system.journal")
	last, entries := 0, 0
	j := p.journal(t, path, &last, &entries)
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
	next := p.journal(t, path, &last, &entries)
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

// TestJournalGoesOn follows the journal of the machine, and goes on behind the last entry that it stored: also when what was read is not there any more.
func TestJournalGoesOn(t *testing.T) {
	real, err := exec.LookPath("journalctl")
	if err != nil {
		t.Skip("journalctl is not here")
	}
	dir, bin := t.TempDir(), t.TempDir()
	logs := filepath.Join(dir, "logs")
	lay(t, filepath.Join(logs, "access.log"), "")
	now := time.Now().UTC().Truncate(time.Second)
	p := &tortured{clock: &now, db: filepath.Join(t.TempDir(), "gatepost.db"), paths: []string{logs}, machine: &machine{&discovery.Found{Boot: gatepost.NoTime}, true}}
	path := filepath.Join(dir, "system.journal")
	last, entries := 0, 0
	j := p.journal(t, path, &last, &entries)
	// The journal of this machine is what the test writes.
	lay(t, filepath.Join(bin, "journalctl"), "#!/bin/sh\nexec "+real+" --file="+path+" \"$@\"\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	j.write(100)
	p.start(t)
	p.await(t, last)
	j.write(50)
	p.await(t, last)
	for range 4 {
		p.kill(t)
		j.write(30)
		p.start(t)
		j.write(30)
		p.await(t, last)
	}
	p.kill(t)
	if err := os.Rename(path, path+"~"); err != nil { // the oldest entries are removed
		t.Fatal(err)
	}
	j = p.journal(t, path, &last, &entries)
	j.write(40)
	p.start(t)
	p.await(t, last)
	p.watch.close()
}

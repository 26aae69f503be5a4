package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// journalRemote makes files of the journal; Debian's package systemd-journal-remote has it.
const journalRemote = "/usr/lib/systemd/systemd-journal-remote"

// TestJournalFile holds that a file of the journal is read through journalctl, also when it is packed, from any place in its text,
// and that no copy of it stays.
func TestJournalFile(t *testing.T) {
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Skip("there is no journalctl here")
	}
	if _, err := os.Stat(journalRemote); err != nil {
		t.Skip("there is no systemd-journal-remote here")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var export bytes.Buffer
	const entries = 5000
	for i := range entries {
		fmt.Fprintf(&export, "__CURSOR=s=a;i=%x\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=0123456789abcdef0123456789abcde0\n"+
			"SYSLOG_IDENTIFIER=odoo\n_PID=%d\nMESSAGE=line %d\n\n", i+1, 1_795_000_000_000_000+i, i, 100+i%7, i)
	}
	path := filepath.Join(dir, "system.journal")
	remote := exec.Command(journalRemote, "-o", path, "-")
	remote.Stdin = &export
	if said, err := remote.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f := onDisk(path, info)
	text, err := readAll(t, f)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(text, "\n\n")
	if len(lines) != entries+1 || !strings.Contains(lines[7], "\nMESSAGE=line 7\n") || !strings.Contains(lines[7], "\n__REALTIME_TIMESTAMP=1795000000000007\n") {
		t.Errorf("%d entries, the eighth is %s", len(lines)-1, lines[min(7, len(lines)-1)])
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	at := int64(strings.Index(text, lines[4000]))
	if err := s.SkipTo(at); err != nil {
		t.Fatal(err)
	}
	if got := string(s.Peek(len(lines[4000]))); got != lines[4000] {
		t.Errorf("at %d stands %s, want %s", at, got, lines[4000])
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(dir + "/gatepost-*"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// TestJournalUnreadable holds that it is told why a file of the journal is not read.
func TestJournalUnreadable(t *testing.T) {
	dir := t.TempDir()
	file := InMemory("x.journal", append([]byte("LPKSHHRH"), make([]byte, 1000)...), time.Time{})
	t.Setenv("PATH", dir)
	if _, err := file.Open(); !errors.Is(err, ErrNoJournalctl) {
		t.Errorf("without journalctl: %v", err)
	}
	broken := "#!/bin/sh\necho 'Failed to open files: Bad message' >&2\necho more >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte(broken), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	s, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err = io.ReadAll(s); err == nil || err.Error() != "journal: journalctl: Failed to open files: Bad message" {
		t.Errorf("with a broken file: %v", err)
	}
}

// TestRingText holds that the lines of the kernel's ring buffer get dates, and that those that were read before are left out.
func TestRingText(t *testing.T) {
	boot := gatepost.TimeOf(time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC))
	ring := "<6>[    1.002509] eth0: link up\n<4>[  100.500000] first of two\nsecond of two\n<3>[  200.000001] Out of memory\n"
	got := string(ringText([]byte(ring), boot, boot.Add(50*time.Second)))
	want := "2026-11-22T13:01:40,500000+00:00 first of two\nsecond of two\n2026-11-22T13:03:20,000001+00:00 Out of memory\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

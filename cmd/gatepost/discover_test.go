package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
	"gatepost/discovery"
	"gatepost/parser/source"
)

// TestJournalOfMachine holds that what the kernel said is read from the journal where syslog writes no files, from an hour before the
// first request on, and with a store in pieces: each begins behind the last entry of the one before.
func TestJournalOfMachine(t *testing.T) {
	dir := t.TempDir()
	logs, bin := filepath.Join(dir, "logs"), filepath.Join(dir, "bin")
	for _, name := range []string{"access.log", "error.log", "odoo.log"} {
		data, err := demoLogs.ReadFile("demo/" + name)
		if err != nil {
			t.Fatal(err)
		}
		lay(t, filepath.Join(logs, name), string(data))
	}
	// The machine has no journal of its own that a test could rely on: this stands for journalctl.
	entry := func(at time.Time, message string) string {
		return fmt.Sprintf("__CURSOR=%d\n__REALTIME_TIMESTAMP=%[1]d\n_TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\n_HOSTNAME=erp1\nMESSAGE=%s\n\n", at.UnixMicro(), message)
	}
	killed := time.Date(2026, 11, 22, 14, 19, 16, 100_000_000, time.UTC)
	lay(t, filepath.Join(dir, "journal.export"), entry(killed.Add(-time.Minute), "eth0: link up")+
		entry(killed, "Memory cgroup out of memory: Killed process 29158 (odoo: WorkerHTT) total-vm:646224kB, anon-rss:488940kB, file-rss:10640kB, shmem-rss:0kB, UID:999 pgtables:1104kB oom_score_adj:0"))
	lay(t, filepath.Join(bin, "journalctl"), "#!/bin/sh\necho \"$@\" >> "+dir+"/asked\ncat "+dir+"/journal.export\n")
	t.Setenv("PATH", bin+":/usr/bin:/bin")

	run := func(now time.Time) string {
		var stderr bytes.Buffer
		e := &env{stdin: strings.NewReader(""), stdout: new(bytes.Buffer), stderr: &stderr, now: func() time.Time { return now }, zone: time.UTC, getenv: os.Getenv}
		r, err := (&readingFlags{db: filepath.Join(dir, "night.db"), status: "502,504"}).resolve(e)
		if err != nil {
			t.Fatal(err)
		}
		in := &ingest{reading: r, progress: newProgress(e), machine: &machine{&discovery.Found{Boot: gatepost.NoTime}, true}}
		a := &analysis{env: e}
		a.files, _ = source.Find(context.Background(), []string{logs}, e.stdin, e.now())
		if err := a.judge(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		defer a.close()
		asked, err := os.ReadFile(filepath.Join(dir, "asked"))
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range a.model.Sources {
			if strings.HasPrefix(src.Path, "journal") && (src.Format != "syslog" || src.Host != "erp1") {
				t.Errorf("the journal was read as %+v", src)
			}
		}
		for f, err := range a.model.Failures.Failures() {
			if f.Status != 502 {
				continue
			}
			if err != nil || f.Verdict.Cause != "oom_kill" || !slices.ContainsFunc(f.Verdict.Evidence, func(e gatepost.Evidence) bool { return e.Kind == gatepost.KernelOOM }) {
				t.Errorf("%s: %s by %v, %v, want oom_kill by the kernel's line", f.ID, f.Verdict.Cause, f.Verdict.Evidence, err)
			}
		}
		return string(asked)
	}
	morning := time.Date(2026, 11, 23, 8, 0, 0, 400_000_000, time.UTC)
	first := run(morning)
	if !strings.Contains(first, "--since=@1795353544\n") { // 2026-11-22T13:19:04Z
		t.Errorf("asked for %s", first)
	}
	lay(t, filepath.Join(dir, "journal.export"), entry(morning.Add(time.Minute), "eth0: link down"))
	if again := strings.TrimPrefix(run(morning.Add(time.Hour)), first); !strings.HasSuffix(again, " --cursor="+fmt.Sprint(killed.UnixMicro())+"\n") {
		t.Errorf("the second run asked for %s", again)
	}
}

func lay(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quiet is when the logs of these tests are written into last, and written is when they are read: soon or long after.
var quiet = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// analyzedAt runs "gatepost analyze" at a time and returns what it prints. The summary is left out: reading in pieces says other things about it.
func analyzedAt(t *testing.T, now time.Time, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	e := env{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		now: func() time.Time { return now }, zone: time.UTC, getenv: func(string) string { return "" },
	}
	// Of a beginning of logs there may be nothing to tell yet.
	run(t.Context(), e, append([]string{"analyze", "--format", "ndjson"}, args...))
	ledger, _, _ := strings.Cut(stdout.String(), `{"type":"summary"`)
	return ledger
}

// TestPieces reads every incident as it grows, with --db, the logs broken off anywhere, in the middle of lines and records. In the end the ledger is
// the one of the whole, to the last byte.
func TestPieces(t *testing.T) {
	const pieces = 5
	for i, in := range recorded(t) {
		plain := readFolder(t, in)
		wrapped := plain.clone()
		by := shippers[i/2%len(shippers)]
		shippedBy(by)(wrapped, nil)
		for j, f := range []folder{plain, wrapped} {
			if i%2 != j {
				continue // each incident in one way, each shipper with several
			}
			t.Run(in.name+"/"+[]string{"plain", by.name}[j], func(t *testing.T) {
				t.Parallel()
				whole, dir := t.TempDir(), t.TempDir()
				f.write(t, whole)
				entries, err := os.ReadDir(whole)
				if err != nil {
					t.Fatal(err)
				}
				rnd := rand.New(rand.NewPCG(uint64(i), 5))
				for piece := 1; piece <= pieces; piece++ {
					for _, e := range entries {
						text, err := os.ReadFile(filepath.Join(whole, e.Name()))
						if err != nil {
							t.Fatal(err)
						}
						if n := len(text) * piece / pieces; piece < pieces && filepath.Ext(e.Name()) != ".conf" {
							text = text[:max(0, n-rnd.IntN(1+n/(2*piece)))]
						}
						path := filepath.Join(dir, e.Name())
						if old, err := os.ReadFile(path); err == nil && len(old) >= len(text) {
							text = old
						}
						if err := os.WriteFile(path, text, 0o600); err != nil {
							t.Fatal(err)
						}
						for _, dir := range []string{dir, whole} {
							if err := os.Chtimes(filepath.Join(dir, e.Name()), quiet, quiet); err != nil {
								t.Fatal(err)
							}
						}
					}
					db := filepath.Join(dir, ".night.db")
					if piece < pieces {
						analyzedAt(t, quiet.Add(time.Second), "--db", db, dir)
						continue
					}
					now := quiet.Add(time.Hour)
					got := strings.ReplaceAll(analyzedAt(t, now, "--db", db, dir), dir, whole)
					if want := analyzedAt(t, now, whole); got != want {
						t.Errorf("in pieces:\n%s\nas a whole:\n%s", firstDifference(got, want), firstDifference(want, got))
					}
				}
			})
		}
	}
}

// firstDifference is what a text has where it is first another than the other.
func firstDifference(text, other string) string {
	at := 0
	for at < min(len(text), len(other)) && text[at] == other[at] {
		at++
	}
	return text[max(0, at-200):min(len(text), at+200)]
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// liveDoc is the manual for machines.
func liveDoc(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "tail.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fenced is the first block of a language in the manual.
func fenced(t *testing.T, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(liveDoc(t), "\n```"+language+"\n")
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("docs/tail.md has no block of %s", language)
	}
	return text + "\n"
}

// The manual has the metrics that there are, with their labels and kinds.
func TestTailDocMetrics(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("..", "..", "testdata", "machines", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(golden), -1) {
		sample := regexp.MustCompile(`(?m)^` + m[1] + `(?:\{(.*)\})? `).FindStringSubmatch(string(golden))
		var labels []string
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
			labels = append(labels, l[1])
		}
		want = append(want, m[1]+" "+m[2]+" "+sorted(labels))
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(gatepost_\\w+)(?:\\{(.*)\\})?` \\| (\\w+) \\|").FindAllStringSubmatch(liveDoc(t), -1) {
		got = append(got, m[1]+" "+m[3]+" "+sorted(strings.Split(m[2], ",")))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the manual has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func sorted(labels []string) string {
	slices.Sort(labels)
	return strings.Join(labels, ",")
}

// The manual's ways to verify a signature take a good one and no other.
func TestTailDocVerify(t *testing.T) {
	m := newMoments()
	body := anAnnouncement(t, m.pace()).body
	at := strconv.FormatInt(m.now().Unix(), 10)
	good := "sha256=" + sign([]byte("s3cret"), at, body)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "body.json"), body, 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(name, secret, signature string, cmd *exec.Cmd, want bool) {
		t.Helper()
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SECRET="+secret, "TIMESTAMP="+at, "SIGNATURE="+signature)
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("%s: %v, want %v: %s", name, err, want, out)
		}
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("openssl is not installed, so the example for a shell was not tried")
	} else {
		check("shell", "s3cret", good, exec.Command("sh", "-c", fenced(t, "sh")), true)
		check("shell, other secret", "secret", good, exec.Command("sh", "-c", fenced(t, "sh")), false)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Log("python3 is not installed, so the example for Python was not tried")
		return
	}
	python := func(now string) *exec.Cmd {
		return exec.Command("python3", "-c", fenced(t, "python")+fmt.Sprintf(`
import os, sys
e = os.environ
headers = {"X-Gatepost-Timestamp": e["TIMESTAMP"], "X-Gatepost-Signature": e["SIGNATURE"]}
sys.exit(not genuine(e["SECRET"], headers, open("body.json", "rb").read(), lambda: %s))
`, now))
	}
	check("python", "s3cret", good, python(at+" + 10"), true)
	check("python, other secret", "secret", good, python(at), false)
	check("python, other signature", "s3cret", good[:len(good)-1]+"x", python(at), false)
	check("python, later", "s3cret", good, python(at+" + 301"), false)
}

// The manual's alert rules are rules.
func TestTailDocRules(t *testing.T) {
	rules := fenced(t, "yaml")
	golden, err := os.ReadFile(filepath.Join("..", "..", "testdata", "machines", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`gatepost_\w+`).FindAllString(rules, -1) {
		if !bytes.Contains(golden, []byte("\n# TYPE "+name+" ")) {
			t.Errorf("a rule is about %s, which is not there", name)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

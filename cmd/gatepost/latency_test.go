package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLatency measures how long it takes from the write of the line that decides a verdict until "gatepost tail" has written the verdict to its standard
// output, with other programs writing their logs beside it. An operation is one failure: nobody listened, since the master had died.
func BenchmarkLatency(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	access := func(status, n int) string {
		return fmt.Sprintf("127.0.0.1 - - [%s] \"GET /web?n=%d HTTP/1.1\" %d 157 \"-\" \"-\"\n", time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), n, status)
	}
	for n := range 20 {
		write("access.log", access(200, -n))
	}
	cmd := exec.Command("itself", "tail", "--from-start", "--format", "ndjson", dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGKILL)
	lines := bufio.NewReader(out)
	// fails makes a request fail, and waits until that is told.
	fails := func(n int) time.Duration {
		at := time.Now().UTC()
		write("error.log", fmt.Sprintf("%s [error] 7#7: *%d connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, server: _, request: \"GET /web?n=%d HTTP/1.1\", upstream: \"http://127.0.0.1:8069/web?n=%d\", host: \"erp\"\n",
			at.Format("2006/01/02 15:04:05"), n, n, n))
		began := time.Now()
		write("access.log", access(502, n))
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			if strings.Contains(line, `"type":"failure"`) && strings.Contains(line, fmt.Sprintf(`"/web?n=%d"`, n)) {
				return time.Since(began)
			}
		}
	}
	fails(1) // it has started now
	spent := cpuOf(b, cmd.Process.Pid)
	var took []time.Duration
	n := 1
	for b.Loop() {
		n++
		took = append(took, fails(n))
		write("access.log", access(200, n))
	}
	b.ReportMetric(float64((cpuOf(b, cmd.Process.Pid)-spent).Microseconds())/1000/float64(len(took)), "cpu-ms/op")
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("ms-p%d", p))
	}
}

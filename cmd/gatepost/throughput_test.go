package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkFollow has a log written beside "gatepost tail", and measures how it keeps up. An operation is a line:
//
//	go test -run '^$' -bench Follow -benchtime 1000000x ./cmd/gatepost
//
//	lines/s     that were taken, from the first that was written to the last that was read
//	core%       of a core that it took for that
//	s-behind    from the last write until all was read
//	s-lag       the longest lag that it said meanwhile, of gatepost_source_lag_seconds
//	MB          memory at most
func BenchmarkFollow(b *testing.B) {
	const much = 100_000 // lines a second
	b.Run("ordinary", func(b *testing.B) { follows(b, much, 0) })
	b.Run("failures", func(b *testing.B) { follows(b, much, 100) })
	b.Run("full-speed", func(b *testing.B) { follows(b, 0, 0) })
	b.Run("full-speed-failures", func(b *testing.B) { follows(b, 0, 100) })
}

// follows writes b.N access lines at a rate, 0 for as fast as can be, of which one of so many failed.
func follows(b *testing.B, rate, failing int) {
	dir := b.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	access, failed := open("access.log"), open("error.log")
	defer access.Close()
	defer failed.Close()
	serial := 0
	var text, errors bytes.Buffer
	write := func(lines int, failing int) {
		text.Reset()
		errors.Reset()
		now := time.Now().UTC()
		stamp, errorStamp := now.Format("02/Jan/2006:15:04:05 -0700"), now.Format("2006/01/02 15:04:05")
		for range lines {
			serial++
			status := 200
			if failing > 0 && serial%failing == 0 {
				status = 502
				fmt.Fprintf(&errors, "%s [error] 7#7: *%d connect() failed (111: Connection refused) while connecting to upstream, client: 10.20.2.%d, server: erp.example.com, request: \"POST /web/dataset/call_kw/sale.order/web_search_read?n=%d HTTP/1.1\", upstream: \"http://127.0.0.1:8069/web/dataset/call_kw/sale.order/web_search_read?n=%d\", host: \"erp.example.com\"\n",
					errorStamp, serial, serial%250, serial, serial)
			}
			fmt.Fprintf(&text, "10.20.2.%d - - [%s] \"POST /web/dataset/call_kw/sale.order/web_search_read?n=%d HTTP/1.1\" %d %d \"https://erp.example.com/odoo/sales\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\" 0.%03d\n",
				serial%250, stamp, serial, status, 400+serial%5000, serial%1000)
		}
		failed.Write(errors.Bytes())
		if _, err := access.Write(text.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
	write(1000, 0) // by which it knows what it is
	cmd := exec.Command("itself", "tail", "--from-start", "--format", "ndjson", "--db", filepath.Join(b.TempDir(), "gatepost.db"), "--listen", "127.0.0.1:0", dir)
	var log safeBuffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer cmd.Process.Kill()
	var summary []byte
	var read sync.WaitGroup
	read.Go(func() {
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			if bytes.HasPrefix(line, []byte(`{"type":"summary"`)) {
				summary = line
			}
		}
	})
	taken := func() (lines int, lag float64) {
		at := listensAt.FindStringSubmatch(log.String())
		if at == nil {
			return 0, 0
		}
		r, err := http.Get("http://" + at[1] + "/metrics")
		if err != nil {
			b.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Fatal(err)
		}
		return int(figure(body, linesTaken)), figure(body, lagSaid)
	}
	catchUp := func() (lag float64) {
		for until := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
			lines, behind := taken()
			lag = max(lag, behind)
			if lines >= serial-1 { // the last may go on
				return lag
			}
			if time.Now().After(until) {
				b.Fatalf("%d of %d lines are taken", lines, serial)
			}
		}
	}
	catchUp()

	cpu, began := cpuOf(b, cmd.Process.Pid), time.Now()
	lag := make(chan float64)
	wrote := make(chan struct{})
	go func() { // what it says while it is written
		longest := 0.0
		for {
			select {
			case <-wrote:
				lag <- longest
				return
			case <-time.After(100 * time.Millisecond):
				_, behind := taken()
				longest = max(longest, behind)
			}
		}
	}()
	b.ResetTimer()
	for left := b.N; left > 0; {
		n := min(left, 1000)
		write(n, failing)
		left -= n
		if rate > 0 {
			due := began.Add(time.Duration(b.N-left) * time.Second / time.Duration(rate))
			time.Sleep(time.Until(due))
		}
	}
	end := time.Now()
	close(wrote)
	longest := max(<-lag, catchUp())
	b.StopTimer()
	took := time.Since(began)
	b.ReportMetric(float64(b.N)/took.Seconds(), "lines/s")
	b.ReportMetric((cpuOf(b, cmd.Process.Pid)-cpu).Seconds()/took.Seconds()*100, "core%")
	b.ReportMetric(time.Since(end).Seconds(), "s-behind")
	b.ReportMetric(longest, "s-lag")
	b.ReportMetric(peakOf(b, cmd.Process.Pid), "MB")
	b.ReportMetric(0, "ns/op")

	cmd.Process.Signal(syscall.SIGTERM)
	read.Wait()
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%v: %s", err, log.String())
	}
	var all struct{ Requests int }
	if err := json.Unmarshal(summary, &all); err != nil || all.Requests != serial {
		b.Errorf("%d of %d lines are in the end (%v)", all.Requests, serial, err)
	}
}

var (
	listensAt  = regexp.MustCompile(`listening address=(\S+)`)
	linesTaken = regexp.MustCompile(`(?m)^gatepost_source_lines_total\{source="[^"]*access\.log"\} (\S+)$`)
	lagSaid    = regexp.MustCompile(`(?m)^gatepost_source_lag_seconds\{source="[^"]*access\.log"\} (\S+)$`)
)

// figure is the value of a metric, 0 when there is none.
func figure(text []byte, metric *regexp.Regexp) float64 {
	m := metric.FindSubmatch(text)
	if m == nil {
		return 0
	}
	return mustDo(strconv.ParseFloat(string(m[1]), 64))
}

// cpuOf is how long a process has had a processor.
func cpuOf(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Skip(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return time.Duration(mustDo(strconv.Atoi(fields[11]))+mustDo(strconv.Atoi(fields[12]))) * (time.Second / 100)
}

// peakOf is how much memory a process had at most, in MB.
func peakOf(tb testing.TB, pid int) float64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Skip(err)
	}
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	return mustDo(strconv.ParseFloat(string(m[1]), 64)) / 1000
}

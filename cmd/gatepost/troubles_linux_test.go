package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatepost"
	"gatepost/store"
)

// The troubles that a machine in an outage has, with the program itself: a full disk under the store, a store that somebody else writes into, logs on
// a disk that is unmounted, no more files that may be open. It goes on, says so once, and loses nothing.

// besieged is "gatepost tail" in trouble, and the logs that it follows meanwhile.
type besieged struct {
	*testing.T
	*tailing
	dir, db string
	args    []string
	serial  int // of the last access line
	failed  int // of them
	systemd chan string
	tmp     string   // where temporary files are made, "" for where the system does
	stdin   *os.File // through which the access log comes, nil when it is followed as a file
	piped   chan string
}

// besiege makes logs and follows them, and returns when it has said what is in them.
func besiege(t *testing.T, dir, db string) *besieged {
	t.Helper()
	b := &besieged{T: t, dir: dir, db: db, args: []string{dir}, systemd: make(chan string, 1000)}
	b.begin()
	return b
}

func (b *besieged) begin() {
	b.Helper()
	b.write(200)
	b.follow()
	b.caughtUp()
}

// follow starts the program.
func (b *besieged) follow() {
	b.Helper()
	socket := filepath.Join(b.TempDir(), "notify")
	c := systemd(b.T, socket)
	go func() {
		for buf := make([]byte, 4096); ; {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			select {
			case b.systemd <- string(buf[:n]):
			default:
			}
		}
	}()
	args := []string{"tail", "--from-start", "--format", "ndjson", "--listen", "127.0.0.1:0"}
	if b.db != "" {
		args = append(args, "--db", b.db)
	}
	cmd := exec.Command("itself", append(args, b.args...)...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=1000000")
	if b.tmp != "" {
		cmd.Env = append(cmd.Env, "TMPDIR="+b.tmp)
	}
	cmd.Stdin = b.stdin
	before := b.tailing
	b.tailing = startTail(b.T, cmd)
	if before != nil { // what was told then is not told again
		b.mu.Lock()
		defer b.mu.Unlock()
		b.said = append(before.said, b.said...)
	}
}

// write writes so many access lines with serial numbers. Every fiftieth is of a request that failed, since nobody listened.
func (b *besieged) write(lines int) {
	b.Helper()
	now := time.Now().UTC()
	var access, failed strings.Builder
	for range lines {
		b.serial++
		status := 200
		if b.serial%50 == 0 {
			b.failed++
			status = 502
			fmt.Fprintf(&failed, "%s [error] 7#7: *%d connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, server: _, request: \"GET /web?n=%d HTTP/1.1\", upstream: \"http://127.0.0.1:8069/web?n=%d\", host: \"erp\"\n",
				now.Format("2006/01/02 15:04:05"), b.serial, b.serial, b.serial)
		}
		fmt.Fprintf(&access, "127.0.0.1 - - [%s] \"GET /web?n=%d HTTP/1.1\" %d %d \"-\" \"-\"\n", now.Format("02/Jan/2006:15:04:05 -0700"), b.serial, status, b.serial)
	}
	for name, text := range map[string]string{"error.log": failed.String(), "access.log": access.String()} {
		f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if b.piped != nil {
		b.piped <- access.String()
	}
}

// soon tries until something succeeds.
func (b *besieged) soon(what string, try func() error) {
	b.Helper()
	for until := time.Now().Add(2 * mostPatient); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.Fatalf("%s: %v\nsaid: %s\nlog: %s", what, err, strings.Join(b.others, ""), b.stderr.String())
		}
	}
}

// caughtUp waits until all failures are told.
func (b *besieged) caughtUp() {
	b.Helper()
	b.soon("all failures are told", func() error {
		told := map[string]bool{}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, f := range b.said {
			told[f.ID] = true
		}
		if len(told) != b.failed {
			return fmt.Errorf("%d of %d are", len(told), b.failed)
		}
		return nil
	})
}

// notes are the notes that hold a text.
func (b *besieged) notes(text string) (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.others {
		if strings.Contains(s, text) {
			all = append(all, s)
		}
	}
	return all
}

// page asks for a page of --listen.
func (b *besieged) page(name string) (code int, text string) {
	b.Helper()
	at := listensAt.FindStringSubmatch(b.stderr.String())
	if at == nil {
		b.Fatalf("it does not listen: %s", b.stderr.String())
	}
	r, err := http.Get("http://" + at[1] + name)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	return r.StatusCode, string(body)
}

var triesIn = regexp.MustCompile(`(?m)^gatepost_failed_tries_total (\d+)$`)

// tries is how often it tried in vain.
func (b *besieged) tries() int {
	_, text := b.page("/metrics")
	m := triesIn.FindStringSubmatch(text)
	if m == nil {
		b.Fatalf("no tries in %s", text)
	}
	return mustDo(strconv.Atoi(m[1]))
}

// troubled waits until it has tried in vain so often, and wants that to be said once, and who watches it to know.
func (b *besieged) troubled(text string, tries int) {
	b.Helper()
	b.soon("it tries again", func() error {
		if n := b.tries(); n < tries {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	if said := b.notes(text); len(said) != 1 {
		b.Errorf("said %d times: %v", len(said), said)
	}
	most := 1
	if b.piped != nil {
		most = 2 // the copy has no room either
	}
	if said := b.notes("it is tried again"); len(said) > most {
		b.Errorf("trouble is said %d times: %v", len(said), said)
	}
	if code, said := b.page("/healthz"); code != http.StatusOK || !strings.HasPrefix(said, "in trouble: ") || !strings.Contains(said, text) {
		b.Errorf("health: %d %s", code, said)
	}
	if _, said := b.page("/metrics"); !strings.Contains(said, "\ngatepost_in_trouble 1\n") {
		b.Error("the metrics know of no trouble")
	}
	b.lives(2)
}

// goesOn waits until it says that it goes on, and has said all.
func (b *besieged) goesOn() {
	b.Helper()
	b.soon("it says that it goes on", func() error {
		if n := len(b.notes("it goes on")); n != 1 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	b.write(100)
	b.caughtUp()
	if code, said := b.page("/healthz"); code != http.StatusOK || !strings.HasPrefix(said, "ok") {
		b.Errorf("health: %d %s", code, said)
	}
}

// ends ends it, and wants each line in the store once, and the verdicts that reading the logs afterwards gives.
func (b *besieged) ends() {
	b.Helper()
	last := b.end(b.T)
	if gaps := b.notes(`"type":"gap"`); len(gaps) > 0 {
		b.Errorf("gaps: %v", gaps)
	}
	live := map[string]string{}
	for id, f := range last {
		live[id] = f.Cause
	}
	if want := analyzedCauses(b.T, b.dir); !maps.Equal(live, want) || len(want) != b.failed {
		b.Errorf("%d failures, live %d, afterwards %d:\n%v\n%v", b.failed, len(live), len(want), live, want)
	}
	b.sums()
	if b.db == "" {
		return
	}
	st, err := store.Open(b.Context(), b.db)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	counted := make(map[int]int)
	for r, err := range st.Requests(b.Context(), gatepost.Query{}) {
		if err != nil {
			b.Fatal(err)
		}
		counted[int(r.Bytes)]++
	}
	errorLines := 0
	for _, err := range st.Events(b.Context(), gatepost.Query{Kinds: []gatepost.Kind{gatepost.NginxError}}) {
		if err != nil {
			b.Fatal(err)
		}
		errorLines++
	}
	var lost, doubled []int
	for n := 1; n <= b.serial; n++ {
		switch counted[n] {
		case 0:
			lost = append(lost, n)
		case 1:
		default:
			doubled = append(doubled, n)
		}
	}
	if len(lost)+len(doubled) > 0 || errorLines != b.failed {
		b.Errorf("of %d lines %d are lost (%s) and %d doubled (%s); %d of %d error lines", b.serial, len(lost), ranges(lost), len(doubled), ranges(doubled), errorLines, b.failed)
	}
}

// sums wants what was said last to be the summary, with the figures that analyze has.
func (b *besieged) sums() {
	b.Helper()
	all := b.notes(`{"type":"summary"`)
	if len(all) != 1 || b.others[len(b.others)-1] != all[0] {
		b.Fatalf("no summary at the end: %v", b.others)
	}
	type figures struct {
		Requests, Failures int
		Statuses           map[string]int
		ByStatus           map[string]int `json:"failures_by_status"`
		ByCause            map[string]int `json:"failures_by_cause"`
		Incidents          int
		Sources            []struct{ Lines, Unparsed int } `json:"sources"`
	}
	sum := func(line []byte) string {
		var f figures
		must(b.T, json.Unmarshal(line, &f))
		lines, unparsed := 0, 0
		for _, s := range f.Sources {
			lines, unparsed = lines+s.Lines, unparsed+s.Unparsed
		}
		f.Sources = nil
		return fmt.Sprintf("%+v, %d lines, %d unparsed", f, lines, unparsed)
	}
	out, err := exec.Command("itself", "analyze", "--format", "ndjson", b.dir).Output()
	must(b.T, err)
	i := bytes.LastIndexByte(bytes.TrimSpace(out), '\n')
	if got, want := sum([]byte(all[0])), sum(out[i+1:]); got != want {
		b.Errorf("it sums up %s\nafterwards %s", got, want)
	}
}

// mounted mounts a small file system of its own, or skips the test where that is not allowed.
func mounted(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("file systems cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fillUp writes a file until there is no more room, and returns what removes it.
func fillUp(t *testing.T, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err == nil {
			continue
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		size /= 2
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull: there is no room for the store.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := mounted(t, "16m")
	b := besiege(t, t.TempDir(), filepath.Join(disk, "gatepost.db"))
	free := fillUp(t, disk)
	for range 10 {
		b.write(5000) // so much that what the store has of room is used up, too
	}
	b.troubled("is full", 3)
	b.write(1000)
	free()
	b.goesOn()
	b.ends()
}

// TestTemporaryFull: there is no room for temporary files, which is where the store is without --db, and what comes through a pipe.
func TestTemporaryFull(t *testing.T) {
	t.Parallel()
	b := &besieged{T: t, dir: t.TempDir(), tmp: mounted(t, "16m"), systemd: make(chan string, 1000), piped: make(chan string, 1000)}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b.stdin, b.args = r, []string{filepath.Join(b.dir, "error.log"), "-"}
	go func() {
		for text := range b.piped {
			io.WriteString(w, text)
		}
		w.Close()
	}()
	b.begin()
	free := fillUp(t, b.tmp)
	for range 10 {
		b.write(5000)
	}
	b.troubled(" full", 3)
	b.write(1000)
	free()
	b.goesOn()
	close(b.piped)
	b.ends()
}

// TestNoMoreFiles: the program has as many files open as it may, and logs are rotated meanwhile.
func TestNoMoreFiles(t *testing.T) {
	t.Parallel()
	b := besiege(t, t.TempDir(), filepath.Join(t.TempDir(), "gatepost.db"))
	pid := b.cmd.Process.Pid
	var were unix.Rlimit
	must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &were))
	must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: were.Max}, nil)) // those that are open stay open
	b.rotate(1)
	b.write(1000)
	b.once(": too many open files")
	b.rotate(2)
	b.write(1000)
	must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &were, nil))
	b.write(100)
	b.caughtUp()
	b.ends()
}

// rotate gives the logs other names.
func (b *besieged) rotate(n int) {
	b.Helper()
	for _, name := range []string{"error.log", "access.log"} {
		path := filepath.Join(b.dir, name)
		must(b.T, os.Rename(path, fmt.Sprintf("%s.%d", path, n)))
	}
}

// TestUnmounted: the disk with the logs is taken away while they are open, and comes back with what was written meanwhile.
func TestUnmounted(t *testing.T) {
	t.Run("same", func(t *testing.T) {
		t.Parallel()
		disk, dir := mounted(t, "64m"), t.TempDir()
		must(t, unix.Mount(disk, dir, "", unix.MS_BIND, ""))
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
		b := besiege(t, dir, filepath.Join(t.TempDir(), "gatepost.db"))
		must(t, unix.Unmount(dir, unix.MNT_DETACH))
		b.dir = disk
		b.write(1000) // who writes has it open as well
		b.away()
		b.rotate(1)
		b.write(1000)
		must(t, unix.Mount(disk, dir, "", unix.MS_BIND, ""))
		b.dir = dir
		b.back()
		b.ends()
	})
	for name, rotated := range map[string]bool{"copy": false, "rotated copy": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, dir := mounted(t, "64m"), t.TempDir()
			must(t, unix.Mount(first, dir, "", unix.MS_BIND, ""))
			t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
			b := besiege(t, dir, filepath.Join(t.TempDir(), "gatepost.db"))
			must(t, unix.Unmount(dir, unix.MNT_DETACH))
			b.away()
			second := mounted(t, "64m")
			must(t, os.CopyFS(second, os.DirFS(first)))
			b.dir = second
			b.write(1000)
			if rotated {
				b.rotate(1)
				b.write(1000)
			}
			must(t, unix.Mount(second, dir, "", unix.MS_BIND, ""))
			b.dir = dir
			b.back()
			b.ends()
		})
	}
}

// back waits until it has said that the logs are there again, and has told what they hold.
func (b *besieged) back() {
	b.Helper()
	b.write(100)
	b.once(": there again")
	b.caughtUp()
}

// away waits until it has said that the logs are away, and wants that to be said once.
func (b *besieged) away() {
	b.Helper()
	b.once("not there any more")
}

// once waits until a note is said, and wants it to be said once, however long it holds.
func (b *besieged) once(text string) {
	b.Helper()
	b.soon("it says "+text, func() error {
		if len(b.notes(text)) == 0 {
			return errors.New("it does not")
		}
		return nil
	})
	b.lives(8)
	if said := b.notes(text); len(said) != 1 {
		b.Errorf("said %d times: %v", len(said), said)
	}
}

// lives waits until the watchdog was fed so often, which it is twice a second.
func (b *besieged) lives(times int) {
	b.Helper()
	for len(b.systemd) > 0 {
		<-b.systemd
	}
	for until := time.After(2 * mostPatient); times > 0; {
		select {
		case words := <-b.systemd:
			if strings.Contains(words, "WATCHDOG=1") {
				times--
			}
		case <-until:
			b.Fatal("the watchdog is not fed")
		}
	}
}

// TestStoreLocked: another program writes into the store for longer than anybody waits.
func TestStoreLocked(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "gatepost.db")
	b := besiege(t, t.TempDir(), db)
	unlock := lockStore(t, db)
	b.write(1000)
	b.troubled("is locked", 2)
	b.write(1000)
	unlock()
	b.goesOn()
	b.ends()
}

// lockStore writes into a store without end, and returns what ends that.
func lockStore(t *testing.T, db string) (unlock func()) {
	t.Helper()
	other, err := sql.Open("sqlite", db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	conn, err := other.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEndedInTrouble: it is told to end while the store is locked. It says what it could not do, does not wait for long, and the next one goes on where the
// store says.
func TestEndedInTrouble(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "gatepost.db")
	b := besiege(t, t.TempDir(), db)
	unlock := lockStore(t, db)
	b.write(1000)
	b.troubled("is locked", 1)
	began := time.Now()
	b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.read:
	case <-time.After(2 * mostPatient):
		t.Fatal("it does not end")
	}
	err := b.cmd.Wait()
	if x, ok := errors.AsType[*exec.ExitError](err); !ok || x.ExitCode() != statusFailed || !strings.Contains(b.stderr.String(), "is locked") {
		t.Errorf("%v: %s", err, b.stderr.String())
	}
	if took := time.Since(began); took > mostPatient {
		t.Errorf("it took %s to end", took)
	}
	unlock()
	b.follow()
	b.caughtUp()
	b.ends()
}

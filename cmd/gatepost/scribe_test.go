package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A scribe writes a log with a serial number in each line, and handles it as badly as a log can be handled. It knows which of its lines nobody
// can have read, so that what a reader lost is told from what was taken from it.
type scribe struct {
	t       *testing.T
	rnd     *rand.Rand
	clock   func() time.Time
	path    string
	text    func(s *scribe, serial int) string
	extreme int // bytes of the longest line that it writes

	f        *os.File
	current  []int // serials in the file
	pending  []byte
	partly   int // serial of the line that is pending, 0 when none is
	hole     int64
	written  []time.Time // by serial; 0 is none
	old      []string    // rotated files, the oldest first
	late     []late
	rotated  int
	ops      map[string]int
	seen     int          // what was written up to this serial, the reader has in its hands or in the store
	deleted  []int        // serials in files that only the reader has, if it has
	gone     map[int]bool // serials that may be lost
	down     bool         // nobody reads
	unseen   bool         // nobody has looked since the file was made
	dated    int
	failures int
	told     []string // what it did, for whoever looks for what went wrong
}

func (s *scribe) tell(what, path string) {
	s.told = append(s.told, fmt.Sprintf("%s %s %s %s: %s", s.clock().Format("15:04:05.000"), what, filepath.Base(s.path), filepath.Base(path), ranges(s.current)))
}

// late is a file that was rotated and is still written into.
type late struct {
	f     *os.File
	at    int64 // where it writes, -1 when that is the end
	lines int
}

func newScribe(t *testing.T, rnd *rand.Rand, clock func() time.Time, path string, text func(*scribe, int) string) *scribe {
	s := &scribe{t: t, rnd: rnd, clock: clock, path: path, text: text, written: []time.Time{{}}, ops: make(map[string]int), gone: make(map[int]bool)}
	s.create()
	return s
}

func (s *scribe) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

func (s *scribe) create() {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	s.must(err)
	s.f, s.current, s.hole, s.unseen = f, nil, -1, true
}

// next makes the next line.
func (s *scribe) next() (serial int, text string) {
	serial = len(s.written)
	s.written = append(s.written, s.clock())
	return serial, s.text(s, serial)
}

// put writes bytes into a file: at its end, or where a writer without O_APPEND believes that it is.
func (s *scribe) put(f *os.File, at *int64, text []byte) {
	if *at >= 0 {
		_, err := f.WriteAt(text, *at)
		s.must(err)
		*at += int64(len(text))
	} else {
		_, err := f.Write(text)
		s.must(err)
	}
	s.touch(f)
}

// touch gives the file the time of the clock that everything goes by.
func (s *scribe) touch(f *os.File) {
	now := s.clock()
	os.Chtimes(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), now, now)
}

// write writes some lines, the last of them in part.
func (s *scribe) write(lines int) {
	var all []byte
	for range lines {
		all = append(all, s.complete()...)
		serial, text := s.next()
		s.current = append(s.current, serial)
		s.pending, s.partly = []byte(text), serial
	}
	n := s.rnd.IntN(len(s.pending) + 1)
	all = append(all, s.pending[:n]...)
	s.pending = s.pending[n:]
	if len(s.pending) == 0 {
		s.partly = 0
	}
	s.put(s.f, &s.hole, all)
	for i := len(s.late) - 1; i >= 0; i-- { // the others go on as well
		l := &s.late[i]
		_, text := s.next()
		s.put(l.f, &l.at, []byte(text))
		if l.lines--; l.lines <= 0 {
			l.f.Close()
			s.late = slices.Delete(s.late, i, i+1)
		}
	}
}

// complete is the rest of the line that was written in part.
func (s *scribe) complete() []byte {
	rest := s.pending
	s.pending, s.partly = nil, 0
	return rest
}

// finish writes that rest.
func (s *scribe) finish() {
	if rest := s.complete(); len(rest) > 0 {
		s.put(s.f, &s.hole, rest)
	}
}

// look is called when the reader has looked and read all there was.
func (s *scribe) look() {
	s.seen = len(s.written) - 1
	if len(s.current) > 1 { // a file that had nothing in it may be truncated unseen
		s.unseen = false
	}
	if s.partly > 0 {
		s.seen = s.partly - 1
	}
}

// settled is called when the reader had time to store what it had read.
func (s *scribe) settled() { s.deleted = nil }

// killed is called when the reader is not there any more.
func (s *scribe) killed() {
	s.down = true
	s.take(s.deleted)
	s.deleted = nil
}

func (s *scribe) take(serials []int) {
	for _, n := range serials {
		s.gone[n] = true
	}
}

// shift makes room for a rotated file, as logrotate does: access.log.1 becomes access.log.2.
func (s *scribe) shift() {
	for n := len(s.old) + 1; n > 0; n-- {
		for _, ext := range []string{"", ".gz"} {
			from := fmt.Sprintf("%s.%d%s", s.path, n, ext)
			to := fmt.Sprintf("%s.%d%s", s.path, n+1, ext)
			if os.Rename(from, to) == nil {
				if i := slices.Index(s.old, from); i >= 0 {
					s.old[i] = to
				}
			}
		}
	}
}

// keep removes the oldest rotated files, of which a reader that looks has read all.
func (s *scribe) keep(n int) {
	for len(s.old) > n && len(s.late) == 0 {
		s.tell("forget", s.old[0])
		s.must(os.Remove(s.old[0]))
		s.old = s.old[1:]
	}
}

func (s *scribe) rotatedName() string {
	if s.rnd.IntN(3) > 0 {
		s.shift()
		return s.path + ".1"
	}
	s.dated++
	date := fmt.Sprintf("-2026%04d", 1000+s.dated)
	if s.rnd.IntN(2) == 0 {
		return s.path + date
	}
	ext := filepath.Ext(s.path)
	return strings.TrimSuffix(s.path, ext) + date + ext
}

func (s *scribe) did(what string) { s.ops[what]++; s.rotated++ }

// rename rotates by name; with writers that come late if late is set.
func (s *scribe) rename(tardy bool) {
	s.did("rename")
	s.finish()
	to := s.rotatedName()
	s.tell("rename", to)
	s.must(os.Rename(s.path, to))
	s.old = append(s.old, to)
	if tardy {
		s.ops["late writes"]++
		s.late = append(s.late, late{s.f, s.hole, 1 + s.rnd.IntN(4)})
	} else {
		s.f.Close()
	}
	s.create()
}

// compress packs the last rotated file and removes it.
func (s *scribe) compress() {
	i := len(s.old) - 1
	if i < 0 || strings.HasSuffix(s.old[i], ".gz") || len(s.late) > 0 {
		return
	}
	s.ops["gzip"]++
	path := s.old[i]
	s.tell("gzip", path)
	data, err := os.ReadFile(path)
	s.must(err)
	packed, err := pack("gzip", data)
	s.must(err)
	s.must(os.WriteFile(path+".gz", packed, 0o644))
	info, err := os.Stat(path)
	s.must(err)
	s.must(os.Chtimes(path+".gz", info.ModTime(), info.ModTime()))
	s.must(os.Remove(path))
	s.old[i] = path + ".gz"
}

// copyTruncate copies the file and truncates it; between is called when the copy is there.
func (s *scribe) copyTruncate(between func()) {
	s.did("copytruncate")
	s.finish()
	to := s.rotatedName()
	from, err := os.Open(s.path)
	s.must(err)
	c, err := os.Create(to)
	s.must(err)
	half := from
	s.tell("copy", to)
	info, _ := from.Stat()
	io.CopyN(c, half, info.Size()/2)
	if between != nil && s.rnd.IntN(2) == 0 {
		between() // the copy is half there
	}
	_, err = io.Copy(c, from)
	s.must(err)
	s.touch(c)
	c.Close()
	from.Close()
	s.old = append(s.old, to)
	if between != nil {
		between()
	}
	s.empty()
}

// empty truncates the file. A writer without O_APPEND leaves a hole.
func (s *scribe) empty() {
	s.tell("truncate", s.path)
	info, err := s.f.Stat()
	s.must(err)
	at := info.Size()
	if s.rnd.IntN(3) == 0 && at > 0 {
		s.ops["hole"]++
		if s.hole < 0 { // it opens the file as such writers do
			f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
			s.must(err)
			s.f.Close()
			s.f = f
		}
		s.must(s.f.Truncate(0))
		s.hole = at
	} else {
		s.must(s.f.Truncate(0))
		if s.hole >= 0 {
			s.hole = 0
		}
	}
	s.touch(s.f)
	s.current, s.unseen = nil, true
}

// truncate takes away what is in the file: what nobody read yet, and what a reader that is killed later had not stored.
func (s *scribe) truncate() {
	if s.unseen {
		s.rename(false) // a text that nobody has ever seen leaves no trace
		return
	}
	s.did("truncate")
	for i, n := range s.current {
		if s.down || n > s.seen || i >= len(s.current)-3 {
			s.gone[n] = true
		}
	}
	s.pending, s.partly = nil, 0
	s.empty()
}

// remove deletes the file and makes another one, which gets the inode of the first if the system likes.
func (s *scribe) remove() {
	if s.unseen {
		s.rename(false) // a file that nobody has ever seen leaves no trace
		return
	}
	s.did("delete")
	s.finish()
	s.tell("remove", s.path)
	s.must(os.Remove(s.path))
	s.f.Close()
	if s.down {
		s.take(s.current)
	} else {
		s.deleted = append(s.deleted, s.current...)
	}
	s.create()
}

// rotate does one of nine things to the log; looks lets the reader look, and settles gives it time to store what it read.
func (s *scribe) rotate(kind int, looks, settles func()) {
	switch kind {
	case 0, 1:
		s.rename(s.rnd.IntN(2) == 0)
	case 2:
		for range 2 + s.rnd.IntN(2) {
			s.rename(s.rnd.IntN(3) == 0)
			s.write(1 + s.rnd.IntN(5))
		}
	case 3:
		s.rename(false)
		s.compress()
	case 4:
		s.compress()
	case 5, 6:
		var between func()
		if s.rnd.IntN(2) == 0 {
			between = func() {
				looks()
				if !s.down && s.rnd.IntN(2) == 0 { // and this only the reader sees
					s.write(1 + s.rnd.IntN(5))
					s.finish()
					settles()
				}
			}
		}
		s.copyTruncate(between)
	case 7:
		s.truncate()
		if s.rnd.IntN(2) == 0 {
			s.write(50) // beyond where it was
		}
	case 8:
		settles()
		s.remove()
		settles()
	}
}

// serialLine is a line of an access log: the bytes are the serial number. Some are failures, some end in CRLF, and names are in many scripts.
func serialLine(s *scribe, serial int) string {
	status := 200
	if s.rnd.IntN(200) == 0 {
		status = 502
		s.failures++
	}
	agent := "Mozilla/5.0 (ежик; 漢字; é) " + strings.Repeat("x", s.rnd.IntN(40))
	if s.extreme > 0 && s.rnd.IntN(20_000) == 0 {
		s.ops["long line"]++
		return strings.Repeat("j", s.extreme) + "\n" + serialLine(s, serial)
	}
	end := "\n"
	if s.rnd.IntN(4) == 0 {
		end = "\r\n"
	}
	return fmt.Sprintf("10.0.0.%d - - [%s] \"GET /web/%d HTTP/1.1\" %d %d \"-\" \"%s\"%s", serial%250, s.written[serial].UTC().Format("02/Jan/2006:15:04:05 -0700"), serial%7, status, serial, agent, end)
}

// odooRecord is a record of Odoo's log: the statements are the serial number. Some are tracebacks, of a logger that has it.
func odooRecord(s *scribe, serial int) string {
	at := s.written[serial].UTC()
	stamp := at.Format("2006-01-02 15:04:05,000")
	if serial%5 > 0 {
		return fmt.Sprintf("%s 4711 INFO prod werkzeug: 127.0.0.1 - - [%s] \"GET /web/%d HTTP/1.1\" 200 - %d 0.004 0.012\n", stamp, at.Format("02/Jan/2006 15:04:05"), serial%7, serial)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s 4711 ERROR prod odoo.addons.n%d: failed\nTraceback (most recent call last):\n", stamp, serial)
	for range s.rnd.IntN(30) {
		b.WriteString("  File \"/opt/odoo/odoo/http.py\", line 1584, in _serve_db\n    return service_model.retrying(self._serve_ir_http, self.env)\n")
	}
	fmt.Fprintf(&b, "ValueError: ежик\n")
	return b.String()
}

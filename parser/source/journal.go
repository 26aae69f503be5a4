package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"gatepost"
)

// Files of the systemd journal are read by journalctl, whose export is a wrapping like others. It is the form in which an entry
// is the same text every time; in JSON the fields come in any order. Facts: journalctl(1) of systemd 236 and later, "Journal File Format".
var _ = register(Kind{
	Name:   "journal",
	Doc:    "files of the systemd journal (.journal), where journalctl is installed",
	Sniff:  func(head []byte) bool { return bytes.HasPrefix(head, []byte("LPKSHHRH")) },
	Unpack: unpackJournal,
})

// journalFields are those that a log is made of. Without a choice an entry has thirty.
const journalFields = "MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,CONTAINER_NAME,CONTAINER_PARTIAL_MESSAGE,_PID,SYSLOG_PID,_TRANSPORT"

// ErrNoJournalctl is why the journal cannot be read.
var ErrNoJournalctl = errors.New("is the systemd journal, and there is no journalctl here to read it")

// journalctl returns what the program of that name prints; closing ends the program.
func journalctl(ctx context.Context, args ...string) (*program, error) {
	path, err := exec.LookPath("journalctl")
	if err != nil {
		return nil, ErrNoJournalctl
	}
	ctx, stop := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, path, append([]string{"--no-pager", "--quiet", "--all", "--output=export", "--output-fields=" + journalFields}, args...)...)
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	p := &program{command: c, stop: stop}
	c.Stderr = &p.said
	if p.Reader, err = c.StdoutPipe(); err == nil {
		err = c.Start()
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("journalctl: %w", reason(err))
	}
	return p, nil
}

// program is the output of a program that runs.
type program struct {
	io.Reader
	command *exec.Cmd
	stop    func()
	said    lastWords
	ended   bool
	end     error // of reading
}

// Read gives an error at the end when the program failed. Then nothing is left of it to close.
func (p *program) Read(b []byte) (int, error) {
	if p.ended {
		return 0, p.end
	}
	n, err := p.Reader.Read(b)
	if err == nil {
		return n, nil
	}
	p.ended, p.end = true, err
	if werr := p.command.Wait(); werr != nil {
		p.end = fmt.Errorf("journalctl: %s", p.said.or(werr))
	}
	p.stop()
	return n, p.end
}

func (p *program) Close() error {
	p.stop()
	if !p.ended {
		p.ended, p.end = true, fs.ErrClosed
		p.command.Wait() // it was stopped
	}
	return nil
}

// halt ends the program while another goroutine reads what it prints.
func (p *program) halt() { p.stop() }

// lastWords keep the beginning of what a program says on standard error.
type lastWords struct{ bytes.Buffer }

func (w *lastWords) Write(b []byte) (int, error) {
	const enough = 4 << 10
	w.Buffer.Write(b[:min(len(b), max(0, enough-w.Len()))])
	return len(b), nil
}

// or returns the first line that was said, or else an error.
func (w *lastWords) or(err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(w.String()), "\n"); line != "" {
		return line
	}
	return err.Error()
}

// unpackJournal copies the file, since journalctl maps it into memory, and what lies packed or in an archive is in no file. It
// refuses one without a name, so the copy has one until the first entry comes.
func unpackJournal(r io.Reader) (io.ReadCloser, error) {
	f, err := os.CreateTemp("", "gatepost-copy-*.journal")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(f, r)
	var entries io.ReadCloser
	if err = errors.Join(err, f.Close()); err == nil {
		entries, err = journalctl(context.Background(), "--file="+f.Name())
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &copied{entries, f.Name()}, nil
}

// mayGrow reports whether a file is one of the journal into which more may be written. Its header has its state in the 17th byte; 2 is archived.
func mayGrow(f io.ReaderAt) bool {
	head := make([]byte, 17)
	n, _ := f.ReadAt(head, 0)
	return n == len(head) && bytes.HasPrefix(head, []byte("LPKSHHRH")) && head[16] != 2
}

// followJournal follows a file of the journal. All of it is read anew each time, and known again.
func followJournal(path string, info os.FileInfo) (*Following, error) {
	entries, err := journalctl(context.Background(), "--follow", "--no-tail", "--boot=all", "--file="+path)
	if err != nil {
		return nil, err
	}
	w, err := Pour(path, entries, "", info.ModTime())
	if err != nil {
		return nil, errors.Join(err, entries.Close())
	}
	w.info, w.repeats = info, true
	return w, nil
}

// copied reads what a program makes of a file, and removes that as soon as it is open.
type copied struct {
	io.ReadCloser
	file string
}

func (c *copied) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.remove()
	return n, err
}

func (c *copied) Close() error {
	err := c.ReadCloser.Close()
	c.remove()
	return err
}

func (c *copied) remove() {
	if c.file != "" {
		os.Remove(c.file)
		c.file = ""
	}
}

// JournalName is what a File of the journal of this machine is called.
const JournalName = "journal"

// JournalPoint is a place in the journal of this machine: behind an entry, or where that is "" from a second on; NoTime is the beginning.
type JournalPoint struct {
	After string // the cursor of the entry
	Since gatepost.Time
}

// print begins to print the journal from the point on. Behind an entry that is not there any more, what came next is printed, but --after-cursor
// would leave out the first of it.
func (p JournalPoint) print(ctx context.Context, args ...string) (*behind, error) {
	switch {
	case p.After != "":
		args = append(args, "--cursor="+p.After)
	case p.Since.Known():
		args = append(args, fmt.Sprintf("--since=@%d", p.Since.Second()))
	}
	printed, err := journalctl(ctx, args...)
	if err != nil {
		return nil, err
	}
	return &behind{printed, bufio.NewReaderSize(printed, PeekSize), p.After}, nil
}

// behind leaves out the first entry if its cursor is one.
type behind struct {
	*program
	text   *bufio.Reader
	cursor string
}

func (b *behind) Read(p []byte) (int, error) {
	if b.cursor != "" {
		begin := []byte("__CURSOR=" + b.cursor + "\n")
		b.cursor = ""
		if head, _ := b.text.Peek(len(begin)); bytes.Equal(head, begin) {
			if _, _, err := readEntry(b.text); err != nil {
				return 0, err
			}
		}
	}
	return b.text.Read(p)
}

// Journal makes a File of the journal of this machine: what was written behind a point until now.
func Journal(ctx context.Context, from JournalPoint, now time.Time) (*File, error) {
	printed, err := from.print(ctx)
	if err != nil {
		return nil, err
	}
	f, err := Spool(JournalName, printed, "", now)
	if err != nil {
		return nil, errors.Join(err, printed.Close())
	}
	f.entries.after = from.After
	return f, nil
}

// FollowJournal follows the journal of this machine, what is written behind a point.
func FollowJournal(ctx context.Context, from JournalPoint, now time.Time) (*Following, error) {
	printed, err := from.print(ctx, "--follow", "--no-tail", "--boot=all")
	if err != nil {
		return nil, err
	}
	w, err := Pour(JournalName, printed, "", now)
	if err != nil {
		return nil, errors.Join(err, printed.Close())
	}
	w.entries.after = from.After
	return w, nil
}

// entries walks the entries of an export of the journal.
type entries struct {
	text   io.ReaderAt
	at     int64  // an entry begins there
	cursor string // of the one before
	after  string // that of the entry behind which the text begins
}

// JournalAfter is the cursor of the entry behind which the journal of this machine was read, "" when that is a File of something else, or of all.
func (f *File) JournalAfter() string { return f.entries.after }

// JournalCursor is the cursor of the last entry before an offset, which is to be where an entry ends. It is "" for a File of something else than the
// journal of this machine. Offsets that come one after another cost no more than the text between them.
func (f *File) JournalCursor(offset int64) (string, error) {
	if f.Path != JournalName || f.entries.text == nil {
		return "", nil
	}
	return f.entries.to(offset)
}

func (e *entries) to(offset int64) (string, error) {
	if offset < e.at {
		e.at, e.cursor = 0, ""
	}
	r := bufio.NewReaderSize(io.NewSectionReader(e.text, e.at, offset-e.at), PeekSize)
	for {
		cursor, size, err := readEntry(r)
		if err == io.EOF {
			return e.cursor, nil
		}
		if err != nil {
			return "", err
		}
		e.at += size
		e.cursor = cursor
	}
}

// readEntry reads an entry of an export. The error is io.EOF when it is not whole. Facts: "Journal Export Format".
func readEntry(r *bufio.Reader) (cursor string, size int64, err error) {
	for begins := true; ; {
		line, err := r.ReadSlice('\n')
		size += int64(len(line))
		switch {
		case err != nil && err != bufio.ErrBufferFull:
			return "", size, err
		case !begins: // the rest of a long line
		case len(line) == 1:
			return cursor, size, nil
		case bytes.HasPrefix(line, []byte("__CURSOR=")):
			cursor = string(bytes.TrimSpace(line[len("__CURSOR="):]))
		case err == nil && bytes.IndexByte(line, '=') < 0: // a field with any bytes: their number, they, and a newline
			head, err := r.Peek(8)
			if err != nil {
				return "", size, io.EOF
			}
			n := int64(len(head)) + int64(binary.LittleEndian.Uint64(head)) + 1
			if _, err := io.CopyN(io.Discard, r, n); err != nil {
				return "", size, err
			}
			size += n
		}
		begins = err == nil
	}
}

package source

import (
	"bytes"
	"context"
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
func journalctl(ctx context.Context, args ...string) (io.ReadCloser, error) {
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
	entries, err := journalctl(context.Background(), "--follow", "--no-tail", "--file="+path)
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

// journalUntil begins the name of a File of this machine's journal that was read up to a time, which follows; journalFrom that of one which is
// followed from a time on.
const (
	journalUntil = "journal until "
	journalFrom  = "journal from "
)

// Journal makes a File of the journal of this machine: what was written from a second on, and before another; NoTime is no bound.
func Journal(ctx context.Context, from, until gatepost.Time, now time.Time) (*File, error) {
	var args []string
	name := "journal"
	if from.Known() {
		args = append(args, fmt.Sprintf("--since=@%d", from.Second()))
	}
	if until.Known() {
		args = append(args, fmt.Sprintf("--until=@%d.999999", until.Second()-1)) // its stamps are in microseconds
		name = journalUntil + until.Std().Format(time.RFC3339)
	}
	entries, err := journalctl(ctx, args...)
	if err != nil {
		return nil, err
	}
	return Spool(name, entries, "", now)
}

// FollowJournal follows the journal of this machine, what is written from a second on. Its text is the same whenever it is followed from there, so
// where reading ended is found again.
func FollowJournal(ctx context.Context, from gatepost.Time, now time.Time) (*Following, error) {
	entries, err := journalctl(ctx, "--follow", "--no-tail", fmt.Sprintf("--since=@%d", from.Second()))
	if err != nil {
		return nil, err
	}
	return Pour(journalFrom+from.Std().Format(time.RFC3339), entries, "", now)
}

// JournalEnd is the time from which on the journal is to be read after a File of it, by its name: before that it ended, or from there on it
// is known again. It is NoTime when that is no such name.
func JournalEnd(name string) gatepost.Time {
	for _, begins := range []string{journalUntil, journalFrom} {
		if stamp, ok := strings.CutPrefix(name, begins); ok {
			if at, err := time.Parse(time.RFC3339, stamp); err == nil {
				return gatepost.TimeOf(at)
			}
		}
	}
	return gatepost.NoTime
}

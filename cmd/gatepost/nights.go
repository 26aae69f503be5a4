package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatepost"
	"gatepost/reports"
)

// nights is a folder with a page for each night, named by its day, and index.html, a calendar of them. What the calendar shows is read from
// the pages that are there, so pages may be removed, or copied from elsewhere.
type nights struct{ dir string }

// namesFolder reports whether a path of --html names a folder: it is one, or ends with a slash.
func namesFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() || strings.HasSuffix(path, string(filepath.Separator))
}

const calendarName = "index.html"

// errForeignIndex is why a folder cannot be used: a web server's root often has an index.html.
var errForeignIndex = errors.New("was not made by gatepost, so it is left as it is")

// check makes sure that the folder is there and that its index may be replaced.
func (n nights) check() error {
	if err := os.MkdirAll(n.dir, 0o777); err != nil {
		return fmt.Errorf("%s: %w", n.dir, reason(err))
	}
	index := filepath.Join(n.dir, calendarName)
	end, err := endOf(index)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", index, reason(err))
	case !reports.IsCalendar(end):
		return failed("--html "+filepath.Join(n.dir, "gatepost")+string(filepath.Separator), "%s: %w", index, errForeignIndex)
	}
	return nil
}

// nightOf is the day on which the night of a report begins, in its zone.
func nightOf(m *gatepost.Model) time.Time {
	for _, t := range []gatepost.Time{m.Since, m.From, m.Made} {
		if t.Known() && t != 0 {
			return t.Std().In(m.Zone)
		}
	}
	return time.Time{}
}

// write writes the page of a night and removes the pages of days before oldest, "" for none; then it makes the calendar anew.
func (n nights) write(m *gatepost.Model, oldest string, draw func(io.Writer) error) error {
	if err := n.check(); err != nil {
		return err
	}
	day := nightOf(m)
	mark, err := reports.NewMark(m, day)
	if err != nil {
		return err
	}
	page := filepath.Join(n.dir, mark.Day+".html")
	if err := writeFile(page, func(w io.Writer) error { return errors.Join(draw(w), mark.Write(w)) }); err != nil {
		return fmt.Errorf("%s: %w", page, reason(err))
	}
	marks, err := n.read(oldest)
	if err != nil {
		return err
	}
	index := filepath.Join(n.dir, calendarName)
	if err := writeFile(index, func(w io.Writer) error { return reports.Calendar(w, marks, m.Version) }); err != nil {
		return fmt.Errorf("%s: %w", index, reason(err))
	}
	return nil
}

// read returns the marks of the pages, and removes those of days before oldest. A file without a mark, or with that of another day, is not
// gatepost's: it is neither shown nor removed.
func (n nights) read(oldest string) ([]*reports.Mark, error) {
	entries, err := os.ReadDir(n.dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.dir, reason(err))
	}
	var marks []*reports.Mark
	for _, entry := range entries {
		day, ok := strings.CutSuffix(entry.Name(), ".html")
		if _, err := time.Parse(time.DateOnly, day); err != nil || !ok || !entry.Type().IsRegular() {
			continue
		}
		path := filepath.Join(n.dir, entry.Name())
		end, err := endOf(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run removed it
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, reason(err))
		}
		mark := reports.ReadMark(end)
		if mark == nil || mark.Day != day {
			continue
		}
		if day >= oldest {
			marks = append(marks, mark)
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", path, reason(err))
		}
	}
	return marks, nil
}

// endOf reads the end of a file.
func endOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(max(0, info.Size()-reports.MarkSize), io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(bufio.NewReader(io.LimitReader(f, reports.MarkSize)))
}

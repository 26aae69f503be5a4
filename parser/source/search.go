package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gatepost"
)

// Part is where the lines of a time stand in a file.
type Part struct {
	Begin, End  int64         // offsets: each where a line begins, or an end of the file
	First, Last gatepost.Time // least and greatest stamp that was seen, of the whole file; NoTime without any
}

const (
	// looks is at how many places of the file Search looks. Between two of them it sees nothing, so it looks at as
	// many again of what is left then.
	looks = 500
	// lookSize is how much is read at each: some forty lines.
	lookSize = 8 << 10
)

// look is what stands at one place: an offset where a line begins, and the stamps of the lines from there on.
type look struct {
	offset      int64
	first, last gatepost.Time
}

// Search returns where the lines stand that are stamped from one time to another, without reading the file: it looks
// at some hundred places of it. Either time may be NoTime, which bounds nothing. stamps returns the least
// and the greatest stamp in some whole lines, NoTime when none is dated.
//
// What Search leaves out at the beginning is as far as all places show earlier stamps and nothing else, and at the end
// as far as all show later ones. So it need not be told whether the file is in order: where the parts of a file were
// put together in a wrong order, the places contradict, and more is returned, all of it in the end. Only a misplaced
// piece that is so short that it lies between two places is not noticed, unless it is the first or the last. A line
// may stand near bytes away from where its stamp belongs, as the buffers of several writers make it.
//
// It is for plain text, of a file that can be read anywhere.
func (f *File) Search(from, to gatepost.Time, near int64, stamps func(lines []byte) (first, last gatepost.Time)) (Part, error) {
	p := Part{End: f.Size}
	all := gatepost.Batch{First: gatepost.NoTime, Last: gatepost.NoTime}
	err := f.readAt(func(text io.ReaderAt) error {
		for range 2 {
			seen, err := lookAt(text, p.Begin, p.End, stamps)
			if err != nil {
				return err
			}
			for _, l := range seen {
				all.See(l.first)
				all.See(l.last)
			}
			p.narrow(seen, from, to, near)
		}
		return nil
	})
	p.First, p.Last = all.First, all.Last
	return p, err
}

// narrow leaves out of a part what the looks at it show to be too early or too late, but for what is near.
func (p *Part) narrow(seen []look, from, to gatepost.Time, near int64) {
	before, after := 0, len(seen)
	for before < len(seen) && seen[before].last < from {
		before++
	}
	for after > before && to.Known() && seen[after-1].first > to {
		after--
	}
	for _, l := range seen[:before] {
		if l.offset <= seen[before-1].offset-near {
			p.Begin = l.offset
		}
	}
	for _, l := range slices.Backward(seen[after:]) {
		if l.offset >= seen[after].offset+near {
			p.End = l.offset
		}
	}
}

// lookAt looks at places all over a part, its end among them. Those without a dated line tell nothing.
func lookAt(text io.ReaderAt, begin, end int64, stamps func(lines []byte) (first, last gatepost.Time)) ([]look, error) {
	var seen []look
	buf := make([]byte, lookSize)
	for i := range int64(looks) {
		at := begin + (end-begin)/looks*i
		if i == looks-1 {
			at = max(at, end-lookSize)
		}
		n, err := text.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return nil, err
		}
		lines := buf[:bytes.LastIndexByte(buf[:n], '\n')+1]
		if at > 0 {
			next := bytes.IndexByte(lines, '\n') + 1 // it stands within a line
			lines, at = lines[next:], at+int64(next)
		}
		if first, last := stamps(lines); first.Known() {
			seen = append(seen, look{at, first, last})
		}
	}
	return seen, nil
}

// CountLines counts the line ends before an offset of a plain file, in several places at once, so that it
// takes as long as the bytes take to come.
func (f *File) CountLines(end int64) (int64, error) {
	const size = 1 << 20
	var next, lines atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	err := f.readAt(func(text io.ReaderAt) error {
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				buf := make([]byte, size)
				for at := next.Add(size) - size; at < end; at = next.Add(size) - size {
					part := buf[:min(size, end-at)]
					if n, err := text.ReadAt(part, at); n < len(part) {
						errs[i] = unexpected(err)
						return
					}
					lines.Add(int64(bytes.Count(part, []byte{'\n'})))
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
	return lines.Load(), err
}

// readAt opens the file for reading anywhere.
func (f *File) readAt(do func(io.ReaderAt) error) error {
	raw, err := f.open()
	if err != nil {
		return err
	}
	defer raw.Close()
	text, ok := raw.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s: %w", f.Path, errors.ErrUnsupported)
	}
	return do(text)
}

package main

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"gatepost/parser/source"
)

// progress shows on a terminal how far reading has come, when it takes longer than a moment, and
// leaves no trace.
type progress struct {
	out io.Writer // nil: not shown
	now func() time.Time

	beat  func() // says that it goes on, nil when nobody asks
	begin time.Time
	total int64 // bytes of all files

	mu   sync.Mutex
	read map[*source.File]int64 // bytes of the files that are begun
	bar  *progressbar.ProgressBar
}

// patience is how long reading may take before progress is shown.
const patience = time.Second

func newProgress(e *env) *progress {
	p := &progress{now: e.now, read: make(map[*source.File]int64)}
	if e.stderrTerminal {
		p.out = e.stderr
	}
	return p
}

func (p *progress) expect(files []*source.File) {
	p.begin = p.now()
	for _, f := range files {
		if f.Size < 0 {
			p.total = -1 // of a stream nobody knows how long it is
			return
		}
		p.total += f.Size
	}
}

// at says how many bytes of a file are read.
func (p *progress) at(f *source.File, n int64) {
	if p.beat != nil {
		p.beat()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read[f] = n
	if p.out == nil || p.now().Sub(p.begin) < patience {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(p.total,
			progressbar.OptionSetWriter(p.out),
			progressbar.OptionSetDescription("reading"),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionShowTotalBytes(true),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	var all int64
	for _, n := range p.read {
		all += n
	}
	p.show(p.bar.Set64(all))
}

// next says that a file is done.
func (p *progress) next(f *source.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read[f] = max(f.Size, 0)
}

// done clears the line.
func (p *progress) done() {
	if p.bar != nil {
		p.show(p.bar.Finish())
	}
}

// show gives up showing progress after an error: reading goes on.
func (p *progress) show(err error) {
	if err != nil {
		p.out = nil
	}
}

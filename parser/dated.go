package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// dated is a time stamp with what is known of it.
type dated struct {
	at    gatepost.Time
	step  time.Duration // resolution of its notation, 0 without a stamp
	worth gatepost.Stamps
}

// undated is the stamp of a line whose head tells no instant.
var undated = dated{at: gatepost.NoTime, worth: gatepost.StampsNone}

// in returns the stamp for a source whose stamps have the given worth: one of another worth
// cannot share a clock with them, so its line stays undated.
func (d dated) in(worth gatepost.Stamps) dated {
	if d.worth != worth {
		return undated
	}
	return d
}

// note widens a batch's range and resolution by the stamp.
func (d dated) note(out *gatepost.Batch) {
	out.See(d.at)
	if d.step > 0 && (out.Resolution == 0 || d.step < out.Resolution) {
		out.Resolution = d.step
	}
}

// fractionStep is the resolution of a fraction whose length, with its point, is n.
func fractionStep(n int) time.Duration {
	step := time.Second
	for ; n > 1 && step > 1; n-- {
		step /= 10
	}
	return step
}

// headCount counts the heads of one dialect in a sample.
type headCount struct {
	dialect string
	worth   gatepost.Stamps
	n       int
}

// sniffHeads recognises a format by the heads of its lines: read names the dialect and the worth
// of a line's stamp, "" when it has no head. Blank and indented lines do not count. It returns
// the commonest dialect.
func sniffHeads(sample []byte, read func([]byte) (string, gatepost.Stamps)) (score int, best headCount) {
	var counts []headCount
	lines, known := 0, 0
	for line := range bytes.Lines(sample) {
		if line = trimEOL(line); continues(line) {
			continue
		}
		lines++
		dialect, worth := read(line)
		if dialect == "" {
			continue
		}
		known++
		i := 0
		for i < len(counts) && counts[i].dialect != dialect {
			i++
		}
		if i == len(counts) {
			counts = append(counts, headCount{dialect: dialect, worth: worth})
		}
		counts[i].n++
		if counts[i].n > best.n {
			best = counts[i]
		}
	}
	if known == 0 {
		return 0, headCount{worth: gatepost.StampsNone}
	}
	return known * 1000 / lines, best
}

// continues reports whether a line is blank or carries on the message of the line before.
func continues(line []byte) bool { return len(line) == 0 || line[0] == ' ' || line[0] == '\t' }

package source

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"gatepost"
)

// RingName is what a File of the kernel's ring buffer is called.
const RingName = "kernel ring buffer"

// KernelRing makes a File of the ring buffer in which the kernel keeps its last lines, with stamps as dmesg --time-format iso
// gives them: boot is when the machine came up. Lines up to the time after are left out, none when that is NoTime. Facts: syslog(2), dmesg(1).
func KernelRing(boot, after gatepost.Time, now time.Time) (*File, error) {
	ring, err := kernelRing()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", RingName, err)
	}
	return InMemory(RingName, ringText(ring, boot, after), now), nil
}

// ringText gives the lines "<6>[    0.002509] text" of the buffer stamps with a date.
func ringText(ring []byte, boot, after gatepost.Time) (text []byte) {
	counts := true
	for line := range bytes.Lines(ring) {
		rest := line
		if _, behind, ok := bytes.Cut(line, []byte(">[")); ok && line[0] == '<' {
			rest = behind
		}
		stamp, message, ok := bytes.Cut(rest, []byte("] "))
		seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(stamp)), 64)
		if !ok || err != nil {
			if counts {
				text = append(text, line...) // the line before goes on
			}
			continue
		}
		at := boot.Add(time.Duration(seconds * float64(time.Second)))
		if counts = at > after; !counts {
			continue
		}
		text = at.Std().AppendFormat(text, "2006-01-02T15:04:05,000000-07:00 ")
		text = append(text, message...)
	}
	return text
}

package source

import (
	"bytes"
	"fmt"
	"io"
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

// FollowKernel follows what the kernel says, with stamps as in KernelRing: what it says after a time, also when that was before now.
func FollowKernel(boot, after gatepost.Time, now time.Time) (*Following, error) {
	messages, err := kernelMessages()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", RingName, err)
	}
	return Pour(RingName, &kernelLines{from: messages, boot: boot, after: after}, "", now)
}

// kernelLines makes lines as KernelRing has them of the records of /dev/kmsg, "6,1234,5678901,-;text", each of which comes with one Read. Lines
// that begin with a blank are fields of the record before. Facts: Documentation/ABI/testing/dev-kmsg.
type kernelLines struct {
	from        io.Reader
	boot, after gatepost.Time
	record      [16 << 10]byte
	left        []byte
}

func (k *kernelLines) Read(p []byte) (int, error) {
	for len(k.left) == 0 {
		n, err := k.from.Read(k.record[:])
		if err != nil {
			return 0, err
		}
		k.left = k.line(k.record[:n])
	}
	n := copy(p, k.left)
	k.left = k.left[n:]
	return n, nil
}

// line is the line of a record, nothing when that is not to be told.
func (k *kernelLines) line(record []byte) []byte {
	head, message, ok := bytes.Cut(record, []byte(";"))
	fields := bytes.Split(head, []byte(","))
	if !ok || len(fields) < 3 {
		return nil
	}
	micros, err := strconv.ParseInt(string(fields[2]), 10, 64)
	at := k.boot.Add(time.Duration(micros) * time.Microsecond)
	if err != nil || at <= k.after {
		return nil
	}
	message, _, _ = bytes.Cut(message, []byte("\n"))
	return append(append(at.Std().AppendFormat(nil, kernelStamp), message...), '\n')
}

// kernelStamp is how dmesg --time-format iso writes an instant.
const kernelStamp = "2006-01-02T15:04:05,000000-07:00 "

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
		text = at.Std().AppendFormat(text, kernelStamp)
		text = append(text, message...)
	}
	return text
}

package main

import "time"

// backlog tells for how long the oldest text that was not read has been waiting: since a time, about, at which the file was still as long as was read
// by now. When that was read which was read last says nothing: who catches up reads all the time.
type backlog struct {
	looks []looked // in their order; the first was made before what waits now was there
}

// looked is how long a file was at a time.
type looked struct {
	at   time.Time
	size int64
}

// mostLooks is how many are kept. Of more every second one goes: who is hours behind need not know it to the second.
const mostLooks = 128

// lag takes a look at a file of which so much was read, and returns for how long text has been waiting, 0 when none is.
func (b *backlog) lag(now time.Time, read, size int64) time.Duration {
	if size <= read || len(b.looks) > 0 && size < b.looks[len(b.looks)-1].size { // or it is another text
		b.looks = append(b.looks[:0], looked{now, size})
		return 0
	}
	b.looks = append(b.looks, looked{now, size})
	first := 0
	for first+1 < len(b.looks) && b.looks[first+1].size <= read {
		first++
	}
	b.looks = append(b.looks[:0], b.looks[first:]...)
	if n := len(b.looks); n > mostLooks {
		for i := range n / 2 {
			b.looks[i] = b.looks[2*i]
		}
		b.looks = b.looks[:n/2]
	}
	return now.Sub(b.looks[0].at)
}

package main

import (
	"testing"
	"time"
)

func TestBacklog(t *testing.T) {
	var b backlog
	start := time.Unix(0, 0)
	f := func(second int, read, size int64, want int) {
		t.Helper()
		if got := b.lag(start.Add(time.Duration(second)*time.Second), read, size); got != time.Duration(want)*time.Second {
			t.Errorf("after %d s, %d of %d read: %s, want %d s", second, read, size, got, want)
		}
	}
	f(0, 100, 100, 0)
	f(10, 100, 200, 10) // it came at any time since
	f(11, 150, 300, 11)
	f(12, 200, 300, 2) // what waits came behind the look at 10 s
	f(13, 250, 300, 3)
	f(14, 300, 300, 0)
	f(15, 300, 400, 1)
	f(16, 300, 350, 0) // it was truncated
	for s := 17; s < 1000; s++ {
		f(s, 350, int64(350+s), s-16)
	}
	if len(b.looks) > mostLooks {
		t.Errorf("%d looks are kept", len(b.looks))
	}
}

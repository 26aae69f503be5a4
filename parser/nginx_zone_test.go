package parser

import (
	"testing"
	"time"
)

// The zone of a machine stands in the stamps of its access log, whatever their form; what a stranger asked for does not
// count.
func TestEast(t *testing.T) {
	f := func(name, line string, east time.Duration, ok bool) {
		t.Helper()
		p, err := Use("nginx_access", []byte(line), &Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, told := p.East([]byte(line)); got != east || told != ok {
			t.Errorf("%s: %v, %v, want %v, %v", name, got, told, east, ok)
		}
	}
	f("combined", "10.0.0.7 - - [22/Nov/2026:14:08:41 +0530] \"GET /?t=10:00:00+0900 HTTP/1.1\" 502 157 \"-\" \"-\"\n", 5*time.Hour+30*time.Minute, true)
	f("west", "10.0.0.7 - - [22/Nov/2026:14:08:41 -0300] \"GET / HTTP/1.1\" 502 157 \"-\" \"-\"\n", -3*time.Hour, true)
	f("UTC", "10.0.0.7 - - [22/Nov/2026:14:08:41 +0000] \"GET / HTTP/1.1\" 502 157 \"-\" \"-\"\n", 0, true)
	f("behind other lines", "nothing\n10.0.0.7 - - [22/Nov/2026:14:08:41 +0100] \"GET / HTTP/1.1\" 502 157 \"-\" \"-\"\n", time.Hour, true)
	f("JSON", `{"time_iso8601":"2026-11-22T14:08:41+01:00","remote_addr":"10.0.0.7","request":"GET / HTTP/1.1","status":"502"}`+"\n", time.Hour, true)
	f("JSON without a zone", `{"time_iso8601":"2026-11-22T14:08:41","remote_addr":"10.0.0.7","request":"GET / HTTP/1.1","status":"502"}`+"\n", 0, false)
	f("$msec", `{"msec":"1795356521.123","remote_addr":"10.0.0.7","request":"GET / HTTP/1.1","status":"502"}`+"\n", 0, false)
	f("no access line", "2026/11/22 14:08:41 [error] 20326#20326: *96 upstream timed out\n", 0, false)
}

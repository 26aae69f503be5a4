package parser

import (
	"fmt"
	"strings"
	"testing"

	"gatepost"
)

// Lines of one kind differ in what varies, and in nothing else.
func TestKindOfLine(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if got := string(appendKind(nil, []byte(line))); got != want {
				t.Errorf("%q is of kind %q, want %q", line, got, want)
			}
		}
	}
	f("* INFO prod odoo.http: done in * ms", "2026-11-22 14:08:41,123 4711 INFO prod odoo.http: done in 12 ms", "2026-11-23 01:00:00,001 9 INFO prod odoo.http: done in 3 ms")
	f("cache warmed", "cache warmed", "  cache \t warmed  ")
	f("Traceback (most recent call last):", "Traceback (most recent call last):")
	f("peer * said *", `peer 10.20.3.1:5432 said "hello"`, `peer fe80::1%eth0 said "good \" bye"`, `peer db7.example.com said 'x y'`)
	f("can't open *", "can't open '/tmp/a b'", "can't open /srv/data4/x")
	f("mail from * to *", "mail from a.b@example.com to 3f2a9c77", "mail from root@localhost to deadbeefcafe")
	f("GET /web/login", "GET /web/login")
	f("GET * done", "GET /web/image/7 HTTP/1.1 done")
	f("see /var/log: it, *, is full...", "see /var/log: it, /var/log2, is full...")
	f(`{"level":*,"ts":*,"ok":true}`, `{"level":"info","ts":17.5,"ok":true}`, `{"level":"warn","ts":3,"ok":true}`)
	f("sizes: *", "sizes: 1, 2, 3", "sizes: 1,2", "sizes: 7")
	f("* ready", "Sun Nov 22 14:00:00 2026 ready", "Mon Jan  1 00:00:00 2027 ready")
	f("* été", "17 été")
	f("*", "0x7ffe", "2026/11/22 14:00:00")
	f("", "   ", "")
	long := strings.Repeat("word ", 39) + "and "
	f(strings.Repeat("word ", 39)+"and *", long+"one more", long+"something else that is longer")
	f("says *", `says "`+strings.Repeat("a", 300)+`"`, `says "`+strings.Repeat("b ", 300))
}

// Unknown lines are counted by kinds with a sample and its place, in a wrapping too. Where nothing is unknown nothing is
// allocated, which TestOrdinaryAllocations holds.
func TestUnknownLines(t *testing.T) {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "2026-11-22 14:08:%02d,123 4711 INFO prod odoo.addons.base: fine\n", i)
	}
	for _, wrapped := range []bool{false, true} {
		log := "worker 7: cache warmed\r\n\nworker 12: cache warmed\n\x1b[31mno \xff idea\n" + text.String()
		if wrapped {
			var b strings.Builder
			for line := range strings.Lines(log) {
				fmt.Fprintf(&b, "2026-11-22T14:08:00.000000000Z stdout F %s", line)
			}
			log = b.String()
		}
		p := Detect([]byte(log), &Options{})
		if p == nil {
			t.Fatal("not detected")
		}
		block := gatepost.Block{Source: 3, Line: 1, Data: []byte(log)}
		if s := p.Sorter(); s != nil {
			s.Add(&block)
			for st := range s.Ready(All) {
				block = gatepost.Block{}
				st.Take(&block, All)
				p = st.Parser
			}
		} else if wrapped {
			t.Fatal("the wrapping is not seen")
		}
		var out gatepost.Batch
		p.Parse(&block, &out)
		all := out.Unknown.Frequent()
		if len(all) != 2 || all[0].Kind != "worker *: cache warmed" || all[0].Count != 2 || all[0].Sample != "worker 7: cache warmed" || all[0].Ref.Line != 1 {
			t.Fatalf("wrapped %v: %+v", wrapped, all)
		}
		if all[1].Sample != "\x1b[31mno � idea" || all[1].Ref.Line != 4 {
			t.Errorf("wrapped %v: %+v", wrapped, all[1])
		}
		at := all[1].Ref
		if got := log[at.Offset : at.Offset+int64(at.Length)]; !strings.HasSuffix(got, "idea") {
			t.Errorf("wrapped %v: the sample's place holds %q", wrapped, got)
		}
	}
}

func BenchmarkUnknownLines(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "%x: a line that nobody knows, of %d words and with \"%d\" in quotes\n", i*7919, i, i)
	}
	data := []byte(text.String())
	run := gatepost.Ref{Source: 1, Length: len(data) - 1, Line: 1}
	p := newParser(Lookup("odoo"), "", nil, &Options{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var out gatepost.Batch
		out.Unparsed = append(out.Unparsed, run)
		p.countUnknown(&gatepost.Block{Source: 1, Line: 1, Data: data}, &out)
	}
}

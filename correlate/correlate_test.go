package correlate

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gatepost"
)

// What causes say is tried on whole incidents in cmd/gatepost: TestIncidents, TestCauses,
// TestVisibility, TestMetamorphic. Here are the parts whose edges incidents do not reach.

const at = gatepost.Time(1_795_356_000 * int64(time.Second))

// TestTimeline holds the index against looking at everything.
func TestTimeline(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	line := newTimeline((*work).span, (*work).compare)
	var all []*work
	for i := range 300 {
		start := at.Add(time.Duration(rnd.IntN(600_000)) * time.Millisecond)
		w := &work{pid: i, start: start, end: start.Add(time.Duration(rnd.IntN(90_000)) * time.Millisecond)}
		if i%10 == 0 {
			w.start = gatepost.NoTime // known by its end alone
		}
		all = append(all, w)
		line.add(w)
	}
	line.keep(func(w *work) bool { return w.pid%7 != 0 })
	all = slices.DeleteFunc(all, func(w *work) bool { return w.pid%7 == 0 })
	for range 200 {
		from := at.Add(time.Duration(rnd.IntN(700_000)-50_000) * time.Millisecond)
		to := from.Add(time.Duration(rnd.IntN(60_000)) * time.Millisecond)
		var got, want []int
		for w := range line.between(from, to) {
			got = append(got, w.pid)
		}
		for _, w := range all {
			if start, end := w.span(); start <= to && end >= from {
				want = append(want, w.pid)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("between %s and %s: %v, want %v", from, to, got, want)
		}
	}
}

// TestMatch: an answered request takes the line that ends with it, and what is left belongs to those
// that gave up, first come first served, but never a line that had ended before they gave up.
func TestMatch(t *testing.T) {
	sec := func(s float64) gatepost.Time { return at.Add(time.Duration(s * float64(time.Second))) }
	early, served, first, second := &work{end: sec(2), start: sec(1), status: 200}, &work{end: sec(10.1), start: sec(10), status: 200},
		&work{end: sec(25), start: sec(3), status: 200}, &work{end: sec(26), start: sec(25), status: 200}
	c1, c2 := &Case{Failure: new(gatepost.Failure)}, &Case{Failure: new(gatepost.Failure)}
	c1.Status, c2.Status = 504, 504
	match([]*contender{
		{c: c2, from: sec(9), end: sec(15), slack: time.Second, status: 504},
		{from: sec(10), end: sec(10), slack: time.Second, status: 200},
		{c: c1, from: sec(3), end: sec(9), slack: time.Second, status: 504},
	}, []*work{second, early, served, first})
	if c1.work != first || c2.work != second || served.c != nil || early.c != nil {
		t.Errorf("matched %v and %v", c1.work, c2.work)
	}
}

// TestKnife: a history is cut where nothing fails for the longest time, and never within an instant.
func TestKnife(t *testing.T) {
	f := func(name string, atOnce int, rate float64, seconds, want []int) {
		t.Helper()
		k := newKnife(atOnce, rate)
		for _, s := range seconds {
			k.fail(at.Add(time.Duration(s) * time.Second))
		}
		var cuts []int
		for _, x := range k.stretches[1:] {
			cuts = append(cuts, int(x.from.Sub(at)/time.Second))
		}
		if !slices.Equal(cuts, want) {
			t.Errorf("%s: cut at %v, want %v", name, cuts, want)
		}
	}
	f("few", 4, 0, []int{0, 1, 2}, nil)
	f("the longest gap of the second half", 6, 0, []int{0, 100, 101, 102, 110, 111, 112}, []int{110})
	f("one instant", 4, 0, []int{5, 5, 5, 5, 5, 5, 6}, []int{6})
	f("many requests between", 4, 25, []int{0, 2, 4, 6}, []int{4, 6})
	f("again and again", 2, 0, []int{0, 1, 2, 3, 4, 5}, []int{1, 2, 3, 4, 5})
}

// TestChangeOfHour finds summer time's end in the votes, and does not find it in a stray pair.
func TestChangeOfHour(t *testing.T) {
	summer, winter := -2*time.Hour, -time.Hour
	var votes []vote
	for i := range 20 {
		shift := summer
		if i >= 12 {
			shift = winter
		}
		votes = append(votes, vote{at.Add(time.Duration(i) * 10 * time.Minute), shift + time.Second})
	}
	main, n := quarterHour(votes)
	if main != summer || n != 12 {
		t.Fatalf("most votes are for %v (%d)", main, n)
	}
	first, steps := changeOfHour(votes, main)
	if first != summer || len(steps) != 1 || steps[0] != (gatepost.ClockStep{From: votes[12].raw, Shift: winter}) {
		t.Errorf("%v, then %v", first, steps)
	}
	if _, steps := changeOfHour(votes[:13], main); steps != nil {
		t.Errorf("one vote makes a change of the hour: %v", steps)
	}
}

// TestFolders names the machines whose logs lie side by side.
func TestFolders(t *testing.T) {
	f := func(paths, want []string) {
		t.Helper()
		if got := folders(paths); !slices.Equal(got, want) {
			t.Errorf("folders(%q) = %q, want %q", paths, got, want)
		}
	}
	f(nil, []string{})
	f([]string{"logs/access.log", "logs/odoo.log"}, []string{"", ""})
	f([]string{"n/erp1/nginx/access.log", "n/erp1/odoo.log", "n/erp2/odoo.log", "n/readme"}, []string{"erp1", "erp1", "erp2", ""})
	f([]string{"a.tar!erp1/odoo.log", "a.tar!erp2/odoo.log"}, []string{"erp1", "erp2"})
	f([]string{"/var/log/nginx/access.log", "/var/log/odoo/odoo.log"}, []string{"nginx", "odoo"})
}

// TestSketch: medians are right to within a half step of the scale, of all and of the shorter ones.
func TestSketch(t *testing.T) {
	var k sketch
	if d, n := k.median(time.Hour); d != 0 || n != 0 {
		t.Error("a median of nothing")
	}
	for i := range 1000 {
		k.add(time.Duration(i+1) * 10 * time.Millisecond) // 10 ms to 10 s
	}
	k.add(time.Duration(1 << 62))
	for limit, exact := range map[time.Duration]time.Duration{time.Hour: 5 * time.Second, 2 * time.Second: time.Second} {
		got, n := k.median(limit)
		if float64(got) < float64(exact)/1.6 || float64(got) > float64(exact)*1.6 || n == 0 {
			t.Errorf("the median of %d below %v is %v, about %v expected", n, limit, got, exact)
		}
	}
}

// TestCauses holds that every cause can speak and be undone by physics.
func TestCauses(t *testing.T) {
	if !slices.IsSortedFunc(causes, func(a, b *Cause) int { return cmpName(a, b) }) {
		t.Error("the registry is not in order")
	}
	if w := lookup("worker_crash"); w.Down != nil {
		t.Error("one worker's death cannot make a port refuse connections")
	}
	if c := lookup("long_cron"); c.Down != nil || c.Death != nil {
		t.Error("a scheduled action has a worker of its own")
	}
	for _, c := range causes {
		if c.Name != gatepost.Undetermined && c.Down == nil && c.Death == nil && c.Work == nil && c.Case == nil {
			t.Errorf("%s never speaks", c.Name)
		}
	}
}

func cmpName(a, b *Cause) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

// TestStem: whatever rotation made of a log's name, it is one log.
func TestStem(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got := stem(path); got != want {
			t.Errorf("stem(%q) = %q, want %q", path, got, want)
		}
	}
	f("logs/odoo.log", "logs/odoo.log")
	f("logs/odoo.log.1", "logs/odoo.log")
	f("logs/odoo.log.12.gz", "logs/odoo.log")
	f("logs/odoo.log.3.zst", "logs/odoo.log")
	f("logs/odoo.log-20261121.gz", "logs/odoo.log")
	f("logs/odoo-20261121.log", "logs/odoo.log")
	f("logs/odoo_2026-11-21.log", "logs/odoo.log")
	f("logs/archive/odoo.log.3.gz", "logs/odoo.log")
	f("a.tar!logs/odoo.log.1", "logs/odoo.log")
	f("odoo-16.log", "odoo-16.log")
}

// A log that is packed, or lies in an archive, was not rotated for that: what dmesg printed reaches to its end.
func TestRotated(t *testing.T) {
	for path, want := range map[string]bool{
		"logs/dmesg.txt": false, "logs/dmesg.txt.gz": false, "night.tar.gz!dmesg.txt": false, "night.zip!logs/dmesg.txt.xz": false, "a.lz4": false,
		"kern.log.1": true, "kern.log.2.gz": true, "night.tar!kern.log.3.xz": true, "kern.log-20261122": true, "old/kern.log": false, "log/old/kern.log": true,
	} {
		if got := rotated(path); got != want {
			t.Errorf("rotated(%q) = %v", path, got)
		}
	}
}

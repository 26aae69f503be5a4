package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// window is a part of the time that is asked for; a zero time is no bound.
type window struct{ since, until time.Time }

// around makes a window of whole seconds, as the command line takes them.
func around(since, until time.Time) window {
	return window{since.UTC().Truncate(time.Second), until.UTC().Truncate(time.Second).Add(time.Second)}
}

// never is a size from which on no log is searched.
const never = 1 << 62

// asked runs "gatepost analyze" for a window, with logs of that size and more searched. It returns the records
// of the ledger by their type.
func asked(t *testing.T, least int64, w window, paths ...string) map[string][]string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	e := env{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, searchLeast: least,
		now: clock, zone: time.UTC, getenv: func(string) string { return "" },
	}
	args := []string{"analyze", "--format", "ndjson"}
	if !w.since.IsZero() {
		args = append(args, "--since", w.since.Format(time.RFC3339))
	}
	if !w.until.IsZero() {
		args = append(args, "--until", w.until.Format(time.RFC3339))
	}
	if status := run(context.Background(), e, append(args, paths...)); status != statusDone {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	records := make(map[string][]string)
	for line := range strings.Lines(stdout.String()) {
		var head struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		records[head.Type] = append(records[head.Type], line)
	}
	return records
}

// alike holds that a ledger is the same whether logs were searched for it or read whole.
func alike(t *testing.T, searched, whole map[string][]string) {
	t.Helper()
	for _, kind := range []string{"failure", "incident"} {
		got, want := searched[kind], whole[kind]
		for len(got) > 0 && len(want) > 0 && got[0] == want[0] {
			got, want = got[1:], want[1:]
		}
		if len(got)+len(want) > 0 {
			t.Errorf("%d records of type %s are others when the logs are searched:\n%s\nwhen they are read whole:\n%s",
				max(len(got), len(want)), kind, append(got, "")[0], append(want, "")[0])
		}
	}
	if got, want := totals(t, searched), totals(t, whole); got != want {
		t.Errorf("requests in that time are %s when the logs are searched, %s when they are read whole", got, want)
	}
}

// totals are how many requests a ledger speaks of, by status.
func totals(t *testing.T, ledger map[string][]string) string {
	t.Helper()
	var all struct {
		Requests int64            `json:"requests"`
		Statuses map[string]int64 `json:"statuses"`
	}
	if err := json.Unmarshal([]byte(ledger["summary"][0]), &all); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(all.Requests, all.Statuses)
}

// partly reports whether a ledger says that a log was read in part.
func partly(ledger map[string][]string) bool {
	return strings.Contains(ledger["summary"][0], "were read for the time that was asked for")
}

// layouts are ways in which the logs of several days can lie on a disk: all of them hold the same.
var layouts = []struct {
	name, doc string
	lay       func(f folder)
}{
	{"one_file", "each log is one file", func(folder) {}},
	{"rotated", "each log is cut in three, and the names are in the order of time", func(f folder) { f.parts("access.log", 0, 1, 2) }},
	{"misnamed", "the names of the three are in another order", func(f folder) { f.parts("access.log", 1, 2, 0) }},
	{"concatenated", "the three were put together again in the wrong order", func(f folder) {
		third := len(f["access.log"]) / 3
		f["access.log"] = slices.Concat(f["access.log"][third:], f["access.log"][:third])
	}},
	{"buffered", "nginx's workers write blocks of lines", func(f folder) { buffer(f, rand.New(rand.NewPCG(1, 2))) }},
	{"summer_ends", "the machine is in Paris, and the hour changes on the second day", func(f folder) { f.inParis(time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)) }},
	{"year_ends", "the machine is in Paris, and the third day is in another year", func(f folder) { f.inParis(time.Date(2026, 12, 30, 0, 0, 0, 0, time.UTC)) }},
}

// TestExcerptsJudgeAlike has every recorded incident happen on three days, and asks for parts of the second: the
// verdicts are the same whether the access log is searched for them or read whole.
func TestExcerptsJudgeAlike(t *testing.T) {
	for i, in := range recorded(t) {
		once := readFolder(t, in)
		if len(once["access.log"]) == 0 {
			continue
		}
		for j, l := range layouts {
			if j != 0 && 1+i%(len(layouts)-1) != j {
				continue // each other layout with some of the incidents
			}
			t.Run(in.name+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				all := once.daily(3)
				l.lay(all)
				dir := t.TempDir()
				all.write(t, dir)
				for name, w := range all.windows() {
					whole, searched := asked(t, never, w, dir), asked(t, 2048, w, dir)
					alike(t, searched, whole)
					if len(whole["failure"]) == 0 && len(once.failing()) > 0 && name != "before" {
						t.Errorf("%s: vacuous: nothing fails", name)
					}
					if !partly(searched) && l.name != "concatenated" {
						t.Errorf("%s: the access log was read whole", name)
					}
				}
			})
		}
	}
}

// windows are parts of the second of three days: the time in which requests failed, seconds of that, and a time before it.
func (f folder) windows() map[string]window {
	var stamps, fails []time.Time
	for _, name := range f.logs() {
		for _, l := range f[name] {
			if t, ok := at("access.log", l.text); ok && strings.HasPrefix(name, "access.log") {
				stamps = append(stamps, t.UTC())
			}
		}
	}
	slices.SortFunc(stamps, time.Time.Compare)
	begin := stamps[len(stamps)/3]
	for _, name := range f.logs() {
		for _, t := range (folder{"access.log": f[name]}).failing() {
			if strings.HasPrefix(name, "access.log") && !t.Before(begin) && t.Before(begin.Add(day-2*time.Second)) {
				fails = append(fails, t)
			}
		}
	}
	slices.SortFunc(fails, time.Time.Compare)
	all := map[string]window{"before": around(begin.Add(-hour), begin.Add(-hour/2))}
	if len(fails) > 0 {
		all["trouble"] = around(fails[0], fails[len(fails)-1])
		middle := fails[len(fails)/2]
		all["seconds"] = around(middle.Add(-5*time.Second), middle.Add(5*time.Second))
	}
	return all
}

// daily lets what the logs tell happen on several days, one after the other.
func (f folder) daily(days int) folder {
	all := f.clone()
	for n := 1; n < days; n++ {
		next := f.clone()
		for _, name := range f.logs() {
			if len(stamps[name]) > 0 {
				next.shift(name, time.Duration(n)*day)
				all[name] = append(all[name], next[name]...)
			}
		}
	}
	return all
}

// parts cuts a log in three and names the thirds in an order.
func (f folder) parts(name string, order ...int) {
	lines := f[name]
	delete(f, name)
	third := len(lines) / 3
	for i, n := range order {
		end := (i + 1) * third
		if i == 2 {
			end = len(lines)
		}
		f[fmt.Sprint(name, ".", n)] = lines[i*third : end]
	}
}

// inParis moves logs to other days, and writes what nginx writes in the zone of Paris.
func (f folder) inParis(first time.Time) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	begin, _ := at("access.log", f["access.log"][0].text)
	days := first.Sub(begin.UTC().Truncate(day))
	for _, name := range f.logs() {
		if name != "dmesg.txt" { // it counts from when the machine started, whenever that was
			f.shift(name, days)
		}
	}
	_, east := begin.Zone() // of the machine that they were recorded on
	f.shift("error.log", -time.Duration(east)*time.Second)
	for _, name := range []string{"access.log", "error.log"} {
		for _, s := range stamps[name] {
			f.edit(name, func(text string) string { return s.rewrite(text, func(t time.Time) time.Time { return t.In(paris) }) })
		}
	}
}

// TestExcerptsHoldAll asks for many parts of a log in which most of what makes searching hard occurs: what is
// found is the same as when the log is read whole.
func TestExcerptsHoldAll(t *testing.T) {
	text, begin, end := longLog()
	dir := t.TempDir()
	folder{"access.log": text}.write(t, dir)
	windows := []window{
		{since: end.Add(-10 * time.Minute)}, {until: begin.Add(10 * time.Minute)},
		around(begin.Add(-30*day), begin.Add(-29*day)), around(end.Add(29*day), end.Add(30*day)),
		around(begin.Add(-time.Hour), end.Add(time.Hour)),
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		since := begin.Add(time.Duration(rnd.Int64N(int64(end.Sub(begin)))))
		windows = append(windows, around(since, since.Add(time.Duration(rnd.ExpFloat64()*float64(10*time.Minute)))))
	}
	parts := 0
	for _, w := range windows {
		searched := asked(t, 64<<10, w, dir)
		alike(t, searched, asked(t, never, w, dir))
		if partly(searched) {
			parts++
		}
	}
	if parts < len(windows)-2 {
		t.Errorf("only in %d of %d cases a part of the log was read", parts, len(windows))
	}
}

// longLog is an access log of some megabytes.
func longLog() (text []line, begin, end time.Time) {
	rnd := rand.New(rand.NewPCG(1, 2))
	begin = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	end = begin
	request := func(at time.Time, path string, status int) {
		text = append(text, line{text: fmt.Sprintf(`10.20.%d.%d - - [%s] "GET %s HTTP/1.1" %d %d "https://erp.example.com/web" "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"`,
			rnd.IntN(20), rnd.IntN(250), at.Format("02/Jan/2006:15:04:05 -0700"), path, status, rnd.IntN(90_000))})
	}
	const lines = 20_000
	for n := range lines {
		switch n {
		case lines / 5:
			end = end.Add(7 * time.Hour) // nobody works at night
		case lines / 3:
			request(end, "/web?"+strings.Repeat("0123456789abcdef", 20<<10), 502) // a line of 320 KiB
		case lines / 2:
			text = append(text, line{text: strings.Repeat("\x00", 200<<10)}) // the machine went down
		case lines * 2 / 3:
			for range 2_000 {
				text = append(text, line{text: "no line of an access log, one of many that another program wrote here"})
			}
		case lines * 3 / 4:
			end = end.Add(-40 * time.Second) // the clock was set
		}
		end = end.Add(time.Duration(rnd.ExpFloat64() * float64(2*time.Second)))
		status := []int{502, 504, 404, 200}[min(3, rnd.IntN(300))]
		request(end.Add(-time.Duration(rnd.IntN(20))*time.Second), fmt.Sprintf("/web/%d", rnd.IntN(300)), status) // its worker held it back
	}
	return text, begin, end
}

package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
)

// The changes of one bad evening, as a live analysis says them: a service that restarts, workers that turn out to have died of
// memory, a cron that holds locks, requests that nobody can explain, and a log of which a part was gone.

const liveDir = "../testdata/live"

func liveNight() *Live {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	byID := sourcesByID(frame())
	return NewLive(paris, append(slices.Clone(causeDocs), gatepost.CauseDoc{Name: "service_down_restart", Title: "Odoo was down: planned stop or restart"}),
		func(id int) string {
			if s := byID[id]; s != nil {
				return s.Path
			}
			return ""
		})
}

func evening(clock string) gatepost.Time { return clockOn(22, clock) }

// provisional is a failure as it is first said.
func provisional(n, status int, at, method, path, client, cause, instance string, confidence float64, incident string) *gatepost.Failure {
	f := failure(n, status, evening(at), method, path, client, gatepost.Verdict{
		Cause: cause, Instance: instance, Confidence: confidence, State: gatepost.Provisional,
	}, incident)
	return &f
}

func liveChanges() []gatepost.Change {
	var all []gatepost.Change
	say := func(kind gatepost.ChangeKind, at string) *gatepost.Change {
		all = append(all, gatepost.Change{Kind: kind, Time: evening(at)})
		return &all[len(all)-1]
	}
	say(gatepost.Noted, "14:00:00").Text = "following 7 logs from 2026-11-22T14:00:00Z on"
	say(gatepost.Failed, "14:02:11.05").Failure = provisional(1, 502, "14:02:11", "GET", "/web", "10.20.2.9", gatepost.Undetermined, "", 0.41, "")

	// A restart.
	down := gatepost.Incident{
		ID: "i-01", From: evening("14:05:00"), To: evening("14:05:03"), Cause: "service_down_restart", Instance: "systemctl stopped odoo.service at 2026-11-22T14:05:00Z",
		Confidence: 0.98, Failures: 2, Clients: 2, State: gatepost.Provisional,
		Chain: []gatepost.Step{{Role: "root cause", Time: evening("14:05:00"), Says: "odoo.service was told to stop", Ref: line(odooLog, 2101),
			Text: "2026-11-22 14:05:00,118 4711 INFO ? odoo.service.server: Initiating shutdown"}},
		Fix: []gatepost.Advice{{Do: "restart outside of office hours, or let nginx hold requests while Odoo starts"}},
	}
	for i := range 60 {
		c := say(gatepost.Failed, fmt.Sprintf("14:05:%02d.%d05", 2+i/10, i%10))
		c.Failure = provisional(100+i, 502, fmt.Sprintf("14:05:%02d", 2+i/10), "POST", "/web/dataset/call_kw/sale.order/web_search_read", fmt.Sprintf("10.20.2.%d", 40+i%12), "service_down_restart", down.Instance, 0.98, "i-01")
		if i == 1 {
			in := down
			say(gatepost.Opened, "14:05:02.2").Incident = &in
		}
		if i > 1 {
			in := down
			in.Failures, in.Clients, in.To = i+1, min(i+1, 12), c.Failure.Time
			c.Incident = &in
			say(gatepost.Grown, fmt.Sprintf("14:05:%02d.%d06", 2+i/10, i%10)).Incident = &in
		}
	}
	over := down
	over.Failures, over.Clients, over.To, over.State = 60, 12, evening("14:05:07"), gatepost.Final
	say(gatepost.Closed, "14:06:07").Incident = &over

	// Workers that seemed busy, and had died of memory.
	c := say(gatepost.Failed, "14:10:38.1")
	c.Failure = provisional(200, 502, "14:10:38", "POST", "/web/export/xlsx/sale.order?fields=name,partner_id,amount_total,date_order,user_id,team_id,company_id,state", "10.20.3.38", "workers_busy", "", 0.81, "")
	c = say(gatepost.Failed, "14:10:40.3")
	c.Failure = provisional(201, 502, "14:10:40", "GET", "/web/login", "2001:db8:0:12::77", "workers_busy", "", 0.81, "")
	oom := gatepost.Incident{
		ID: "i-02", From: evening("14:10:38"), To: evening("14:10:40"), Cause: "workers_busy", Confidence: 0.81, Failures: 2, Clients: 2,
		Fix: []gatepost.Advice{{Do: "raise workers from 4 to 6"}},
	}
	in := oom
	say(gatepost.Opened, "14:10:40.4").Incident = &in
	for i := range 2 {
		c = say(gatepost.Revised, "14:10:41.2")
		was := gatepost.Verdict{Cause: "workers_busy", Confidence: 0.81}
		f := provisional(200+i, 502, []string{"14:10:38", "14:10:40"}[i], []string{"POST", "GET"}[i], []string{"/web/export/xlsx/sale.order", "/web/login"}[i], []string{"10.20.3.38", "2001:db8:0:12::77"}[i],
			"oom_kill", "kernel killed pid 7324 (odoo: WorkerHTT)", 0.9999, "i-02")
		f.Verdict.Evidence = oomEvidence()
		c.Failure, c.Was, c.Because = f, &was, &f.Verdict.Evidence[0]
	}
	oom.Cause, oom.Instance, oom.Confidence = "oom_kill", "kernel killed pid 7324 (odoo: WorkerHTT), 441 MB", 0.9999
	oom.Chain = []gatepost.Step{{Role: "root cause", Time: evening("14:10:38"), Says: "the kernel killed worker 7324", Ref: line(kernelLog, 83), Text: oomEvidence()[0].Text}}
	oom.Fix = []gatepost.Advice{{Do: "lower limit_memory_hard so that Odoo ends the request before the kernel ends the worker"}}
	in2 := oom
	c = say(gatepost.Altered, "14:10:41.2")
	c.Incident, c.Was = &in2, &gatepost.Verdict{Cause: "workers_busy", Confidence: 0.81}
	say(gatepost.Settled, "14:12:00").Failure = provisional(200, 502, "14:10:38", "POST", "/web/export/xlsx/sale.order", "10.20.3.38", "oom_kill", "kernel killed pid 7324 (odoo: WorkerHTT)", 0.9999, "i-02")
	all[len(all)-1].Failure.Verdict.State = gatepost.Final

	c = say(gatepost.Missed, "14:12:30")
	c.Text = "2.1 MB of logs/access.log were rotated away before they were read, 2026-11-22T14:11:02Z to 2026-11-22T14:12:05Z"
	c.Gap = &gatepost.Gap{Source: accessLog, From: evening("14:11:02"), To: evening("14:12:05"), Why: "rotated and compressed before it was read"}

	// A cron that holds locks: one request every few seconds.
	cron := cronIncident()
	cron.ID, cron.From, cron.Failures, cron.Clients, cron.Confidence = "i-03", evening("14:20:05"), 3, 3, 0.93
	cron.Evidence = nil
	for i := range 3 {
		at := fmt.Sprintf("14:21:%02d", 5+7*i)
		c = say(gatepost.Failed, at+".05")
		c.Failure = provisional(300+i, 504, at, "POST", "/web/dataset/call_kw/stock.picking/button_validate", fmt.Sprintf("10.20.1.%d", i), "long_cron", cron.Instance, 0.93, "i-03")
		if i == 0 {
			in := cron
			in.Failures, in.Clients = 1, 1
			say(gatepost.Opened, at+".06").Incident = &in
		}
	}
	return all
}

func liveNow() Now {
	cron, oom := cronIncident(), memoryIncident()
	cron.ID, cron.From, cron.Failures, cron.Clients, cron.Confidence = "i-03", evening("14:20:05"), 3, 3, 0.93
	oom.ID, oom.From = "i-02", evening("14:10:38")
	return Now{
		Began: evening("14:00:00"), UpTo: evening("14:21:20"), Rate: 51.3, Workers: 4, Busy: 4,
		Failures: map[string]int64{"service_down_restart": 60, "oom_kill": 2, "long_cron": 3, gatepost.Undetermined: 1},
		Open:     []gatepost.Incident{oom, cron}, Logs: 7, Behind: []Lag{{"logs/odoo.log", 2_100_000, 4 * time.Second}}, Gaps: 1,
	}
}

func digested(changes []gatepost.Change) []Saying {
	var d Digest
	var all []Saying
	for i := range changes {
		all = append(all, d.Change(&changes[i])...)
	}
	return append(all, d.Rest()...)
}

func streamed(t *testing.T, changes []gatepost.Change, o Options) string {
	t.Helper()
	var b bytes.Buffer
	s := NewStream(&b, liveNight(), o)
	for i := range changes {
		if err := s.Change(&changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Done(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func eventsOf(t *testing.T, changes []gatepost.Change) string {
	t.Helper()
	var b bytes.Buffer
	e := NewEvents(&b, liveNight())
	for i := range changes {
		if err := e.Change(&changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Done(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// boards are the states that the golden files of the terminal show.
var boards = []struct {
	name          string
	width, height int
	make          func() *Board
}{
	{"evening-80x24", 80, 24, eveningBoard},
	{"evening-40x12", 40, 12, eveningBoard},
	{"evening-120x40", 120, 40, eveningBoard},
	{"evening-20x5", 20, 5, eveningBoard},
	{"quiet-80x24", 80, 24, func() *Board {
		return &Board{Now: Now{Began: evening("14:00:00"), UpTo: evening("14:00:09"), Rate: 3.14, Workers: 4, Busy: 0.3, Logs: 7}}
	}},
	{"help-80x24", 80, 24, func() *Board { b := eveningBoard(); b.Help = true; return b }},
	{"back-80x24", 80, 24, func() *Board { b := eveningBoard(); b.Back = 20; return b }},
	{"paused-80x24", 80, 24, func() *Board { b := eveningBoard(); b.Paused, b.Unseen = true, 12; return b }},
	{"many-80x24", 80, 24, func() *Board { b := eveningBoard(); b.Now.Open = manyModel().Incidents; return b }},
}

func eveningBoard() *Board { return &Board{Now: liveNow(), Sayings: digested(liveChanges())} }

func framed(b *Board, width, height int, color bool) string {
	rows := liveNight().Board(b, height, Options{Width: width, Color: color})
	return strings.Join(rows, "\n") + "\n"
}

// testdata/live/ holds what people and programs see of that evening, written by -update.
func TestLiveGolden(t *testing.T) {
	changes := liveChanges()
	files := map[string]string{
		"piped.txt":     streamed(t, changes, Options{}),
		"stream-80.txt": streamed(t, changes, Options{Width: 80}),
		"stream-40.txt": streamed(t, changes, Options{Width: 40}),
		"events.ndjson": eventsOf(t, changes),
	}
	for _, b := range boards {
		files["board-"+b.name+".txt"] = framed(b.make(), b.width, b.height, false)
	}
	for name, got := range files {
		file := filepath.Join(liveDir, name)
		if *update {
			if err := os.MkdirAll(liveDir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; write it with -update", err)
			continue
		}
		if got != string(want) {
			t.Errorf("%s differs:\n%s", file, firstDifference(got, string(want)))
		}
	}
	found, err := filepath.Glob(filepath.Join(liveDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if _, ok := files[filepath.Base(f)]; !ok {
			t.Errorf("%s belongs to nothing", f)
		}
	}
}

// hostileChanges are all kinds of changes whose texts attack a terminal.
func hostileChanges() []gatepost.Change {
	m := hostileModel()
	var all []gatepost.Change
	list := failuresOf(m)
	for i := range list {
		f := &list[i]
		c := gatepost.Change{Kind: gatepost.Failed, Time: f.Time, Failure: f}
		all = append(all, c)
		c.Kind, c.Was = gatepost.Revised, &f.Verdict
		if len(f.Verdict.Evidence) > 0 {
			c.Because = &f.Verdict.Evidence[0]
		}
		all = append(all, c)
	}
	for i := range m.Incidents {
		for _, kind := range []gatepost.ChangeKind{gatepost.Opened, gatepost.Grown, gatepost.Altered, gatepost.Closed} {
			all = append(all, gatepost.Change{Kind: kind, Time: m.Incidents[i].From, Incident: &m.Incidents[i]})
		}
	}
	attack := "\x1b]8;;http://evil\x07link\x1b]8;;\x07 \x1b[2J\u202egnp.exe\u2066 \x9b31m 漢字漢字漢字 e\u0301\u0301\u0301\u0301\u0301\u0301 \r\n\tend"
	for _, kind := range []gatepost.ChangeKind{gatepost.Noted, gatepost.Missed, "new kind"} {
		all = append(all, gatepost.Change{Kind: kind, Time: evening("14:00:00"), Text: attack})
	}
	return append(all, gatepost.Change{Kind: gatepost.Missed, Time: gatepost.NoTime, Gap: &gatepost.Gap{Source: 99, Why: attack}},
		gatepost.Change{Kind: gatepost.Failed}, gatepost.Change{Kind: gatepost.Opened}, gatepost.Change{Kind: gatepost.Grown}, gatepost.Change{})
}

// Whatever the logs hold and however large the terminal is: no row is wider, there are no more rows than asked for, nothing is obeyed by a terminal, and colour changes nothing but colour.
func TestLiveFitsAndIsHarmless(t *testing.T) {
	hostile := hostileChanges()
	for _, changes := range [][]gatepost.Change{liveChanges(), hostile} {
		for _, width := range []int{40, 60, 80, 133, 400} {
			plain, colored := streamed(t, changes, Options{Width: width}), streamed(t, changes, Options{Width: width, Color: true})
			checkText(t, "stream", plain, width)
			if style.ReplaceAllString(colored, "") != plain {
				t.Errorf("stream at %d: colour changes more than colour", width)
			}
		}
		checkText(t, "piped", streamed(t, changes, Options{}), 5000)
		b := &Board{Now: liveNow(), Sayings: digested(changes)}
		b.Now.Open = append(b.Now.Open, hostileModel().Incidents...)
		b.Now.Failures["\x1b[31m\u202eevil"] = 5
		for _, width := range []int{1, 2, 7, 20, 39, 40, 41, 80, 500} {
			for _, height := range []int{1, 2, 3, 5, 8, 12, 24, 200} {
				for state := range 4 {
					b.Help, b.Paused, b.Back = state == 1, state == 2, state*7
					plain, colored := framed(b, width, height, false), framed(b, width, height, true)
					checkText(t, "board", strings.TrimSuffix(plain, "\n"), width)
					if n := strings.Count(plain, "\n"); n > height {
						t.Errorf("board of %dx%d has %d rows", width, height, n)
					}
					if style.ReplaceAllString(colored, "") != plain {
						t.Errorf("board of %dx%d: colour changes more than colour", width, height)
					}
				}
			}
		}
	}
}

// Piped, a failure is one line, and every line of it can be found by what it is about.
func TestPipedIsOneLine(t *testing.T) {
	for line := range strings.Lines(streamed(t, liveChanges(), Options{})) {
		if strings.Contains(line, "/web/export/xlsx") && (!strings.Contains(line, "10.20.3.38") || !strings.Contains(line, "workers_busy")) {
			t.Errorf("a failure is not whole: %s", line)
		}
	}
}

// Every failure is told or counted, whatever the order and pace: the sum of sayings is the number of changes.
func TestDigestCountsAll(t *testing.T) {
	changes := liveChanges()
	told, failed := 0, 0
	for _, s := range digested(changes) {
		if s.Kind == gatepost.Failed {
			told += max(1, s.More)
		}
	}
	for i := range changes {
		if changes[i].Kind == gatepost.Failed {
			failed++
		}
	}
	if told != failed {
		t.Errorf("%d of %d failures are told", told, failed)
	}
}

// An incident of a thousand failures a second for an hour is a calm stream: once a second at first, then ever more seldom.
func TestDigestIsCalm(t *testing.T) {
	var d Digest
	lines, last, now := 0, gatepost.Time(0), evening("14:00:00")
	for i := range 3600 * 20 {
		now = now.Add(50 * time.Millisecond)
		c := gatepost.Change{Kind: gatepost.Failed, Time: now, Failure: provisional(i, 502, "14:00:00", "GET", "/", "10.0.0.1", "oom_kill", "", 1, "i-01")}
		n := len(d.Change(&c))
		if n > 1 || n == 1 && last != 0 && now-last < leastPace {
			t.Fatalf("%d lines within a second at %v", n, now)
		}
		if n == 1 {
			lines, last = lines+1, now
		}
	}
	if lines > 150 || !d.Holds() {
		t.Errorf("%d lines in an hour", lines)
	}
	if rest := d.Rest(); len(rest) != 1 || d.Holds() {
		t.Errorf("at the end %v is told, and something is held: %v", rest, d.Holds())
	}
}

// Growth is told where no request of it was.
func TestDigestTellsGrowth(t *testing.T) {
	var d Digest
	in := cronIncident()
	grown := gatepost.Change{Kind: gatepost.Grown, Time: evening("14:00:00"), Incident: &in}
	if said := d.Change(&grown); len(said) != 0 || !d.Holds() {
		t.Errorf("told at once: %v", said)
	}
	if said := d.Tick(evening("14:00:01")); len(said) != 1 || said[0].Kind != gatepost.Grown || d.Holds() {
		t.Errorf("after a second: %v", said)
	}
}

// What programs read are the records of the ledger, with what is told besides.
func TestEvents(t *testing.T) {
	var kinds []string
	lives := map[string]int{}
	for line := range strings.Lines(eventsOf(t, append(liveChanges(), hostileChanges()...))) {
		r := decode(t, []byte(line))
		checkJSONText(t, "events", line)
		kind, _ := r["type"].(string)
		kinds = append(kinds, kind)
		for _, field := range strings.Fields(promised[kind]) {
			if v, ok := r[field]; !ok || v == nil {
				t.Errorf("%s without %s", kind, field)
			}
		}
		if live, ok := r["live"].(string); ok {
			lives[live]++
		}
		if revises, ok := r["revises"].(map[string]any); ok && (revises["cause"] == nil || revises["confidence"] == nil) {
			t.Errorf("revises %v", revises)
		}
	}
	for _, kind := range []string{"failure", "incident", "note", "gap"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no %s", kind)
		}
	}
	for _, live := range []string{"opened", "grown", "altered", "closed"} {
		if lives[live] == 0 || live == "grown" && lives[live] > 10 {
			t.Errorf("%d incidents were %s", lives[live], live)
		}
	}
}

// An object without what is only said live is the one that analyze writes.
func TestEventsAreTheLedger(t *testing.T) {
	c := gatepost.Change{Kind: gatepost.Settled, Failure: &failuresOf(nightModel())[0]}
	line := eventsOf(t, []gatepost.Change{c})
	l := newLedger(nightModel())
	want, err := json.Marshal(l.failure(c.Failure))
	if err != nil {
		t.Fatal(err)
	}
	a, b := decode(t, []byte(line)), decode(t, want)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("got  %s\nwant %s", line, want)
	}
}

package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// nightOf makes a Night for a model as cmd would: its requests and workers are invented, its failures are the model's.
func nightOf(m *gatepost.Model) *gatepost.Night {
	dice := rand.New(rand.NewPCG(1, 2))
	from := clockOn(21, "20:00:00")
	n := &gatepost.Night{
		From: from, To: m.To, Step: time.Minute, Moments: make([]gatepost.Moment, 720), Latency: "the access log", Odoo: true,
		Workers: 4, Patience: 60 * time.Second, People: 812, Minutes: 720, Hosts: []string{"erp.example.com"}, Databases: []string{"prod"},
		Whose: map[string]gatepost.Whose{},
	}
	failures := failuresOf(m)
	total, bad := map[string]int{}, map[int]int{}
	for _, f := range failures {
		total[f.Verdict.Cause]++
	}
	for name := range total {
		n.Causes = append(n.Causes, name)
	}
	slices.SortFunc(n.Causes, func(a, b string) int {
		if total[a] != total[b] {
			return total[b] - total[a]
		}
		return strings.Compare(a, b)
	})
	for i := range failures {
		f := &failures[i]
		at := int(f.Time.Sub(from) / time.Minute)
		if at < 0 || at >= len(n.Moments) {
			continue
		}
		mo := &n.Moments[at]
		if mo.Failures == nil {
			mo.Failures = make([]int, len(n.Causes))
		}
		mo.Failures[slices.Index(n.Causes, f.Verdict.Cause)]++
		bad[at]++
		bad[at-1]++
	}
	for i := range n.Moments {
		mo := &n.Moments[i]
		day := 0.5 + 0.5*math.Sin(float64(i)/720*2*math.Pi+2.2)
		mo.Requests = int(12+70*day) + dice.IntN(18)
		mo.Busy = 0.2 + 0.9*day*dice.Float64()
		mo.Median, mo.P95 = 60*time.Millisecond, time.Duration(300+dice.IntN(900))*time.Millisecond
		if bad[i] > 0 {
			mo.Busy, mo.P95 = 3.2+0.8*dice.Float64(), 60*time.Second
			n.Affected++
		}
		mo.Requests = max(mo.Requests, sum(mo.Failures))
	}
	n.Routes = []gatepost.RouteLoad{
		{Route: "POST /web/dataset/call_kw/stock.picking/button_validate", Requests: 612, Failures: 26, Total: 44 * time.Minute, Median: 410 * time.Millisecond, P95: 60 * time.Second, Max: 60 * time.Second},
		{Route: "GET /report/pdf/*", Requests: 41, Failures: 5, Total: 31 * time.Minute, Median: 22 * time.Second, P95: 60 * time.Second, Max: 60 * time.Second},
		{Route: "POST /web/dataset/call_kw/res.partner/web_search_read", Requests: 18_204, Total: 21 * time.Minute, Median: 48 * time.Millisecond, P95: 220 * time.Millisecond, Max: 4100 * time.Millisecond},
	}
	n.Statements = []gatepost.StatementLoad{
		{Statement: "UPDATE stock_quant SET reserved_quantity = ? WHERE id IN (?)", Database: "prod", Runs: 212, Total: 24 * time.Minute, Max: 14 * time.Second, At: clockOn(22, "01:20:10")},
		{Statement: "SELECT id FROM account_move_line WHERE company_id = ? ORDER BY date DESC", Database: "prod", Runs: 9, Total: 71 * time.Second, Max: 9 * time.Second, At: clockOn(22, "05:41:00")},
	}
	n.Actions = []gatepost.ActionLoad{
		{Name: "Inventory: Run Scheduler", Database: "prod", Runs: 1, Total: 24 * time.Minute, Max: 24 * time.Minute, At: clockOn(22, "01:10:05"), Beside: []string{"Mail: Email Queue Manager"}, BesideRuns: 24, Incidents: []string{"i-01"}},
		{Name: "Mail: Email Queue Manager", Database: "prod", Runs: 720, Failed: 2, Total: 9 * time.Minute, Max: 4 * time.Second, At: clockOn(22, "01:31:00"), Beside: []string{"Inventory: Run Scheduler"}, BesideRuns: 24, Incidents: []string{"i-01", "i-03"}},
		{Name: "Base: Auto-vacuum internal data", Database: "prod", Runs: 1, Open: 1, At: clockOn(22, "03:00:00")},
	}
	if len(failures) > 0 {
		f := failures[len(failures)-1]
		n.Late = []gatepost.LateAnswer{
			{ID: failures[0].ID, Time: failures[0].Time, Method: "POST", Path: failures[0].Path, Client: failures[0].Client, Finished: failures[0].Time.Add(41 * time.Second), Again: failures[0].Time.Add(70 * time.Second)},
			{ID: f.ID, Time: f.Time, Method: f.Method, Path: f.Path, Client: f.Client, Finished: f.Time.Add(11 * time.Second), Again: gatepost.NoTime},
		}
		n.LateInAll, n.LateAgain = len(n.Late), 1
	}
	n.Before = &gatepost.Stretch{From: clockOn(20, "20:00:00"), To: clockOn(21, "08:00:00"), Requests: 130_110, Failures: 3}
	n.WeekBefore = &gatepost.Stretch{From: clockOn(14, "20:00:00"), To: clockOn(15, "08:00:00"), Requests: 121_004, Failures: 9}
	for d := range 22 {
		from := clockOn(d+1, "00:00:00")
		day := gatepost.Day{Stretch: gatepost.Stretch{From: from, To: from.Add(24*time.Hour) - 1, Requests: 120_000 + int64(dice.IntN(20_000)), Failures: int64(dice.IntN(14))}}
		if d == 21 {
			day.Failures = 0
			for _, c := range n.Causes {
				day.Causes = append(day.Causes, total[c])
				day.Failures += int64(total[c])
			}
		}
		n.Days = append(n.Days, day)
	}
	return n
}

// terribleModel is a night of 50,000 failures in 20 outages of all causes.
func terribleModel() *gatepost.Model {
	const outages, failures = 20, 50_000
	m := frame()
	m.Paths = []string{"/var/log/nginx", "/var/log/odoo"}
	template := []gatepost.Incident{cronIncident(), memoryIncident(), reportIncident()}
	causes := []string{"long_cron", "oom_kill", "proxy_timeout_too_low", "workers_busy", "service_down_restart", "slow_query", "lock_wait", "slow_app_code", gatepost.Undetermined}
	m.Causes = nil
	for _, c := range causes {
		m.Causes = append(m.Causes, gatepost.CauseDoc{Name: c, Title: strings.ReplaceAll(c, "_", " ")})
	}
	dice := rand.New(rand.NewPCG(3, 4))
	var list gatepost.FailureList
	for i := range outages {
		in := template[i%len(template)]
		in.ID, in.Cause = fmt.Sprintf("i-%02d", i+1), causes[i%len(causes)]
		in.From = clockOn(21, "20:10:00").Add(time.Duration(i) * 35 * time.Minute)
		in.To = in.From.Add(time.Duration(4+dice.IntN(26)) * time.Minute)
		in.Failures = failures / outages * (1 + i%3) / 2
		if i == outages-1 {
			in.Failures = failures - len(list)
		}
		in.Clients = min(in.Failures, 200+i*17)
		in.Statuses = map[int]int{504: in.Failures}
		in.Film = &gatepost.Film{From: in.From.Add(-time.Minute), To: in.To.Add(time.Minute)}
		for w := range 12 {
			row := gatepost.FilmRow{PID: 29_000 + 100*i + w, From: in.Film.From, To: in.Film.To, Killed: w == 3}
			for at := in.Film.From; at < in.Film.To; {
				span := gatepost.FilmSpan{From: at, To: at.Add(time.Duration(1+dice.IntN(60)) * time.Second)}
				if dice.IntN(3) == 0 {
					span.Cause, span.Failed = in.Cause, dice.IntN(2) == 0
				}
				row.Busy = append(row.Busy, span)
				at = span.To.Add(time.Duration(dice.IntN(9)) * time.Second)
			}
			in.Film.Rows = append(in.Film.Rows, row)
		}
		for j := range in.Failures {
			at := in.From.Add(in.To.Sub(in.From) * time.Duration(j) / time.Duration(in.Failures))
			list = append(list, failure(len(list), 504, at, "POST", fmt.Sprintf("/web/dataset/call_kw/sale.order/web_read_group?n=%d&", j)+strings.Repeat("context=fr_FR&", j%20), fmt.Sprintf("10.%d.%d.%d", i, j%in.Clients/250, j%250),
				gatepost.Verdict{Cause: in.Cause, Confidence: 0.97, State: gatepost.Final}, in.ID))
		}
		m.Incidents = append(m.Incidents, in)
	}
	m.Failures = list
	m.Statuses = map[int]int64{200: 132_480 - failures, 504: failures}
	m.Night = nightOf(m)
	return citeChains(m)
}

// hostileNight has an attack in every text.
func hostileNight(m *gatepost.Model) *gatepost.Night {
	n := nightOf(m)
	n.Hosts, n.Databases = []string{hostileString}, []string{hostileMarks, hostileFence}
	n.Latency = "the access log"
	for _, f := range failuresOf(m) {
		n.Whose[f.ID] = gatepost.Whose{Host: hostileString, Database: hostileFence}
	}
	for i := range n.Routes {
		n.Routes[i].Route = hostileString
	}
	for i := range n.Statements {
		n.Statements[i].Statement, n.Statements[i].Database = hostileString, hostileMarks
	}
	for i := range n.Actions {
		n.Actions[i].Name, n.Actions[i].Database, n.Actions[i].Beside, n.Actions[i].Incidents = hostileString, hostileMarks, []string{hostileFence}, []string{hostilePath}
	}
	for i := range n.Late {
		n.Late[i] = gatepost.LateAnswer{ID: hostileString, Time: m.From, Method: hostileFence, Path: hostilePath, Client: hostileAgent, Finished: m.To, Again: m.To}
	}
	return n
}

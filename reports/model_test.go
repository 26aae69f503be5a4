package reports

import (
	"fmt"
	"strings"
	"time"

	"gatepost"
)

// The Models that the golden files are drawn from. Each shows one moment of a reader's life.
var models = []struct {
	name, doc string
	make      func() *gatepost.Model
}{
	{"night", "several outages of different causes, one without a 502, two days, logs of five programs", nightModel},
	{"undetermined", "a log is missing, so most of the failures cannot be decided", undeterminedModel},
	{"hostile", "every text is an attack on a terminal, a page, a spreadsheet or the layout", hostileModel},
	{"quiet", "nothing failed", quietModel},
	{"other_errors", "nothing failed with 502 or 504, but users saw 404", otherErrorsModel},
	{"no_access_log", "the one log that counts failures was not given", noAccessLogModel},
	{"many", "more outages than fit on a screen", manyModel},
	{"empty", "a Model with nothing in it, and parts of parts that are not known", emptyModel},
}

// clockOn is a moment of the night of 21 to 22 November 2026, in UTC.
func clockOn(day int, clock string) gatepost.Time {
	t, err := time.Parse("2006-01-02 15:04:05.999", fmt.Sprintf("2026-11-%02d %s", day, clock))
	if err != nil {
		panic(err)
	}
	return gatepost.TimeOf(t)
}

const (
	accessLog = iota + 1
	errorLog
	odooLog
	pgLog
	kernelLog
	notes
	oldLog
)

func line(source int, n int64) gatepost.Ref {
	return gatepost.Ref{Source: source, Line: n, Offset: n * 190, Length: 189}
}

var causeDocs = []gatepost.CauseDoc{
	{Name: "long_cron", Title: "a scheduled action held what the requests needed"},
	{Name: "oom_kill", Title: "out of memory: killed by the kernel"},
	{Name: "proxy_timeout_too_low", Title: "nginx gave up on work that Odoo then finished"},
	{Name: "service_down_db_unreachable", Title: "PostgreSQL was not there"},
	{Name: "workers_busy", Title: "every HTTP worker was busy with ordinary work"},
	{Name: gatepost.Undetermined, Title: "the logs do not decide"},
}

func sources() []gatepost.Source {
	from, to := clockOn(21, "20:00:01"), clockOn(22, "07:59:58")
	return []gatepost.Source{
		{ID: accessLog, Path: "logs/access.log", Format: "nginx_access", Dialect: "combined with upstream times", Lines: 132480, Bytes: 31_200_000,
			First: from, Last: to, Clock: gatepost.Clock{Zone: "UTC+01:00", How: "offset in the stamps"}},
		{ID: errorLog, Path: "logs/error.log", Format: "nginx_error", Lines: 61, Bytes: 24_512, Stamps: gatepost.StampsLocal,
			First: clockOn(22, "03:10:12"), Last: clockOn(22, "06:51:09"), Clock: gatepost.Clock{Shift: -time.Hour, Zone: "UTC+01:00", How: "31 pairs with logs/access.log", Votes: 31}},
		{ID: odooLog, Path: "logs/odoo.log", Format: "odoo", Dialect: "16.0", Lines: 210_115, Bytes: 48_000_412, Host: "erp1", Unparsed: 17,
			First: from, Last: to, Clock: gatepost.Clock{Shift: 412 * time.Millisecond, Zone: "UTC", How: "12,004 pairs with logs/access.log"}},
		{ID: pgLog, Path: "logs/postgresql.log", Format: "postgresql", Dialect: "%m [%p] %q%u@%d ", Lines: 812, Bytes: 99_100,
			First: from, Last: to, Clock: gatepost.Clock{Zone: "UTC", How: "zone in the stamps"}},
		{ID: kernelLog, Path: "logs/dmesg.txt", Format: "kernel", Lines: 1204, Bytes: 88_214, Stamps: gatepost.StampsBoot,
			First: gatepost.Time(1), Last: gatepost.Time(51 * time.Hour), Clock: gatepost.Clock{Shift: 1_795_000_000 * time.Second, Zone: "boot 2026-11-18T07:06:40Z", How: "2 killed workers", Votes: 2}},
		{ID: notes, Path: "logs/todo.txt", Lines: 12, Bytes: 402, First: gatepost.NoTime, Last: gatepost.NoTime, Stamps: gatepost.StampsNone},
		{ID: oldLog, Path: "logs/odoo.log.2.gz", Format: "odoo", Lines: 1, Bytes: 188, First: gatepost.NoTime, Last: gatepost.NoTime, Problem: "unexpected end of the gzip stream at byte 20,480"},
	}
}

func frame() *gatepost.Model {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return &gatepost.Model{
		Version: "1.0.0", Made: clockOn(22, "08:05:00"), Zone: paris,
		From: clockOn(21, "20:00:01"), To: clockOn(22, "07:59:58"),
		Sources: sources(), Causes: causeDocs, Watched: []int{502, 504},
		Requests: 132480, Statuses: map[int]int64{200: 131000, 303: 1434, 499: 12, 502: 3, 504: 31},
		Setup: gatepost.Setup{
			{Program: "nginx", Name: "proxy_read_timeout", Value: "60s", File: "conf/nginx.conf", Line: 31},
			{Program: "odoo", Name: "workers", Value: "4", File: "conf/odoo.conf", Line: 7},
		},
	}
}

func nightModel() *gatepost.Model {
	m := frame()
	m.Incidents = []gatepost.Incident{cronIncident(), undecidedIncident(), memoryIncident(), reportIncident()}
	m.Incidents[0].Film = cronFilm()
	m.Outages = []gatepost.Incident{databaseOutage()}
	m.Failures = append(failuresOf(m), cronFailures(26)...)
	m.Failures = append(failuresOf(m), failure(27, 502, clockOn(22, "04:30:00"), "GET", "/web/login", "10.20.4.4", gatepost.Verdict{
		Cause: gatepost.Undetermined, Confidence: 0.44, State: gatepost.Final, Missing: []string{"no kernel log covers 04:30: give the output of dmesg"},
		Rivals: []gatepost.Rival{{Cause: "oom_kill", Confidence: 0.44, WhyNot: "no kernel log was given"}},
	}, "i-02"))
	m.Failures = append(failuresOf(m), memoryFailures()...)
	m.Failures = append(failuresOf(m), reportFailures()...)
	m.Gaps = []gatepost.Gap{{Source: errorLog, From: clockOn(22, "05:51:09"), To: clockOn(22, "07:59:58"), Why: "no line, although 4 requests failed in that time"}}
	m.Unknown = []gatepost.UnknownLine{
		{Kind: "WARNING: library * could not be loaded: \"*\"", Count: 12, Sample: "WARNING: library 14 could not be loaded: \"libz.so.1\"", Ref: line(odooLog, 61_004)},
		{Kind: "*: cache warmed", Count: 3, Missed: 2, Sample: "07:00:01: cache warmed", Ref: line(odooLog, 98_110)},
	}
	m.Night = nightOf(m)
	m.Notes = []string{"Odoo logs in UTC; that was checked against 12,004 requests.", "logs/odoo.log.1 and logs/odoo.log overlap by 4,096 bytes, which count once."}
	return m
}

func failuresOf(m *gatepost.Model) gatepost.FailureList {
	list, _ := m.Failures.(gatepost.FailureList)
	return list
}

func failure(n, status int, at gatepost.Time, method, path, client string, v gatepost.Verdict, incident string) gatepost.Failure {
	return gatepost.Failure{
		ID: fmt.Sprintf("f-%012x", 0x3b9c01a2b4c5+n*7919), Ref: line(accessLog, int64(52_000+n*17)), Time: at,
		Start: at.Add(-60 * time.Second), Duration: 60 * time.Second, Status: status, Method: method, Path: path,
		Client: client, Upstream: "127.0.0.1:8069", Phase: gatepost.PhaseHeaderTimeout, Verdict: v, Incident: incident,
	}
}

func cronFailures(n int) []gatepost.Failure {
	var all []gatepost.Failure
	for i := range n {
		at := clockOn(22, "01:12:03").Add(time.Duration(i) * 50 * time.Second)
		v := gatepost.Verdict{
			Cause: "long_cron", Instance: "«Inventory: Run Scheduler», pid 29545", Via: fmt.Sprintf("backend %d waited 60 s for a row of stock_quant that the cron had locked", 29546+i),
			Confidence: 0.9871, State: gatepost.Final, Evidence: cronEvidence(i), Rivals: cronRivals(),
		}
		all = append(all, failure(i, 504, at, "POST", "/web/dataset/call_kw/stock.picking/button_validate", fmt.Sprintf("10.20.1.%d", i%19), v, "i-01"))
	}
	return all
}

func cronEvidence(i int) []gatepost.Evidence {
	return []gatepost.Evidence{
		{Role: gatepost.For, Kind: gatepost.OdooCronStart, Ref: line(odooLog, 1203), Time: clockOn(22, "01:10:05.123"), Join: "lock", Weight: 2000,
			Says: "the scheduled action was running", Text: "2026-11-22 01:10:05,123 29545 INFO prod odoo.addons.base.models.ir_cron: Starting job `Inventory: Run Scheduler`."},
		{Role: gatepost.For, Kind: gatepost.PgLockWait, Ref: line(pgLog, int64(211+2*i)), Time: clockOn(22, "01:11:04.197"), Join: "lock", Weight: 4500,
			Says: "the request waited for a transaction of the scheduled action",
			Text: fmt.Sprintf("2026-11-22 01:11:04.197 UTC [%d] odoo@prod LOG:  process %d still waiting for ShareLock on transaction 1411 after 1000.220 ms\n\tDETAIL:  Process holding the lock: 29577. Wait queue: %d.", 29546+i, 29546+i, 29546+i)},
		{Role: gatepost.For, Kind: gatepost.NginxError, Ref: line(errorLog, int64(1+i)), Time: clockOn(22, "01:12:03"), Join: "request", Weight: 300,
			Says: "nginx gave up after 60 s",
			Text: `2026/11/22 02:12:03 [error] 29535#29535: *104 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 10.20.1.39, server: erp.example.com, request: "POST /web/dataset/call_kw/stock.picking/button_validate HTTP/1.1", upstream: "http://127.0.0.1:8069/web/dataset/call_kw/stock.picking/button_validate", host: "erp.example.com"`},
		{Role: gatepost.Against, Kind: gatepost.OdooCronEnd, Join: "silence", Weight: 176, Says: "no line says how many rows the scheduled action changed"},
	}
}

func cronRivals() []gatepost.Rival {
	return []gatepost.Rival{
		{Cause: "workers_busy", Confidence: 0.011, WhyNot: "at most 3 of 4 workers were busy while the requests waited"},
		{Cause: "proxy_timeout_too_low", Instance: "POST /web/dataset/call_kw/stock.picking/button_validate", Confidence: 0.0009, WhyNot: "the same route takes 0.4 s at other times"},
	}
}

func cronIncident() gatepost.Incident {
	in := gatepost.Incident{
		ID: "i-01", From: clockOn(22, "01:10:05.123"), To: clockOn(22, "01:34:40"), Cause: "long_cron", Instance: "«Inventory: Run Scheduler», pid 29545",
		Title: "the scheduled action «Inventory: Run Scheduler» held row locks on stock_quant for 24 min", Confidence: 0.9871, State: gatepost.Final,
		Failures: 26, Clients: 19, Statuses: map[int]int{504: 26, 499: 12, 200: 1204}, Rivals: cronRivals(),
		Chain: []gatepost.Step{
			{Role: "root cause", Time: clockOn(22, "01:10:05.123"), Says: "the scheduled action «Inventory: Run Scheduler» (pid 29545) began and locked rows of stock_quant", Ref: line(odooLog, 1203)},
			{Role: "critical failure", Time: clockOn(22, "01:11:04.197"), Says: "the first of 26 transactions waited for those rows", Ref: line(pgLog, 211)},
			{Role: "impact", Time: clockOn(22, "01:12:03"), Says: "nginx answered 504 after 60 s to 26 requests", Ref: line(accessLog, 52_000)},
		},
		Missing: []string{"log_lock_waits names the waiters only after deadlock_timeout (1 s); shorter waits are not in the log"},
		Fix: []gatepost.Advice{
			{Do: "move «Inventory: Run Scheduler» from 02:10 to 04:00, or let it commit after every batch", Why: "all 26 requests waited for its locks; at 04:00 there are 2 requests a minute instead of 51",
				Price: "stock orders are proposed two hours later"},
			{Do: "limit how long a scheduled action may run", Why: "it ran for 24 min, and nothing stopped it", File: "conf/odoo.conf", Line: "limit_time_real_cron = 600", Price: "a run that needs longer is cut off"},
		},
	}
	for i := range 26 {
		in.Evidence = append(in.Evidence, cronEvidence(i)[1])
	}
	in.Evidence = append(in.Evidence, cronEvidence(0)[0], cronEvidence(0)[3])
	return in
}

func undecidedIncident() gatepost.Incident {
	return gatepost.Incident{
		ID: "i-02", From: clockOn(22, "04:30:00"), To: clockOn(22, "04:30:00"), Cause: gatepost.Undetermined, Title: "one request lost its connection, and no log says why",
		Confidence: 0.44, State: gatepost.Final, Failures: 1, Clients: 1, Statuses: map[int]int{502: 1},
		Missing: []string{"no kernel log covers 04:30: give the output of dmesg"},
		Rivals:  []gatepost.Rival{{Cause: "oom_kill", Confidence: 0.44, WhyNot: "no kernel log was given"}},
	}
}

func oomEvidence() []gatepost.Evidence {
	return []gatepost.Evidence{
		{Role: gatepost.For, Kind: gatepost.KernelOOM, Ref: line(kernelLog, 83), Join: "pid", Weight: 5000, Says: "the kernel killed the worker that served the request",
			Text: "[ 2924.661051] Memory cgroup out of memory: Killed process 7324 (odoo: WorkerHTT) total-vm:579592kB, anon-rss:440808kB, file-rss:10812kB, shmem-rss:0kB, UID:999 pgtables:1012kB oom_score_adj:0"},
		{Role: gatepost.For, Kind: gatepost.OdooWorkerAlive, Ref: line(odooLog, 188_014), Join: "pid", Weight: 2000, Says: "a new worker took the place of pid 7324, which had said no farewell",
			Text: "2026-11-22 04:51:05,203 7396 INFO prod odoo.service.server: Worker WorkerHTTP (7396) alive"},
		{Role: gatepost.Against, Kind: gatepost.OdooWorkerTimeout, Join: "silence", Weight: -60, Says: "Odoo's log holds no line about the worker's time limit, which would have been another reason"},
	}
}

func memoryFailures() []gatepost.Failure {
	var all []gatepost.Failure
	for i := range 2 {
		at := clockOn(22, "04:51:05").Add(time.Duration(i) * time.Minute)
		f := failure(40+i, 502, at, "POST", "/web/export/xlsx/sale.order", "10.20.3.38", gatepost.Verdict{
			Cause: "oom_kill", Instance: "kernel killed pid 7324 (odoo: WorkerHTT)", Via: "pid 7324 was serving it", Confidence: 0.9999, State: gatepost.Final,
			Evidence: oomEvidence(), Rivals: []gatepost.Rival{{Cause: "worker_time_limit", Confidence: 0.0001, WhyNot: "no watchdog line for any worker within its limit"}},
		}, "i-03")
		f.Phase, f.Duration, f.Start = gatepost.PhasePremature, 1630*time.Millisecond, at.Add(-1630*time.Millisecond)
		all = append(all, f)
	}
	return all
}

func memoryIncident() gatepost.Incident {
	return gatepost.Incident{
		ID: "i-03", From: clockOn(22, "04:51:05"), To: clockOn(22, "04:52:05"), Cause: "oom_kill", Instance: "kernel killed pid 7324 (odoo: WorkerHTT), 441 MB",
		Title: "the kernel killed two workers for memory while they made the export of sale.order", Confidence: 0.9999, State: gatepost.Final,
		Failures: 2, Clients: 1, Statuses: map[int]int{502: 2}, Evidence: oomEvidence(),
		Chain: []gatepost.Step{
			{Role: "root cause", Time: clockOn(22, "04:51:05"), Says: "the kernel killed worker 7324, which had grown to 441 MB", Ref: line(kernelLog, 83)},
			{Role: "impact", Time: clockOn(22, "04:51:05"), Says: "its request ended with 502"},
		},
		Fix: []gatepost.Advice{{Do: "lower limit_memory_hard so that Odoo ends the request before the kernel ends the worker", Why: "4 workers of 2.5 GiB need 10 GiB, and the control group has 1 GiB",
			File: "conf/odoo.conf", Line: "limit_memory_hard = 268435456", Price: "the export of more than about 20,000 orders ends with an error that names memory"}},
	}
}

func reportFailures() []gatepost.Failure {
	var all []gatepost.Failure
	for i := range 5 {
		all = append(all, failure(60+i, 504, clockOn(22, "05:40:00").Add(time.Duration(i)*2*time.Minute), "GET", "/report/pdf/account.report_invoice/"+fmt.Sprint(8000+i), fmt.Sprintf("10.20.5.%d", i), gatepost.Verdict{
			Cause: "proxy_timeout_too_low", Instance: "GET /report/pdf/*", Via: "Odoo answered after 71 s", Confidence: 0.83, State: gatepost.Final,
			Evidence: []gatepost.Evidence{{Role: gatepost.For, Kind: gatepost.OdooRequest, Ref: line(odooLog, 190_100+int64(i)), Join: "request", Weight: 2100, Says: "Odoo finished the request 11 s after nginx had given up",
				Text: `2026-11-22 05:40:11,018 7331 INFO prod werkzeug: 127.0.0.1 - - [22/Nov/2026 05:40:11] "GET /report/pdf/account.report_invoice/8000 HTTP/1.0" 200 - 812 3.104 67.902`}},
		}, "i-04"))
	}
	return all
}

func reportIncident() gatepost.Incident {
	return gatepost.Incident{
		ID: "i-04", From: clockOn(22, "05:39:00"), To: clockOn(22, "05:48:00"), Cause: "proxy_timeout_too_low", Instance: "GET /report/pdf/*, 71 s against 60 s",
		Title: "invoices as PDF took longer than nginx waits", Confidence: 0.83, State: gatepost.Final, Failures: 5, Clients: 5, Statuses: map[int]int{504: 5},
		Evidence: reportFailures()[0].Verdict.Evidence,
		Fix: []gatepost.Advice{{Do: "raise proxy_read_timeout from 60 s to 120 s", Why: "5 of 5 requests would have been answered; the slowest took 74 s", File: "conf/nginx.conf", Line: "proxy_read_timeout 120s;",
			Price: "a worker may be held for 120 s instead of 60 s"}},
	}
}

func databaseOutage() gatepost.Incident {
	return gatepost.Incident{
		ID: "o-01", From: clockOn(21, "22:15:00"), To: clockOn(21, "22:15:42"), Cause: "service_down_db_unreachable", Instance: "PostgreSQL restarted",
		Title: "PostgreSQL was restarted, and Odoo answered 404 for 42 s", Confidence: 0.91, State: gatepost.Final, Statuses: map[int]int{404: 214, 302: 18},
		Chain: []gatepost.Step{{Role: "root cause", Time: clockOn(21, "22:15:00"), Says: "PostgreSQL was told to stop", Ref: line(pgLog, 40)}},
		Evidence: []gatepost.Evidence{{Role: gatepost.For, Kind: gatepost.PgStop, Ref: line(pgLog, 40), Join: "time", Weight: 2400, Says: "PostgreSQL was told to stop",
			Text: "2026-11-21 22:15:00.001 UTC [7306] LOG:  received fast shutdown request"}},
		Fix: []gatepost.Advice{{Do: "restart PostgreSQL outside working hours, and Odoo after it", Why: "232 requests were answered with 404 or 302"}},
	}
}

func undeterminedModel() *gatepost.Model {
	m := frame()
	m.Sources = m.Sources[:1]
	m.Setup = nil
	in := undecidedIncident()
	in.ID, in.Failures, in.Clients, in.Statuses = "i-01", 3, 2, map[int]int{502: 3}
	m.Incidents = []gatepost.Incident{in}
	for i := range 3 {
		m.Failures = append(failuresOf(m), failure(i, 502, clockOn(22, "04:30:00"), "GET", "/web/login", fmt.Sprintf("10.20.4.%d", i/2), gatepost.Verdict{
			Cause: gatepost.Undetermined, Confidence: 0.44, State: gatepost.Provisional, Missing: in.Missing, Rivals: in.Rivals}, "i-01"))
	}
	return m
}

// Texts as strangers write them.
const (
	hostilePath   = "/\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>/|`````\u202e//:sptth\u200b\xff\xfe\t\r\n@admin#1"
	hostileAgent  = "=cmd|'/C calc'!A0 \x9b31m [link](javascript:alert(1)) ![x](https://evil.example/x.png) </details> www.evil.example"
	hostileMarks  = "Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"
	hostileFence  = "```\n# heading\n````text\n</code></pre>"
	hostileString = hostilePath + hostileAgent + hostileMarks + hostileFence
)

func hostileModel() *gatepost.Model {
	m := frame()
	for i := range m.Sources {
		s := &m.Sources[i]
		s.Path, s.Format, s.Dialect, s.Host, s.Problem = hostilePath, s.Format+hostileAgent, hostileFence, hostileMarks, hostileString
		s.Clock.Zone, s.Clock.How = hostileAgent, hostileString
	}
	m.Version, m.Notes = hostileAgent, []string{hostileString, "- list", "1. list", "# heading"}
	m.Gaps = []gatepost.Gap{{Source: 1, From: m.From, To: m.To, Why: hostileString}}
	m.Unknown = []gatepost.UnknownLine{{Kind: hostileString, Sample: hostileString, Count: 1, Missed: 1, Ref: line(accessLog, 1)}, {Kind: hostileFence, Sample: hostileFence}}
	m.Setup = gatepost.Setup{{File: hostilePath}}
	m.Causes = append(m.Causes, gatepost.CauseDoc{Name: hostileAgent, Title: hostileString})
	evidence := []gatepost.Evidence{
		{Role: gatepost.For, Kind: gatepost.NginxError, Ref: line(accessLog, 1), Join: hostileAgent, Says: hostileString, Text: hostileString, Weight: 100},
		{Role: gatepost.Against, Says: hostileString, Text: hostileFence, Weight: -100_000},
	}
	rivals := []gatepost.Rival{{Cause: hostileAgent, Instance: hostilePath, Confidence: 2, WhyNot: hostileString}}
	m.Failures = gatepost.FailureList{{
		ID: hostileAgent, Ref: line(accessLog, 1), Time: m.From, Start: m.From, Status: 502, Method: "=GET" + hostilePath, Path: hostilePath, Client: "@" + hostileMarks,
		Upstream: "-1+" + hostileAgent, Phase: gatepost.Phase(hostileFence), Incident: hostilePath,
		Verdict: gatepost.Verdict{Cause: hostileAgent, Instance: hostileString, Via: hostileFence, Confidence: 0.5, State: gatepost.Final, Evidence: evidence, Rivals: rivals, Missing: []string{hostileString}},
	}}
	in := gatepost.Incident{
		ID: hostilePath, From: m.From, To: m.To, Cause: hostileAgent, Instance: hostileString, Title: hostileString, Confidence: 0.5, State: gatepost.State(hostilePath),
		Failures: 1, Clients: 1, Statuses: map[int]int{502: 1}, Evidence: evidence, Rivals: rivals, Missing: []string{hostileString},
		Chain: []gatepost.Step{{Role: hostileAgent, Time: m.From, Says: hostileString, Ref: line(accessLog, 1)}},
		Fix:   []gatepost.Advice{{Do: hostileString, Why: hostileString, File: hostilePath, Line: hostileFence, Price: hostileString}},
	}
	m.Incidents, m.Outages = []gatepost.Incident{in}, []gatepost.Incident{in}
	m.Night = hostileNight(m)
	return m
}

func quietModel() *gatepost.Model {
	m := frame()
	m.Sources = m.Sources[:4]
	m.Sources[2].Unparsed = 0
	m.Zone = nil
	m.Night = nightOf(m)
	return m
}

func otherErrorsModel() *gatepost.Model {
	m := quietModel()
	m.Outages = []gatepost.Incident{databaseOutage()}
	return m
}

func noAccessLogModel() *gatepost.Model {
	m := frame()
	m.Sources, m.Requests, m.Statuses = m.Sources[2:4], 0, nil
	m.From, m.To = gatepost.NoTime, gatepost.NoTime
	return m
}

func manyModel() *gatepost.Model {
	m := frame()
	m.Sources = m.Sources[:3]
	for i := range 40 {
		in := memoryIncident()
		in.ID, in.Failures, in.Clients = fmt.Sprintf("i-%02d", i+1), 1+i%7, 1+i%7
		in.Statuses = map[int]int{502: in.Failures}
		in.From = clockOn(21, "21:00:00").Add(time.Duration(i) * 10 * time.Minute)
		in.To = in.From.Add(time.Minute)
		in.Title = fmt.Sprintf("the kernel killed worker %d for memory", 7300+i)
		in.Instance = fmt.Sprintf("kernel killed pid %d (odoo: WorkerHTT)", 7300+i)
		m.Incidents = append(m.Incidents, in)
		for j := range in.Failures {
			m.Failures = append(failuresOf(m), failure(i*7+j, 502, in.From.Add(time.Duration(j)*time.Second), "GET", "/web/image/1", fmt.Sprintf("10.20.%d.%d", i, j), gatepost.Verdict{
				Cause: "oom_kill", Instance: in.Instance, Confidence: 0.97, State: gatepost.Final}, in.ID))
		}
	}
	return m
}

// emptyModel has every kind of part, and knows nothing of any of them.
func emptyModel() *gatepost.Model {
	nowhere := gatepost.Ref{Source: 99, Line: 7}
	return &gatepost.Model{
		Failures: gatepost.FailureList{{}, {Ref: nowhere, Time: gatepost.NoTime, Start: gatepost.NoTime, Duration: gatepost.Unknown, Incident: "i-77"}},
		Incidents: []gatepost.Incident{{}, {From: gatepost.NoTime, To: gatepost.NoTime,
			Chain: []gatepost.Step{{}, {Ref: nowhere, Time: gatepost.NoTime}}, Evidence: []gatepost.Evidence{{}, {Ref: nowhere}}, Rivals: []gatepost.Rival{{}}, Fix: []gatepost.Advice{{}}}},
		Outages: []gatepost.Incident{{}},
		Sources: []gatepost.Source{{}},
		Unknown: []gatepost.UnknownLine{{}, {Ref: nowhere}},
		Gaps:    []gatepost.Gap{{}, {Source: 99, From: gatepost.NoTime, To: gatepost.NoTime}},
	}
}

// longModel is the night with a URL of 100 kB wherever a path can stand.
func longModel() *gatepost.Model {
	m := nightModel()
	url := "/web/" + strings.Repeat("a%20b漢", 13_000)
	failuresOf(m)[0].Path = url
	failuresOf(m)[0].Verdict.Evidence[0].Text = url
	m.Incidents[0].Title, m.Incidents[0].Instance = url, url
	m.Incidents[0].Evidence[0].Text = url
	m.Incidents[0].Rivals[0].WhyNot = url
	return m
}

// citeChains gives the lines that chains cite their text, as reading them again would: the builders
// write a text once, in the evidence.
func citeChains(m *gatepost.Model) *gatepost.Model {
	texts := make(map[gatepost.Ref]string)
	take := func(all []gatepost.Evidence) {
		for _, e := range all {
			texts[e.Ref] = e.Text
		}
	}
	for _, f := range failuresOf(m) {
		take(f.Verdict.Evidence)
	}
	for _, group := range [][]gatepost.Incident{m.Incidents, m.Outages} {
		for _, in := range group {
			take(in.Evidence)
		}
		for _, in := range group {
			for i := range in.Chain {
				in.Chain[i].Text = texts[in.Chain[i].Ref]
			}
		}
	}
	return m
}

// cronFilm has a worker that waits for the lock, one that works, one that is killed, and one in its
// place.
func cronFilm() *gatepost.Film {
	at := func(s string) gatepost.Time { return clockOn(22, s) }
	return &gatepost.Film{From: at("01:10:00"), To: at("01:18:00"), Rows: []gatepost.FilmRow{
		{PID: 29540, From: at("01:10:00"), To: at("01:18:00"), Busy: []gatepost.FilmSpan{{From: at("01:11:03"), To: at("01:17:00"), Cause: "long_cron", Failed: true}}},
		{PID: 29541, From: at("01:10:00"), To: at("01:18:00"), Busy: []gatepost.FilmSpan{{From: at("01:10:30"), To: at("01:11:30")}, {From: at("01:12:10"), To: at("01:17:01"), Cause: "long_cron"}}},
		{PID: 29542, From: at("01:10:00"), To: at("01:13:00"), Killed: true},
		{PID: 29811, From: at("01:13:00"), To: at("01:18:00")},
	}}
}

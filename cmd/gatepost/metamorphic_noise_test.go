package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Transformations that add what has nothing to do with the incident. The processes in it have
// numbers that no incident uses.

// harmlessCron adds a scheduled action that takes 0.3 s, every minute, by a cron worker of its
// own. It runs only while Odoo demonstrably serves, and once just before the first failure.
func harmlessCron(f folder, _ *rand.Rand) {
	begun := generations(f)
	if len(begun) == 0 {
		return
	}
	first, last := begun[0], begun[0]
	served := make(map[int64]bool) // seconds in which Odoo wrote an answer
	for _, l := range f["odoo.log"] {
		if t, ok := at("odoo.log", l.text); ok && strings.Contains(l.text, " werkzeug: ") {
			served[t.Unix()] = true
			last = t
		}
	}
	serves := func(t time.Time) bool { return served[t.Unix()] && served[t.Unix()-1] && served[t.Unix()+1] }
	phase := first.Add(5 * time.Second)
	if failing := f.failing(); len(failing) > 0 {
		for phase = failing[0]; phase.After(first) && !serves(phase); {
			phase = phase.Add(-time.Second)
		}
	}
	run := phase.Add(-phase.Sub(first).Truncate(time.Minute))
	for ; run.Before(last); run = run.Add(time.Minute) {
		generation := len(begun)
		for generation > 0 && begun[generation-1].After(run) {
			generation--
		}
		if generation == 0 || !serves(run) {
			continue
		}
		pid := 900000 + generation
		done := run.Add(287 * time.Millisecond)
		f.insert("odoo.log", run, odooLine(run, pid, "odoo.addons.base.models.ir_cron: Starting job `Mail: Fetchmail Service`. "))
		f.insert("odoo.log", done, odooLine(done, pid, "odoo.addons.base.models.ir_cron: Job `Mail: Fetchmail Service` done. "))
	}
	for i, t := range begun {
		f.insert("odoo.log", t, odooLine(t, 900001+i, fmt.Sprintf("odoo.service.server: Worker WorkerCron (%d) alive ", 900001+i)))
	}
}

// generations are when the cron workers came alive that Odoo began with, one for each of its starts.
func generations(f folder) []time.Time {
	var all []time.Time
	open := false
	for _, l := range f["odoo.log"] {
		t, ok := at("odoo.log", l.text)
		switch {
		case ok && strings.Contains(l.text, "HTTP service (werkzeug) running"):
			open = true
		case ok && open && strings.Contains(l.text, "Worker WorkerCron ("):
			all = append(all, t)
			open = false
		}
	}
	return all
}

func odooLine(t time.Time, pid int, text string) string {
	return fmt.Sprintf("%s %d INFO prod %s", t.UTC().Format(stampOdoo.layout), pid, text)
}

// unrelatedOOM adds the kernel's report of a killed batch job to the kernel log, or makes a
// kernel log of it.
func unrelatedOOM(f folder, _ *rand.Rand) {
	if f["dmesg.txt"] != nil {
		first, _ := at("dmesg.txt", f["dmesg.txt"][0].text)
		last, _ := at("dmesg.txt", f["dmesg.txt"][len(f["dmesg.txt"])-1].text)
		f.insertKill("dmesg.txt", first.Add(-time.Second))
		f.insertKill("dmesg.txt", last.Add(time.Second))
		return
	}
	when := f.failing()
	if len(when) == 0 {
		middle, _ := at("access.log", f["access.log"][len(f["access.log"])/2].text)
		when = []time.Time{middle.UTC()}
	}
	for _, t := range slices.Compact([]time.Time{when[0], when[len(when)-1]}) {
		f.insertKill("dmesg-T.txt", t)
	}
}

func (f folder) insertKill(name string, t time.Time) {
	stamp := t.Format("[" + time.ANSIC + "]")
	if name == "dmesg.txt" {
		stamp = fmt.Sprintf("[%12.6f]", float64(t.UnixMicro())/1e6)
	}
	var report []string
	for _, text := range killReport {
		report = append(report, stamp+" "+text)
	}
	f.insert(name, t, report...)
}

// killReport is what the kernel writes when a control group is out of memory.
var killReport = []string{
	"perl invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
	"CPU: 1 UID: 33 PID: 900101 Comm: perl Not tainted 6.18.44 #1 PREEMPT(none) ",
	"memory: usage 81920kB, limit 81920kB, failcnt 311",
	"Memory cgroup stats for /batch7:",
	"Tasks state (memory values in pages):",
	"[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name",
	"[ 900101]    33 900101    22275    21364    20384      980         0   225280        0             0 perl",
	"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/batch7,task_memcg=/batch7,task=perl,pid=900101,uid=33",
	"Memory cgroup out of memory: Killed process 900101 (perl) total-vm:89100kB, anon-rss:81536kB, file-rss:3920kB, shmem-rss:0kB, UID:33 pgtables:220kB oom_score_adj:0",
}

// pgHead is the prefix of a line of PostgreSQL: time, zone, process, who.
var pgHead = regexp.MustCompile(`^(\S+ \d\d:\d\d:\d\d)(\.\d{3})? (\S+) \[(\d+)(?:-\d+)?\](:?) (?:(\w+)@(\w+) |user=\S* )?`)

// unrelatedStatements adds a slow statement of another database for every failure, at most one a second.
func unrelatedStatements(f folder, _ *rand.Rand) {
	if len(f["postgresql.log"]) == 0 {
		return
	}
	head := pgHead.FindStringSubmatch(f["postgresql.log"][0].text)
	who := "wms@warehouse "
	if head[5] == ":" {
		who = "user=wms,db=warehouse,app=wms,client=10.20.9.9 "
	}
	nth := "" // of a session's lines
	if strings.Contains(head[0], "["+head[4]+"-") {
		nth = "-1"
	}
	layout := stampPg.layout
	if head[2] != "" {
		layout = stampPgMillis.layout
	}
	written, _ := at("postgresql.log", f["postgresql.log"][0].text)
	first, _ := at("access.log", f["access.log"][0].text)
	zone := written.Sub(first).Round(15 * time.Minute) // both began within seconds
	for i, t := range slices.Compact(f.failing()) {
		t = t.Add(zone)
		f.insert("postgresql.log", t, fmt.Sprintf("%s %s [%d%s]%s %sLOG:  duration: %d.482 ms  statement: SELECT count(*) FROM bin b JOIN move m ON m.bin_id = b.id WHERE m.note LIKE '%%x%%'",
			t.Format(layout), head[3], 900201+i, nth, head[5], who, 5000+700*i))
	}
}

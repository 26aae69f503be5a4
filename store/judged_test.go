package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatepost"
)

// Verdicts stay until an analysis judges their time anew: a week of nights, each judged the morning after from its beginning on, as
// "analyze --since yesterday" does, and then some of it again.
func TestJudged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nights.db")
	s := open(t, path)
	monday := gatepost.TimeOf(time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC))
	at := func(day int, hour float64) gatepost.Time {
		return monday.Add(time.Duration(day)*24*time.Hour + time.Duration(hour*float64(time.Hour)))
	}
	watched := []int{502, 504}
	// judge is an analysis that finds failures at some times, all of them one incident of a cause, and an outage of an hour before the end.
	judge := func(since, until, end gatepost.Time, cause string, failed ...gatepost.Time) {
		t.Helper()
		asked := gatepost.Scope{Since: since, Until: until, Watched: watched}
		last := begin(t, s, asked)
		in := gatepost.Incident{ID: fmt.Sprintf("i-%02d", last+1), Cause: cause, From: failed[0], To: failed[len(failed)-1], Statuses: map[int]int{502: len(failed)}, Failures: len(failed), Clients: 1}
		var all []gatepost.Failure
		for _, f := range failed {
			all = append(all, gatepost.Failure{ID: "f-" + f.String(), Time: f, Start: gatepost.NoTime, Status: 502, Client: "10.0.0.1", Incident: in.ID, Finished: gatepost.NoTime,
				Verdict: gatepost.Verdict{Cause: cause, Evidence: []gatepost.Evidence{{Role: gatepost.For, Says: cause}}}})
		}
		check(t, s.AddFailures(t.Context(), all))
		judged := asked
		judged.Until = end
		check(t, s.EndVerdicts(t.Context(), []gatepost.Incident{in}, []gatepost.Incident{{ID: fmt.Sprintf("o-%02d", last+1), Cause: cause, From: end.Add(-time.Hour), To: end}}, judged))
	}
	// expect says what the store has of a time: its failures by cause, its incidents and outages.
	expect := func(since, until gatepost.Time, causes, incidents, outages string) {
		t.Helper()
		q := gatepost.Query{From: since, To: until}
		counts, err := s.Causes(t.Context(), q)
		check(t, err)
		equal(t, "causes", fmt.Sprint(counts), "map["+causes+"]")
		listed := map[string]int{}
		for f, err := range s.Ledger(t.Context(), q).Failures() {
			check(t, err)
			listed[f.Verdict.Cause]++
			if len(f.Verdict.Evidence) != 1 || f.Verdict.Evidence[0].Says != f.Verdict.Cause {
				t.Errorf("%s: %s with the argument %v", f.ID, f.Verdict.Cause, f.Verdict.Evidence)
			}
		}
		equal(t, "ledger", fmt.Sprint(listed), "map["+causes+"]")
		in, out, err := s.Incidents(t.Context(), q)
		check(t, err)
		tell := func(all []gatepost.Incident) (told string) {
			for _, i := range all {
				told += fmt.Sprintf(" %s %s %d", i.ID, i.Cause, i.Failures)
			}
			return told
		}
		equal(t, "incidents", tell(in), incidents)
		equal(t, "outages", tell(out), outages)
	}
	judged := func(want string) {
		t.Helper()
		all, err := s.Judged(t.Context())
		check(t, err)
		got := ""
		for _, j := range all {
			equal(t, "watched", j.Watched, watched)
			got += fmt.Sprintf(" %.2f-%.2f", float64(j.Since.Sub(monday))/float64(24*time.Hour), float64(j.Until.Sub(monday))/float64(24*time.Hour))
		}
		equal(t, "judged", got, want)
	}

	// The first two mornings: what the first one saw of Tuesday's night the second one judges anew.
	judge(at(0, 0), gatepost.NoTime, at(1, 6), "oom_kill", at(0, 23), at(0, 23.9), at(1, 0.1))
	judged(" 0.00-1.25")
	expect(gatepost.NoTime, gatepost.NoTime, "oom_kill:3", " i-01 oom_kill 3", " o-01 oom_kill 0")
	judge(at(1, 0), gatepost.NoTime, at(2, 6), "long_cron", at(1, 0.1), at(1, 12))
	judged(" 0.00-1.00 1.00-2.25")
	expect(at(0, 0), at(1, 0)-1, "oom_kill:2", " i-01 oom_kill 2", "")
	expect(at(1, 0), at(2, 0)-1, "long_cron:2", " i-02 long_cron 2", "")
	expect(gatepost.NoTime, gatepost.NoTime, "long_cron:2 oom_kill:2", " i-01 oom_kill 2 i-02 long_cron 2", " o-02 long_cron 0")
	equal(t, "what is left of an incident", query(t, s, "SELECT failures, clients, statuses FROM incidents WHERE id = 'i-01'"), []string{`2|1|{"502":2}`})

	// A morning without a run leaves a hole. The same time judged again replaces its verdicts, in the middle of others as well.
	judge(at(3, 0), gatepost.NoTime, at(4, 6), "lock_wait", at(3, 5))
	judged(" 0.00-1.00 1.00-2.25 3.00-4.25")
	judge(at(3, 0), gatepost.NoTime, at(4, 6), "slow_code", at(3, 5))
	judge(at(1, 6), at(1, 18)-1, at(1, 18)-1, "disk_full", at(1, 12))
	judged(" 0.00-1.00 1.00-1.25 1.25-1.75 1.75-2.25 3.00-4.25")
	expect(gatepost.NoTime, gatepost.NoTime, "disk_full:1 long_cron:1 oom_kill:2 slow_code:1", " i-01 oom_kill 2 i-02 long_cron 1 i-03 slow_code 1 i-04 disk_full 1",
		" o-02 long_cron 0 o-03 slow_code 0 o-04 disk_full 0")

	// One that breaks off leaves nothing of its time, and until another has come to its end nothing is shown.
	begin(t, s, gatepost.Scope{Since: at(3, 0), Until: gatepost.NoTime, Watched: watched})
	check(t, s.AddFailures(t.Context(), []gatepost.Failure{{ID: "f-half", Time: at(3, 7), Start: gatepost.NoTime, Incident: "i-99"}}))
	check(t, s.Close())
	s = open(t, path)
	if _, err := s.Judged(t.Context()); err == nil {
		t.Error("half of the verdicts are shown")
	}
	judge(at(4, 0), gatepost.NoTime, at(5, 6), "worker_crash", at(4, 1))
	judged(" 0.00-1.00 1.00-1.25 1.25-1.75 1.75-2.25 4.00-5.25")
	expect(at(3, 0), gatepost.NoTime, "worker_crash:1", " i-05 worker_crash 1", " o-05 worker_crash 0")

	// What is removed was never judged.
	check(t, s.Prune(t.Context(), at(1, 15)))
	judged(" 1.62-1.75 1.75-2.25 4.00-5.25")
	expect(gatepost.NoTime, gatepost.NoTime, "worker_crash:1", " i-05 worker_crash 1", " o-02 long_cron 0 o-04 disk_full 0 o-05 worker_crash 0")

	// Without bounds everything is judged anew, and numbered from the beginning.
	judge(gatepost.NoTime, gatepost.NoTime, at(5, 6), "oom_kill", at(4, 1))
	expect(gatepost.NoTime, gatepost.NoTime, "oom_kill:1", " i-01 oom_kill 1", " o-01 oom_kill 0")
	for _, table := range []string{"_arguments", "_evidence"} {
		equal(t, "rows of "+table, query(t, s, "SELECT count(*) FROM "+table), []string{map[string]string{"_arguments": "2", "_evidence": "1"}[table]})
	}
}

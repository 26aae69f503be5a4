package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"gatepost"
)

// transformation changes an incident's logs in a way that changes nothing of what happened: the
// cause of every failing line must stay what it was. Its confidence may move.
type transformation struct {
	name, doc string
	apply     func(f folder, rnd *rand.Rand)
	// loses names what the logs tell no more. Verdicts may rest on it, so they are compared with the
	// truth: undetermined is then no error, a wrong cause is.
	loses string
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

var transformations = []transformation{
	{name: "shuffled", doc: "lines of equal stamps in another order", apply: shuffle},
	{name: "harmless_cron", doc: "a short scheduled action every minute, also when the trouble begins", apply: harmlessCron},
	{name: "unrelated_oom", doc: "the kernel kills a batch job of another control group as the first and the last request fail", apply: unrelatedOOM},
	{name: "unrelated_slow_statements", doc: "slow statements in another database whenever requests fail", apply: unrelatedStatements},
	{name: "buffered", doc: "nginx writes access lines in blocks, as with buffer=", apply: buffer},
	{name: "combined", doc: "access log in nginx's own format", apply: reformat(combinedFormat), loses: "durations and tries of requests"},
	{name: "next_summer", doc: "everything 200 days later", apply: shifted(200*day, "access.log", "error.log", "odoo.log", "postgresql.log", "dmesg-T.txt", "journal.log")},
	{name: "proxy_ahead", doc: "nginx on a host whose clock is three minutes ahead of Odoo's", apply: shifted(3*time.Minute, "access.log", "error.log")},
	{name: "proxy_behind", doc: "nginx on a host whose clock is three seconds behind Odoo's", apply: shifted(-3*time.Second, "access.log", "error.log")},
	{name: "proxy_a_little_behind", doc: "nginx's clock is a second and a half behind", apply: shifted(-1500*time.Millisecond, "access.log", "error.log")},
	{name: "proxy_a_little_ahead", doc: "nginx's clock is 0.8 seconds ahead", apply: shifted(800*time.Millisecond, "access.log", "error.log")},
	{name: "late_odoo_log", doc: "the first quarter of Odoo's log is gone with an older file", apply: behead, loses: "how Odoo was started"},
}

// TestMetamorphic holds that verdicts rest on what happened and not on how it was written down.
func TestMetamorphic(t *testing.T) {
	all := recorded(t)
	folders := make(map[string]folder)
	for _, in := range all {
		folders[in.name] = readFolder(t, in)
	}
	for i, x := range transformations {
		t.Run(x.name, func(t *testing.T) {
			changed := 0
			for j, in := range all {
				f := folders[in.name].clone()
				x.apply(f, rand.New(rand.NewPCG(uint64(i), uint64(j))))
				if f.equal(folders[in.name]) {
					continue // such a log is not there
				}
				changed++
				t.Run(in.name, func(t *testing.T) {
					t.Parallel()
					for _, m := range x.moved(in, in.verdicts(t), f.verdicts(t)) {
						t.Error(m)
					}
				})
			}
			if changed == 0 {
				t.Errorf("changes no incident: %s", x.doc)
			}
		})
	}
}

// moved returns the verdicts that a transformation made others.
func (x transformation) moved(in incident, before, after map[int]failure) []scored {
	var all []scored
	for line, truth := range in.truth {
		got, ok := after[line]
		if !ok {
			got.Cause = "missing"
		}
		same := got.Cause == before[line].Cause || truth.accepts(got.Cause) && truth.accepts(before[line].Cause)
		if x.loses != "" {
			same = got.Cause == gatepost.Undetermined || truth.Blind || truth.accepts(got.Cause)
		}
		if !same {
			truth.Cause = before[line].Cause
			all = append(all, scored{in.name, truth, got.Cause, got.Confidence})
		}
	}
	return all
}

// TestMachines puts the logs of two incidents side by side, a folder each, as of two machines: what
// happened on one explains nothing on the other, though their pids, ports and hours are the same.
func TestMachines(t *testing.T) {
	all := recorded(t)
	for i, in := range all {
		other := all[(i+7)%len(all)]
		t.Run(in.name+"+"+other.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for host, in := range map[string]incident{"erp1": in, "erp2": other} {
				if err := os.CopyFS(filepath.Join(dir, host), os.DirFS(in.dir)); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range analyzed(t, dir).failures {
				truth := in.truth
				if filepath.Base(filepath.Dir(f.File)) == "erp2" {
					truth = other.truth
				}
				if x := truth[f.Line]; !x.Blind && !x.accepts(f.Cause) {
					t.Errorf("%s:%d is %s, not %s (%.2f)", f.File, f.Line, truth[f.Line].Cause, f.Cause, f.Confidence)
				}
			}
		})
	}
}

// TestStretches: a long history is judged a stretch at a time, which changes nothing. Here a stretch is a few
// failures long.
func TestStretches(t *testing.T) {
	for _, in := range recorded(t) {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			want := analyzed(t, in.dir)
			for _, atOnce := range []int{2, 7} {
				got := analyzedAtOnce(t, atOnce, in.dir)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%d at once:\n%+v\n, else\n%+v", atOnce, got, want)
				}
			}
		})
	}
}

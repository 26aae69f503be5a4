package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// repackaging lays an incident's logs out, or writes them down, in another way that tells the same.
type repackaging struct {
	name, doc string
	apply     func(f folder, rnd *rand.Rand)
	pack      packing // of the whole folder, "" where it stays a folder
	// moves names the incidents of which verdicts are told in other words or with less confidence, with the reason. One
	// that is no longer so must leave the list.
	moves map[string]string
}

// betweenParts are incidents in which a log of few lines says nothing for minutes, just where it was cut.
var betweenParts = map[string]string{
	"s-two-servers": "in the minute between two parts of the journal none of them demonstrably was written",
}

var repackagings = []repackaging{
	{name: "renamed", doc: "the files are read in the opposite order", apply: rename},
	{name: "rotated", doc: "every log cut in three, the older parts compressed, by another program each", apply: rotate, moves: betweenParts},
	{name: "one_tar_gz", doc: "all of it in one archive", apply: asIs, pack: ".tar.gz"},
	{name: "one_zip_of_rotated", doc: "all of it in one archive, rotated and compressed", apply: rotate, pack: ".zip", moves: betweenParts},
	{name: "a_folder_for_each_host", doc: "nginx, Odoo and PostgreSQL on a machine each, a folder for each", apply: hosts},
	{name: "error_log_in_India", doc: "nginx's error log in another zone", apply: shifted(5*hour+hour/2, "error.log")},
	{name: "error_log_in_Brazil", doc: "nginx's error log in another zone", apply: shifted(-3*hour, "error.log")},
	{name: "kernel_log_in_Japan", doc: "dmesg -T on a machine in another zone", apply: shifted(9*hour, "dmesg-T.txt")},
	{name: "other_boot", doc: "the machine booted at another time", apply: shifted(41*hour+1234567*time.Microsecond, "dmesg.txt")},
	{name: "postgresql_in_India", doc: "log_timezone with a numeric name", apply: pgZone(5*hour+hour/2, "+05:30")},
	{name: "postgresql_in_Nepal", doc: "log_timezone with a numeric name", apply: pgZone(5*hour+hour*3/4, "+0545")},
	{name: "json", doc: "access log as JSON", apply: reformat(jsonFormat)},
	{name: "other_prefix", doc: "another log_line_prefix, without milliseconds", apply: otherPrefix, moves: map[string]string{
		"slowquery-c":    "the prefix has no milliseconds",
		"s-lock-queue":   "the prefix has no milliseconds",
		"s-skewed-clock": "the prefix has no milliseconds",
		"s-slow-join":    "the prefix has no milliseconds",
	}},
	{name: "csvlog", doc: "PostgreSQL's log as CSV", apply: pgNotation(csvlog)},
	{name: "jsonlog", doc: "PostgreSQL's log as JSON", apply: pgNotation(jsonlog)},
	{name: "cloudnativepg", doc: "PostgreSQL's log as CloudNativePG writes it", apply: pgNotation(cloudNative)},
	{name: "odoo_json", doc: "Odoo's log as JSON", apply: odooJSON},
	{name: "crlf", doc: "line ends of Windows", apply: crlf},
	{name: "syslog_heads", doc: "the head of a syslog line before every line, as rsyslog writes them", apply: syslogHeads},
}

func init() {
	for _, w := range shippers {
		repackagings = append(repackagings, repackaging{
			name: "shipped_by_" + strings.NewReplacer(" ", "_", ",", "").Replace(w.name), doc: "the lines of all programs collected by a shipper", apply: shippedBy(w),
		})
	}
}

func asIs(folder, *rand.Rand) {}

// TestRepackaged holds that the ledger is the same however an incident's logs are packed, collected, cut and noted down: each
// failure has the same cause, confidence, state, phase and instance, wherever its line is now. Each repackaging meets a
// third of the incidents, the next one another third.
func TestRepackaged(t *testing.T) {
	all := recorded(t)
	for i, x := range repackagings {
		t.Run(x.name, func(t *testing.T) {
			met := 0
			for j, in := range all {
				before := readFolder(t, in)
				f := before.clone()
				x.apply(f, rand.New(rand.NewPCG(uint64(i), uint64(j))))
				if f.equal(before) && x.pack == "" {
					continue // such a log is not there
				}
				if met++; (met+i)%3 != 0 {
					continue
				}
				t.Run(in.name, func(t *testing.T) {
					t.Parallel()
					moved, of := f.moved(t, x.pack, in.verdicts(t))
					switch why := x.moves[in.name]; {
					case len(moved) > 0 && why == "":
						t.Errorf("%d of %d verdicts are others: %s", len(moved), of, moved[0])
					case len(moved) == 0 && why != "":
						t.Errorf("no verdict is another: take it out of the list (%s)", why)
					}
				})
			}
			if met < 3 {
				t.Errorf("changes only %d incidents: %s", met, x.doc)
			}
		})
	}
}

// moved are the verdicts that are others when the folder is written down, all of it in an archive if that is a packing,
// and how many there are.
func (f folder) moved(t *testing.T, whole packing, want map[int]failure) (moved []string, of int) {
	t.Helper()
	dir := t.TempDir()
	f.write(t, dir)
	if whole != "" {
		data, err := whole.packAll(os.DirFS(dir))
		dir = filepath.Join(t.TempDir(), "night"+string(whole))
		put(t, dir, data, f.ended(), err)
	}
	return movedFrom(want, f.verdictsAt(t, dir)), len(want)
}

// movedFrom are the verdicts that are others than they were.
func movedFrom(want, got map[int]failure) (moved []string) {
	for line, w := range want {
		if g, w := told(got[line]), told(w); g != w {
			moved = append(moved, fmt.Sprintf("line %d: %s, was %s", line, g, w))
		}
	}
	for line, g := range got {
		if _, ok := want[line]; !ok {
			moved = append(moved, fmt.Sprintf("line %d: %s, was none", line, told(g)))
		}
	}
	slices.Sort(moved)
	return moved
}

// told is what a verdict says, wherever the lines stand that it is about.
func told(f failure) string {
	return fmt.Sprintf("%s %.2f %s %s, %q", f.Cause, f.Confidence, f.State, f.Phase, f.Instance)
}

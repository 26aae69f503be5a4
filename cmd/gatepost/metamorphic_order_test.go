package main

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Transformations of where and in which order lines lie.

// shuffle puts records of one stamp in another order. The lines of one process of Odoo or
// PostgreSQL keep theirs, because a process writes them one after the other, and so do those of
// the kernel, whose reports are runs of lines.
func shuffle(f folder, rnd *rand.Rand) {
	writer := map[string]*regexp.Regexp{
		"access.log":     nil,
		"error.log":      nil,
		"odoo.log":       regexp.MustCompile(`^\S+ \S+ (\d+) `),
		"postgresql.log": regexp.MustCompile(`\[(\d+)\]`),
	}
	for _, name := range f.logs() {
		process, ok := writer[name]
		if !ok {
			continue
		}
		var mixed []line
		records := f.records(name)
		for len(records) > 0 {
			n := sameStamp(name, records)
			mixed = append(mixed, interleave(records[:n], process, rnd)...)
			records = records[n:]
		}
		f[name] = mixed
	}
}

// sameStamp returns how many records at the head have one stamp.
func sameStamp(name string, records [][]line) int {
	first, _ := at(name, records[0][0].text)
	n := slices.IndexFunc(records, func(r []line) bool {
		t, _ := at(name, r[0].text)
		return !t.Equal(first)
	})
	if n < 0 {
		return len(records)
	}
	return n
}

// interleave mixes records; those of one process keep their order. Without a pattern that finds
// the process every record is by another.
func interleave(records [][]line, process *regexp.Regexp, rnd *rand.Rand) []line {
	queues := make(map[string][][]line)
	var turns []string
	for i, r := range records {
		by := fmt.Sprint("record ", i)
		if process != nil {
			by = process.FindString(r[0].text)
		}
		queues[by] = append(queues[by], r)
		turns = append(turns, by)
	}
	rnd.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	var mixed []line
	for _, by := range turns {
		mixed = append(mixed, queues[by][0]...)
		queues[by] = queues[by][1:]
	}
	return mixed
}

// rename gives the logs names that sort the other way round.
func rename(f folder, _ *rand.Rand) {
	names := f.logs()
	for i, name := range names {
		f[fmt.Sprintf("%d-%s", len(names)-i, name)] = f[name]
		delete(f, name)
	}
}

// rotate cuts every log in three where records begin, and compresses the older parts, each by another program. What
// dmesg prints is a ring buffer: nobody rotates it.
func rotate(f folder, _ *rand.Rand) {
	for _, name := range f.logs() {
		records := f.records(name)
		third := len(records) / 3
		if third == 0 || strings.HasPrefix(name, "dmesg") {
			continue
		}
		f[name+".2.gz"], f[name+".1.xz"] = slices.Concat(records[:third]...), slices.Concat(records[third:2*third]...)
		f[name] = slices.Concat(records[2*third:]...)
	}
}

// hosts gives the programs a machine each.
func hosts(f folder, _ *rand.Rand) {
	host := map[string]string{"access.log": "web1", "error.log": "web1", "nginx.conf": "web1", "postgresql.log": "db1"}
	for name, lines := range maps.Clone(f) {
		delete(f, name)
		f[cmp.Or(host[name], "erp1")+"/"+name] = lines
	}
}

// buffer writes the access log as two workers of nginx do that each gather lines before they
// write them.
func buffer(f folder, rnd *rand.Rand) {
	var written []line
	var workers [2][]line
	for _, l := range f["access.log"] {
		w := &workers[rnd.IntN(len(workers))]
		if *w = append(*w, l); len(*w) >= 8+rnd.IntN(16) {
			written = append(written, *w...)
			*w = nil
		}
	}
	f["access.log"] = slices.Concat(written, workers[0], workers[1])
}

func crlf(f folder, _ *rand.Rand) {
	for name := range f {
		f.edit(name, func(text string) string { return text + "\r" })
	}
}

// syslogHeads writes the logs as a syslog daemon that received them line by line would.
func syslogHeads(f folder, _ *rand.Rand) {
	for name, tag := range map[string]string{"access.log": "nginx", "error.log": "nginx", "odoo.log": "odoo[812]", "postgresql.log": "postgres[511]"} {
		f.edit(name, func(text string) string {
			return "Nov 22 16:00:00 erp1 " + tag + ": " + strings.ReplaceAll(text, "\t", "#011")
		})
	}
}

// shifted moves all stamps of the named logs.
func shifted(d time.Duration, names ...string) func(folder, *rand.Rand) {
	return func(f folder, _ *rand.Rand) {
		for _, name := range names {
			f.shift(name, d)
		}
	}
}

// behead takes the oldest quarter off Odoo's log.
func behead(f folder, _ *rand.Rand) {
	records := f.records("odoo.log")
	f["odoo.log"] = slices.Concat(records[len(records)/4:]...)
}

package correlate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"gatepost"
)

// Logs of several machines often lie side by side, a folder each. When every folder that has an
// access log also has the log of the Odoo behind it, each is a world of its own: nothing of one
// machine may explain a failure of another, and their pids, locks and clocks have nothing to do
// with each other.

// part is the history of one machine.
type part struct {
	History
	sources []gatepost.Source
	ids     map[int]bool
	opt     Options // with the settings of this machine
}

func (p *part) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	return only(p.History.Events(ctx, q), func(e *gatepost.Event) bool { return p.ids[e.Ref.Source] })
}

func (p *part) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	return only(p.History.Requests(ctx, q), func(r *gatepost.Request) bool { return p.ids[r.Ref.Source] })
}

func (p *part) Statuses(ctx context.Context) ([]gatepost.StatusCount, error) {
	all, err := p.History.Statuses(ctx)
	return slices.DeleteFunc(all, func(c gatepost.StatusCount) bool { return !p.ids[c.Source] }), err
}

func only[T any](all iter.Seq2[T, error], want func(*T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range all {
			if (err != nil || want(&x)) && !yield(x, err) {
				return
			}
		}
	}
}

// parts splits a history by machines. What lies in no machine's folder belongs to each.
func parts(h History, sources []gatepost.Source, o Options) []*part {
	paths := make([]string, 0, len(sources)+len(o.Setup))
	for _, src := range sources {
		paths = append(paths, src.Path)
	}
	for _, x := range o.Setup {
		paths = append(paths, x.File)
	}
	in := folders(paths)
	machines := machines(sources, in)
	var all []*part
	for _, m := range machines {
		mine := func(folder string) bool { return folder == m || !slices.Contains(machines, folder) }
		p := &part{History: h, ids: make(map[int]bool), opt: o}
		for i, src := range sources {
			if mine(in[i]) {
				p.sources = append(p.sources, src)
				p.ids[src.ID] = true
			}
		}
		p.opt.Setup = nil
		for i, x := range o.Setup {
			if mine(in[len(sources)+i]) {
				p.opt.Setup = append(p.opt.Setup, x)
			}
		}
		all = append(all, p)
	}
	return all
}

// machines names the folders that are machines of their own, in order. All is one machine, named
// "", when there are not several, or when a proxy or an Odoo lies apart: who talks to whom is then
// not told by folders.
func machines(sources []gatepost.Source, in []string) []string {
	formats := make(map[string]map[string]bool)
	for i, src := range sources {
		if formats[in[i]] == nil {
			formats[in[i]] = make(map[string]bool)
		}
		formats[in[i]][src.Format] = true
	}
	var names []string
	for folder, has := range formats {
		switch {
		case has["nginx_access"] && has["odoo"] && folder != "":
			names = append(names, folder)
		case has["nginx_access"] || has["odoo"]:
			return []string{""}
		}
	}
	if len(names) < 2 {
		return []string{""}
	}
	slices.Sort(names)
	return names
}

// folders names, for each path, the folder below the common one that it lies in; "" for what lies
// in the common folder itself.
func folders(paths []string) []string {
	dirs := make([][]string, len(paths))
	for i, p := range paths {
		dirs[i] = strings.Split(path.Dir(strings.ReplaceAll(p, "!", "/")), "/")
	}
	common := 0
	for len(dirs) > 0 && !slices.ContainsFunc(dirs, func(d []string) bool { return len(d) <= common || d[common] != dirs[0][common] }) {
		common++
	}
	names := make([]string, len(paths))
	for i, d := range dirs {
		if len(d) > common {
			names[i] = d[common]
		}
	}
	return names
}

// merge puts the results of several machines together, by time, and numbers incidents anew.
func merge(results []*Result) *Result {
	if len(results) == 1 {
		return results[0]
	}
	all := &Result{}
	type origin struct {
		part int
		id   string
	}
	var incidents, outages []gatepost.Incident
	var from, apart []origin
	for i, r := range results {
		for _, in := range r.Incidents {
			incidents, from = append(incidents, in), append(from, origin{i, in.ID})
		}
		for _, in := range r.Outages {
			outages, apart = append(outages, in), append(apart, origin{i, in.ID})
		}
		for _, n := range r.Notes {
			if !slices.Contains(all.Notes, n) {
				all.Notes = append(all.Notes, n)
			}
		}
	}
	ids := make(map[origin]string)
	number := func(list []gatepost.Incident, from []origin, format string) []gatepost.Incident {
		order := make([]int, len(list))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(list[a].From, list[b].From) })
		sorted := make([]gatepost.Incident, 0, len(list))
		for n, i := range order {
			in := list[i]
			in.ID = fmt.Sprintf(format, n+1)
			ids[from[i]] = in.ID
			sorted = append(sorted, in)
		}
		return sorted
	}
	all.Incidents = number(incidents, from, "i-%02d")
	all.Outages = number(outages, apart, "o-%02d")
	for i, r := range results {
		for _, f := range r.Failures {
			f.Incident = ids[origin{i, f.Incident}]
			all.Failures = append(all.Failures, f)
		}
	}
	slices.SortStableFunc(all.Failures, func(a, b gatepost.Failure) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Ref.Source-b.Ref.Source, cmp.Compare(a.Ref.Offset, b.Ref.Offset))
	})
	return all
}

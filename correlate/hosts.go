package correlate

import (
	"cmp"
	"context"
	"iter"
	"path"
	"slices"
	"strings"

	"gatepost"
)

// Logs of several machines often lie side by side, a folder each, or in one that tells the host of every line. When every folder that has an
// access log also has the log of the Odoo behind it, each is a world of its own: nothing of one
// machine may explain a failure of another, and their pids, locks and clocks have nothing to do
// with each other.

// part is the history of one machine.
type part struct {
	History
	sources []gatepost.Source
	ids     []int
	opt     Options // with the settings of this machine
}

func (p *part) Events(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Event, error] {
	return p.History.Events(ctx, p.mine(q))
}

func (p *part) Requests(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Request, error] {
	return p.History.Requests(ctx, p.mine(q))
}

// mine restricts a query to the sources of the machine.
func (p *part) mine(q gatepost.Query) gatepost.Query {
	if q.Sources == nil {
		q.Sources = p.ids
	}
	return q
}

func (p *part) Statuses(ctx context.Context) ([]gatepost.StatusCount, error) {
	all, err := p.History.Statuses(ctx)
	return slices.DeleteFunc(all, func(c gatepost.StatusCount) bool { return !slices.Contains(p.ids, c.Source) }), err
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
	for i, src := range sources {
		in[i] = cmp.Or(in[i], src.Host) // as a log collector tells it
	}
	machines := machines(sources, in)
	var all []*part
	for _, m := range machines {
		mine := func(folder string) bool { return folder == m || !slices.Contains(machines, folder) }
		p := &part{History: h, opt: o}
		for i, src := range sources {
			if mine(in[i]) {
				p.sources = append(p.sources, src)
				p.ids = append(p.ids, src.ID)
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

// anyAccess stands for the access log of any proxy.
const anyAccess = "access log"

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
		if accessFormat(src.Format) {
			formats[in[i]][anyAccess] = true
		}
	}
	var names []string
	for folder, has := range formats {
		switch {
		case has[anyAccess] && has["odoo"] && folder != "":
			names = append(names, folder)
		case has[anyAccess] || has["odoo"]:
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

package reports

import (
	"slices"
	"strings"

	"gatepost"
)

// filter is a choice of what is shown, for one property of a failure.
type filter struct {
	Name, Label, All string
	Choices          []choice
}

type choice struct{ Value, Label string }

// traits are the values of a failure, or of all listed ones of an incident, that filters go by.
type traits struct{ Hosts, Databases, Routes []string }

// tagsOf are the host, the database and the route of a failure.
func (t *tally) tagsOf(f *gatepost.Failure) traits {
	var of traits
	host, database := "", ""
	if n := t.Night; n != nil {
		w := n.Whose[f.ID]
		host, database = w.Host, w.Database
		if database == "" && len(n.Databases) == 1 {
			database = n.Databases[0]
		}
	}
	if s := t.sources[f.Ref.Source]; host == "" && s != nil {
		host = s.Host
	}
	tag := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{clip(visible(s), 80)}
	}
	of.Hosts, of.Databases = tag(host), tag(database)
	of.Routes = tag(string(gatepost.RouteOf(nil, firstBytes(f.Path, 300))))
	return of
}

func firstBytes(s string, n int) string { return s[:min(len(s), n)] }

func addTag(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// filters are the choices of what is shown; one with a single choice is none.
func (t *tally) filters(s *sheet) []filter {
	values := [4]map[string]string{}
	for i := range values {
		values[i] = map[string]string{}
	}
	put := func(i int, list ...string) {
		for _, v := range list {
			if len(values[i]) < pageListed {
				values[i][v] = v
			}
		}
	}
	for _, l := range s.Incidents {
		if len(values[0]) < pageListed {
			values[0][l.Cause] = strings.ReplaceAll(l.Cause, "_", " ")
		}
		put(1, l.Tags.Hosts...)
		put(2, l.Tags.Databases...)
		put(3, l.Tags.Routes...)
	}
	var all []filter
	for i, f := range []filter{{Name: "cause", Label: "Cause", All: "all causes"}, {Name: "host", Label: "Host", All: "all hosts"},
		{Name: "database", Label: "Database", All: "all databases"}, {Name: "route", Label: "Route", All: "all routes"}} {
		if len(values[i]) < 2 {
			continue
		}
		for v, name := range values[i] {
			f.Choices = append(f.Choices, choice{v, clip(name, 60)})
		}
		slices.SortFunc(f.Choices, func(a, b choice) int { return strings.Compare(a.Value, b.Value) })
		all = append(all, f)
	}
	return all
}

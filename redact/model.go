package redact

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"

	"gatepost"
)

// Model returns a copy of a model in which people are hidden, the lines and sentences of all its failures too. It learns from
// the model first what stays. IDs, counts, causes and confidences are those of the model.
func (r *Redactor) Model(m *gatepost.Model) (*gatepost.Model, error) {
	if err := r.Learn(m); err != nil {
		return nil, err
	}
	hidden := *m
	hidden.Paths = each(m.Paths, r.File)
	hidden.Notes = each(m.Notes, r.Text)
	hidden.Sources = each(m.Sources, r.source)
	hidden.Setup = each(m.Setup, func(x gatepost.Setting) gatepost.Setting {
		x.File, x.Value = r.File(x.File), r.Text(x.Value)
		return x
	})
	hidden.Incidents, hidden.Outages = each(m.Incidents, r.incident), each(m.Outages, r.incident)
	hidden.Unknown = each(m.Unknown, func(x gatepost.UnknownLine) gatepost.UnknownLine {
		x.Kind, x.Sample = r.Line(x.Ref.Source, x.Kind), r.Line(x.Ref.Source, x.Sample)
		return x
	})
	hidden.Gaps = each(m.Gaps, func(g gatepost.Gap) gatepost.Gap {
		g.Why = r.Text(g.Why)
		return g
	})
	if m.Failures != nil {
		hidden.Failures = ledger{m.Failures, r}
	}
	hidden.Night = r.night(m.Night)
	return &hidden, nil
}

// each returns a list of what f makes of the elements of another; nil stays nil.
func each[T any](list []T, f func(T) T) []T {
	if list == nil {
		return nil
	}
	made := make([]T, len(list))
	for i := range list {
		made[i] = f(list[i])
	}
	return made
}

func (r *Redactor) source(s gatepost.Source) gatepost.Source {
	s.Path, s.Problem = r.File(s.Path), r.Text(s.Problem)
	s.Host, s.Strand, s.Dialect = r.shapes(s.Host), r.shapes(s.Strand), r.shapes(s.Dialect)
	return s
}

// ledger is a Ledger whose failures are hidden when they are asked for.
type ledger struct {
	gatepost.Ledger
	r *Redactor
}

func (l ledger) Entries() iter.Seq2[gatepost.Failure, error]  { return l.each(l.Ledger.Entries()) }
func (l ledger) Failures() iter.Seq2[gatepost.Failure, error] { return l.each(l.Ledger.Failures()) }

func (l ledger) each(all iter.Seq2[gatepost.Failure, error]) iter.Seq2[gatepost.Failure, error] {
	return func(yield func(gatepost.Failure, error) bool) {
		var last argument
		for f, err := range all {
			if err != nil {
				yield(gatepost.Failure{}, err)
				return
			}
			if !yield(l.r.failure(&f, &last), nil) {
				return
			}
		}
	}
}

func (l ledger) Failure(id string) (*gatepost.Failure, error) {
	f, err := l.Ledger.Failure(id)
	if f == nil || err != nil {
		return nil, err
	}
	hidden := l.r.failure(f, &argument{})
	return &hidden, nil
}

// argument is what neighbours in a ledger share, hidden once.
type argument struct {
	of     *gatepost.Evidence
	hidden []gatepost.Evidence
}

func (a *argument) evidence(r *Redactor, list []gatepost.Evidence) []gatepost.Evidence {
	if len(list) == 0 {
		return list
	}
	if a.of != &list[0] || len(a.hidden) != len(list) {
		a.of, a.hidden = &list[0], each(list, r.evidence)
	}
	return a.hidden
}

func (r *Redactor) failure(f *gatepost.Failure, last *argument) gatepost.Failure {
	hidden := *f
	hidden.Method, hidden.Path, hidden.Client, hidden.Upstream = r.Text(f.Method), r.Path(f.Path), r.clientText(f.Client), r.Text(f.Upstream)
	v := &hidden.Verdict
	v.Instance, v.Via = r.Text(v.Instance), r.Text(v.Via)
	v.Symptom, v.Evidence = r.evidence(v.Symptom), last.evidence(r, v.Evidence)
	v.Rivals, v.Missing = each(v.Rivals, r.rival), each(v.Missing, r.Text)
	return hidden
}

func (r *Redactor) evidence(e gatepost.Evidence) gatepost.Evidence {
	e.Says, e.Text = r.Text(e.Says), r.Line(e.Ref.Source, e.Text)
	return e
}

func (r *Redactor) rival(v gatepost.Rival) gatepost.Rival {
	v.Instance, v.WhyNot = r.Text(v.Instance), r.Text(v.WhyNot)
	return v
}

func (r *Redactor) incident(i gatepost.Incident) gatepost.Incident {
	i.Instance, i.Title = r.Text(i.Instance), r.Text(i.Title)
	i.Evidence, i.Rivals, i.Missing = each(i.Evidence, r.evidence), each(i.Rivals, r.rival), each(i.Missing, r.Text)
	i.Chain = each(i.Chain, func(s gatepost.Step) gatepost.Step {
		s.Says, s.Text = r.Text(s.Says), r.Line(s.Ref.Source, s.Text)
		return s
	})
	i.Fix = each(i.Fix, func(a gatepost.Advice) gatepost.Advice {
		a.Do, a.Why, a.File, a.Line, a.Price = r.Text(a.Do), r.Text(a.Why), r.File(a.File), r.Text(a.Line), r.Text(a.Price)
		return a
	})
	return i
}

// night hides in what a page draws beside the verdicts: its counts and times are those of everybody.
func (r *Redactor) night(n *gatepost.Night) *gatepost.Night {
	if n == nil {
		return nil
	}
	hidden := *n
	hidden.Hosts, hidden.Databases = each(n.Hosts, r.shapes), each(n.Databases, r.shapes)
	hidden.Whose = make(map[string]gatepost.Whose, len(n.Whose))
	for id, w := range n.Whose {
		hidden.Whose[id] = gatepost.Whose{Host: r.shapes(w.Host), Database: r.shapes(w.Database)}
	}
	hidden.Routes = each(n.Routes, func(l gatepost.RouteLoad) gatepost.RouteLoad {
		if strings.Contains(l.Route, "/") {
			l.Route = r.route(l.Route)
		}
		return l
	})
	hidden.Statements = each(n.Statements, func(l gatepost.StatementLoad) gatepost.StatementLoad {
		l.Statement, l.Database = r.Text(l.Statement), r.shapes(l.Database)
		return l
	})
	hidden.Actions = each(n.Actions, func(l gatepost.ActionLoad) gatepost.ActionLoad {
		l.Name, l.Database, l.Beside = r.Text(l.Name), r.shapes(l.Database), each(l.Beside, r.Text)
		return l
	})
	hidden.Late = each(n.Late, func(l gatepost.LateAnswer) gatepost.LateAnswer {
		l.Method, l.Path, l.Client = r.Text(l.Method), r.Path(l.Path), r.clientText(l.Client)
		return l
	})
	return &hidden
}

// clientText hides what a log has as the client: an address, several, or whatever a header said.
func (r *Redactor) clientText(s string) string {
	if s == "" || s == "-" || strings.HasPrefix(s, "unix:") {
		return s
	}
	if a, ok := address(s); ok {
		return r.client(a, s)
	}
	return r.standIn(kindClient, s)
}

// Cell hides a value of a column of the store ("failures.client"), in a row about a source, 0 for none. Without a column it hides what shows
// by its shape alone.
func (r *Redactor) Cell(column string, source int64, value any) any {
	view, name, _ := strings.Cut(column, ".")
	switch v := value.(type) {
	case int64:
		switch {
		case column == "requests.client":
			return r.clientHash(uint64(v))
		case name == "key" || column == "routes.id":
			return r.number(v)
		}
	case string:
		switch name {
		case "":
			return r.shapes(v)
		case "client":
			return r.clientText(v)
		case "path":
			if view == "events" && !r.ofRequests(int(source)) {
				return r.Text(v) // a control group, a library, a result
			}
			return r.Path(v)
		case "dialect":
			return r.shapes(v)
		case "file":
			return r.File(v)
		case "route":
			return r.route(v)
		case "text", "sample", "kind":
			return r.Line(int(source), v)
		case "attempts", "rivals", "missing", "chain", "fix", "film", "statuses":
			return r.json(v)
		}
		if column == "routes.name" {
			return r.route(v)
		}
		return r.Text(v)
	}
	return value
}

// ofRequests reports whether the events of a source are about requests.
func (r *Redactor) ofRequests(source int) bool {
	switch r.formats[source] {
	case "nginx_access", "nginx_error", "odoo":
		return true
	}
	return false
}

// route hides the route of a request: method and path, or the hash of both where it has no name.
func (r *Redactor) route(s string) string {
	method, path, ok := strings.Cut(s, " ")
	if !ok {
		return r.standIn(kindRecord, s)
	}
	return r.Text(method) + " " + r.Path(path)
}

// json hides the strings in a text of JSON.
func (r *Redactor) json(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return r.Text(text)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(r.inJSON(v, 0)) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (r *Redactor) inJSON(v any, source int) any {
	switch v := v.(type) {
	case string:
		return r.Text(v)
	case []any:
		for i := range v {
			v[i] = r.inJSON(v[i], source)
		}
	case map[string]any:
		if ref, ok := v["Ref"].(map[string]any); ok {
			n, _ := ref["Source"].(json.Number)
			source, _ = strconv.Atoi(n.String())
		}
		for k, x := range v {
			if text, ok := x.(string); ok && k == "Text" {
				v[k] = r.Line(source, text)
			} else {
				v[k] = r.inJSON(x, source)
			}
		}
	}
	return v
}

package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gatepost"
)

// verdictTables hold verdicts. What refers to another table comes before it.
var verdictTables = [...]string{"_evidence", "_failures", "_incidents"}

// SaveVerdicts replaces all failures, incidents, outages and their evidence. An outage is an
// incident without an entry in the ledger.
func (s *Store) SaveVerdicts(ctx context.Context, failures []gatepost.Failure, incidents, outages []gatepost.Incident) error {
	return s.replace(ctx, "save verdicts", func(w *writer) error {
		for _, table := range verdictTables {
			if _, err := w.exec("DELETE FROM " + table); err != nil {
				return err
			}
		}
		for i := range failures {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.addFailure(&failures[i]); err != nil {
				return fmt.Errorf("failure %s: %w", failures[i].ID, err)
			}
		}
		for outage, list := range [][]gatepost.Incident{incidents, outages} {
			for i := range list {
				if err := w.addIncident(&list[i], outage); err != nil {
					return fmt.Errorf("incident %s: %w", list[i].ID, err)
				}
			}
		}
		return nil
	})
}

const failureColumns = "id, source, offset, length, line, time, start, duration, status, method, path, client, upstream, phase, " +
	"cause, instance, via, confidence, state, incident, rivals, missing"

func (w *writer) addFailure(f *gatepost.Failure) error {
	d := details{}
	v := &f.Verdict
	row, err := w.insert("INSERT INTO _failures ("+failureColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		f.ID, f.Ref.Source, f.Ref.Offset, f.Ref.Length, f.Ref.Line, int64(f.Time), int64(f.Start), int64(f.Duration), f.Status,
		f.Method, f.Path, f.Client, f.Upstream, string(f.Phase),
		v.Cause, v.Instance, v.Via, v.Confidence, string(v.State), f.Incident, d.text(v.Rivals), d.text(v.Missing))
	if err := d.or(err); err != nil {
		return err
	}
	return w.addEvidence(row, nil, v.All())
}

const incidentColumns = "id, outage, began, ended, cause, instance, title, confidence, state, failures, clients, statuses, chain, rivals, missing, fix, film"

func (w *writer) addIncident(i *gatepost.Incident, outage int) error {
	d := details{}
	row, err := w.insert("INSERT INTO _incidents ("+incidentColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		i.ID, outage, int64(i.From), int64(i.To), i.Cause, i.Instance, i.Title, i.Confidence, string(i.State), i.Failures, i.Clients,
		d.text(i.Statuses), d.text(i.Chain), d.text(i.Rivals), d.text(i.Missing), d.text(i.Fix), d.text(i.Film))
	if err := d.or(err); err != nil {
		return err
	}
	return w.addEvidence(nil, row, i.Evidence)
}

const evidenceColumns = "role, kind, source, offset, length, line, time, joined, says, text, weight"

// addEvidence stores the evidence of a failure or of an incident; the other row is nil.
func (w *writer) addEvidence(failure, incident any, list []gatepost.Evidence) error {
	for n := range list {
		e := &list[n]
		if _, err := w.exec("INSERT INTO _evidence (failure, incident, ordinal, "+evidenceColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			failure, incident, n+1, string(e.Role), string(e.Kind), e.Ref.Source, e.Ref.Offset, e.Ref.Length, e.Ref.Line, int64(e.Time),
			e.Join, e.Says, e.Text, e.Weight); err != nil {
			return err
		}
	}
	return nil
}

// details turns lists into JSON and back and keeps the first error. What is empty is "[]", which
// json_each understands, and comes back as nil.
type details struct{ err error }

func (d *details) text(v any) string {
	b, err := json.Marshal(v)
	if err != nil && d.err == nil {
		d.err = err
	}
	if text := string(b); text != "null" && text != "{}" {
		return text
	}
	return "[]"
}

func (d *details) read(text string, dst any) {
	if text == "[]" {
		return
	}
	if err := json.Unmarshal([]byte(text), dst); err != nil && d.err == nil {
		d.err = err
	}
}

func (d *details) or(err error) error {
	if d.err != nil {
		return d.err
	}
	return err
}

// Failures returns all failures in the order in which they were saved.
func (s *Store) Failures(ctx context.Context) ([]gatepost.Failure, error) {
	failures, err := s.failures(ctx)
	return failures, s.fail("read failures", err)
}

func (s *Store) failures(ctx context.Context) ([]gatepost.Failure, error) {
	evidence, err := s.evidence(ctx, "failure")
	if err != nil {
		return nil, err
	}
	return collect(ctx, s.read, func(row scanner) (gatepost.Failure, error) {
		var f gatepost.Failure
		var ordinal int64
		var rivals, missing string
		v := &f.Verdict
		err := row.Scan(&ordinal, &f.ID, &f.Ref.Source, &f.Ref.Offset, &f.Ref.Length, &f.Ref.Line, &f.Time, &f.Start, &f.Duration, &f.Status,
			&f.Method, &f.Path, &f.Client, &f.Upstream, &f.Phase,
			&v.Cause, &v.Instance, &v.Via, &v.Confidence, &v.State, &f.Incident, &rivals, &missing)
		if err != nil {
			return f, err
		}
		d := details{}
		d.read(rivals, &v.Rivals)
		d.read(missing, &v.Missing)
		if all := evidence[ordinal]; len(all) > 0 {
			v.Symptom, v.Evidence = all[0], all[1:]
		}
		return f, d.err
	}, selectFailures)
}

const (
	selectFailures  = "SELECT ordinal, " + failureColumns + " FROM _failures ORDER BY ordinal"
	selectIncidents = "SELECT ordinal, " + incidentColumns + " FROM _incidents ORDER BY ordinal"
)

// Incidents returns all incidents, and all outages, in the order in which they were saved.
func (s *Store) Incidents(ctx context.Context) (incidents, outages []gatepost.Incident, err error) {
	incidents, outages, err = s.incidents(ctx)
	return incidents, outages, s.fail("read incidents", err)
}

func (s *Store) incidents(ctx context.Context) (incidents, outages []gatepost.Incident, err error) {
	evidence, err := s.evidence(ctx, "incident")
	if err != nil {
		return nil, nil, err
	}
	_, err = collect(ctx, s.read, func(row scanner) (struct{}, error) {
		var i gatepost.Incident
		var ordinal int64
		var outage bool
		var statuses, chain, rivals, missing, fix, film string
		err := row.Scan(&ordinal, &i.ID, &outage, &i.From, &i.To, &i.Cause, &i.Instance, &i.Title, &i.Confidence, &i.State, &i.Failures, &i.Clients,
			&statuses, &chain, &rivals, &missing, &fix, &film)
		if err != nil {
			return struct{}{}, err
		}
		d := details{}
		d.read(statuses, &i.Statuses)
		d.read(chain, &i.Chain)
		d.read(rivals, &i.Rivals)
		d.read(missing, &i.Missing)
		d.read(fix, &i.Fix)
		d.read(film, &i.Film)
		i.Evidence = evidence[ordinal]
		if outage {
			outages = append(outages, i)
		} else {
			incidents = append(incidents, i)
		}
		return struct{}{}, d.err
	}, selectIncidents)
	return incidents, outages, err
}

// evidence returns the evidence of all failures or all incidents by the ordinal of its owner.
func (s *Store) evidence(ctx context.Context, owner string) (map[int64][]gatepost.Evidence, error) {
	all := map[int64][]gatepost.Evidence{}
	_, err := collect(ctx, s.read, func(row scanner) (struct{}, error) {
		var e gatepost.Evidence
		var of int64
		err := row.Scan(&of, &e.Role, &e.Kind, &e.Ref.Source, &e.Ref.Offset, &e.Ref.Length, &e.Ref.Line, &e.Time, &e.Join, &e.Says, &e.Text, &e.Weight)
		all[of] = append(all[of], e)
		return struct{}{}, err
	}, selectEvidence(owner))
	return all, err
}

func selectEvidence(owner string) string {
	return "SELECT " + owner + ", " + evidenceColumns + " FROM _evidence WHERE " + owner + " IS NOT NULL ORDER BY " + owner + ", ordinal"
}

// SaveSetup replaces what the configuration files say.
func (s *Store) SaveSetup(ctx context.Context, setup gatepost.Setup) error {
	return s.replace(ctx, "save setup", func(w *writer) error {
		if _, err := w.exec("DELETE FROM _settings"); err != nil {
			return err
		}
		for _, x := range setup {
			if _, err := w.exec("INSERT INTO _settings (program, name, value, scope, file, line) VALUES (?, ?, ?, ?, ?, ?)",
				x.Program, x.Name, x.Value, x.Scope, x.File, x.Line); err != nil {
				return err
			}
		}
		return nil
	})
}

const selectSettings = "SELECT program, name, value, scope, file, line FROM _settings ORDER BY ordinal"

// Setup returns the settings in the order in which they were saved.
func (s *Store) Setup(ctx context.Context) (gatepost.Setup, error) {
	setup, err := collect(ctx, s.read, func(row scanner) (x gatepost.Setting, err error) {
		err = row.Scan(&x.Program, &x.Name, &x.Value, &x.Scope, &x.File, &x.Line)
		return x, err
	}, selectSettings)
	return setup, s.fail("read setup", err)
}

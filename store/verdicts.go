package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"gatepost"
)

// verdictTables hold verdicts. What refers to another table comes before it. The lines that verdicts cite
// stay: their logs may be gone.
var verdictTables = [...]string{"_evidence", "_failures", "_arguments", "_incidents", "_gaps"}

const markComplete = "UPDATE _judgement SET complete = ?"

// BeginVerdicts forgets the verdicts of the time that an analysis is asked for, to make room for new ones; those of other times stay. Until
// EndVerdicts there are none to read. Of the incidents that stay, none has a greater number than last.
func (s *Store) BeginVerdicts(ctx context.Context, scope gatepost.Scope) (last int, err error) {
	err = s.replace(ctx, "forget verdicts", func(w *writer) error {
		if err := w.forget(between(scope)); err != nil {
			return err
		}
		if err := w.saveScope(scope); err != nil {
			return err
		}
		if err := w.conn.QueryRowContext(context.Background(), selectLastRows).Scan(&w.failures, &w.arguments); err != nil {
			return err
		}
		if err := w.conn.QueryRowContext(context.Background(), selectLastIncident).Scan(&last); err != nil {
			return err
		}
		_, err := w.exec(markComplete, false)
		return err
	})
	return last, err
}

// AddFailures adds failures with their verdicts, some thousands at a time.
func (s *Store) AddFailures(ctx context.Context, failures []gatepost.Failure) error {
	return s.write(ctx, "save failures", func(w *writer) error {
		v, err := w.verdicts()
		if err != nil {
			return err
		}
		for i := range failures {
			if err := v.addFailure(&failures[i]); err != nil {
				return fmt.Errorf("failure %s: %w", failures[i].ID, err)
			}
		}
		return v.flush()
	})
}

// EndVerdicts adds the incidents and outages, says what time was judged, and makes all verdicts readable. An outage is an
// incident without an entry in the ledger. What was judged ends where the logs did, if not before: of what is read later
// nobody knows yet.
func (s *Store) EndVerdicts(ctx context.Context, incidents, outages []gatepost.Incident, judged gatepost.Scope) error {
	return s.write(ctx, "save incidents", func(w *writer) error {
		v, err := w.verdicts()
		if err != nil {
			return err
		}
		for outage, list := range [][]gatepost.Incident{incidents, outages} {
			for i := range list {
				if err := v.addIncident(&list[i], outage); err != nil {
					return fmt.Errorf("incident %s: %w", list[i].ID, err)
				}
			}
		}
		if err := v.flush(); err != nil {
			return err
		}
		if err := w.saveJudged(judged); err != nil {
			return err
		}
		if _, err := w.exec(markComplete, true); err != nil {
			return err
		}
		return w.commit()
	})
}

var (
	insertFailures  = newInsertion(orFail, "_failures (ordinal, argument, "+failureColumns+")", "")
	insertArguments = newInsertion(orFail, "_arguments (argument, cause, instance, via, confidence, state, rivals, missing)", "")
	insertIncidents = newInsertion(orFail, "_incidents (argument, "+incidentColumns+")", "")
	insertEvidence  = newInsertion(orFail, "_evidence (argument, ordinal, "+evidenceColumns+")", "")
	// What is known of a line whose log is gone is never lost.
	insertLines = newInsertion("OR IGNORE", "_lines (source, offset, length, text)", "")
)

// verdicts are failures or incidents on their way into the store, many rows in one statement.
type verdicts struct {
	*writer
	known    map[argument]int64
	failure  *bulk
	argument *bulk
	incident *bulk
	evidence *bulk
	line     *bulk
}

func (w *writer) verdicts() (*verdicts, error) {
	return &verdicts{writer: w, known: make(map[argument]int64),
		failure:  w.bulk(insertFailures),
		argument: w.bulk(insertArguments),
		incident: w.bulk(insertIncidents),
		evidence: w.bulk(insertEvidence),
		line:     w.bulk(insertLines),
	}, w.begin()
}

func (v *verdicts) flush() error {
	for _, b := range []*bulk{v.argument, v.failure, v.incident, v.evidence, v.line} {
		if err := b.flush(); err != nil {
			return err
		}
	}
	return nil
}

const failureColumns = "id, source, offset, length, line, time, start, duration, status, method, path, client, upstream, phase, incident, finished"

func (v *verdicts) addFailure(f *gatepost.Failure) error {
	argument, err := v.addArgument(&f.Verdict)
	if err != nil {
		return err
	}
	v.failures++
	err = v.failure.add(v.failures, argument, f.ID, f.Ref.Source, f.Ref.Offset, f.Ref.Length, f.Ref.Line, int64(f.Time), int64(f.Start), int64(f.Duration), f.Status,
		f.Method, f.Path, f.Client, f.Upstream, string(f.Phase), f.Incident, int64(f.Finished))
	if err != nil || f.Verdict.Symptom.Role == "" {
		return err
	}
	return v.addEvidence(-v.failures, 1, f.Verdict.Symptom)
}

// argument is what a verdict rests on; equal ones are kept once. Of lists their place in memory counts: the
// correlator gives the failures that share an argument the same ones.
type argument struct {
	cause, instance, via string
	confidence           float64
	state                gatepost.State
	evidence             *gatepost.Evidence
	rivals               *gatepost.Rival
	missing              *string
}

func (v *verdicts) addArgument(of *gatepost.Verdict) (int64, error) {
	key := argument{of.Cause, of.Instance, of.Via, of.Confidence, of.State, first(of.Evidence), first(of.Rivals), first(of.Missing)}
	if id, ok := v.known[key]; ok {
		return id, nil
	}
	d := details{}
	v.arguments++
	id := v.arguments
	err := v.argument.add(id, of.Cause, of.Instance, of.Via, of.Confidence, string(of.State), d.text(of.Rivals), d.text(of.Missing))
	if err := d.or(err); err != nil {
		return 0, err
	}
	v.known[key] = id
	return id, v.addEvidence(id, 2, of.Evidence...)
}

func first[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

const incidentColumns = "id, outage, began, ended, cause, instance, title, confidence, state, failures, clients, statuses, chain, rivals, missing, fix, film"

func (v *verdicts) addIncident(i *gatepost.Incident, outage int) error {
	argument, err := v.addArgument(&gatepost.Verdict{Evidence: i.Evidence})
	if err != nil {
		return err
	}
	d := details{}
	err = v.incident.add(argument, i.ID, outage, int64(i.From), int64(i.To), i.Cause, i.Instance, i.Title, i.Confidence, string(i.State), i.Failures, i.Clients,
		d.text(i.Statuses), d.text(i.Chain), d.text(i.Rivals), d.text(i.Missing), d.text(i.Fix), d.text(i.Film))
	if err := d.or(err); err != nil {
		return err
	}
	for _, step := range i.Chain {
		if err := v.addLine(step.Ref, step.Text); err != nil {
			return err
		}
	}
	return nil
}

const evidenceColumns = "role, kind, source, offset, length, line, time, joined, says, weight"

// addEvidence stores the evidence of an argument, numbered from ordinal on, and the text of its lines where
// that is known. The symptom of a failure is an argument of its own: see the schema.
func (v *verdicts) addEvidence(argument int64, ordinal int, list ...gatepost.Evidence) error {
	for n := range list {
		e := &list[n]
		if err := v.evidence.add(argument, ordinal+n, string(e.Role), string(e.Kind), e.Ref.Source, e.Ref.Offset, e.Ref.Length, e.Ref.Line,
			int64(e.Time), e.Join, e.Says, e.Weight); err != nil {
			return err
		}
		if err := v.addLine(e.Ref, e.Text); err != nil {
			return err
		}
	}
	return nil
}

// addLine keeps the text of a line.
func (v *verdicts) addLine(r gatepost.Ref, text string) error {
	if text == "" {
		return nil
	}
	return v.line.add(r.Source, r.Offset, r.Length, text)
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

const selectLine = "SELECT text FROM _lines WHERE source = ? AND offset = ? AND length = ?"

// Line returns the text of a line that a verdict cited once, "" when none did.
func (s *Store) Line(ctx context.Context, r gatepost.Ref) (string, error) {
	texts, err := collect(ctx, s, func(row scanner) (text string, err error) { err = row.Scan(&text); return text, err }, selectLine, r.Source, r.Offset, r.Length)
	if err != nil || len(texts) == 0 {
		return "", s.fail("read a line", err)
	}
	return texts[0], nil
}

// Ledger returns the failures of a time whose verdicts are complete; without any verdicts it yields an error. The loops over
// it may read the store and not write to it.
func (s *Store) Ledger(ctx context.Context, q gatepost.Query) gatepost.Ledger {
	return ledger{s, ctx, q}
}

type ledger struct {
	*Store
	ctx context.Context
	q   gatepost.Query
}

func (l ledger) Entries() iter.Seq2[gatepost.Failure, error]  { return l.each(false) }
func (l ledger) Failures() iter.Seq2[gatepost.Failure, error] { return l.each(true) }

func (l ledger) Failure(id string) (*gatepost.Failure, error) {
	for f, err := range l.rows(true, selectFailure, id) {
		if err != nil || l.q.Holds(f.Time) {
			return &f, err
		}
	}
	return nil, nil
}

func (l ledger) each(whole bool) iter.Seq2[gatepost.Failure, error] {
	w := windowOf(l.q)
	if w.from == gatepost.NoTime {
		return l.rows(whole, selectFailures)
	}
	return l.rows(whole, selectFailuresOf, int64(w.from), int64(w.to))
}

// Causes counts the failures of a time by their causes.
func (s *Store) Causes(ctx context.Context, q gatepost.Query) (map[string]int, error) {
	if err := s.complete(ctx); err != nil {
		return nil, s.fail("count causes", err)
	}
	w, counts := windowOf(q), make(map[string]int)
	err := eachRow(ctx, s, func(row scanner) error {
		var cause string
		var n int
		if err := row.Scan(&cause, &n); err != nil {
			return err
		}
		counts[cause] = n
		return nil
	}, selectCauses, int64(w.from), int64(w.to))
	return counts, s.fail("count causes", err)
}

const (
	selectComplete = "SELECT complete FROM _judgement"
	selectWhole    = "SELECT ordinal, " + failureColumns + ", argument, cause, instance, via, confidence, state, rivals, missing "
	// selectFailures walks along an index: the order of the ledger must cost no sorting.
	selectFailures = selectWhole + "FROM _failures INDEXED BY _failures_by_time CROSS JOIN _arguments USING (argument) ORDER BY at, source, offset"
	// What an index holds is the time as the view shows it.
	ofTheTime        = "at BETWEEN strftime('%Y-%m-%dT%H:%M:%fZ', ?1 / 1000000 / 1000.0, 'unixepoch') AND strftime('%Y-%m-%dT%H:%M:%fZ', ?2 / 1000000 / 1000.0, 'unixepoch') AND time BETWEEN ?1 AND ?2"
	selectFailuresOf = selectWhole + "FROM _failures INDEXED BY _failures_by_time CROSS JOIN _arguments USING (argument) WHERE " + ofTheTime + " ORDER BY at, source, offset"
	selectCauses     = "SELECT cause, count(*) FROM _failures INDEXED BY _failures_by_time CROSS JOIN _arguments USING (argument) WHERE " + ofTheTime + " GROUP BY cause"
	selectFailure    = selectWhole + "FROM _failures JOIN _arguments USING (argument) WHERE id = ?"
	// selectIncidents finds those with a failure in a time, and the outages that reach into it.
	selectIncidents = "SELECT argument, " + incidentColumns + ` FROM _incidents
	WHERE ?1 = ?3 OR CASE outage WHEN 0 THEN EXISTS (SELECT 1 FROM _failures WHERE incident = _incidents.id AND time BETWEEN ?1 AND ?2)
	ELSE (ended = ?3 OR ended >= ?1) AND began <= ?2 END ORDER BY ordinal`
)

// ErrUnfinished is the error of reading verdicts that were never made, or not to their end.
var ErrUnfinished = errors.New("its last analysis did not come to an end: run gatepost analyze again with it")

// complete is nil when there are verdicts.
func (s *Store) complete(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	var complete bool
	if err := s.read.QueryRowContext(ctx, selectComplete).Scan(&complete); err != nil {
		return err
	}
	if !complete {
		return ErrUnfinished
	}
	return nil
}

// errStop ends a loop over rows that nobody goes on with.
var errStop = errors.New("stop")

func (l ledger) rows(whole bool, query string, args ...any) iter.Seq2[gatepost.Failure, error] {
	return func(yield func(gatepost.Failure, error) bool) {
		err := l.complete(l.ctx)
		if err == nil {
			reader := argumentReader{s: l.Store}
			err = eachRow(l.ctx, l.Store, func(row scanner) error {
				f, err := reader.failure(l.ctx, row, whole)
				if err != nil {
					return err
				}
				if !yield(f, nil) {
					return errStop
				}
				return nil
			}, query, args...)
		}
		if err != nil && err != errStop {
			yield(gatepost.Failure{}, l.fail("read failures", err))
		}
	}
}

// argumentReader reads failures with their arguments, and the argument that neighbours share once.
type argumentReader struct {
	s       *Store
	last    int64 // argument
	verdict gatepost.Verdict
}

func (r *argumentReader) failure(ctx context.Context, row scanner, whole bool) (gatepost.Failure, error) {
	var f gatepost.Failure
	var ordinal, argument int64
	var rivals, missing string
	v := &f.Verdict
	err := row.Scan(&ordinal, &f.ID, &f.Ref.Source, &f.Ref.Offset, &f.Ref.Length, &f.Ref.Line, &f.Time, &f.Start, &f.Duration, &f.Status,
		&f.Method, &f.Path, &f.Client, &f.Upstream, &f.Phase, &f.Incident, &f.Finished,
		&argument, &v.Cause, &v.Instance, &v.Via, &v.Confidence, &v.State, &rivals, &missing)
	if err != nil || !whole {
		return f, err
	}
	if argument != r.last {
		d := details{}
		d.read(rivals, &v.Rivals)
		d.read(missing, &v.Missing)
		if v.Evidence, err = r.s.evidence(ctx, argument); d.or(err) != nil {
			return f, d.or(err)
		}
		r.last, r.verdict = argument, *v
	}
	*v = r.verdict
	symptom, err := r.s.evidence(ctx, -ordinal)
	if len(symptom) > 0 {
		v.Symptom = symptom[0]
	}
	return f, err
}

// Incidents returns the incidents, and the outages, that have a part in a time, in the order in which they were saved.
func (s *Store) Incidents(ctx context.Context, q gatepost.Query) (incidents, outages []gatepost.Incident, err error) {
	incidents, outages, err = s.incidents(ctx, windowOf(q))
	return incidents, outages, s.fail("read incidents", err)
}

func (s *Store) incidents(ctx context.Context, of window) (incidents, outages []gatepost.Incident, err error) {
	if err := s.complete(ctx); err != nil {
		return nil, nil, err
	}
	_, err = collect(ctx, s, func(row scanner) (struct{}, error) {
		var i gatepost.Incident
		var argument int64
		var outage bool
		var statuses, chain, rivals, missing, fix, film string
		err := row.Scan(&argument, &i.ID, &outage, &i.From, &i.To, &i.Cause, &i.Instance, &i.Title, &i.Confidence, &i.State, &i.Failures, &i.Clients,
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
		if i.Evidence, err = s.evidence(ctx, argument); err != nil {
			return struct{}{}, err
		}
		if outage {
			outages = append(outages, i)
		} else {
			incidents = append(incidents, i)
		}
		return struct{}{}, d.err
	}, selectIncidents, int64(of.from), int64(of.to), int64(gatepost.NoTime))
	return incidents, outages, err
}

// evidence returns the evidence of an argument.
func (s *Store) evidence(ctx context.Context, argument int64) ([]gatepost.Evidence, error) {
	return collect(ctx, s, func(row scanner) (e gatepost.Evidence, err error) {
		err = row.Scan(&e.Role, &e.Kind, &e.Ref.Source, &e.Ref.Offset, &e.Ref.Length, &e.Ref.Line, &e.Time, &e.Join, &e.Says, &e.Weight, &e.Text)
		return e, err
	}, selectEvidence, argument)
}

const selectEvidence = `SELECT role, kind, e.source, e.offset, e.length, line, time, joined, says, weight, coalesce(text, '') FROM _evidence e
	LEFT JOIN _lines l ON l.source = e.source AND l.offset = e.offset AND l.length = e.length WHERE argument = ? ORDER BY ordinal`

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
	setup, err := collect(ctx, s, func(row scanner) (x gatepost.Setting, err error) {
		err = row.Scan(&x.Program, &x.Name, &x.Value, &x.Scope, &x.File, &x.Line)
		return x, err
	}, selectSettings)
	return setup, s.fail("read setup", err)
}

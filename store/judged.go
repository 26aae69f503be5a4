package store

import (
	"context"

	"gatepost"
)

// What an analysis does to the times that were judged: ?1 and ?2 are the ends of what it judges anew. What lay on both sides is cut in two first.
const (
	splitJudged = "INSERT INTO _judged (began, ended, watched) SELECT ?2 + 1, ended, watched FROM _judged WHERE began < ?1 AND ended > ?2"
	cutBefore   = "UPDATE _judged SET ended = ?1 - 1 WHERE began < ?1 AND ended >= ?1"
	cutBehind   = "UPDATE _judged SET began = ?2 + 1 WHERE began BETWEEN ?1 AND ?2 AND ended > ?2"
	dropJudged  = "DELETE FROM _judged WHERE began BETWEEN ?1 AND ?2"

	insertJudged = "INSERT INTO _judged (began, ended, watched) VALUES (?, ?, ?)"
	selectJudged = "SELECT began, ended, watched FROM _judged ORDER BY began"
	countJudged  = "SELECT count(*) FROM _judged"
)

// What becomes of verdicts when the times that were judged are cut. Failures whose analysis broke off belong to none.
const (
	dropFailures  = "DELETE FROM _failures WHERE time <> ?1 AND NOT EXISTS (SELECT 1 FROM _judged WHERE time BETWEEN began AND ended)"
	dropIncidents = "DELETE FROM _incidents WHERE outage = 0 AND id NOT IN (SELECT incident FROM _failures)"
	dropOutages   = "DELETE FROM _incidents WHERE outage = 1 AND began <= ?2 AND (ended >= ?1 OR ended = ?3)"
	dropGaps      = "DELETE FROM _gaps WHERE began <= ?2 AND (ended >= ?1 OR ended = ?3)"
	countIncident = `UPDATE _incidents SET (failures, clients, statuses) = (SELECT sum(n), (SELECT count(DISTINCT client) FROM _failures WHERE incident = _incidents.id),
	json_group_object(status, n) FROM (SELECT status, count(*) AS n FROM _failures WHERE incident = _incidents.id GROUP BY status))
	WHERE outage = 0 AND failures <> (SELECT count(*) FROM _failures WHERE incident = _incidents.id)`
	selectLastIncident = "SELECT coalesce(max(CAST(substr(id, 3) AS INTEGER)), 0) FROM _incidents"
	selectLastRows     = "SELECT (SELECT coalesce(max(ordinal), 0) FROM _failures), (SELECT coalesce(max(argument), 0) FROM _arguments)"
)

// between are the ends of a scope, as far as times go.
func between(scope gatepost.Scope) window {
	w := window{gatepost.NoTime, endOfTime}
	if scope.Since.Known() {
		w.from = scope.Since
	}
	if scope.Until.Known() {
		w.to = scope.Until
	}
	return w
}

// forget removes the verdicts of a time.
func (w *writer) forget(of window) error {
	for _, statement := range []string{splitJudged, cutBefore, cutBehind, dropJudged} {
		if _, err := w.exec(statement, int64(of.from), int64(of.to)); err != nil {
			return err
		}
	}
	var left int
	if err := w.conn.QueryRowContext(context.Background(), countJudged).Scan(&left); err != nil {
		return err
	}
	if left == 0 {
		for _, table := range verdictTables {
			if _, err := w.exec("DELETE FROM " + table); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := w.exec(dropFailures, int64(gatepost.NoTime)); err != nil {
		return err
	}
	for _, statement := range []string{dropOutages, dropGaps} { // what reaches into the time is found again
		if _, err := w.exec(statement, int64(of.from), int64(of.to), int64(gatepost.NoTime)); err != nil {
			return err
		}
	}
	for _, statement := range []string{dropIncidents, countIncident} {
		if _, err := w.exec(statement); err != nil {
			return err
		}
	}
	return w.dropArguments()
}

// dropArguments removes what no verdict rests on any more.
func (w *writer) dropArguments() error {
	for _, statement := range []string{pruneArguments, pruneEvidence, pruneSymptoms} {
		if _, err := w.exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// saveJudged says that a time was judged.
func (w *writer) saveJudged(judged gatepost.Scope) error {
	of := between(judged)
	if of.from > of.to {
		return nil
	}
	watched, err := jsonList(judged.Watched)
	if err != nil {
		return err
	}
	_, err = w.exec(insertJudged, int64(of.from), int64(of.to), watched)
	return err
}

// Judged returns the times that there are verdicts of, by time and without overlap; all are known, and the earliest may begin before all time.
func (s *Store) Judged(ctx context.Context) ([]gatepost.Scope, error) {
	if err := s.complete(ctx); err != nil {
		return nil, s.fail("read what was judged", err)
	}
	all, err := collect(ctx, s, func(row scanner) (scope gatepost.Scope, err error) {
		var watched string
		if err := row.Scan(&scope.Since, &scope.Until, &watched); err != nil {
			return scope, err
		}
		return scope, fromJSON(watched, &scope.Watched)
	}, selectJudged)
	return all, s.fail("read what was judged", err)
}

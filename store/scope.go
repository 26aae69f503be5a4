package store

import (
	"context"

	"gatepost"
)

const (
	selectScope = "SELECT since, until, watched FROM _judgement"
	updateScope = "UPDATE _judgement SET since = ?, until = ?, watched = ?"
)

// saveScope keeps what the verdicts are asked for that are about to be made.
func (w *writer) saveScope(scope gatepost.Scope) error {
	watched, err := jsonList(scope.Watched)
	if err != nil {
		return err
	}
	_, err = w.exec(updateScope, int64(scope.Since), int64(scope.Until), watched)
	return err
}

// Scope returns what the last verdicts were asked for; Watched is nil in a store that an older gatepost made.
func (s *Store) Scope(ctx context.Context) (gatepost.Scope, error) {
	if err := s.Flush(ctx); err != nil {
		return gatepost.Scope{}, err
	}
	found, err := collect(ctx, s, func(row scanner) (scope gatepost.Scope, err error) {
		var watched string
		if err := row.Scan(&scope.Since, &scope.Until, &watched); err != nil {
			return scope, err
		}
		return scope, fromJSON(watched, &scope.Watched)
	}, selectScope)
	if err != nil || len(found) == 0 {
		return gatepost.Scope{Since: gatepost.NoTime, Until: gatepost.NoTime}, s.fail("read what was asked for", err)
	}
	return found[0], nil
}

package store

import (
	"context"

	"gatepost"
)

const (
	selectGaps = "SELECT source, began, ended, why FROM _gaps UNION ALL SELECT source, began, ended, why FROM _lost ORDER BY began, source"
	forgetLost = "DELETE FROM _lost WHERE source = ?"
)

// AddGaps keeps the silences that were found in the logs, with the verdicts: the next BeginVerdicts forgets them.
func (s *Store) AddGaps(ctx context.Context, gaps []gatepost.Gap) error {
	return s.addGaps(ctx, "INSERT OR REPLACE INTO _gaps (source, began, ended, why) VALUES (?, ?, ?, ?)", gaps)
}

// AddLost keeps that the rest of logs was lost, one gap for each source, until it is found: see Found.
func (s *Store) AddLost(ctx context.Context, gaps []gatepost.Gap) error {
	return s.addGaps(ctx, "INSERT OR REPLACE INTO _lost (source, began, ended, why) VALUES (?, ?, ?, ?)", gaps)
}

func (s *Store) addGaps(ctx context.Context, into string, gaps []gatepost.Gap) error {
	if len(gaps) == 0 {
		return nil
	}
	return s.replace(ctx, "save gaps", func(w *writer) error {
		for _, g := range gaps {
			if _, err := w.exec(into, g.Source, int64(g.From), int64(g.To), g.Why); err != nil {
				return err
			}
		}
		return nil
	})
}

// Found says that the rest of logs has been read after all.
func (s *Store) Found(ctx context.Context, sources []int) error {
	if len(sources) == 0 {
		return nil
	}
	return s.replace(ctx, "save gaps", func(w *writer) error {
		for _, id := range sources {
			if _, err := w.exec(forgetLost, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Gaps returns the silences and the losses that are kept, by time.
func (s *Store) Gaps(ctx context.Context) ([]gatepost.Gap, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	gaps, err := collect(ctx, s, func(row scanner) (g gatepost.Gap, err error) {
		err = row.Scan(&g.Source, &g.From, &g.To, &g.Why)
		return g, err
	}, selectGaps)
	return gaps, s.fail("read gaps", err)
}

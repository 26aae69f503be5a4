package store

import (
	"context"

	"gatepost"
)

// Pass remembers a log by its head as one that was there before following began. It is not read, wherever it lies later.
func (s *Store) Pass(ctx context.Context, size int, head uint64) error {
	return s.replace(ctx, "pass a log", func(w *writer) error {
		_, err := w.exec("INSERT INTO _passed (head_size, head) VALUES (?, ?) ON CONFLICT DO NOTHING", size, int64(head))
		return err
	})
}

const selectPassed = "SELECT head_size, head FROM _passed"

// Passed returns the logs that were passed: sources of which there is nothing but the head.
func (s *Store) Passed(ctx context.Context) ([]gatepost.Source, error) {
	all, err := collect(ctx, s, func(row scanner) (src gatepost.Source, err error) {
		var head int64
		err = row.Scan(&src.HeadSize, &head)
		src.Head = uint64(head)
		return src, err
	}, selectPassed)
	return all, s.fail("read passed logs", err)
}

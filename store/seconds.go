package store

import (
	"context"
	"iter"

	"gatepost"
)

// beat counts the requests of Odoo's that ended in one raw second.
type beat struct{ unix, requests int64 }

// countBeats adds requests of Odoo's to the counters.
func (st *sourceState) countBeats(reqs []gatepost.Request) {
	for i := range reqs {
		if !reqs[i].End.Known() {
			continue
		}
		unix := reqs[i].End.Second()
		if n := len(st.beats); n == 0 || st.beats[n-1].unix != unix {
			st.beats = append(st.beats, beat{unix: unix}) // one that comes again is added up in the table
		}
		st.beats[len(st.beats)-1].requests++
	}
}

var insertBeats = newInsertion(orFail, "_beats (source, second, requests)", " ON CONFLICT DO UPDATE SET requests = requests + excluded.requests")

func (w *writer) saveBeats(st *sourceState) error {
	rows := w.bulk(insertBeats)
	for _, n := range st.beats {
		if err := rows.add(st.id, n.unix, n.requests); err != nil {
			return err
		}
	}
	st.beats = st.beats[:0]
	return rows.flush()
}

const selectSeconds = `SELECT second, requests, s499 + s500 + s502 + s503 + s504 FROM _seconds WHERE source = ?1 AND second BETWEEN ?2 AND ?3
	UNION ALL SELECT second, requests, 0 FROM _beats WHERE source = ?1 AND second BETWEEN ?2 AND ?3 ORDER BY second`

// Seconds counts the requests of sources second by second, of Odoo's logs as of access logs; seconds without requests are left
// out. They come of one source after the other, by time. Of q its time and its sources count. The loop may not write to the store.
func (s *Store) Seconds(ctx context.Context, q gatepost.Query) iter.Seq2[gatepost.Second, error] {
	return func(yield func(gatepost.Second, error) bool) {
		parts, err := s.parts(ctx, q)
		for _, p := range parts {
			n := gatepost.Second{Source: p.source}
			err = eachRow(ctx, s, func(row scanner) error {
				var second int64
				if err := row.Scan(&second, &n.Requests, &n.Failed); err != nil {
					return err
				}
				n.Time = gatepost.Time(second * 1e9).Add(p.shift)
				if !yield(n, nil) {
					return errStop
				}
				return nil
			}, selectSeconds, p.source, p.from.Second(), p.to.Second())
			if err == errStop {
				return
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			yield(gatepost.Second{}, s.fail("read seconds", err))
		}
	}
}

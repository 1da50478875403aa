package sqlite

import (
	"context"

	"rollcall/storage"
)

// redactBatch is how many changes one turn of the writer redacts, so that others are not kept waiting.
const redactBatch = 200

// Redact implements storage.Changes.
func (s *Store) Redact(ctx context.Context, k storage.Key) (err error) {
	defer s.observe("redact", &err)()
	t, err := s.typeOf(k)
	if err != nil {
		return err
	}
	var after int64
	for {
		n := 0
		err := s.w.do(ctx, k.Org, 1, func(w *writer) error {
			var err error
			n, after, err = w.redact(t, k, after)
			return err
		})
		if err != nil || n < redactBatch {
			return err
		}
	}
}

// redact takes the values out of some changes of a record, the first ones after a place in the feed.
func (w *writer) redact(t *resourceType, k storage.Key, after int64) (n int, last int64, err error) {
	org, ok := w.s.orgs.get(k.Org)
	if !ok {
		return 0, after, nil
	}
	type row struct {
		seq  int64
		vals []byte
	}
	var rows []row
	q := w.c.prep("SELECT seq, vals FROM changes WHERE id=? AND seq>? AND seq<? AND type=? ORDER BY seq LIMIT ?")
	q.values([]value{id(k.ID)}).int(max(after, org<<seqBits)).int((org + 1) << seqBits).int(t.code).int(redactBatch)
	for {
		more, err := q.step()
		if err != nil {
			return 0, after, translate(context.Background(), "read a history", err)
		}
		if !more {
			break
		}
		rows = append(rows, row{q.colInt(0), q.colBytes(1)})
	}
	last = after
	err = w.write(func() error {
		for _, r := range rows {
			values, err := decodeValues(r.vals)
			if err != nil {
				return err
			}
			for i := range values {
				values[i].Old, values[i].New = nil, nil
			}
			u := w.c.prep("UPDATE changes SET vals=? WHERE seq=?")
			if err := u.blob(encodeValues(values)).int(r.seq).exec(); err != nil {
				return err
			}
			last = r.seq
		}
		return nil
	})
	return len(rows), last, err
}

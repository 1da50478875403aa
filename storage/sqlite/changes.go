package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// A change's row is numbered organization << seqBits | n: n counts within the organization, so its feed is one range
// of the table and needs no index. One writer numbers and commits in the same order: the feed misses nothing.
const seqBits = 40

func (w *writer) nextSeq(org int64) (int64, error) {
	last, ok := w.seqs[org]
	if !ok {
		q := w.c.prep("SELECT seq FROM changes WHERE seq>=? AND seq<? ORDER BY seq DESC LIMIT 1")
		n, found, err := q.int(org << seqBits).int((org + 1) << seqBits).one()
		if err != nil {
			return 0, err
		}
		if last = org << seqBits; found {
			last = n
		}
	}
	// A transaction that is rolled back leaves a gap, never a number used twice.
	w.seqs[org] = last + 1
	return last + 1, nil
}

// appendChange writes a change row; vals are the encoded values of ch, as encoding needs no writer.
func (w *writer) appendChange(org int64, t *resourceType, id string, version int64, at time.Time, ch *storage.Change, vals []byte) error {
	seq, err := w.nextSeq(org)
	if err != nil {
		return err
	}
	q := w.c.prep(`INSERT INTO changes (seq, type, id, version, at, op, actor_kind, actor_id, actor_name, request, vals, added, removed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	q.int(seq).int(t.code).id(id).int(version).int(millis(at)).text(string(ch.Op))
	q.text(ch.Actor.Kind).text(ch.Actor.ID).text(ch.Actor.Name).text(ch.Request)
	return q.blob(vals).blob(encodeIDs(ch.MembersAdded)).blob(encodeIDs(ch.MembersRemoved)).exec()
}

// encodeValues writes [path, old, new] triples; the object around them is what the decoder of documents wants.
func encodeValues(values []storage.ValueChange) []byte {
	if len(values) == 0 {
		return nil
	}
	b := append(make([]byte, 0, 512), `{"v":[`...)
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = scim.AppendString(append(b, '['), v.Path)
		b = scim.AppendJSON(append(b, ','), v.Old)
		b = scim.AppendJSON(append(b, ','), v.New)
		b = append(b, ']')
	}
	return append(b, "]}"...)
}

var errValues = errors.New("sqlite: the values of a change cannot be read")

func decodeValues(b []byte) ([]storage.ValueChange, error) {
	if b == nil {
		return nil, nil
	}
	doc, err := scim.DecodeAttributes(b)
	if err != nil {
		return nil, err
	}
	list, _ := doc["v"].([]any)
	values := make([]storage.ValueChange, 0, len(list))
	for _, v := range list {
		triple, _ := v.([]any)
		if len(triple) != 3 {
			return nil, errValues
		}
		path, _ := triple[0].(string)
		values = append(values, storage.ValueChange{Path: path, Old: triple[1], New: triple[2]})
	}
	return values, nil
}

func encodeIDs(ids []string) []byte {
	if len(ids) == 0 {
		return nil
	}
	return append(scim.AppendJSON([]byte(`{"v":`), ids), '}')
}

func decodeIDs(b []byte) ([]string, error) {
	if b == nil {
		return nil, nil
	}
	doc, err := scim.DecodeAttributes(b)
	if err != nil {
		return nil, err
	}
	list, _ := doc["v"].([]any)
	ids := make([]string, 0, len(list))
	for _, v := range list {
		id, _ := v.(string)
		ids = append(ids, id)
	}
	return ids, nil
}

// Changes implements storage.Changes.
func (s *Store) Changes(ctx context.Context, org scim.OrgID, after storage.Position, limit int) (list []storage.Change, err error) {
	defer s.observe("changes", &err)()
	return s.feed(ctx, org, after, limit, `SELECT seq, type, id, version, at, op, actor_kind, actor_id, actor_name, request, vals, added, removed
		FROM changes WHERE seq>? AND seq<? ORDER BY seq LIMIT ?`, func(code, n int64) (low, high int64) {
		return code<<seqBits + n, (code + 1) << seqBits
	})
}

// ChangesBefore implements storage.Changes.
func (s *Store) ChangesBefore(ctx context.Context, org scim.OrgID, before storage.Position, limit int) (list []storage.Change, err error) {
	defer s.observe("changes", &err)()
	return s.feed(ctx, org, before, limit, `SELECT seq, type, id, version, at, op, actor_kind, actor_id, actor_name, request, vals, added, removed
		FROM changes WHERE seq>? AND seq<? ORDER BY seq DESC LIMIT ?`, func(code, n int64) (low, high int64) {
		if before == "" {
			n = 1 << seqBits
		}
		return code << seqBits, code<<seqBits + n
	})
}

// feed reads what a question finds between two numbers, neither included, which are worked out from a position.
func (s *Store) feed(ctx context.Context, org scim.OrgID, from storage.Position, limit int, question string, bounds func(code, n int64) (low, high int64)) (list []storage.Change, err error) {
	var n int64
	if from != "" {
		if n, err = strconv.ParseInt(string(from), 10, 64); err != nil || n < 0 || n >= 1<<seqBits {
			return nil, fmt.Errorf("sqlite: %w: the position is not one of this feed", storage.ErrNotFound)
		}
	}
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	code, ok := s.orgs.get(org)
	if !ok || limit <= 0 {
		return nil, nil
	}
	low, high := bounds(code, n)
	q := c.prep(question)
	q.int(low).int(high).int(int64(limit))
	for {
		more, err := q.step()
		if err != nil {
			return nil, translate(ctx, "read changes", err)
		}
		if !more {
			return list, nil
		}
		ch, err := s.scanChange(&q)
		if err != nil {
			return nil, q.abandon(err)
		}
		ch.Key.Org = org
		list = append(list, ch)
	}
}

// History implements storage.Changes.
func (s *Store) History(ctx context.Context, k storage.Key, skip, limit int) (list []storage.Change, err error) {
	defer s.observe("history", &err)()
	t, err := s.typeOf(k)
	if err != nil {
		return nil, err
	}
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	code, ok := s.orgs.get(k.Org)
	if !ok || limit <= 0 {
		return nil, nil
	}
	q := c.prep(`SELECT seq, type, id, version, at, op, actor_kind, actor_id, actor_name, request, vals, added, removed
		FROM changes WHERE id=? AND seq>? AND seq<? AND type=? ORDER BY seq DESC LIMIT ? OFFSET ?`)
	q.values([]value{id(k.ID)}).int(code << seqBits).int((code + 1) << seqBits).int(t.code).int(int64(limit)).int(int64(skip))
	for {
		more, err := q.step()
		if err != nil {
			return nil, translate(ctx, "read a history", err)
		}
		if !more {
			return list, nil
		}
		ch, err := s.scanChange(&q)
		if err != nil {
			return nil, q.abandon(err)
		}
		ch.Key.Org = k.Org
		list = append(list, ch)
	}
}

func (s *Store) scanChange(q *stmt) (storage.Change, error) {
	ch := storage.Change{
		Position: storage.Position(strconv.FormatInt(q.colInt(0)&(1<<seqBits-1), 10)),
		Key:      storage.Key{Type: s.typeName(q.colInt(1)), ID: q.colID(2)},
		Version:  q.colInt(3),
		At:       instant(q.colInt(4)),
		Op:       storage.ChangeOp(q.colText(5)),
		Actor:    scim.Actor{Kind: q.colText(6), ID: q.colText(7), Name: q.colText(8)},
		Request:  q.colText(9),
	}
	var err error
	if ch.Values, err = decodeValues(q.colBytes(10)); err != nil {
		return ch, err
	}
	if ch.MembersAdded, err = decodeIDs(q.colBytes(11)); err != nil {
		return ch, err
	}
	ch.MembersRemoved, err = decodeIDs(q.colBytes(12))
	return ch, err
}

package mongo

import (
	"context"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// Insert implements storage.Writer.
func (s *Store) Insert(ctx context.Context, k storage.Key, at time.Time, e *storage.Edit) (rec *storage.Record, err error) {
	end, err := s.call(ctx, "insert")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	ins, err := s.newInsert(k, at, e)
	if err != nil {
		return nil, err
	}
	if err := s.transact(ctx, k.Org, false, ins.run); err != nil {
		return nil, err
	}
	return ins.record(), nil
}

// insert is an Insert ready to be stored.
type insert struct {
	t      *resourceType
	key    storage.Key
	at     time.Time
	draft  *draft
	secret []byte
	add    []string
	change storage.Change
}

func (s *Store) newInsert(k storage.Key, at time.Time, e *storage.Edit) (*insert, error) {
	t, err := s.typeOf(k.Type)
	if err != nil {
		return nil, err
	}
	ins := &insert{t: t, key: k, at: scim.Millis(at), draft: t.newDraft(e), change: e.Change}
	secret := make(scim.Attributes, len(e.Secret))
	for name, v := range e.Secret {
		if v != nil {
			secret[name] = v
		}
	}
	ins.secret = encodeSecret(secret)
	if t.Members != "" {
		ins.add = distinct(e.Members.Add)
	}
	return ins, nil
}

func (i *insert) record() *storage.Record {
	return &storage.Record{Key: i.key, Version: 1, Created: i.at, Modified: i.at, Doc: i.draft.doc}
}

func (i *insert) run(ctx context.Context, x *txn) error {
	pending, err := x.claim(ctx, i.key, true, i.draft.keys)
	if err != nil {
		return err
	}
	doc := i.draft.document(i.key, 1, i.at, i.at, i.secret)
	if _, err := x.s.db.Collection(i.t.coll).InsertOne(ctx, doc); err != nil {
		return x.fail(ctx, "insert", err)
	}
	if pending {
		if err := x.adopt(ctx, i.key); err != nil {
			return err
		}
	}
	if err := x.addMembers(ctx, i.key, i.add); err != nil {
		return err
	}
	change := i.change
	change.MembersAdded, change.MembersRemoved = i.add, nil
	x.change(i.key, 1, i.at, &change, 1)
	return nil
}

// distinct keeps the first of equal ids, in their order.
func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	list := make([]string, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}

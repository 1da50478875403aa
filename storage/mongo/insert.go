package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

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
	ins.secret = encodeSecret(e.SecretsAfter(nil))
	if t.Members != "" {
		ins.add = distinct(e.Members.Add)
	}
	return ins, nil
}

func (i *insert) record() *storage.Record {
	return &storage.Record{Key: i.key, Version: 1, Created: i.at, Modified: i.at, Doc: i.draft.doc}
}

// run stores one record.
func (i *insert) run(ctx context.Context, x *txn) error {
	if x.look {
		if err := x.lookFor(ctx, i.key, true, i.draft.keys); err != nil {
			return err
		}
	}
	return x.insert(ctx, []*insert{i})
}

// insert stores records, in as few commands as one takes. If it is refused it says so of the first that is.
func (x *txn) insert(ctx context.Context, list []*insert) error {
	pending, err := x.claimAll(ctx, list)
	if err != nil {
		return err
	}
	var bases map[string]int64
	if len(pending) > 0 {
		if bases, err = x.bases(ctx, pending); err != nil {
			return err
		}
	}
	byColl := make(map[string][]any)
	for _, i := range list {
		keep := kept{base: bases[i.key.ID], nested: i.t.Members != "" && slices.Contains(pending, i)}
		byColl[i.t.coll] = append(byColl[i.t.coll], i.draft.document(i.key, 1, i.at, i.at, i.secret, keep))
	}
	for coll, docs := range byColl {
		if _, err := x.s.db.Collection(coll).InsertMany(ctx, docs); err != nil {
			return x.fail(ctx, "insert", err)
		}
	}
	for _, i := range pending {
		if err := x.adopt(ctx, i.key); err != nil {
			return err
		}
	}
	var links []link
	for _, i := range list {
		for _, id := range i.add {
			links = append(links, link{&i.key, id})
		}
	}
	if err := x.addLinks(ctx, links); err != nil {
		return err
	}
	for _, i := range list {
		change := i.change
		change.MembersAdded, change.MembersRemoved = i.add, nil
		x.change(i.key, 1, bases[i.key.ID], i.at, &change, 1)
	}
	return nil
}

// claimAll takes the ids and unique values of new records, and returns those whose id has a document already: somebody
// refers to it, or another record had it.
func (x *txn) claimAll(ctx context.Context, list []*insert) (pending []*insert, err error) {
	var models []mongo.WriteModel
	type claim struct {
		ins  *insert
		attr string // "" for the id
	}
	var claims []claim
	for _, i := range list {
		models, claims = append(models, claimID(i.key)), append(claims, claim{ins: i})
		for _, u := range i.draft.keys {
			models, claims = append(models, claimValue(i.key, u)), append(claims, claim{i, u.Attr})
		}
	}
	x.wrote = true
	res, err := x.s.db.Collection(collKeys).BulkWrite(ctx, models)
	if n, dup := duplicateIndex(err); dup {
		x.failed = errRefused
		if claims[n].attr == "" {
			return nil, storage.ErrExists
		}
		return nil, &storage.UniqueError{Attr: claims[n].attr}
	}
	if err != nil {
		return nil, x.fail(ctx, "claim keys", err)
	}
	if res.MatchedCount == 0 {
		return nil, nil
	}
	for n, c := range claims {
		if _, made := res.UpsertedIDs[int64(n)]; !made && c.attr == "" {
			pending = append(pending, c.ins)
		}
	}
	return pending, nil
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

package mongo

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
)

// maxProblems bounds what Check reports: a broken database may have one for each document.
const maxProblems = 100

// Check implements storage.Checker: everything that is derived from something else says what it must. The documents are
// read in batches, each with all that belongs to it in one snapshot, so that writers neither wait nor confuse it.
func (s *Store) Check(ctx context.Context) (problems []string, err error) {
	end, err := s.call(ctx, "check")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	ctx, cancel := context.WithTimeout(ctx, longest) // instead of the driver's own
	defer cancel()
	k := &checker{s: s}
	for _, t := range s.sorted {
		if err := k.batches(ctx, t.coll, func(ctx context.Context, docs []bson.Raw) error { return k.records(ctx, t, docs) }); err != nil {
			return nil, translate(ctx, "check", err)
		}
	}
	for _, part := range []struct {
		coll string
		look func(context.Context, []bson.Raw) error
	}{{collKeys, k.keys}, {collMemberships, k.memberships}, {collFeeds, k.feeds}} {
		if err := k.batches(ctx, part.coll, part.look); err != nil {
			return nil, translate(ctx, "check", err)
		}
	}
	return k.problems, nil
}

type checker struct {
	s        *Store
	problems []string // of finished batches
	found    []string // of the one that is looked at, which may be looked at again
}

func (k *checker) report(format string, args ...any) {
	k.found = append(k.found, fmt.Sprintf(format, args...))
}

// batches calls look with all documents of a collection, some at a time, in a snapshot for each call.
func (k *checker) batches(ctx context.Context, coll string, look func(context.Context, []bson.Raw) error) error {
	after := bson.RawValue{Type: bson.TypeMinKey}
	for len(k.problems) < maxProblems {
		var docs []bson.Raw
		err := k.s.snapshot(ctx, func(ctx context.Context) error {
			docs, k.found = nil, nil
			cur, err := k.s.db.Collection(coll).Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
				options.Find().SetSort(ascending("_id")).SetLimit(scanBatch))
			if err != nil {
				return err
			}
			err = each(ctx, cur, func(raw bson.Raw) error {
				docs = append(docs, slices.Clone(raw))
				return nil
			})
			if err != nil || len(docs) == 0 {
				return err
			}
			return look(ctx, docs)
		})
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			return nil
		}
		after = docs[len(docs)-1].Lookup("_id")
		k.problems = append(k.problems, k.found[:min(len(k.found), maxProblems-len(k.problems))]...)
	}
	return nil
}

func text(raw bson.Raw, path ...string) string {
	s, _ := raw.Lookup(path...).StringValueOK()
	return s
}

// records compares records with what is derived from them, with their keys and with their history.
func (k *checker) records(ctx context.Context, t *resourceType, docs []bson.Raw) error {
	var wanted bson.A
	ids := make(map[scim.OrgID][]string)
	recs := make([]*stored, len(docs))
	for i, raw := range docs {
		org := scim.OrgID(text(raw, "org"))
		r, err := decodeStored(org, t.Name, raw)
		if err != nil {
			k.report("%s: record %s cannot be read", t.coll, text(raw, "id"))
			continue
		}
		recs[i] = r
		ids[org] = append(ids[org], r.rec.ID)
		wanted = append(wanted, idKey(org, r.rec.ID))
		for _, u := range r.keys {
			wanted = append(wanted, keyID(org, t.Name, u.Attr, u.Value))
		}
		k.derived(t, raw, r)
	}
	held, err := k.holders(ctx, wanted)
	if err != nil {
		return err
	}
	versions, err := k.versions(ctx, ids)
	if err != nil {
		return err
	}
	for _, r := range recs {
		if r == nil {
			continue
		}
		key := r.rec.Key
		if held[heldKey{key.Org, "", query.UniqueKey{Attr: "id", Value: key.ID}}] != string(t.Name) {
			k.report("keys: the id of %s record %s is not claimed by it", t.Name, key.ID)
		}
		for _, u := range r.keys {
			if held[heldKey{key.Org, t.Name, u}] != key.ID {
				k.report("keys: the %s of %s record %s is not claimed by it", u.Attr, t.Name, key.ID)
			}
		}
		if v := versions[key.Org][key.ID]; v != r.rec.Version {
			k.report("changes: %s record %s has version %d and a history that ends at %d", t.Name, key.ID, r.rec.Version, v)
		}
	}
	return nil
}

// derived compares what is indexed with the document.
func (k *checker) derived(t *resourceType, raw bson.Raw, r *stored) {
	doc, err := scim.DecodeAttributes(r.rec.Doc)
	if err != nil {
		k.report("%s: the document of record %s cannot be read", t.coll, r.rec.ID)
		return
	}
	values, sorts, odd := t.shadow(doc)
	want, err := bson.Marshal(bson.D{{Key: "_f", Value: orEmpty(values)}, {Key: "_s", Value: orEmpty(sorts)}, {Key: "_odd", Value: odd}})
	if err != nil {
		k.report("%s: what is indexed of record %s cannot be stored", t.coll, r.rec.ID)
		return
	}
	for _, name := range []string{"_f", "_s", "_odd"} {
		a, b := raw.Lookup(name), bson.Raw(want).Lookup(name)
		if t.waits() {
			continue // for processes that write less: see rolling.go
		}
		if a.IsZero() && (name == "_odd" && len(odd) == 0 || name == "_s" && len(sorts) == 0) {
			continue
		}
		if !bytes.Equal(a.Value, b.Value) {
			k.report("%s: %s of record %s does not say what its document does", t.coll, name, r.rec.ID)
		}
	}
	for _, a := range t.attrs {
		v, ok := query.SortValue(*a.field(), doc)
		if a.index.Unique && ok && !a.field().Multi && !hasKey(r.keys, query.UniqueKey{Attr: a.field().Path, Value: v.Str}) {
			k.report("%s: record %s has no unique key for its %s", t.coll, r.rec.ID, a.field().Path)
		}
	}
}

type heldKey struct {
	org scim.OrgID
	typ scim.TypeName
	key query.UniqueKey
}

// holders returns who holds each of the keys: the type for an id, the id for a value.
func (k *checker) holders(ctx context.Context, ids bson.A) (map[heldKey]string, error) {
	held := make(map[heldKey]string, len(ids))
	for chunk := range slices.Chunk(ids, chunkSize) {
		cur, err := k.s.db.Collection(collKeys).Find(ctx, in("_id", chunk))
		if err != nil {
			return nil, err
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			h := heldKeyOf(raw)
			if h.typ == "" {
				held[h] = text(raw, "type")
			} else {
				held[h] = text(raw, "id")
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

func heldKeyOf(raw bson.Raw) heldKey {
	return heldKey{
		scim.OrgID(text(raw, "_id", "org")), scim.TypeName(text(raw, "_id", "type")),
		query.UniqueKey{Attr: text(raw, "_id", "attr"), Value: text(raw, "_id", "value")},
	}
}

// versions returns the newest version in the history of each record.
func (k *checker) versions(ctx context.Context, ids map[scim.OrgID][]string) (map[scim.OrgID]map[string]int64, error) {
	all := make(map[scim.OrgID]map[string]int64, len(ids))
	for org, list := range ids {
		newest := make(map[string]int64, len(list))
		all[org] = newest
		cur, err := k.s.db.Collection(collChanges).Find(ctx, append(bson.D{{Key: "org", Value: string(org)}}, in("id", list)...),
			options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}, {Key: "version", Value: 1}, {Key: "order", Value: 1}}).
				SetSort(ascending("org", "id", "order")))
		if err != nil {
			return nil, err
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			newest[text(raw, "id")], _ = raw.Lookup("version").AsInt64OK()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// keys looks for the records that hold them.
func (k *checker) keys(ctx context.Context, docs []bson.Raw) error {
	type place struct {
		org scim.OrgID
		typ scim.TypeName
	}
	wanted := make(map[place][]string)
	for _, raw := range docs {
		h, typ, id := heldKeyOf(raw), scim.TypeName(text(raw, "type")), text(raw, "id")
		if h.typ != "" {
			typ = h.typ
		} else {
			id = h.key.Value
		}
		if k.s.types[typ] != nil { // else it is pending, or of a type that this store was opened without
			p := place{h.org, typ}
			wanted[p] = append(wanted[p], id)
		}
	}
	for p, ids := range wanted {
		there := make(map[string]bool, len(ids))
		cur, err := k.s.db.Collection(k.s.types[p.typ].coll).Find(ctx, append(bson.D{{Key: "org", Value: string(p.org)}}, in("id", distinct(ids))...),
			options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}}))
		if err != nil {
			return err
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			there[text(raw, "id")] = true
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !there[id] {
				k.report("keys: one is held by %s record %s, which is not there", p.typ, id)
			}
		}
	}
	return nil
}

// memberships compares both sides with the records that there are.
func (k *checker) memberships(ctx context.Context, docs []bson.Raw) error {
	ids := make(map[scim.OrgID][]string)
	for _, raw := range docs {
		org := scim.OrgID(text(raw, "org"))
		ids[org] = append(ids[org], text(raw, "group"), text(raw, "member"))
	}
	types := make(map[scim.OrgID]map[string]scim.TypeName, len(ids))
	for org, list := range ids {
		var err error
		if types[org], err = k.s.typesOf(ctx, org, distinct(list)); err != nil {
			return err
		}
	}
	for _, raw := range docs {
		of := types[scim.OrgID(text(raw, "org"))]
		group, member := text(raw, "group"), text(raw, "member")
		if string(of[group]) != text(raw, "gtype") {
			k.report("memberships: member %s is in %s, which is no %s", member, group, text(raw, "gtype"))
		}
		if string(of[member]) != text(raw, "mtype") {
			k.report("memberships: member %s of %s is taken for a %q and is a %q", member, group, text(raw, "mtype"), of[member])
		}
		fold := ""
		if folded := query.Fold(member); folded != member {
			fold = folded
		}
		if text(raw, "fold") != fold {
			k.report("memberships: member %s of %s has another folded spelling", member, group)
		}
	}
	return k.marks(ctx, docs)
}

// marks looks for groups that are members and do not say so.
func (k *checker) marks(ctx context.Context, docs []bson.Raw) error {
	for _, t := range k.s.groups {
		ids := make(map[scim.OrgID][]string)
		for _, raw := range docs {
			if text(raw, "mtype") == string(t.Name) {
				org := scim.OrgID(text(raw, "org"))
				ids[org] = append(ids[org], text(raw, "member"))
			}
		}
		for org, list := range ids {
			cur, err := k.s.db.Collection(t.coll).Find(ctx, slices.Concat(
				bson.D{{Key: "org", Value: string(org)}}, in("id", distinct(list)), exists(nestedField, false),
			), options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}}))
			if err != nil {
				return err
			}
			err = each(ctx, cur, func(raw bson.Raw) error {
				k.report("%s: %s is a member of a group and not marked as one", t.coll, text(raw, "id"))
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// feeds compares the counters of each organization with what they count, and its positions with the last one given.
func (k *checker) feeds(ctx context.Context, docs []bson.Raw) error {
	for _, raw := range docs {
		org := scim.OrgID(text(raw, "_id"))
		for _, t := range k.s.sorted {
			want, err := k.s.db.Collection(t.coll).CountDocuments(ctx, bson.D{{Key: "org", Value: string(org)}})
			if err != nil {
				return err
			}
			got, err := k.s.count(ctx, org, t)
			if err != nil {
				return err
			}
			if got != want {
				k.report("feeds: organization %s has %d %s records and counts %d", org, want, t.Name, got)
			}
		}
		last, _ := raw.Lookup("n").AsInt64OK()
		if err := k.positions(ctx, org, last); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) positions(ctx context.Context, org scim.OrgID, last int64) error {
	cur, err := k.s.db.Collection(collChanges).Find(ctx, append(bson.D{{Key: "org", Value: string(org)}}, positive("pos")...),
		options.Find().SetSort(ascending("pos")).SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "pos", Value: 1}}))
	if err != nil {
		return err
	}
	before := int64(0)
	err = each(ctx, cur, func(raw bson.Raw) error {
		pos, _ := raw.Lookup("pos").AsInt64OK()
		if pos <= before {
			k.report("changes: position %d of organization %s is there twice", pos, org)
		}
		before = pos
		return nil
	})
	if err == nil && before > last {
		k.report("feeds: organization %s has a change at position %d, beyond the last one, %d", org, before, last)
	}
	return err
}

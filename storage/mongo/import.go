package mongo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// importMark is the setting that says that a copy into this database has begun and not ended.
const importMark = "import"

// refuseUnfinished is how Open keeps half a database from being served.
func (s *Store) refuseUnfinished(ctx context.Context) error {
	if s.options.Import {
		return nil
	}
	raw, err := s.setting(ctx, importMark)
	if raw != nil {
		return storage.ErrUnfinished
	}
	return err
}

// BeginImport implements storage.Importer.
func (s *Store) BeginImport(ctx context.Context) (err error) {
	end, err := s.call(ctx, "begin import")
	if err != nil {
		return err
	}
	defer end(&err)
	if raw, err := s.setting(ctx, importMark); err != nil || raw != nil {
		return err
	}
	err = s.db.Collection(collOrganizations).FindOne(ctx, bson.D{}).Err()
	if err == nil {
		return storage.ErrExists
	}
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return translate(ctx, "look for organizations", err)
	}
	return s.set(ctx, importMark, bson.D{{Key: "begun", Value: true}})
}

// EndImport implements storage.Importer.
func (s *Store) EndImport(ctx context.Context) (err error) {
	end, err := s.call(ctx, "end import")
	if err != nil {
		return err
	}
	defer end(&err)
	_, err = s.db.Collection(collSettings).DeleteOne(ctx, bson.D{{Key: "_id", Value: importMark}})
	return translate(ctx, "end an import", err)
}

// ImportSecret implements storage.Importer.
func (s *Store) ImportSecret(ctx context.Context, name string, value []byte) error {
	have, err := s.Secret(ctx, name, func(b []byte) error {
		copy(b, value)
		return nil
	})
	if err == nil && !bytes.Equal(have, value) {
		return storage.ErrExists
	}
	return err
}

// ImportRecords implements storage.Importer.
func (s *Store) ImportRecords(ctx context.Context, org scim.OrgID, list []storage.ExportedRecord) (err error) {
	end, err := s.call(ctx, "import records")
	if err != nil {
		return err
	}
	defer end(&err)
	for name, recs := range byType(list) {
		t, err := s.typeOf(name)
		if err != nil {
			return err
		}
		drafts := make(map[string]*draft, len(recs))
		for _, r := range recs {
			doc, err := scim.DecodeAttributes(r.Doc)
			if err != nil {
				return fmt.Errorf("mongo: import a record: %w", err)
			}
			d := t.newDraft(&storage.Edit{Doc: doc, Unique: r.Unique, Label: r.Label})
			d.doc = r.Doc
			drafts[r.ID] = d
		}
		err = s.transact(ctx, org, true, func(ctx context.Context, x *txn) error { return x.importRecords(ctx, t, recs, drafts) })
		if err != nil {
			return err
		}
	}
	return nil
}

func byType(list []storage.ExportedRecord) map[scim.TypeName][]*storage.ExportedRecord {
	m := make(map[scim.TypeName][]*storage.ExportedRecord)
	for i := range list {
		m[list[i].Type] = append(m[list[i].Type], &list[i])
	}
	return m
}

func (x *txn) importRecords(ctx context.Context, t *resourceType, recs []*storage.ExportedRecord, drafts map[string]*draft) error {
	have, err := x.stored(ctx, t, recs)
	if err != nil {
		return err
	}
	var docs []any
	var claims []mongo.WriteModel
	var unique []string // the attribute of each claim, "" for the id
	for _, r := range recs {
		d := drafts[r.ID]
		if old := have[r.ID]; old != nil {
			if !same(old, r, d.keys) {
				return storage.ErrExists
			}
			continue
		}
		k := storage.Key{Org: x.org, Type: t.Name, ID: r.ID}
		docs = append(docs, d.document(k, r.Version, r.Created, r.Modified, encodeSecret(r.Secret), kept{}))
		claims, unique = append(claims, claimID(k)), append(unique, "")
		for _, u := range d.keys {
			claims, unique = append(claims, claimValue(k, u)), append(unique, u.Attr)
		}
	}
	if len(docs) == 0 {
		return nil
	}
	x.wrote = true
	if _, err := x.s.db.Collection(collKeys).BulkWrite(ctx, claims); err != nil {
		if i, dup := duplicateIndex(err); dup {
			x.failed = errRefused
			if unique[i] == "" {
				return storage.ErrExists
			}
			return &storage.UniqueError{Attr: unique[i]}
		}
		return x.fail(ctx, "claim keys", err)
	}
	if _, err := x.s.db.Collection(t.coll).InsertMany(ctx, docs); err != nil {
		return x.fail(ctx, "import records", err)
	}
	_, err = x.s.db.Collection(collFeeds).UpdateOne(ctx, bson.D{{Key: "_id", Value: string(x.org)}}, bson.D{
		{Key: "$inc", Value: bson.D{{Key: "counts." + clean(string(t.Name)), Value: int64(len(docs))}, {Key: "n", Value: int64(0)}}},
	}, options.UpdateOne().SetUpsert(true))
	return x.fail(ctx, "count", err)
}

// stored returns those of the records that are there.
func (x *txn) stored(ctx context.Context, t *resourceType, recs []*storage.ExportedRecord) (map[string]*stored, error) {
	ids := make([]string, len(recs))
	for i, r := range recs {
		ids[i] = r.ID
	}
	have := make(map[string]*stored)
	cur, err := x.s.db.Collection(t.coll).Find(ctx, append(bson.D{{Key: "org", Value: string(x.org)}}, in("id", ids)...),
		options.Find().SetProjection(writeProjection()))
	if err != nil {
		return nil, x.fail(ctx, "read records", err)
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		r, err := decodeStored(x.org, t.Name, raw)
		if err == nil {
			have[r.rec.ID] = r
		}
		return err
	})
	return have, x.fail(ctx, "read records", err)
}

// same reports whether a stored record is the one that is to be imported.
func same(old *stored, r *storage.ExportedRecord, keys []query.UniqueKey) bool {
	return old.rec.Version == r.Version && old.rec.Created.Equal(scim.Millis(r.Created)) && old.rec.Modified.Equal(scim.Millis(r.Modified)) &&
		bytes.Equal(old.rec.Doc, r.Doc) && bytes.Equal(old.secret, encodeSecret(r.Secret)) && old.label == r.Label &&
		len(old.keys) == len(keys) && !slices.ContainsFunc(keys, func(k query.UniqueKey) bool { return !hasKey(old.keys, k) })
}

// ImportLinks implements storage.Importer.
func (s *Store) ImportLinks(ctx context.Context, org scim.OrgID, list []storage.Link) (err error) {
	end, err := s.call(ctx, "import members")
	if err != nil {
		return err
	}
	defer end(&err)
	return s.transact(ctx, org, true, func(ctx context.Context, x *txn) error { return x.importLinks(ctx, list) })
}

func (x *txn) importLinks(ctx context.Context, list []storage.Link) error {
	ids := make([]string, 0, 2*len(list))
	members := make([]string, len(list))
	for i, l := range list {
		members[i] = l.Member
		ids = append(ids, l.Group, l.Member)
	}
	types, err := x.s.typesOf(ctx, x.org, distinct(ids))
	if err != nil {
		return x.fail(ctx, "look for ids", err)
	}
	have := make(map[storage.Link]bool)
	for chunk := range chunks(distinct(members)) {
		cur, err := x.s.db.Collection(collMemberships).Find(ctx, append(bson.D{{Key: "org", Value: string(x.org)}}, in("member", chunk)...),
			options.Find().SetHint(byMember))
		if err != nil {
			return x.fail(ctx, "read members", err)
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			have[storage.Link{Group: text(raw, "group"), Member: text(raw, "member")}] = true
			return nil
		})
		if err != nil {
			return x.fail(ctx, "read members", err)
		}
	}
	var rows []any
	var pending []string
	for _, l := range list {
		if have[l] {
			continue
		}
		have[l] = true
		rows = append(rows, membership(storage.Key{Org: x.org, Type: types[l.Group], ID: l.Group}, l.Member, types[l.Member]))
		if types[l.Member] == "" {
			pending = append(pending, l.Member)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if len(pending) > 0 {
		if _, err := x.refer(ctx, distinct(pending)); err != nil {
			return err
		}
	}
	if err := x.markNested(ctx, members, types); err != nil {
		return err
	}
	x.wrote = true
	_, err = x.s.db.Collection(collMemberships).InsertMany(ctx, rows)
	return x.fail(ctx, "import members", err)
}

// ImportChanges implements storage.Importer.
func (s *Store) ImportChanges(ctx context.Context, org scim.OrgID, list []storage.Change) (err error) {
	end, err := s.call(ctx, "import changes")
	if err != nil {
		return err
	}
	defer end(&err)
	if len(list) == 0 {
		return nil
	}
	positions := make([]int64, len(list))
	for i := range list {
		n, err := strconv.ParseInt(string(list[i].Position), 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("mongo: import a change: position %q cannot be kept", list[i].Position)
		}
		positions[i] = n
	}
	return s.transact(ctx, org, true, func(ctx context.Context, x *txn) error { return x.importChanges(ctx, list, positions) })
}

func (x *txn) importChanges(ctx context.Context, list []storage.Change, positions []int64) error {
	type place struct {
		id      string
		version int64
	}
	have := make(map[int64]place)
	cur, err := x.s.db.Collection(collChanges).Find(ctx, append(bson.D{{Key: "org", Value: string(x.org)}}, in("pos", positions)...),
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "pos", Value: 1}, {Key: "id", Value: 1}, {Key: "version", Value: 1}}))
	if err != nil {
		return x.fail(ctx, "read changes", err)
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		pos, _ := raw.Lookup("pos").AsInt64OK()
		version, _ := raw.Lookup("version").AsInt64OK()
		have[pos] = place{text(raw, "id"), version}
		return nil
	})
	if err != nil {
		return x.fail(ctx, "read changes", err)
	}
	for i := range list {
		ch := &list[i]
		if old, ok := have[positions[i]]; ok {
			if old != (place{ch.Key.ID, ch.Version}) {
				return storage.ErrExists
			}
			continue
		}
		x.row(ch.Key, changeID(x.org, ch, positions[i]), ch.Version, 0, ch.At, ch, bson.E{Key: "pos", Value: positions[i]})
	}
	if len(x.changes) == 0 {
		return nil
	}
	x.wrote, x.imported = true, true
	_, err = x.s.db.Collection(collFeeds).UpdateOne(ctx, bson.D{{Key: "_id", Value: string(x.org)}},
		bson.D{{Key: "$max", Value: bson.D{{Key: "n", Value: slices.Max(positions)}}}}, options.UpdateOne().SetUpsert(true))
	return x.fail(ctx, "advance the feed", err)
}

// changeID is the _id of an imported change: it begins with the instant, as those that are made here do.
func changeID(org scim.OrgID, ch *storage.Change, pos int64) (id bson.ObjectID) {
	binary.BigEndian.PutUint32(id[:], uint32(ch.At.Unix()))
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(org), uint64(pos)))
	copy(id[4:], sum[:])
	return id
}

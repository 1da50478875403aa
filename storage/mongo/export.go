package mongo

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/storage"
)

var (
	_ storage.Exporter = (*Store)(nil)
	_ storage.Importer = (*Store)(nil)
)

// secretPrefix begins the names of settings that are keys of the database.
const secretPrefix = "secret/"

// Secrets implements storage.Exporter.
func (s *Store) Secrets(ctx context.Context) (secrets map[string][]byte, err error) {
	end, err := s.call(ctx, "secrets")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	cur, err := s.db.Collection(collSettings).Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: secretPrefix}, {Key: "$lt", Value: "secret0"}}}})
	if err != nil {
		return nil, translate(ctx, "read secrets", err)
	}
	secrets = make(map[string][]byte)
	err = each(ctx, cur, func(raw bson.Raw) error {
		_, value, ok := raw.Lookup("value").BinaryOK()
		if !ok {
			return errRecord
		}
		secrets[strings.TrimPrefix(text(raw, "_id"), secretPrefix)] = append([]byte(nil), value...)
		return nil
	})
	return secrets, translate(ctx, "read secrets", err)
}

// ExportOrganizations implements storage.Exporter.
func (s *Store) ExportOrganizations(ctx context.Context) (orgs []scim.OrgID, err error) {
	end, err := s.call(ctx, "export organizations")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	ctx, cancel := context.WithTimeout(ctx, longest) // instead of the driver's own
	defer cancel()
	colls := []string{collMemberships, collChanges}
	for _, t := range s.sorted {
		colls = append(colls, t.coll)
	}
	seen := make(map[scim.OrgID]bool)
	for _, coll := range colls {
		// By an index that begins with the organization: the server steps from one to the next.
		cur, err := s.db.Collection(coll).Aggregate(ctx, mongo.Pipeline{
			{{Key: "$sort", Value: ascending("org")}}, {{Key: "$group", Value: bson.D{{Key: "_id", Value: "$org"}}}},
		})
		if err != nil {
			return nil, translate(ctx, "read organizations", err)
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			if org := scim.OrgID(text(raw, "_id")); !seen[org] {
				seen[org] = true
				orgs = append(orgs, org)
			}
			return nil
		})
		if err != nil {
			return nil, translate(ctx, "read organizations", err)
		}
	}
	return orgs, nil
}

// ExportCounts implements storage.Exporter. Reading the feed gives every change its position first.
func (s *Store) ExportCounts(ctx context.Context, org scim.OrgID) (n storage.ExportCounts, err error) {
	end, err := s.call(ctx, "export counts")
	if err != nil {
		return n, err
	}
	defer end(&err)
	ctx, cancel := context.WithTimeout(ctx, longest) // instead of the driver's own
	defer cancel()
	of := bson.D{{Key: "org", Value: string(org)}}
	for _, t := range s.sorted {
		some, err := s.db.Collection(t.coll).CountDocuments(ctx, of)
		if err != nil {
			return n, translate(ctx, "count", err)
		}
		n.Records += some
	}
	if n.Links, err = s.db.Collection(collMemberships).CountDocuments(ctx, of); err != nil {
		return n, translate(ctx, "count", err)
	}
	n.Changes, err = s.db.Collection(collChanges).CountDocuments(ctx, of)
	return n, translate(ctx, "count", err)
}

// ExportRecords implements storage.Exporter.
func (s *Store) ExportRecords(ctx context.Context, org scim.OrgID, name scim.TypeName, after string, limit int) (list []storage.ExportedRecord, err error) {
	end, err := s.call(ctx, "export records")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	t, err := s.typeOf(name)
	if err != nil {
		return nil, err
	}
	cur, err := s.db.Collection(t.coll).Find(ctx,
		bson.D{{Key: "org", Value: string(org)}, {Key: "id", Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetSort(ascending("id")).SetLimit(int64(limit)).SetProjection(writeProjection()))
	if err != nil {
		return nil, translate(ctx, "export records", err)
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		r, err := decodeStored(org, name, raw)
		if err != nil {
			return err
		}
		list = append(list, storage.ExportedRecord{Record: r.rec, Unique: r.keys, Label: r.label})
		return nil
	})
	return list, translate(ctx, "export records", err)
}

// ExportLinks implements storage.Exporter.
func (s *Store) ExportLinks(ctx context.Context, org scim.OrgID, after *storage.Link, limit int) (list []storage.Link, err error) {
	end, err := s.call(ctx, "export members")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	// What is left of the member, then the members after it: each is one range of the index.
	filters := []bson.D{{{Key: "org", Value: string(org)}}}
	if after != nil {
		filters = []bson.D{
			append(groupsOf(org, after.Member), bson.E{Key: "group", Value: bson.D{{Key: "$gt", Value: after.Group}}}),
			{{Key: "org", Value: string(org)}, {Key: "member", Value: bson.D{{Key: "$gt", Value: after.Member}}}},
		}
	}
	for _, filter := range filters {
		if len(list) == limit {
			break
		}
		cur, err := s.db.Collection(collMemberships).Find(ctx, filter, options.Find().
			SetSort(ascending("org", "member", "group")).SetLimit(int64(limit-len(list))).
			SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "member", Value: 1}, {Key: "group", Value: 1}}))
		if err != nil {
			return nil, translate(ctx, "export members", err)
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			list = append(list, storage.Link{Group: text(raw, "group"), Member: text(raw, "member")})
			return nil
		})
		if err != nil {
			return nil, translate(ctx, "export members", err)
		}
	}
	return list, nil
}

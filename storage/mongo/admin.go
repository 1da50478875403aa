package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/storage"
)

type orgDoc struct {
	ID      string        `bson:"_id"`
	Slug    string        `bson:"slug"`
	Name    string        `bson:"name"`
	Created bson.DateTime `bson:"created"`
}

func (d *orgDoc) organization() storage.Organization {
	return storage.Organization{ID: scim.OrgID(d.ID), Slug: d.Slug, Name: d.Name, Created: instant(int64(d.Created))}
}

// InsertOrganization implements storage.Organizations.
func (s *Store) InsertOrganization(ctx context.Context, o storage.Organization) (err error) {
	end, err := s.call(ctx, "insert organization")
	if err != nil {
		return err
	}
	defer end(&err)
	_, err = s.db.Collection(collOrganizations).InsertOne(ctx, orgDoc{ID: string(o.ID), Slug: o.Slug, Name: o.Name, Created: dateTime(o.Created)})
	if mongo.IsDuplicateKeyError(err) {
		return storage.ErrExists
	}
	return translate(ctx, "insert an organization", err)
}

// Organization implements storage.Organizations.
func (s *Store) Organization(ctx context.Context, idOrSlug string) (_ *storage.Organization, err error) {
	end, err := s.call(ctx, "organization")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	list, err := s.organizations(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "_id", Value: idOrSlug}}, bson.D{{Key: "slug", Value: idOrSlug}},
	}}})
	if err != nil {
		return nil, err
	}
	for i := range list {
		if string(list[i].ID) == idOrSlug || i == len(list)-1 {
			return &list[i], nil
		}
	}
	return nil, storage.ErrNotFound
}

// ListOrganizations implements storage.Organizations.
func (s *Store) ListOrganizations(ctx context.Context) (_ []storage.Organization, err error) {
	end, err := s.call(ctx, "list organizations")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	return s.organizations(ctx, bson.D{})
}

func (s *Store) organizations(ctx context.Context, filter bson.D) ([]storage.Organization, error) {
	cur, err := s.db.Collection(collOrganizations).Find(ctx, filter, options.Find().SetSort(ascending("slug")))
	if err != nil {
		return nil, translate(ctx, "read organizations", err)
	}
	var docs []orgDoc
	if err := cur.All(ctx, &docs); err != nil {
		return nil, translate(ctx, "read organizations", err)
	}
	list := make([]storage.Organization, len(docs))
	for i := range docs {
		list[i] = docs[i].organization()
	}
	return list, nil
}

// Secret implements storage.Store. Of several processes that make one at the same time, one is first.
func (s *Store) Secret(ctx context.Context, name string, random func([]byte) error) (_ []byte, err error) {
	end, err := s.call(ctx, "secret")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	coll := s.db.Collection(collSettings)
	filter := bson.D{{Key: "_id", Value: secretPrefix + name}}
	raw, err := coll.FindOne(ctx, filter).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		value := make([]byte, 32)
		if err := random(value); err != nil {
			return nil, fmt.Errorf("mongo: make a secret: %w", err)
		}
		_, err = coll.InsertOne(ctx, append(filter, bson.E{Key: "value", Value: bson.Binary{Data: value}}))
		if err != nil && !mongo.IsDuplicateKeyError(err) {
			return nil, translate(ctx, "store a secret", err)
		}
		raw, err = coll.FindOne(ctx, filter).Raw()
	}
	if err != nil {
		return nil, translate(ctx, "read a secret", err)
	}
	_, value, ok := raw.Lookup("value").BinaryOK()
	if !ok || len(value) != 32 {
		return nil, errRecord
	}
	return append([]byte(nil), value...), nil
}

package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
)

// longest is how long making indexes and writing documents anew may take.
const longest = 24 * time.Hour

// migrate brings the database to the layout of this package. Each part of it may run again and beside another
// process that does the same.
func (s *Store) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	version, err := s.schemaVersion(ctx)
	if err != nil {
		return err
	}
	if err := again(ctx, func() error { return s.ensureIndexes(ctx) }); err != nil {
		return err
	}
	for _, t := range s.sorted {
		if len(s.presence.behind) > 0 {
			err = s.share(ctx, t, s.presence.behind)
		} else {
			err = s.reindex(ctx, t)
		}
		if err != nil {
			return err
		}
	}
	if version == SchemaVersion {
		return nil
	}
	return s.set(ctx, "schema", bson.D{{Key: "version", Value: int64(SchemaVersion)}})
}

// schemaVersion returns the database's layout, 0 if it has none, and refuses one that is newer than this program.
func (s *Store) schemaVersion(ctx context.Context) (int64, error) {
	raw, err := s.setting(ctx, "schema")
	if err != nil || raw == nil {
		return 0, err
	}
	v, ok := raw.Lookup("version").AsInt64OK()
	if !ok {
		return 0, errRecord
	}
	if v > SchemaVersion {
		return 0, fmt.Errorf("%w: its layout is version %d, this program knows %d", ErrNewer, v, SchemaVersion)
	}
	return v, nil
}

func (s *Store) setting(ctx context.Context, name string) (bson.Raw, error) {
	raw, err := s.db.Collection(collSettings).FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	return raw, translate(ctx, "read a setting", err)
}

func (s *Store) set(ctx context.Context, name string, values bson.D) error {
	update := func() error {
		_, err := s.db.Collection(collSettings).UpdateOne(ctx, bson.D{{Key: "_id", Value: name}},
			bson.D{{Key: "$set", Value: values}}, options.UpdateOne().SetUpsert(true))
		return err
	}
	err := update()
	if mongo.IsDuplicateKeyError(err) {
		err = update() // another process was first to make it
	}
	return translate(ctx, "write a setting", err)
}

// Migration is one part of the database's layout.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// MigrationStatus lists the parts of the layout and which of them the database has: the version, and for each type
// whether its documents were written for the indexes that it has now. It changes nothing.
func MigrationStatus(ctx context.Context, o Options) (list []Migration, err error) {
	cat, err := newCatalog(o.Types)
	if err != nil {
		return nil, err
	}
	s := &Store{reader: reader{catalog: cat}, clients: reader{catalog: cat}, options: o.withDefaults()}
	if err := s.connect(); err != nil {
		return nil, err
	}
	defer func() {
		s.gate.stop()
		err = errors.Join(err, s.client.Disconnect(context.WithoutCancel(ctx)))
	}()
	if err := s.checkServer(ctx); err != nil {
		return nil, err
	}
	version, err := s.schemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	list = append(list, Migration{SchemaVersion, "initial", version == SchemaVersion})
	for _, t := range s.sorted {
		current, err := s.indexed(ctx, t)
		if err != nil {
			return nil, err
		}
		list = append(list, Migration{SchemaVersion, "indexes of " + t.coll, current})
	}
	return list, nil
}

// indexed reports whether the documents of a type were written for the indexes that it has.
func (s *Store) indexed(ctx context.Context, t *resourceType) (bool, error) {
	spec, err := s.indexedSpec(ctx, t)
	return slices.Equal(spec, t.spec()), err
}

// indexedSpec is what all documents of a type are sure to have, nil if that is not known.
func (s *Store) indexedSpec(ctx context.Context, t *resourceType) ([]string, error) {
	raw, err := s.setting(ctx, specSetting(t))
	if err != nil || raw == nil {
		return nil, err
	}
	var have struct {
		Spec []string `bson:"spec"`
	}
	if err := bson.Unmarshal(raw, &have); err != nil {
		return nil, errRecord
	}
	return have.Spec, nil
}

func specSetting(t *resourceType) string { return "indexes/" + t.coll }

// reindex writes the documents of a type anew if they were written for other indexes. It goes through all of them
// once; a document that is written meanwhile is left to its writer.
func (s *Store) reindex(ctx context.Context, t *resourceType) error {
	have, err := s.indexedSpec(ctx, t)
	if err != nil || slices.Equal(have, t.spec()) {
		return err
	}
	if sure := common(have, t.spec()); len(sure) < len(have) {
		// From the first document on that is written anew, this is all that they have in common. Whoever starts after this
		// process was killed must know.
		if err := s.set(ctx, specSetting(t), bson.D{{Key: "spec", Value: sure}}); err != nil {
			return err
		}
	}
	for last := any(bson.ObjectID{}); last != nil; {
		var err error
		if last, err = s.reindexSome(ctx, t, last); err != nil {
			return err
		}
	}
	if t.Members != "" {
		if err := s.markAllNested(ctx, t); err != nil {
			return err
		}
	}
	return s.set(ctx, specSetting(t), bson.D{{Key: "spec", Value: t.spec()}})
}

// reindexSome writes the next documents anew and returns the last one's _id, nil if there was none.
func (s *Store) reindexSome(ctx context.Context, t *resourceType, after any) (last any, err error) {
	coll := s.db.Collection(t.coll)
	cur, err := coll.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}, options.Find().
		SetSort(ascending("_id")).SetLimit(scanBatch).
		SetProjection(bson.D{{Key: "id", Value: 1}, {Key: "org", Value: 1}, {Key: "meta.version", Value: 1}, {Key: "_doc", Value: 1}}))
	if err != nil {
		return nil, translate(ctx, "read documents", err)
	}
	var models []mongo.WriteModel
	err = each(ctx, cur, func(raw bson.Raw) error {
		var key struct {
			ID      bson.ObjectID `bson:"_id"`
			Org     string        `bson:"org"`
			Key     string        `bson:"id"`
			Doc     bson.Binary   `bson:"_doc"`
			Version struct {
				N int64 `bson:"version"`
			} `bson:"meta"`
		}
		if err := bson.Unmarshal(raw, &key); err != nil {
			return errRecord
		}
		doc, err := scim.DecodeAttributes(key.Doc.Data)
		if err != nil {
			return fmt.Errorf("%w: %w", errRecord, err)
		}
		values, sorts, odd := t.shadow(doc)
		set := bson.D{{Key: "_f", Value: orEmpty(values)}, {Key: "_s", Value: orEmpty(sorts)}}
		change := bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: bson.D{{Key: "_odd", Value: ""}}}}
		if odd != nil {
			change = bson.D{{Key: "$set", Value: append(set, bson.E{Key: "_odd", Value: odd})}}
		}
		models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{
			{Key: "_id", Value: key.ID}, {Key: "org", Value: key.Org}, {Key: "id", Value: key.Key}, {Key: "meta.version", Value: key.Version.N},
		}).SetUpdate(change))
		last = key.ID
		return nil
	})
	if err == nil && len(models) > 0 {
		_, err = coll.BulkWrite(ctx, models)
	}
	if err != nil {
		return nil, translate(ctx, "index documents anew", err)
	}
	return last, nil
}

package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/storage"
)

type tokenDoc struct {
	ID       string         `bson:"_id"`
	Org      string         `bson:"org"`
	Name     string         `bson:"name"`
	Digest   bson.Binary    `bson:"digest"`
	Scopes   []string       `bson:"scopes,omitempty"`
	Profile  string         `bson:"profile"`
	Created  bson.DateTime  `bson:"created"`
	Expires  *bson.DateTime `bson:"expires,omitempty"`
	Revoked  *bson.DateTime `bson:"revoked,omitempty"`
	LastUsed *bson.DateTime `bson:"lastUsed,omitempty"`
}

func optional(t time.Time) *bson.DateTime {
	if t.IsZero() {
		return nil
	}
	d := dateTime(t)
	return &d
}

func fromOptional(d *bson.DateTime) time.Time {
	if d == nil {
		return time.Time{}
	}
	return instant(int64(*d))
}

func (d *tokenDoc) token() (*storage.Token, error) {
	t := &storage.Token{
		ID: d.ID, Org: scim.OrgID(d.Org), Name: d.Name, Scopes: d.Scopes, Profile: d.Profile,
		Created: instant(int64(d.Created)), Expires: fromOptional(d.Expires), Revoked: fromOptional(d.Revoked), LastUsed: fromOptional(d.LastUsed),
	}
	if copy(t.Digest[:], d.Digest.Data) != len(t.Digest) {
		return nil, errRecord
	}
	return t, nil
}

// InsertToken implements storage.Tokens.
func (s *Store) InsertToken(ctx context.Context, t storage.Token) (err error) {
	end, err := s.call(ctx, "insert token")
	if err != nil {
		return err
	}
	defer end(&err)
	// Organizations are never removed, so one that is there stays there.
	err = s.db.Collection(collOrganizations).FindOne(ctx, bson.D{{Key: "_id", Value: string(t.Org)}}).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return storage.ErrNotFound
	}
	if err != nil {
		return translate(ctx, "look up an organization", err)
	}
	_, err = s.db.Collection(collTokens).InsertOne(ctx, tokenDoc{
		ID: t.ID, Org: string(t.Org), Name: t.Name, Digest: bson.Binary{Data: t.Digest[:]}, Scopes: t.Scopes, Profile: t.Profile,
		Created: dateTime(t.Created), Expires: optional(t.Expires), Revoked: optional(t.Revoked), LastUsed: optional(t.LastUsed),
	})
	if mongo.IsDuplicateKeyError(err) {
		return storage.ErrExists
	}
	return translate(ctx, "insert a token", err)
}

// TokenByDigest implements storage.Tokens. A token that was read a moment ago is not read again: see tokenLease.
func (s *Store) TokenByDigest(ctx context.Context, digest [32]byte) (_ *storage.Token, err error) {
	if s.closed.Load() {
		return nil, storage.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// This comes before call: what is remembered says nothing of how the database is.
	if t := s.remembered.get(digest); t != nil {
		return t, nil
	}
	end, err := s.call(ctx, "token")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	asked := s.now()
	t, err := s.lookUp(ctx, digest)
	if err != nil {
		return nil, err
	}
	s.remembered.put(t, asked)
	return t, nil
}

func (s *Store) lookUp(ctx context.Context, digest [32]byte) (*storage.Token, error) {
	var d tokenDoc
	err := s.db.Collection(collTokens).FindOne(ctx, bson.D{{Key: "digest", Value: bson.Binary{Data: digest[:]}}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, translate(ctx, "read a token", err)
	}
	return d.token()
}

// ListTokens implements storage.Tokens.
func (s *Store) ListTokens(ctx context.Context, org scim.OrgID) (list []storage.Token, err error) {
	end, err := s.call(ctx, "list tokens")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	cur, err := s.db.Collection(collTokens).Find(ctx, bson.D{{Key: "org", Value: string(org)}}, options.Find().SetSort(ascending("created", "_id")))
	if err != nil {
		return nil, translate(ctx, "read tokens", err)
	}
	var docs []tokenDoc
	if err := cur.All(ctx, &docs); err != nil {
		return nil, translate(ctx, "read tokens", err)
	}
	for i := range docs {
		t, err := docs[i].token()
		if err != nil {
			return nil, err
		}
		list = append(list, *t)
	}
	return list, nil
}

// RevokeToken implements storage.Tokens. The token is revoked for a majority at once, and the call returns when no
// process remembers it otherwise; whoever does not wait for that gets an error, and may ask again.
func (s *Store) RevokeToken(ctx context.Context, org scim.OrgID, id string, at time.Time) (err error) {
	end, err := s.call(ctx, "revoke token")
	if err != nil {
		return err
	}
	defer end(&err)
	coll := s.db.Collection(collTokens)
	filter := bson.D{{Key: "_id", Value: id}, {Key: "org", Value: string(org)}}
	res, err := coll.UpdateOne(ctx, append(filter, bson.E{Key: "revoked", Value: bson.D{{Key: "$exists", Value: false}}}),
		bson.D{{Key: "$set", Value: bson.D{{Key: "revoked", Value: dateTime(at)}}}})
	if err != nil {
		return translate(ctx, "revoke a token", err)
	}
	if res.MatchedCount == 0 {
		err = coll.FindOne(ctx, filter).Err()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return storage.ErrNotFound
		}
		if err != nil {
			return translate(ctx, "revoke a token", err)
		}
	}
	return outlive(ctx) // also the second time: who revoked first may still be waiting
}

// touchEvery is how much newer a use must be to be stored.
const touchEvery = time.Minute

// maxTouched bounds what is remembered of uses; forgetting one costs a write.
const maxTouched = 10_000

// touches remembers which uses of tokens were stored, so that not every request writes.
type touches struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due reports whether a use is to be stored, and then takes it for stored.
func (t *touches) due(id string, at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.last[id]; ok && at.Sub(last) < touchEvery {
		return false
	}
	if t.last == nil || len(t.last) >= maxTouched {
		t.last = make(map[string]time.Time)
	}
	t.last[id] = at
	return true
}

// TouchToken implements storage.Tokens: at most one small write a minute for each token and process.
func (s *Store) TouchToken(ctx context.Context, org scim.OrgID, id string, at time.Time) (err error) {
	end, err := s.call(ctx, "touch token")
	if err != nil {
		return err
	}
	defer end(&err)
	if at = scim.Millis(at); !s.touched.due(string(org)+id, at) {
		return nil
	}
	_, err = s.db.Collection(collTokens).UpdateOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "org", Value: string(org)}},
		bson.D{{Key: "$max", Value: bson.D{{Key: "lastUsed", Value: dateTime(at)}}}})
	if err != nil {
		return fmt.Errorf("mongo: touch a token: %w", translate(ctx, "touch a token", err))
	}
	return nil
}

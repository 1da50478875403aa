package lifecycle

import (
	"context"
	"errors"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// before is true for records whose instant at path is not after a bound.
func (s *Service) before(t scim.TypeName, path string, bound time.Time) query.Expr {
	return query.Compare{Field: s.field(t, path), Op: query.Le, Value: query.Value{Kind: query.DateTime, Str: query.InstantKey(bound)}}
}

// drop deletes a record that is of no more use; that it is gone already is no failure.
func (s *Service) drop(ctx context.Context, k storage.Key, at time.Time, c scim.Caller) error {
	err := s.store.Delete(ctx, k, at, func(storage.Current) (storage.Change, error) {
		return storage.Change{Actor: c.Actor, Request: c.RequestID, Op: storage.OpDelete}, nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

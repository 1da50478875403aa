package sqlite

import (
	"context"

	"rollcall/storage"
)

// Groups implements storage.Memberships.
func (s *Store) Groups(ctx context.Context, k storage.Key) (list []storage.Membership, err error) {
	defer s.observe("groups", &err)()
	t, err := s.typeOf(k)
	if err != nil {
		return nil, err
	}
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	org, ok := s.orgs.get(k.Org)
	if !ok || t.Groups == "" || len(s.groups) == 0 {
		return nil, nil
	}
	nested, err := s.hasNested(c, org)
	if err == nil && !nested {
		// One statement is a snapshot by itself.
		list, err = s.groupsOf(c, org, k.ID, true, nil)
		return list, translate(ctx, "read groups", err)
	}
	if err == nil {
		rec := &storage.Record{Key: k}
		err = c.snapshot(func(c *conn) error { return s.loadGroups(c, org, []*storage.Record{rec}) })
		list = rec.Groups
	}
	return list, translate(ctx, "read groups", err)
}

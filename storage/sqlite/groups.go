package sqlite

import (
	"context"

	"rollcall/scim/query"
	"rollcall/storage"
)

// Groups implements storage.Memberships.
func (s *Store) Groups(ctx context.Context, k storage.Key) (list []storage.Membership, err error) {
	defer s.observe("groups", &err)()
	t, err := s.typeOf(k)
	if err != nil {
		return nil, err
	}
	if org, ok := s.orgs.get(k.Org); ok && s.cache.c != nil {
		if rec := s.cachedRecord(org, t, k, query.Load{Groups: true}); rec != nil {
			return rec.Groups, nil
		}
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
	// One statement is a snapshot by itself. Whether there are groups in groups is asked after it: see hasNested.
	list, err = s.groupsOf(c, org, k.ID, true)
	if err != nil || !s.cache.org(org).nested.Load() {
		return list, translate(ctx, "read groups", err)
	}
	err = c.snapshot(func(c *conn) error {
		nested, err := c.countsNested(org)
		if err == nil && nested {
			list, err = s.nestedGroups(c, org, k.ID)
		}
		return err
	})
	return list, translate(ctx, "read groups", err)
}

package sqlite

import (
	"context"
	"fmt"

	"rollcall/scim"
	"rollcall/storage"
)

// InsertOrganization implements storage.Organizations.
func (s *Store) InsertOrganization(ctx context.Context, o storage.Organization) (err error) {
	defer s.observe("insert organization", &err)()
	return s.w.do(ctx, "", 1, func(w *writer) error {
		q := w.c.prep("SELECT 1 FROM organizations WHERE id=? OR slug=?")
		if _, found, err := q.text(string(o.ID)).text(o.Slug).one(); err != nil || found {
			return firstError(translate(ctx, "look up an organization", err), storage.ErrExists)
		}
		return w.write(func() error {
			q := w.c.prep("INSERT INTO organizations (id, slug, name, created) VALUES (?, ?, ?, ?)")
			return q.text(string(o.ID)).text(o.Slug).text(o.Name).int(millis(o.Created)).exec()
		})
	})
}

// Organization implements storage.Organizations.
func (s *Store) Organization(ctx context.Context, idOrSlug string) (_ *storage.Organization, err error) {
	defer s.observe("organization", &err)()
	list, err := s.organizations(ctx, "SELECT id, slug, name, created FROM organizations WHERE id=? OR slug=? ORDER BY id=? DESC",
		idOrSlug, idOrSlug, idOrSlug)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, storage.ErrNotFound
	}
	return &list[0], nil
}

// ListOrganizations implements storage.Organizations.
func (s *Store) ListOrganizations(ctx context.Context) (_ []storage.Organization, err error) {
	defer s.observe("list organizations", &err)()
	return s.organizations(ctx, "SELECT id, slug, name, created FROM organizations ORDER BY slug")
}

func (s *Store) organizations(ctx context.Context, sql string, args ...string) ([]storage.Organization, error) {
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	q := c.prep(sql)
	for _, a := range args {
		q.text(a)
	}
	var list []storage.Organization
	for {
		more, err := q.step()
		if err != nil {
			return nil, translate(ctx, "read organizations", err)
		}
		if !more {
			return list, nil
		}
		list = append(list, storage.Organization{
			ID: scim.OrgID(q.colText(0)), Slug: q.colText(1), Name: q.colText(2), Created: instant(q.colInt(3)),
		})
	}
}

// Secret implements storage.Store.
func (s *Store) Secret(ctx context.Context, name string, random func([]byte) error) (secret []byte, err error) {
	defer s.observe("secret", &err)()
	read := func(c *conn) ([]byte, error) {
		q := c.prep("SELECT value FROM secrets WHERE name=?")
		found, err := q.text(name).step()
		if err != nil || !found {
			return nil, err
		}
		value := q.colBytes(0)
		return value, q.done()
	}
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	secret, err = read(c)
	s.putBack(c)
	if err != nil || secret != nil {
		return secret, translate(ctx, "read a secret", err)
	}
	err = s.w.do(ctx, "", 1, func(w *writer) error {
		if secret, err = read(w.c); err != nil || secret != nil {
			return translate(ctx, "read a secret", err)
		}
		value := make([]byte, 32)
		if err := random(value); err != nil {
			return fmt.Errorf("sqlite: make a secret: %w", err)
		}
		secret = value
		return w.write(func() error {
			q := w.c.prep("INSERT INTO secrets (name, value) VALUES (?, ?)")
			return q.text(name).blob(value).exec()
		})
	})
	if err != nil {
		return nil, err
	}
	return secret, nil
}

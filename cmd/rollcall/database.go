package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/control"
	"rollcall/lifecycle"
	"rollcall/mail"
	"rollcall/metrics"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// database is the store with the service on top: what serve and the commands that work without a server share.
type database struct {
	registry *resources.Registry
	backend  backend
	store    storage.Store
	service  *resources.Service
	people   *lifecycle.Service
	post     *lifecycle.Post
}

// openDatabase opens the database of c, telling m, if there is one, what it does.
func openDatabase(ctx context.Context, c *Config, m *metrics.Metrics) (*database, error) {
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		return nil, err
	}
	b, err := c.backend()
	if err != nil {
		return nil, err
	}
	store, err := b.open(ctx, registry.StorageTypes(), m)
	if err != nil {
		return nil, err
	}
	service, err := resources.NewService(resources.Options{
		Store: store, Registry: registry, Now: time.Now, NewID: newID, Random: rand.Reader,
		MaxValues: c.Limits.Values, MaxPatchOperations: c.Limits.PatchOperations,
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	post, err := newPost(ctx, c, registry, store)
	if err != nil {
		service.Close()
		return nil, errors.Join(err, store.Close())
	}
	var counted lifecycle.Metrics
	if m != nil {
		counted = m
	}
	people, err := lifecycle.New(ctx, lifecycle.Options{
		Metrics: counted,
		Store:   store, Registry: registry, Resources: service, Now: time.Now, NewID: newID, Random: rand.Reader,
		PublicURL: c.Mail.PublicURL, Outbox: post, Resolver: systemDNS{},
	})
	if err != nil {
		service.Close()
		return nil, errors.Join(err, store.Close())
	}
	return &database{registry: registry, backend: b, store: store, service: service, people: people, post: post}, nil
}

// newPost is where mails wait for the mailer.
func newPost(ctx context.Context, c *Config, registry *resources.Registry, store storage.Store) (*lifecycle.Post, error) {
	templates, err := mail.NewTemplates()
	if err != nil {
		return nil, err
	}
	from, err := c.Mail.identity()
	if err != nil {
		return nil, fmt.Errorf("mail-from: %w", err)
	}
	if c.Mail.From == "" {
		from = mail.Identity{}
	}
	return lifecycle.NewPost(ctx, lifecycle.PostOptions{
		Store: store, Registry: registry, Now: time.Now, NewID: newID, Random: rand.Reader,
		Templates: templates, Locale: mail.Locale(c.Mail.Locale), PublicURL: c.Mail.PublicURL, From: from,
	})
}

// close lets what is under way finish, the service before its store.
func (d *database) close() error {
	d.service.Close()
	return d.store.Close()
}

// newID returns a UUIDv7: its byte order is the order of creation, which is the order of lists.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// storeResult is the kind of a store's answer, as a label: never its text.
func storeResult(err error) string {
	var unique *storage.UniqueError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, storage.ErrNotFound):
		return "not_found"
	case errors.Is(err, storage.ErrExists), errors.As(err, &unique):
		return "conflict"
	case errors.Is(err, storage.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, storage.ErrContention):
		return "contention"
	case errors.Is(err, storage.ErrTooExpensive):
		return "too_expensive"
	case errors.Is(err, storage.ErrClosed):
		return "closed"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "canceled"
	}
	if _, ok := errors.AsType[*scim.Error](err); ok { // by an update's own callback
		return "refused"
	}
	return "error"
}

// operator does the administrative operations on an open database.
type operator struct{ db *database }

var _ control.Operator = (*operator)(nil)

func (o *operator) CreateOrganization(ctx context.Context, n control.NewOrganization) (*control.Organization, error) {
	org, err := o.db.service.CreateOrganization(ctx, n.Slug, n.Name)
	if err != nil {
		return nil, plain(err)
	}
	return showOrganization(org), nil
}

func (o *operator) Organizations(ctx context.Context) ([]control.Organization, error) {
	list, err := o.db.service.Organizations(ctx)
	if err != nil {
		return nil, plain(err)
	}
	shown := make([]control.Organization, len(list))
	for i := range list {
		shown[i] = *showOrganization(&list[i])
	}
	return shown, nil
}

func (o *operator) Organization(ctx context.Context, idOrSlug string) (*control.Organization, error) {
	org, err := o.db.service.Organization(ctx, idOrSlug)
	if err != nil {
		return nil, plain(err)
	}
	return showOrganization(org), nil
}

func (o *operator) CreateToken(ctx context.Context, n control.NewToken) (*control.Token, error) {
	org, err := o.db.service.Organization(ctx, n.Organization)
	if err != nil {
		return nil, plain(err)
	}
	want := resources.NewToken{Name: n.Name, Scopes: n.Scopes, Profile: n.Profile}
	if n.Expires != nil {
		want.Expires = *n.Expires
	}
	t, text, err := o.db.service.CreateToken(ctx, org.ID, want)
	if err != nil {
		return nil, plain(err)
	}
	shown := showToken(t, org.Slug)
	shown.Text = text
	return &shown, nil
}

func (o *operator) Tokens(ctx context.Context, idOrSlug string) ([]control.Token, error) {
	org, err := o.db.service.Organization(ctx, idOrSlug)
	if err != nil {
		return nil, plain(err)
	}
	list, err := o.db.service.Tokens(ctx, org.ID)
	if err != nil {
		return nil, plain(err)
	}
	shown := make([]control.Token, len(list))
	for i := range list {
		shown[i] = showToken(&list[i], org.Slug)
	}
	return shown, nil
}

func (o *operator) RevokeToken(ctx context.Context, idOrSlug, id string) error {
	org, err := o.db.service.Organization(ctx, idOrSlug)
	if err != nil {
		return plain(err)
	}
	return plain(o.db.service.RevokeToken(ctx, org.ID, id))
}

func (o *operator) Backup(ctx context.Context, file string) error {
	return o.db.backend.backup(ctx, o.db.store, file)
}

func (o *operator) Check(ctx context.Context) ([]string, error) {
	c, ok := o.db.store.(storage.Checker)
	if !ok {
		return nil, fmt.Errorf("the database in %s cannot be checked", o.db.backend)
	}
	problems, err := c.Check(ctx)
	if err != nil {
		return nil, err
	}
	orgs, err := o.db.service.Organizations(ctx)
	if err != nil {
		return nil, plain(err)
	}
	for _, org := range orgs {
		v, err := o.db.people.VerifyAudit(ctx, org.ID, "")
		if err != nil {
			return nil, plain(err)
		}
		for _, p := range v.Problems {
			problems = append(problems, "audit trail of "+org.Slug+": "+p)
		}
	}
	return problems, nil
}

func (o *operator) VerifyAudit(ctx context.Context, idOrSlug, expect string) (*control.Verification, error) {
	org, err := o.db.service.Organization(ctx, idOrSlug)
	if err != nil {
		return nil, plain(err)
	}
	v, err := o.db.people.VerifyAudit(ctx, org.ID, expect)
	if err != nil {
		return nil, plain(err)
	}
	return &control.Verification{
		Seals: v.Checkpoint.Number, Hash: v.Checkpoint.Hash, Changes: v.Changes, Unsealed: v.Unsealed, Erased: v.Erased, Problems: v.Problems,
	}, nil
}

func showOrganization(o *storage.Organization) *control.Organization {
	return &control.Organization{ID: string(o.ID), Slug: o.Slug, Name: o.Name, Created: o.Created}
}

func showToken(t *storage.Token, slug string) control.Token {
	optional := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	return control.Token{
		ID: t.ID, Organization: slug, Name: t.Name, Scopes: t.Scopes, Profile: t.Profile, Created: t.Created,
		Expires: optional(t.Expires), Revoked: optional(t.Revoked), LastUsed: optional(t.LastUsed),
	}
}

// plain takes the HTTP status off an error: on a command line it means nothing. The cause, which a client must not
// see, is for the operator's eyes.
func plain(err error) error {
	var e *scim.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Cause != nil {
		return fmt.Errorf("%s: %w", e.Detail, e.Cause)
	}
	return errors.New(e.Detail)
}

// Package transfer copies everything that one store has into another, of the same kind or of another, and proves that
// it arrived. It knows the contract of package storage and no adapter.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"rollcall/scim"
	"rollcall/storage"
)

// Source is a store to copy from. Nobody may write to it meanwhile.
type Source interface {
	storage.Organizations
	storage.Tokens
	storage.Changes
	storage.Exporter
}

// Target is a store to copy into. It is read again at the end, so it has to be a Source as well.
type Target interface {
	Source
	storage.Importer
}

// Options say what is copied.
type Options struct {
	Types    []scim.TypeName // all types that the stores have
	Progress func(Progress)  // told after each page; nil: nobody
}

// Progress says how far a copy is.
type Progress struct {
	Phase       Phase
	Done, Total int64 // records, memberships and changes
}

// Phase is a part of a copy.
type Phase string

// The phases, in their order.
const (
	Copying   Phase = "copy"
	Verifying Phase = "verify"
)

// DiffersError says what the target has otherwise than the source after a copy.
type DiffersError struct{ Kind string }

// Error names the kind of thing.
func (e *DiffersError) Error() string {
	return "the copy is not what it was made from: it has other " + e.Kind + "; empty the target and repeat"
}

// ErrOccupied: the target has something that the source does not have, or has it otherwise.
var ErrOccupied = errors.New("the target is not empty, nor the rest of an interrupted copy of this database")

// Copy copies from one store to another and verifies the result. Repeated after an interruption it goes on.
func Copy(ctx context.Context, from Source, to Target, o Options) (*Report, error) {
	c := &copier{from: from, to: to, options: o}
	orgs, err := from.ListOrganizations(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the organizations: %w", err)
	}
	if c.total, err = total(ctx, from, orgs); err != nil {
		return nil, err
	}
	source := &tally{}
	if err := c.copy(ctx, orgs, source); err != nil {
		if isOccupied(err) {
			return nil, fmt.Errorf("%w: %w", ErrOccupied, err)
		}
		return nil, err
	}
	target := &tally{}
	if err := c.verify(ctx, target); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if kind := source.differs(target); kind != "" {
		return nil, &DiffersError{kind}
	}
	if err := to.EndImport(ctx); err != nil {
		return nil, fmt.Errorf("end the copy: %w", err)
	}
	return source.report(), nil
}

func isOccupied(err error) bool {
	_, unique := errors.AsType[*storage.UniqueError](err)
	return unique || errors.Is(err, storage.ErrExists)
}

func total(ctx context.Context, s Source, orgs []storage.Organization) (n int64, err error) {
	for _, org := range orgs {
		some, err := s.ExportCounts(ctx, org.ID)
		if err != nil {
			return 0, fmt.Errorf("count what organization %s has: %w", org.Slug, err)
		}
		n += some.Records + some.Links + some.Changes
	}
	return n, nil
}

type copier struct {
	from        Source
	to          Target
	options     Options
	phase       Phase
	done, total int64
}

func (c *copier) step(n int) {
	c.done += int64(n)
	if c.options.Progress != nil {
		c.options.Progress(Progress{c.phase, c.done, c.total})
	}
}

func (c *copier) copy(ctx context.Context, orgs []storage.Organization, t *tally) error {
	c.phase, c.done = Copying, 0
	if err := c.to.BeginImport(ctx); err != nil {
		return fmt.Errorf("begin the copy: %w", err)
	}
	secrets, err := c.from.Secrets(ctx)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	for name, value := range secrets {
		if err := c.to.ImportSecret(ctx, name, value); err != nil {
			return fmt.Errorf("copy the key %s: %w", name, err)
		}
		t.secret(name, value)
	}
	have, err := c.to.ListOrganizations(ctx)
	if err != nil {
		return fmt.Errorf("read the target's organizations: %w", err)
	}
	for _, org := range orgs {
		if err := c.organization(ctx, org, have, t); err != nil {
			return fmt.Errorf("organization %s: %w", org.Slug, err)
		}
	}
	return nil
}

func (c *copier) organization(ctx context.Context, org storage.Organization, have []storage.Organization, t *tally) error {
	if !contains(have, org) {
		if err := c.to.InsertOrganization(ctx, org); err != nil {
			return err
		}
	}
	t.organization(&org)
	if err := c.tokens(ctx, org.ID, t); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	return c.walk(ctx, c.from, org.ID, t, c.to)
}

func contains[T any](list []T, want T) bool {
	for _, el := range list {
		if reflect.DeepEqual(el, want) {
			return true
		}
	}
	return false
}

func (c *copier) tokens(ctx context.Context, org scim.OrgID, t *tally) error {
	list, err := c.from.ListTokens(ctx, org)
	if err != nil {
		return err
	}
	have, err := c.to.ListTokens(ctx, org)
	if err != nil {
		return err
	}
	there := make(map[[32]byte]bool, len(have))
	for i := range have {
		there[tokenDigest(&have[i])] = true
	}
	for i := range list {
		if !there[tokenDigest(&list[i])] {
			if err := c.to.InsertToken(ctx, list[i]); err != nil {
				return err
			}
		}
		t.token(&list[i])
	}
	return nil
}

// verify reads the target whole.
func (c *copier) verify(ctx context.Context, t *tally) error {
	c.phase, c.done = Verifying, 0
	secrets, err := c.to.Secrets(ctx)
	if err != nil {
		return err
	}
	for name, value := range secrets {
		t.secret(name, value)
	}
	orgs, err := c.to.ListOrganizations(ctx)
	if err != nil {
		return err
	}
	for i := range orgs {
		t.organization(&orgs[i])
		tokens, err := c.to.ListTokens(ctx, orgs[i].ID)
		if err != nil {
			return err
		}
		for j := range tokens {
			t.token(&tokens[j])
		}
		if err := c.walk(ctx, c.to, orgs[i].ID, t, nil); err != nil {
			return err
		}
	}
	return nil
}

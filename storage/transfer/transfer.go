// Package transfer copies everything that one store has into another, of the same kind or of another, and proves that
// it arrived. It knows the contract of package storage and no adapter.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

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

// ErrIncomplete: the source has something of a type that this program does not know, or somebody writes to it.
var ErrIncomplete = errors.New("the source cannot be read whole: a newer version of Rollcall has written to it, or writes to it now")

// Copy copies from one store to another and verifies the result. Repeated after an interruption it goes on.
func Copy(ctx context.Context, from Source, to Target, o Options) (*Report, error) {
	c := &copier{from: from, to: to, options: o}
	all, err := contents(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("read the organizations: %w", err)
	}
	if c.total, err = total(ctx, from, all); err != nil {
		return nil, err
	}
	source := &tally{}
	if err := c.copy(ctx, all, source); err != nil {
		if isOccupied(err) {
			return nil, fmt.Errorf("%w: %w", ErrOccupied, err)
		}
		return nil, err
	}
	if c.done != c.total {
		return nil, fmt.Errorf("%w: it counts %d records, memberships and changes, and shows %d", ErrIncomplete, c.total, c.done)
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

// content is what a store has of one organization.
type content struct {
	id  scim.OrgID
	org *storage.Organization // nil for one that is not listed, such as scim.SystemOrg: it has no name and no tokens
}

func (c *content) String() string {
	if c.org == nil {
		return string(c.id)
	}
	return c.org.Slug
}

// contents returns the organizations that are listed, then those that are not and have something nevertheless.
func contents(ctx context.Context, s Source) ([]content, error) {
	listed, err := s.ListOrganizations(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]content, len(listed), len(listed)+1)
	seen := make(map[scim.OrgID]bool, len(listed))
	for i := range listed {
		list[i] = content{listed[i].ID, &listed[i]}
		seen[listed[i].ID] = true
	}
	ids, err := s.ExportOrganizations(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		if !seen[id] {
			list = append(list, content{id: id})
		}
	}
	return list, nil
}

func total(ctx context.Context, s Source, all []content) (n int64, err error) {
	for i := range all {
		some, err := s.ExportCounts(ctx, all[i].id)
		if err != nil {
			return 0, fmt.Errorf("count what organization %s has: %w", &all[i], err)
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

func (c *copier) copy(ctx context.Context, all []content, t *tally) error {
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
	for i := range all {
		if err := c.organization(ctx, &all[i], have, t); err != nil {
			return fmt.Errorf("organization %s: %w", &all[i], err)
		}
	}
	return nil
}

func (c *copier) organization(ctx context.Context, from *content, have []storage.Organization, t *tally) error {
	if org := from.org; org != nil {
		if !contains(have, *org) {
			if err := c.to.InsertOrganization(ctx, *org); err != nil {
				return err
			}
		}
		t.organization(org)
		if err := c.tokens(ctx, org.ID, t); err != nil {
			return fmt.Errorf("tokens: %w", err)
		}
	}
	return c.walk(ctx, c.from, from.id, t, c.to)
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
	all, err := contents(ctx, c.to)
	if err != nil {
		return err
	}
	for i := range all {
		if org := all[i].org; org != nil {
			t.organization(org)
			tokens, err := c.to.ListTokens(ctx, org.ID)
			if err != nil {
				return err
			}
			for j := range tokens {
				t.token(&tokens[j])
			}
		}
		if err := c.walk(ctx, c.to, all[i].id, t, nil); err != nil {
			return err
		}
	}
	return nil
}

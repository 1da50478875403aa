package lifecycle

import (
	"context"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// Bounds of what is kept of organizations.
const (
	maxCatalogue = 10_000 // entries of one kind that an organization can have
	snapshotFor  = time.Second
)

// snapshot is what writes and reads of users need to know of their organization. It may be as old as snapshotFor.
type snapshot struct {
	*Catalogue
	connections *connections
	domains     *ownDomains
	settings    Settings
	buried      bool // somebody was removed, of whom something is kept
	locals      bool // somebody came another way than by a client
	epoch       int64
	checked     time.Time
}

// snapshot returns what is known of the organization, of a moment ago at most.
func (s *Service) snapshot(ctx context.Context, org scim.OrgID) (*snapshot, error) {
	if have := s.snapshots.get(org); have != nil && s.now().Sub(have.checked) < snapshotFor {
		return have, nil
	}
	return s.fresh(ctx, org)
}

// fresh returns what is known of the organization now. Decisions about ranks and rights use it.
func (s *Service) fresh(ctx context.Context, org scim.OrgID) (*snapshot, error) {
	at := s.now()
	// The epoch is read before the catalogue: a change in between is seen at the next look.
	e, err := load[epoch](ctx, s.store, catalogueKey(org))
	if err != nil {
		return nil, fail(typeRole, err)
	}
	set, _, err := s.Settings(ctx, org)
	if err != nil {
		return nil, err
	}
	next := &snapshot{settings: set, checked: at}
	if next.buried, err = s.hasTombstones(ctx, org); err != nil {
		return nil, err
	}
	if next.locals, err = s.hasLocals(ctx, org); err != nil {
		return nil, err
	}
	if have := s.snapshots.get(org); have != nil && e != nil && have.epoch == e.Value.N {
		next.Catalogue, next.connections, next.domains, next.epoch = have.Catalogue, have.connections, have.domains, have.epoch
		s.snapshots.put(org, next)
		return next, nil
	}
	// The first look of this process, or somebody has changed the catalogue.
	if err := s.EnsureCatalogue(ctx, org); err != nil {
		return nil, err
	}
	if e, err = load[epoch](ctx, s.store, catalogueKey(org)); err != nil {
		return nil, fail(typeRole, err)
	}
	if e != nil {
		next.epoch = e.Value.N
	}
	if next.Catalogue, err = s.readCatalogue(ctx, org); err != nil {
		return nil, err
	}
	if next.connections, err = s.readConnections(ctx, org); err != nil {
		return nil, err
	}
	if next.domains, err = s.readDomains(ctx, org); err != nil {
		return nil, err
	}
	s.snapshots.put(org, next)
	return next, nil
}

// Catalogue returns the organization's roles, occupations, modules, sub-accounts and group grants as they are now.
func (s *Service) Catalogue(ctx context.Context, org scim.OrgID) (*Catalogue, error) {
	snap, err := s.fresh(ctx, org)
	if err != nil {
		return nil, err
	}
	return snap.Catalogue, nil
}

func (s *Service) readCatalogue(ctx context.Context, org scim.OrgID) (*Catalogue, error) {
	roles, err := each(ctx, s, org, typeRole, roleOf)
	if err != nil {
		return nil, err
	}
	occupations, err := each(ctx, s, org, typeOccupation, occupationOf)
	if err != nil {
		return nil, err
	}
	entitlements, err := each(ctx, s, org, typeEntitlement, entitlementOf)
	if err != nil {
		return nil, err
	}
	groups, err := each(ctx, s, org, resources.TypeGroupGrant, func(r *record[GroupGrant]) *GroupGrant { return &r.Value })
	if err != nil {
		return nil, err
	}
	return newCatalogue(roles, occupations, entitlements, groups), nil
}

// each reads all records of a type and turns each into what the rules know it as.
func each[T, U any](ctx context.Context, s *Service, org scim.OrgID, t scim.TypeName, of func(*record[T]) U) ([]U, error) {
	var (
		list  []U
		after *query.Position
	)
	for len(list) < maxCatalogue {
		page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: t}}, Limit: 1000, After: after})
		if err != nil {
			return nil, fail(t, err)
		}
		for i := range page.Records {
			r, err := decode[T](&page.Records[i])
			if err != nil {
				return nil, err
			}
			list = append(list, of(r))
		}
		if !page.More {
			break
		}
		after = &page.Sort[len(page.Sort)-1]
	}
	return list, nil
}

package lifecycle

import (
	"context"
	"errors"
	"slices"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// reasonProvisioned is why an invite ended whose person a client has made.
const reasonProvisioned = "provisioned"

// supersedeInvites ends open invites to addresses of the organization's proved domains whose person a client has made
// meanwhile. What such an invite would have given is not merged silently: it is on offer as a conflict. Until this has run,
// the invite can be accepted, and closes onto the user.
func (s *Service) supersedeInvites(ctx context.Context, org scim.OrgID) error {
	snap, err := s.fresh(ctx, org)
	if err != nil || len(snap.domains.m) == 0 {
		return err
	}
	ours := query.Or{}
	f := s.field(typeInvite, "email")
	for domain := range snap.domains.m {
		ours = append(ours, query.Compare{Field: f, Op: query.Ew, Value: query.Value{Kind: f.Kind, Str: query.Fold("@" + domain)}})
	}
	open, err := find[Invite](ctx, s, org, typeInvite, query.And{
		s.eq(typeInvite, "status", invitePending), s.eq(typeInvite, "kind", kindPerson), ours,
	}, settleBatch)
	if err != nil {
		return fail(typeInvite, err)
	}
	for some := range slices.Chunk(open, factsAtOnce) {
		if err := s.supersedeSome(ctx, org, some); err != nil {
			return err
		}
	}
	return nil
}

// factsAtOnce bounds how many addresses are looked up by one query.
const factsAtOnce = 50

func (s *Service) supersedeSome(ctx context.Context, org scim.OrgID, open []*record[Invite]) error {
	addresses := make([]mail.Address, 0, len(open))
	for _, i := range open {
		if a, err := mail.ParseAddress(i.Value.Email); err == nil {
			addresses = append(addresses, a)
		}
	}
	known, err := s.facts(ctx, org, addresses)
	if err != nil {
		return fail(typeInvite, err)
	}
	for _, i := range open {
		facts := known[mail.Fold(i.Value.Email)]
		if facts == nil || facts.user == nil || facts.user.Value.asked() || !facts.user.Value.owns(i.Value.Email) {
			continue
		}
		m, err := s.claims(ctx, facts.user.Key)
		if err != nil {
			return err
		}
		if by := m.any(); by != nil && i.Value.open(s.now()) {
			if err := s.supersede(ctx, org, i, facts.user, by); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) supersede(ctx context.Context, org scim.OrgID, i *record[Invite], user *record[userFacts], by *Claim) error {
	c, now := System(org, "clock").Caller, s.now()
	d := conflictDoc{
		Kind: conflictGrants, Status: conflictOpen, UserID: user.Key.ID, User: user.Value.DisplayName, Offered: givenBy(&i.Value),
		Connection: Ref{Value: by.Connection, Display: by.Name}, Invite: &Ref{Value: i.Key.ID, Display: i.Value.inviterLabel()},
		OpenedAt: at(now), SeenAt: at(now),
	}
	if d.User == "" {
		d.User = user.Value.UserName
	}
	k := storage.Key{Org: org, Type: resources.TypeConflict, ID: idOf("conflict", string(org), d.Kind, i.Key.ID)}
	err := s.store.Within(ctx, org, func(tx storage.Tx) error {
		_, err := change(ctx, s, tx, c, i.Key, now, func(r *record[Invite]) error {
			if r.Version != i.Version {
				return errMoved
			}
			end(r, inviteRevoked, reasonProvisioned, at(now))
			return nil
		})
		if err != nil {
			return err
		}
		_, err = s.insert(ctx, tx, c, k, now, d, nil)
		return err
	})
	if errors.Is(err, errMoved) || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrExists) {
		return nil // accepted, revoked, or another process was faster
	}
	return fail(resources.TypeConflict, err)
}

// grantOffered is what granting the offer of a conflict does, for somebody who may give all of it.
func (s *Service) grantOffered(ctx context.Context, sub Subject, p *Person, snap *snapshot, offered Given) (func(storage.Tx) error, error) {
	v := offered.invite()
	for i, r := range v.Roles {
		role, err := snap.assignable(sub, "offered", r.Value)
		if err != nil {
			return nil, err
		}
		v.Roles[i].Display = role.Display
	}
	for i, e := range v.Entitlements {
		d := parseEntitled(e.Type, e.Value)
		d.Kind = e.Type
		if err := snap.admitEntitlement("offered", d, p.Grant.OrgAdmin()); err != nil {
			return nil, err
		}
		v.Entitlements[i].Display = snap.Entitlement(d.Key).Display
	}
	next := scim.CloneAttributes(p.Doc)
	addGrant(next, &v)
	for _, path := range []string{pathRoles, pathEntitlements} {
		if err := s.mayRegrant(ctx, sub.Org, p.ID, path, p.Doc[path], next[path]); err != nil {
			return nil, err
		}
	}
	occupation, _ := extension(p.Doc, "occupation").(string)
	return func(tx storage.Tx) error {
		_, err := s.changeUser(ctx, tx, sub.Caller, userKey(sub.Org, p.ID), s.now(), p.Version, func(doc scim.Attributes) error {
			addGrant(doc, &v)
			if occupation == "" && v.Occupation != "" {
				setExtension(doc, "occupation", v.Occupation)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, g := range v.Groups {
			if err := joinGroup(ctx, tx, sub.Caller, g.Value, p.ID, s.now()); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Person is a user of an organization as the rules see them.
type Person struct {
	ID      string
	Version int64
	Label   string // the name that people know them by
	Doc     scim.Attributes
	Groups  []scim.Membership
	Facts   Facts
	Grant   *Grant
}

// person reads a user with what they may do now.
func (s *Service) person(ctx context.Context, org scim.OrgID, id string) (*Person, *snapshot, error) {
	snap, err := s.fresh(ctx, org)
	if err != nil {
		return nil, nil, err
	}
	rec, err := s.store.Get(ctx, storage.Key{Org: org, Type: typeUser, ID: id}, query.Load{Groups: true})
	if err != nil {
		return nil, nil, fail(typeUser, err)
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return nil, nil, err
	}
	p := &Person{ID: rec.ID, Version: rec.Version, Doc: doc, Groups: rec.Groups, Label: s.registry.Definition(typeUser).Label(doc)}
	p.Facts = FactsOf(doc, rec.Groups, s.now())
	p.Grant = snap.Grant(p.Facts, snap.settings.Plan)
	return p, snap, nil
}

// Person reads a user with what they may do now, for somebody who may know it.
func (s *Service) Person(ctx context.Context, sub Subject, id string) (*Person, error) {
	if err := Allowed(sub, ActReadMembers, Target{User: id}); err != nil {
		return nil, err
	}
	p, _, err := s.person(ctx, sub.Org, id)
	return p, err
}

// PersonSubject is the subject that a user is: what kind of actor, by the roles that they have now. It is refused for
// somebody whose access has been cut.
func (s *Service) PersonSubject(ctx context.Context, c scim.Caller, id string) (Subject, error) {
	p, _, err := s.person(ctx, c.Org, id)
	if err != nil {
		return Subject{}, err
	}
	if pendingConsent(p.Doc) {
		return Subject{}, forbidden("pending_consent", "accept the invitation that was mailed to you first")
	}
	if !p.Facts.Active {
		return Subject{}, forbidden("deactivated", "this account is deactivated: ask your administrator")
	}
	sub := Subject{Caller: c, Kind: p.Grant.kind(), User: p.ID, Label: p.Label, Rank: p.Grant.Rank()}
	for _, r := range p.Grant.Roles {
		sub.Roles = append(sub.Roles, r.Key)
	}
	return sub, nil
}

// kind is the column of the matrix that somebody with the grant is in.
func (g *Grant) kind() Kind {
	switch rank := g.Rank(); {
	case rank >= RankOwner:
		return KindOwner
	case g.OrgAdmin():
		return KindAdmin
	case rank >= RankManager:
		return KindManager
	}
	return KindMember
}

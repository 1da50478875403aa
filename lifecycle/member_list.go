package lifecycle

import (
	"context"
	"strings"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The views of the list of members.
const (
	ViewActive      = "active"      // members who may sign in
	ViewDeactivated = "deactivated" // members whose access is cut
	ViewPending     = "pending"     // invites that can be accepted
	ViewExpired     = "expired"     // invites whose time has passed; they can be sent again
)

// MemberQuery asks for a page of the people of an organization: its members, those whom it has invited, or both in one
// order.
type MemberQuery struct {
	View       string // one of the views; empty: all members
	Invites    bool   // with the open invites, if there is no view
	Text       string // is part of a name or an address; empty: any
	Role       string // key; those who have it by a group as well
	Occupation string // key, name or alias
	Sort       string // name, userName, occupation or modified; empty: the order of ids
	Desc       bool
	After      *query.Position
	Count      int
}

// Listed is a line of the list: a member or an invite, the other is nil.
type Listed struct {
	Member *MemberRecord
	Invite *InviteRecord
}

// Label is the name that an invite was given.
func (r *InviteRecord) Label() string { return greeting(r.Invite.Name) }

// MemberRecord is a member as lists show them.
type MemberRecord struct {
	MemberFacts
	ID       string
	Version  int64
	Email    string // the primary one, or the first
	Title    string
	Photo    string // URL
	Created  time.Time
	Modified time.Time
}

// memberSorts are the attributes that the list is sorted by: of members, and of invites.
var memberSorts = map[string][2]string{
	"name":       {"name.familyName", "name.familyName"},
	"userName":   {"userName", "email"},
	"occupation": {scim.SchemaRollcallUser + ":occupation", "occupation"},
	"modified":   {"meta.lastModified", "meta.lastModified"},
}

// Members returns a page of members and invites, and where the next one begins, nil after the last. The store merges both
// in one order, so a page costs the same however many there are. Whoever is no more than a member sees who is active, and
// the invites of their own.
func (s *Service) Members(ctx context.Context, sub Subject, q MemberQuery) ([]Listed, *query.Position, error) {
	if err := Allowed(sub, ActReadMembers, Target{}); err != nil {
		return nil, nil, err
	}
	invites := q.View == ViewPending || q.View == ViewExpired || q.Invites && q.View == ""
	if invites {
		if err := s.mayReadInvites(ctx, sub); err != nil {
			return nil, nil, err
		}
		if _, err := s.settleInvites(ctx, sub.Org, ""); err != nil {
			return nil, nil, err
		}
	}
	all := seesAllOfMembers(sub)
	if q.View == ViewDeactivated && !all {
		return nil, nil, forbidden("not_allowed", "your role does not include this: %s", ActSetActive)
	}
	if q.View == "" && !all {
		q.View = ViewActive
	}
	snap, err := s.fresh(ctx, sub.Org)
	if err != nil {
		return nil, nil, err
	}
	ask := query.Query{Sorted: q.Sort != "", Desc: q.Desc, After: q.After, Limit: q.Count}
	if q.View != ViewPending && q.View != ViewExpired {
		ask.Sources = append(ask.Sources, s.memberSource(snap, &q))
	}
	if invites {
		ask.Sources = append(ask.Sources, s.inviteSource(snap, sub, &q))
	}
	page, err := s.store.Query(ctx, sub.Org, ask)
	if err != nil {
		return nil, nil, fail(typeUser, err)
	}
	list := make([]Listed, len(page.Records))
	for i := range page.Records {
		if list[i], err = s.listed(&page.Records[i], all); err != nil {
			return nil, nil, err
		}
	}
	if !page.More {
		return list, nil, nil
	}
	return list, &page.Sort[len(page.Sort)-1], nil
}

// seesAllOfMembers says whether the subject is shown what is for administrators: who is deactivated, why, and the note.
func seesAllOfMembers(sub Subject) bool {
	return Allowed(sub, ActWriteMember, Target{}) == nil || Allowed(sub, ActAudit, Target{}) == nil || sub.Rank >= RankManager
}

// memberSource asks for members.
func (s *Service) memberSource(snap *snapshot, q *MemberQuery) query.Source {
	src := query.Source{Type: typeUser}
	var where query.And
	away := s.is(typeUser, "active", false)
	switch q.View {
	case ViewActive:
		where = append(where, query.Not{Expr: away})
	case ViewDeactivated:
		where = append(where, away)
	}
	if q.Role != "" {
		where = append(where, s.hasRole(snap, q.Role))
	}
	if q.Occupation != "" {
		if o := snap.Occupation(q.Occupation); o != nil {
			where = append(where, s.hasOccupation(o))
		} else {
			where = append(where, s.eq(typeUser, scim.SchemaRollcallUser+":occupation", q.Occupation))
		}
	}
	if text := s.contains(typeUser, q.Text, "userName", "displayName", "name.familyName", "name.givenName", "name.formatted", "emails.value"); text != nil {
		where = append(where, text)
	}
	if len(where) > 0 {
		src.Where = where
	}
	if q.Sort != "" {
		f := s.field(typeUser, memberSorts[q.Sort][0])
		src.Sort = &f
	}
	return src
}

// inviteSource asks for the invites beside them.
func (s *Service) inviteSource(snap *snapshot, sub Subject, q *MemberQuery) query.Source {
	status := invitePending
	if q.View == ViewExpired {
		status = inviteExpired
	}
	where := query.And{s.eq(typeInvite, "status", status)}
	if own := mine(sub, ""); own != "" {
		where = append(where, s.eq(typeInvite, "inviter.value", own))
	}
	if q.Role != "" {
		where = append(where, s.eq(typeInvite, "roles.value", q.Role))
	}
	if q.Occupation != "" {
		names := []string{q.Occupation}
		if o := snap.Occupation(q.Occupation); o != nil {
			names = append([]string{o.Key, o.Display}, o.Aliases...)
		}
		var some query.Or
		for _, name := range names {
			some = append(some, s.eq(typeInvite, "occupation", name))
		}
		where = append(where, some)
	}
	if text := s.contains(typeInvite, q.Text, "email", "name.familyName", "name.givenName", "name.formatted"); text != nil {
		where = append(where, text)
	}
	src := query.Source{Type: typeInvite, Where: where}
	if q.Sort != "" {
		f := s.field(typeInvite, memberSorts[q.Sort][1])
		src.Sort = &f
	}
	return src
}

// contains is true where one of the attributes contains the text; nil without one.
func (s *Service) contains(t scim.TypeName, text string, paths ...string) query.Expr {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	var some query.Or
	for _, path := range paths {
		f := s.field(t, path)
		some = append(some, query.Compare{Field: f, Op: query.Co, Value: query.Value{Kind: f.Kind, Str: query.Fold(text)}})
	}
	return some
}

func (s *Service) listed(rec *storage.Record, all bool) (Listed, error) {
	if rec.Type == typeInvite {
		r, err := inviteRecord(rec)
		return Listed{Invite: r}, err
	}
	m, err := s.memberRecord(rec, all)
	return Listed{Member: m}, err
}

// memberRecord reads a member; all says whether with what is for administrators.
func (s *Service) memberRecord(rec *storage.Record, all bool) (*MemberRecord, error) {
	facts, err := s.MemberOf(resourceOf(rec))
	if err != nil {
		return nil, err
	}
	if !all {
		facts.Deactivation = nil
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return nil, err
	}
	return &MemberRecord{
		MemberFacts: *facts, ID: rec.ID, Version: rec.Version, Email: mainValue(doc, "emails"), Title: text(doc["title"]),
		Photo: mainValue(doc, "photos"), Created: rec.Created, Modified: rec.Modified,
	}, nil
}

// FactsFor is what lists of members show of a person, to the subject.
func (s *Service) FactsFor(sub Subject, p *Person) (*MemberFacts, error) {
	facts, err := s.factsOf(p.Doc)
	if err == nil && !seesAllOfMembers(sub) && sub.User != p.ID {
		facts.Deactivation = nil
	}
	return facts, err
}

// mainValue is the primary value of a multi-valued attribute, or else the first.
func mainValue(doc scim.Attributes, name string) string {
	values := list(doc[name])
	for _, v := range values {
		if el, _ := v.(scim.Attributes); el["primary"] == true {
			return text(el["value"])
		}
	}
	if len(values) == 0 {
		return ""
	}
	el, _ := values[0].(scim.Attributes)
	return text(el["value"])
}

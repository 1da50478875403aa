package lifecycle

import (
	"context"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// ArrivalQuery asks for a page of invites or join requests.
type ArrivalQuery struct {
	Status string // empty: any
	Text   string // is part of the address; empty: any
	By     string // id of the inviter or requester; empty: anybody
	Sort   string // an attribute that the type has an index of; empty: the order of ids, which is that of making
	Desc   bool
	After  *query.Position
	Count  int
}

// mayReadInvites says whether the subject may look at invites and join requests: who may invite, and who reads all.
func (s *Service) mayReadInvites(ctx context.Context, sub Subject) error {
	if Allowed(sub, ActAudit, Target{Type: typeInvite}) == nil {
		return nil
	}
	set, _, err := s.Settings(ctx, sub.Org)
	if err != nil {
		return err
	}
	setting := sub.Kind == KindManager && set.Invite.ByManagers || sub.Kind == KindMember && set.Invite.ByMembers
	if Allowed(sub, ActDecideJoin, Target{Type: typeInvite, Setting: set.Join.ByManagers}) == nil {
		return nil
	}
	return Allowed(sub, ActInvite, Target{Type: typeInvite, Setting: setting})
}

// mine narrows a question to what is the subject's own, for those who see no more.
func mine(sub Subject, by string) string {
	if sub.Rank < RankManager && sub.User != "" {
		return sub.User
	}
	return by
}

// PageInvites returns a page of invites and where the next one begins, nil after the last.
func (s *Service) PageInvites(ctx context.Context, sub Subject, q ArrivalQuery) ([]InviteRecord, *query.Position, error) {
	if err := s.mayReadInvites(ctx, sub); err != nil {
		return nil, nil, err
	}
	if _, err := s.settleInvites(ctx, sub.Org, ""); err != nil {
		return nil, nil, err
	}
	q.By = mine(sub, q.By)
	page, next, err := s.pageArrivals(ctx, sub.Org, typeInvite, "inviter.value", q)
	if err != nil {
		return nil, nil, err
	}
	list := make([]InviteRecord, len(page.Records))
	for i := range page.Records {
		r, err := inviteRecord(&page.Records[i])
		if err != nil {
			return nil, nil, err
		}
		list[i] = *r
	}
	return list, next, nil
}

// PageJoins is PageInvites for join requests.
func (s *Service) PageJoins(ctx context.Context, sub Subject, q ArrivalQuery) ([]JoinRecord, *query.Position, error) {
	if err := s.mayReadJoins(ctx, sub); err != nil {
		return nil, nil, err
	}
	if _, err := s.settleJoins(ctx, sub.Org, ""); err != nil {
		return nil, nil, err
	}
	q.By = mine(sub, q.By)
	page, next, err := s.pageArrivals(ctx, sub.Org, typeJoinRequest, "requester.value", q)
	if err != nil {
		return nil, nil, err
	}
	list := make([]JoinRecord, len(page.Records))
	for i := range page.Records {
		r, err := joinRecord(&page.Records[i])
		if err != nil {
			return nil, nil, err
		}
		list[i] = *r
	}
	return list, next, nil
}

// mayReadJoins lets members see what they have asked for.
func (s *Service) mayReadJoins(ctx context.Context, sub Subject) error {
	if Allowed(sub, ActAskToJoin, Target{Type: typeJoinRequest}) == nil {
		return nil
	}
	return s.mayReadInvites(ctx, sub)
}

// GetJoin reads one join request.
func (s *Service) GetJoin(ctx context.Context, sub Subject, id string) (*JoinRecord, error) {
	if err := s.mayReadJoins(ctx, sub); err != nil {
		return nil, err
	}
	if _, err := s.settleJoins(ctx, sub.Org, id); err != nil {
		return nil, err
	}
	rec, err := s.store.Get(ctx, joinKey(sub.Org, id), query.Load{})
	if err != nil {
		return nil, fail(typeJoinRequest, err)
	}
	r, err := joinRecord(rec)
	if err != nil {
		return nil, err
	}
	if own := mine(sub, ""); own != "" && (r.Requester == nil || r.Requester.Value != own) {
		return nil, notFound(typeJoinRequest)
	}
	return r, nil
}

// OpenJoins is how many join requests wait for a decision.
func (s *Service) OpenJoins(ctx context.Context, org scim.OrgID) (int, error) {
	if _, err := s.settleJoins(ctx, org, ""); err != nil {
		return 0, err
	}
	return s.count(ctx, org, typeJoinRequest, s.eq(typeJoinRequest, "status", joinPending))
}

func (s *Service) pageArrivals(ctx context.Context, org scim.OrgID, t scim.TypeName, by string, q ArrivalQuery) (*storage.Page, *query.Position, error) {
	var where query.And
	if q.Status != "" {
		where = append(where, s.eq(t, "status", q.Status))
	}
	if q.By != "" {
		where = append(where, s.eq(t, by, q.By))
	}
	if text := strings.TrimSpace(q.Text); text != "" {
		f := s.field(t, "email")
		where = append(where, query.Compare{Field: f, Op: query.Co, Value: query.Value{Kind: f.Kind, Str: query.Fold(text)}})
	}
	src := query.Source{Type: t, Where: where}
	if q.Sort != "" {
		f := s.field(t, q.Sort)
		src.Sort = &f
	}
	page, err := s.store.Query(ctx, org, query.Query{
		Sources: []query.Source{src}, Sorted: q.Sort != "", Desc: q.Desc, Limit: q.Count, After: q.After,
	})
	if err != nil {
		return nil, nil, fail(t, err)
	}
	if !page.More {
		return &page, nil, nil
	}
	return &page, &page.Sort[len(page.Sort)-1], nil
}

package lifecycle

import (
	"context"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// joinRules hangs the rules of join requests into their definition, so that SCIM follows them.
func (s *Service) joinRules() {
	d := s.registry.Definition(typeJoinRequest)
	d.Keys = joinKeys
	d.OnCreate, d.OnDelete = joinCreation{s}, joinDeletion{s}
	s.registry.SetView(typeJoinRequest, joinView{s})
}

// joinCreation is POST /JoinRequests: a client asks that somebody be let in.
type joinCreation struct{ *Service }

// Before implements [resources.Rules].
func (r joinCreation) Before(ctx context.Context, w *resources.Write) error {
	j, err := typed[JoinRequest](w.Doc)
	if err != nil {
		return err
	}
	p, err := r.invitePolicy(ctx, w.Caller.Org)
	if err != nil {
		return err
	}
	if err := p.opening(); err != nil {
		return err
	}
	a, err := mail.ParseAddress(j.Email)
	if err != nil {
		return invalid("email", OutcomeInvalid, "%s", err)
	}
	outcome, detail, _, err := r.judgeAddress(ctx, p, a)
	if err != nil {
		return err
	}
	if outcome != "" {
		return invalid("email", outcome, "%s", detail)
	}
	found, err := r.facts(ctx, w.Caller.Org, []mail.Address{a})
	if err != nil {
		return fail(typeJoinRequest, err)
	}
	switch f := found[a.Key()]; {
	case f.user != nil:
		return scimConflict(OutcomeMember, "email: the person is a member already")
	case f.invite != nil && f.invite.Value.open(w.At):
		return scimConflict(OutcomePending, "email: the address has an open invite")
	case f.join != nil && f.join.Value.ExpiresAt.After(w.At):
		return scimConflict("request_pending", "email: the address has an open request")
	case f.join != nil:
		if _, err := r.settleJoins(ctx, w.Caller.Org, f.join.Key.ID); err != nil {
			return err
		}
	}
	j.Email, j.Status, j.Source = a.String(), joinPending, "appLink"
	j.Requester = &Ref{Value: w.Caller.Actor.ID, Display: w.Caller.Actor.Name, Type: "app"}
	j.ExpiresAt = at(w.At.Add(seconds(p.settings.Join.RequestTTL)))
	return rewrite(r.registry.Definition(typeJoinRequest), w.Doc, j)
}

// Within implements [resources.Rules].
func (joinCreation) Within(context.Context, storage.Tx, *resources.Write) error { return nil }

// joinDeletion is DELETE of a join request: an open one is withdrawn first, so that its history says so.
type joinDeletion struct{ *Service }

// Before implements [resources.Rules].
func (joinDeletion) Before(context.Context, *resources.Write) error { return nil }

// Within implements [resources.Rules].
func (r joinDeletion) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	_, err := change(ctx, r.Service, tx, w.Caller, w.Key, w.At, func(rec *record[JoinRequest]) error {
		return closeRequest(rec, joinWithdrawn, "", at(w.At))
	})
	return err
}

// joinView writes down which requests' time is over, before anybody reads them.
type joinView struct{ *Service }

// Settle implements [resources.View].
func (v joinView) Settle(ctx context.Context, c scim.Caller, id string) error {
	_, err := v.settleJoins(ctx, c.Org, id)
	return err
}

// Compute implements [resources.View]: the documents have it all.
func (joinView) Compute(context.Context, scim.Caller, []scim.Resource, []scim.Attributes) error {
	return nil
}

// settleJoins flips requests whose time is over, all or the one called id, and returns how many.
func (s *Service) settleJoins(ctx context.Context, org scim.OrgID, id string) (int, error) {
	now := s.now()
	over := query.And{s.eq(typeJoinRequest, "status", joinPending), s.when(typeJoinRequest, "expiresAt", query.Le, now)}
	if id != "" {
		over = append(over, s.eq(typeJoinRequest, "id", id))
	}
	n, err := settle(ctx, s, org, typeJoinRequest, over, now, func(r *record[JoinRequest]) {
		if r.Value.Status == joinPending && !r.Value.ExpiresAt.After(now) {
			r.Value.Status = joinExpired
		}
	})
	for range n {
		s.counted.JoinRequest(joinExpired)
	}
	return n, fail(typeJoinRequest, err)
}

package lifecycle

import (
	"context"
	"maps"

	"rollcall/scim"
	"rollcall/storage"
)

// ChangeOccupation gives a person an occupation, none if it is empty. People change their own if the organization lets
// them and the occupation can be chosen so; if it brings permissions and needs approval, request is what waits for it.
func (s *Service) ChangeOccupation(ctx context.Context, sub Subject, user string, pre scim.Precondition, occupation string, acks []string) (out *Consequences, request *ChangeRequest, err error) {
	for range maxGuardRuns {
		out, request, err = s.tryOccupation(ctx, sub, user, pre, occupation, acks)
		if lookAgain(err) != nil || err == nil {
			return out, request, fail(typeUser, err)
		}
	}
	return nil, nil, scim.Unavailable(retryContention, errEpoch)
}

func (s *Service) tryOccupation(ctx context.Context, sub Subject, user string, pre scim.Precondition, occupation string, acks []string) (*Consequences, *ChangeRequest, error) {
	p, snap, err := s.person(ctx, sub.Org, user)
	if err != nil {
		return nil, nil, err
	}
	if err := pre.Check(p.Version); err != nil {
		return nil, nil, err
	}
	o := snap.Occupation(occupation)
	switch {
	case occupation != "" && o == nil:
		return nil, nil, invalid("occupation", "unknown_occupation", "is not in the organization's catalogue of occupations")
	case o != nil && !o.Active && o != p.Grant.Occupation:
		return nil, nil, invalid("occupation", "occupation_retired", "is not given any more")
	}
	next := p.Facts
	if next.Occupation = ""; o != nil {
		next.Occupation = o.Key
	}
	out := compare(p.Grant, snap.Grant(next, snap.settings.Plan))
	byAdmin := Allowed(sub, ActChangeOccupation, Target{User: user, Rank: p.Grant.Rank()}) == nil
	if !byAdmin {
		target := Target{User: user, Rank: p.Grant.Rank(), Setting: snap.settings.Occupation.SelfService}
		if err := Allowed(sub, ActChangeOccupation, target); err != nil {
			return nil, nil, err
		}
		if err := s.mayEdit(ctx, sub.Org, user, pathOccupation); err != nil {
			return nil, nil, err
		}
		switch {
		case o != nil && !o.SelfAssignable:
			return nil, nil, forbidden("not_self_assignable", "this occupation is given by administrators only")
		case o != nil && o.ApprovalNeeded && len(out.Gained) > 0:
			r, err := s.askChange(ctx, sub, p, ChangeRequest{Attribute: attributeOccupation, Value: o.Key, Display: o.Display, Gains: out.Gained})
			return out, r, err
		}
	} else if err := firstError(s.mayEdit(ctx, sub.Org, user, pathOccupation), out.acknowledge(acks)); err != nil {
		return nil, nil, err
	}
	return out, nil, s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		return s.editUser(ctx, tx, sub.Caller, p, func(doc scim.Attributes) { setOccupation(doc, next.Occupation) })
	})
}

func setOccupation(doc scim.Attributes, key string) {
	was, _ := doc[scim.SchemaRollcallUser].(scim.Attributes)
	ext := maps.Clone(was)
	if ext == nil {
		ext = scim.Attributes{}
	}
	if ext["occupation"] = key; key == "" {
		delete(ext, "occupation")
	}
	doc[scim.SchemaRollcallUser] = ext
}

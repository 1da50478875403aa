package lifecycle

import (
	"context"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// ChangeEntitlements gives a person exactly these modules or sub-accounts of their own; those of the other kind, and what
// roles, groups and the occupation give, stay. Values are keys, with ":read" for modules to look at only, with ":only"
// for sub-accounts without their parts.
func (s *Service) ChangeEntitlements(ctx context.Context, sub Subject, user string, pre scim.Precondition, kind string, keys, acks []string) (*Consequences, error) {
	var (
		p    *Person
		out  *Consequences
		list []any
	)
	for range maxGuardRuns {
		var (
			snap *snapshot
			err  error
		)
		if p, snap, err = s.person(ctx, sub.Org, user); err != nil {
			return nil, err
		}
		if err := pre.Check(p.Version); err != nil {
			return nil, err
		}
		if err := Allowed(sub, ActEntitle, Target{User: user, Rank: p.Grant.Rank()}); err != nil {
			return nil, err
		}
		if list, err = snap.entitlementValues(p, kind, keys); err != nil {
			return nil, err
		}
		if err := s.mayRegrant(ctx, sub.Org, user, pathEntitlements, p.Doc[pathEntitlements], list); err != nil {
			return nil, err
		}
		next := FactsOf(scim.Attributes{"entitlements": list}, nil, s.now())
		facts := p.Facts
		facts.Entitlements = next.Entitlements
		out = compare(p.Grant, snap.Grant(facts, snap.settings.Plan))
		if err := out.acknowledge(acks); err != nil {
			return nil, err
		}
		err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
			return s.editUser(ctx, tx, sub.Caller, p, func(doc scim.Attributes) {
				if doc["entitlements"] = list; len(list) == 0 {
					delete(doc, "entitlements")
				}
			})
		})
		if err == nil {
			return out, nil
		}
		if err := lookAgain(err); err != nil {
			return nil, fail(typeUser, err)
		}
	}
	return nil, scim.Unavailable(retryContention, errEpoch)
}

// entitlementValues is the attribute entitlements of a user with those of one kind put in place of what there was.
func (s *snapshot) entitlementValues(p *Person, kind string, keys []string) ([]any, error) {
	have, _ := p.Doc["entitlements"].([]any)
	var list []any
	for _, v := range have {
		el, _ := v.(scim.Attributes)
		d := parseEntitled(text(el["type"]), text(el["value"]))
		if e := s.Entitlement(d.Key); e == nil || e.Kind != kind || d.Kind != "" && d.Kind != kind {
			list = append(list, v)
		}
	}
	seen := map[string]bool{}
	for _, key := range keys {
		d := parseEntitled(kind, key)
		d.Kind = kind
		if err := s.admitEntitlement("entitlements", d, p.Grant.OrgAdmin()); err != nil {
			return nil, err
		}
		e := s.Entitlement(d.Key)
		if seen[query.Fold(e.Key)] {
			return nil, invalid("entitlements", "twice", "names the same module or sub-account twice")
		}
		seen[query.Fold(e.Key)] = true
		value := e.Key
		switch {
		case d.Read && kind == resources.EntitlementModule:
			value += ":read"
		case d.Only && kind == resources.EntitlementSubAccount:
			value += ":only"
		}
		list = append(list, scim.Attributes{"value": value, "display": e.Display, "type": kind})
	}
	return list, nil
}

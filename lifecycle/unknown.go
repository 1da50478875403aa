package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// UnknownUse is a value of people that the catalogue does not know, and how many have it.
type UnknownUse struct {
	Unknown
	Users []string `json:"users"` // ids, of those that were looked at
}

// maxUnknownUsers bounds how many people are looked at to say what the catalogue does not know.
const maxUnknownUsers = 1000

// UnknownValues lists the roles, occupations and entitlements that clients have written and the catalogue does not know:
// they are kept as text and give nothing. more says that there are people who were not looked at.
func (s *Service) UnknownValues(ctx context.Context, sub Subject) (list []UnknownUse, more bool, err error) {
	if err := Allowed(sub, ActReadCatalog, Target{}); err != nil {
		return nil, false, err
	}
	snap, err := s.fresh(ctx, sub.Org)
	if err != nil {
		return nil, false, err
	}
	page, err := s.store.Query(ctx, sub.Org, query.Query{
		Sources: []query.Source{{Type: typeUser, Where: s.holdsUnknown(snap)}}, Limit: maxUnknownUsers,
	})
	if err != nil {
		return nil, false, fail(typeUser, err)
	}
	uses := map[Unknown][]string{}
	for i := range page.Records {
		doc, err := scim.DecodeAttributes(page.Records[i].Doc)
		if err != nil {
			return nil, false, err
		}
		for _, u := range snap.Grant(FactsOf(doc, nil, s.now()), snap.settings.Plan).Unknown {
			uses[u] = append(uses[u], page.Records[i].ID)
		}
	}
	for u, users := range uses {
		list = append(list, UnknownUse{u, users})
	}
	slices.SortFunc(list, func(a, b UnknownUse) int {
		if a.Attribute != b.Attribute {
			return strings.Compare(a.Attribute, b.Attribute)
		}
		return strings.Compare(a.Value, b.Value)
	})
	return list, page.More, nil
}

// holdsUnknown matches the users with a role, an occupation or an entitlement that the catalogue does not know.
func (s *Service) holdsUnknown(snap *snapshot) query.Expr {
	known := query.Or{}
	value := query.Field{Path: "value", Steps: []string{"value"}, Kind: query.String}
	is := func(text string) query.Expr {
		return query.Compare{Field: value, Op: query.Eq, Value: query.Value{Kind: query.String, Str: query.Fold(text)}}
	}
	for _, r := range snap.Roles() {
		known = append(known, is(r.Key))
	}
	entitled := query.Or{}
	for _, e := range snap.entitlements {
		for _, suffix := range []string{"", ":read", ":only"} {
			entitled = append(entitled, is(e.Key+suffix), is(e.Kind+":"+e.Key+suffix))
		}
	}
	other := func(known query.Or) query.Expr {
		return query.And{query.Present{Field: value}, query.Not{Expr: known}}
	}
	return query.Or{
		query.Any{Field: s.field(typeUser, "roles"), Where: other(known)},
		query.Any{Field: s.field(typeUser, "entitlements"), Where: other(entitled)},
		s.holdsUnknownOccupation(snap),
	}
}

func (s *Service) holdsUnknownOccupation(snap *snapshot) query.Expr {
	known := query.Or{}
	for _, o := range snap.Occupations() {
		known = append(known, s.hasOccupation(o))
	}
	return query.And{
		query.Present{Field: s.field(typeUser, scim.SchemaRollcallUser+":occupation")}, query.Not{Expr: known},
	}
}

// createOccupations makes an entry of the catalogue, which gives nothing yet, of each occupation that clients have
// written and that it does not know (setting occupation.unknown = create).
func (s *Service) createOccupations(ctx context.Context, org scim.OrgID) error {
	snap, err := s.fresh(ctx, org)
	if err != nil {
		return err
	}
	page, err := s.store.Query(ctx, org, query.Query{
		Sources: []query.Source{{Type: typeUser, Where: s.holdsUnknownOccupation(snap)}}, Limit: maxUnknownUsers,
	})
	if err != nil || len(page.Records) == 0 {
		return fail(typeUser, err)
	}
	found := map[string]string{}
	for i := range page.Records {
		doc, err := scim.DecodeAttributes(page.Records[i].Doc)
		if err != nil {
			return err
		}
		ext, _ := doc[scim.SchemaRollcallUser].(scim.Attributes)
		text, _ := ext["occupation"].(string)
		if checkKey("value", text, false) == nil {
			found[query.Fold(text)] = text
		}
	}
	c, at := System(org, "catalogue").Caller, s.now()
	for folded, text := range found {
		k := storage.Key{Org: org, Type: typeOccupation, ID: idOf("occupation", string(org), folded)}
		o := &Occupation{Key: text, Display: text, Active: true}
		err := s.store.Within(ctx, org, func(tx storage.Tx) error {
			if _, err := s.insert(ctx, tx, c, k, at, o.doc(), nil); err != nil {
				return err
			}
			return s.bumpCatalogue(ctx, tx, c, at)
		})
		if err != nil && !errors.Is(err, storage.ErrExists) && !errors.As(err, new(*storage.UniqueError)) {
			return fail(typeOccupation, err)
		}
	}
	s.snapshots.forget(org)
	return nil
}

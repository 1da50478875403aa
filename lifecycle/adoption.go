package lifecycle

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// The ways by which people come who are nobody's but the organization's. People whom clients made are those clients'.
const (
	originAdmin  = "admin" // an administrator made them, or took them over
	originDomain = "domain"
)

// local reports whether the person is the organization's own: no client made them, and none has taken them over.
func local(doc scim.Attributes) bool {
	switch extension(doc, "origin") {
	case "invite", "joinRequest", originDomain, "import", originAdmin:
		return manager(doc) == ""
	}
	return false
}

// hasLocals reports whether somebody of the organization came another way than by a client.
func (s *Service) hasLocals(ctx context.Context, org scim.OrgID) (bool, error) {
	page, err := s.store.Query(ctx, org, query.Query{
		Sources: []query.Source{{Type: typeUser, Where: query.Present{Field: s.field(typeUser, originPath)}}}, Limit: 1,
	})
	return len(page.Records) > 0, fail(typeUser, err)
}

// manager is the id of the connection that is marked as the person's; "" if none is.
func manager(doc scim.Attributes) string {
	m, _ := extension(doc, "managedBy").(scim.Attributes)
	return text(m["value"])
}

// admitClient decides whether a provisioning client may write a person, and marks whom it takes over. It looks at nothing
// but the document and the snapshot: of people whom clients made, where no connection is exclusive, it finds two
// attributes absent.
func (s *snapshot) admitClient(w *resources.Write) error {
	if w.Caller.Actor.Kind != actorToken {
		return nil
	}
	id, c := s.connections.of(w.Caller.Actor.ID)
	me := Ref{Value: id, Display: cmp.Or(c.Name, w.Caller.Actor.Name)}
	if w.Old == nil {
		if c.Exclusive {
			mark(w.Doc, me)
		}
		s.askConsent(w.Doc)
		return nil
	}
	switch by := manager(w.Old); {
	case by == id:
	case by != "":
		if other := s.connections.byToken[by]; other != nil {
			return held(w, me, conflictClaimed, &Ref{Value: by, Display: other.Value.Name})
		}
		// The tokens of which nobody has decided anything are one client's; or the connection is not there any more.
		if c.Exclusive {
			mark(w.Doc, me)
		}
	case local(w.Old):
		if !s.adopts(c, w.Old, w.At) {
			if c.Adopt == adoptNever {
				return refuse(409, "not_provisioned", "this person was not provisioned by this client, and it takes nobody over")
			}
			return held(w, me, conflictAdoption, nil)
		}
		if w.Doc != nil {
			mark(w.Doc, me)
		}
	case c.Exclusive && w.Doc != nil:
		mark(w.Doc, me)
	}
	return nil
}

// adopts reports whether a connection takes a local person over without being looked at: the organization has proved the
// domain of the address that the person came by, nobody has decided that the person is the organization's, and the person
// does not own the organization.
func (s *snapshot) adopts(c connection, doc scim.Attributes, at time.Time) bool {
	if c.Adopt != "" && c.Adopt != adoptOwned || extension(doc, "origin") == originAdmin {
		return false
	}
	facts := FactsOf(doc, nil, at)
	facts.Active = true // an owner who is away is one
	if s.Grant(facts, s.settings.Plan).Rank() >= RankOwner {
		return false
	}
	list := addresses(doc)
	return len(list) > 0 && !slices.ContainsFunc(list, func(a string) bool {
		_, domain, _ := strings.Cut(a, "@")
		return !s.domains.owned(domain)
	})
}

// mark says in a document which connection the person is of.
func mark(doc scim.Attributes, connection Ref) {
	setExtension(doc, "managedBy", scim.Attributes{"value": connection.Value, "display": connection.Display})
}

// Scope implements [resources.Scoper]: a connection that is to see only its own people sees no others in lists.
func (v userView) Scope(ctx context.Context, c scim.Caller) (query.Expr, error) {
	if c.Actor.Kind != actorToken {
		return nil, nil //nolint:nilnil // no bound
	}
	known, err := v.s.lately(ctx, c.Org)
	if err != nil {
		return nil, err
	}
	id, conn := known.of(c.Actor.ID)
	if !conn.OnlyManaged {
		return nil, nil //nolint:nilnil // no bound
	}
	by, origin := v.s.field(typeUser, managedByPath), v.s.field(typeUser, originPath)
	return query.Or{
		v.s.eq(typeUser, managedByPath, id),
		query.And{
			query.Not{Expr: query.Present{Field: by}},
			query.Or{query.Not{Expr: query.Present{Field: origin}}, v.s.eq(typeUser, originPath, originSCIM)},
		},
	}, nil
}

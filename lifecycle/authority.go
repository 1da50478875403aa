package lifecycle

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Who has the say over an attribute of a person is worked out from the person's history when somebody who is no client
// wants to write it: what clients write costs nothing more for it (docs/adr/0011-authority.md).

// Paths that authority is asked about.
const (
	pathActive       = "active"
	pathRoles        = "roles"
	pathEntitlements = "entitlements"
	pathOccupation   = scim.SchemaRollcallUser + ":occupation"
)

// fillable are the standard attributes that people and administrators may fill in for a strict connection, until it writes
// them itself.
var fillable = []string{"title", "phoneNumbers", "photos"}

// mayEdit refuses, 409 attribute_managed, if a connection has the say over one of the attributes of the person called id.
// Paths are those of attributes or sub-attributes ("title", "name.givenName"); an extension's begin with its URN. What
// always is the organization's own, such as the deactivation or the end of the membership, is not asked about. Whoever
// writes afterwards does so on the version of the person that was read before.
func (s *Service) mayEdit(ctx context.Context, org scim.OrgID, id string, paths ...string) error {
	m, err := s.claims(ctx, userKey(org, id))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if c := m.on(path); c != nil {
			return managed(path, c)
		}
	}
	return nil
}

// mayRegrant refuses a change of the roles or entitlements of the person called id from had to next, two values of the
// attribute at path. Connections keep what they gave; beside it administrators give what they like, but not where a
// connection is strict.
func (s *Service) mayRegrant(ctx context.Context, org scim.OrgID, id, path string, had, next any) error {
	gained, lost := without(next, had), without(had, next)
	if len(gained)+len(lost) == 0 {
		return nil
	}
	m, err := s.claims(ctx, userKey(org, id))
	if err != nil {
		return err
	}
	if c := m.strict(); c != nil {
		return managed(path, c)
	}
	for _, value := range lost {
		if c := m.gave(path, value); c != nil {
			return managed(path, c)
		}
	}
	return nil
}

// managed is the refusal of an edit that a connection has the say over.
func managed(path string, c *Claim) *scim.Error {
	return &scim.Error{
		Status: http.StatusConflict, Code: "attribute_managed", Path: path,
		Detail:  path + ": comes from " + c.Name + ", which has written it since " + scim.FormatTime(c.Since) + ": change it there",
		Managed: &scim.Managed{Connection: c.Connection, Name: c.Name, Since: c.Since},
	}
}

// without are the values of elements of list that no element of other has, folded as clients' values are compared.
func without(list, other any) []string {
	values := func(v any) []string {
		var out []string
		elements, _ := v.([]any)
		for _, e := range elements {
			el, _ := e.(scim.Attributes)
			out = append(out, query.Fold(text(el["value"])))
		}
		return out
	}
	has := values(other)
	return slices.DeleteFunc(values(list), func(v string) bool { return slices.Contains(has, v) })
}

// claims are what the history of a person says about connections.
type claims struct {
	rows []storage.Change // newest first, back to where an administrator took the person over
	by   provisioners
}

// Bounds of what is read of a person's history: older changes say nothing any more.
const (
	historyPage = 500
	historyRead = 50_000
)

func (s *Service) claims(ctx context.Context, k storage.Key) (*claims, error) {
	rows, err := s.changesOf(ctx, k, detached)
	if err != nil {
		return nil, err
	}
	return (&claims{rows: rows}).known(ctx, s, k.Org)
}

// changesOf reads a record's history, newest first, up to the change that stop says is one too many.
func (s *Service) changesOf(ctx context.Context, k storage.Key, stop func(*storage.Change) bool) ([]storage.Change, error) {
	var rows []storage.Change
	for len(rows) < historyRead {
		page, err := s.store.History(ctx, k, len(rows), historyPage)
		if err != nil {
			return nil, fail(k.Type, err)
		}
		for i := range page {
			if stop(&page[i]) {
				return rows, nil
			}
			rows = append(rows, page[i])
		}
		if len(page) < historyPage {
			break
		}
	}
	return rows, nil
}

// known looks up the connections, if there is a change that one may have made.
func (m *claims) known(ctx context.Context, s *Service, org scim.OrgID) (*claims, error) {
	if !slices.ContainsFunc(m.rows, func(ch storage.Change) bool { return ch.Actor.Kind == actorToken }) {
		return m, nil
	}
	by, err := s.provisioners(ctx, org)
	m.by = by
	return m, err
}

// claim is that of whoever made the change; nil if it was no connection that is there.
func (m *claims) claim(ch *storage.Change) (*Claim, string) {
	if ch.Actor.Kind != actorToken {
		return nil, ""
	}
	p, ok := m.by[ch.Actor.ID]
	if !ok {
		return nil, ""
	}
	return &Claim{Connection: p.id, Name: p.name, Since: ch.At}, p.policy
}

// any is the newest claim on anything of the person, whatever the policy; nil if no connection provisions them.
func (m *claims) any() *Claim {
	for i := range m.rows {
		if c, _ := m.claim(&m.rows[i]); c != nil {
			return c
		}
	}
	return nil
}

// strict is the claim of a strict connection on the person.
func (m *claims) strict() *Claim {
	for i := range m.rows {
		if c, policy := m.claim(&m.rows[i]); policy == policyStrict {
			return c
		}
	}
	return nil
}

// on is the claim that binds others on the attribute at path; nil if they may write it.
func (m *claims) on(path string) *Claim {
	if own := pathIn(path, scim.SchemaRollcallUser); !own && !slices.ContainsFunc(fillable, func(f string) bool { return pathIn(path, f) }) {
		if c := m.strict(); c != nil {
			return c
		}
	}
	seen := map[string]bool{} // paths that a connection has written last, be it by taking them away
	for i := range m.rows {
		ch := &m.rows[i]
		c, policy := m.claim(ch)
		if c == nil || policy == policyShared {
			continue
		}
		for _, v := range ch.Values {
			if seen[v.Path] || !pathIn(v.Path, path) && !pathIn(path, v.Path) {
				continue
			}
			if v.New != nil {
				return c
			}
			seen[v.Path] = true
		}
	}
	return nil
}

// gave is the claim of the connection that has given the person a value of the attribute at path, folded; nil if an
// administrator did, or nobody binding.
func (m *claims) gave(path, value string) *Claim {
	for i := range m.rows {
		ch := &m.rows[i]
		for _, v := range ch.Values {
			if v.Path == path && slices.Contains(without(v.New, v.Old), value) {
				c, policy := m.claim(ch)
				if policy == policyShared {
					return nil
				}
				return c
			}
		}
	}
	return nil
}

// cut is the claim of the connection that has deactivated the person; nil if somebody else did, or nobody.
func (m *claims) cut() *Claim {
	for i := range m.rows {
		for _, v := range m.rows[i].Values {
			if v.Path != pathActive {
				continue
			}
			c, policy := m.claim(&m.rows[i])
			if v.New != false || policy == policyShared {
				return nil
			}
			return c
		}
	}
	return nil
}

// pathIn reports whether path is outer or lies in it.
func pathIn(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == ':')
}

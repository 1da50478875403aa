package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Connection is a provisioning client as administrators see it. Rules that are "organization" are those of the settings.
type Connection struct {
	ID      string
	Version int64 // 0: nothing was decided about it yet
	Name    string
	Profile string
	Scopes  []string
	Tokens  []ConnectionToken // the newest first; the revoked ones are left out
	ConnectionRules
	EffectivePolicy string
	PausedAt        time.Time
}

// ConnectionToken is one token of a connection, without its text.
type ConnectionToken struct {
	ID                string
	Created           time.Time
	Expires, LastUsed time.Time // zero: never
}

// ConnectionRules are what administrators decide about a connection.
type ConnectionRules struct {
	Policy            string `json:"policy" enum:"organization,strict,claimed,shared" doc:"Who may edit what the client has written."`
	Adopt             string `json:"adopt" enum:"ownedDomain,ask,never" doc:"What happens when the client writes somebody who came by an invite or by an administrator: it takes them over at once if the organization has proved the domain of their address and else asks, always asks, or is refused."`
	Exclusive         bool   `json:"exclusive" doc:"Whether other connections are kept from the people that this one provisions."`
	OnlyManaged       bool   `json:"onlyManaged" doc:"Whether lists show the client only people who are not somebody else's."`
	UnknownOccupation string `json:"unknownOccupation" enum:"organization,reject,keepAsText,create,mapToDefault" doc:"What happens to occupations that the catalogue does not know."`
	DefaultOccupation string `json:"defaultOccupation" maxLength:"200" doc:"For mapToDefault; empty: that of the settings."`
}

const (
	byOrganization = "organization" // a rule that is the organization's
	adoptOwned     = "ownedDomain"
	adoptAsk       = "ask"
	adoptNever     = "never"

	// maxConnectionTokens bounds how many tokens of a connection are remembered: of rotations long ago nothing is written
	// any more.
	maxConnectionTokens = 500
)

func (r *ConnectionRules) check() error {
	oneOf := func(path, value string, allowed ...string) error {
		if !slices.Contains(allowed, value) {
			return invalid(path, "not_a_choice", "must be one of %s", strings.Join(allowed, ", "))
		}
		return nil
	}
	return firstError(
		oneOf("policy", r.Policy, byOrganization, policyStrict, policyClaimed, policyShared),
		oneOf("adopt", r.Adopt, adoptOwned, adoptAsk, adoptNever),
		oneOf("unknownOccupation", r.UnknownOccupation, byOrganization, "reject", "keepAsText", "create", "mapToDefault"),
	)
}

func (c *connection) rules() ConnectionRules {
	return ConnectionRules{
		Policy: cmp.Or(c.Policy, byOrganization), Adopt: cmp.Or(c.Adopt, adoptOwned), Exclusive: c.Exclusive, OnlyManaged: c.OnlyManaged,
		UnknownOccupation: cmp.Or(c.Unknown, byOrganization), DefaultOccupation: c.Default,
	}
}

func (c *connection) follow(r ConnectionRules) {
	own := func(v string) string {
		if v == byOrganization {
			return ""
		}
		return v
	}
	c.Policy, c.Adopt, c.Exclusive, c.OnlyManaged = own(r.Policy), r.Adopt, r.Exclusive, r.OnlyManaged
	c.Unknown, c.Default = own(r.UnknownOccupation), r.DefaultOccupation
}

// provisioning are the tokens of an organization that provision, by connection, the newest first.
func (s *Service) provisioning(ctx context.Context, org scim.OrgID, known *connections) (map[string][]storage.Token, error) {
	list, err := s.store.ListTokens(ctx, org)
	if err != nil {
		return nil, fail(resources.TypeConnection, err)
	}
	all := map[string][]storage.Token{}
	for _, t := range slices.Backward(list) {
		if scim.Provisions(t.Scopes) && t.Revoked.IsZero() {
			id, _ := known.of(t.ID)
			all[id] = append(all[id], t)
		}
	}
	return all, nil
}

func connectionOf(id string, known *connections, tokens []storage.Token, set Settings) *Connection {
	_, v := known.of(id)
	c := &Connection{
		ID: id, Name: cmp.Or(v.Name, tokens[0].Name), Profile: tokens[0].Profile, Scopes: tokens[0].Scopes,
		ConnectionRules: v.rules(), EffectivePolicy: v.policy(set), PausedAt: v.PausedAt,
	}
	if r := known.byToken[id]; r != nil {
		c.Version = r.Version
	}
	for _, t := range tokens {
		c.Tokens = append(c.Tokens, ConnectionToken{t.ID, t.Created, t.Expires, t.LastUsed})
	}
	return c
}

// Connections lists up to limit connections whose ids come after one; more says that there are others.
func (s *Service) Connections(ctx context.Context, sub Subject, after string, limit int) (list []*Connection, more bool, err error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeConnection}); err != nil {
		return nil, false, err
	}
	known, set, all, err := s.knownConnections(ctx, sub.Org)
	if err != nil {
		return nil, false, err
	}
	var ids []string
	for id := range all {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if more = len(ids) > limit; more {
		ids = ids[:limit]
	}
	for _, id := range ids {
		list = append(list, connectionOf(id, known, all[id], set))
	}
	return list, more, nil
}

func (s *Service) knownConnections(ctx context.Context, org scim.OrgID) (*connections, Settings, map[string][]storage.Token, error) {
	known, err := s.readConnections(ctx, org)
	if err != nil {
		return nil, Settings{}, nil, err
	}
	set, _, err := s.Settings(ctx, org)
	if err != nil {
		return nil, Settings{}, nil, err
	}
	all, err := s.provisioning(ctx, org, known)
	return known, set, all, err
}

// Connection reads one.
func (s *Service) Connection(ctx context.Context, sub Subject, id string) (*Connection, error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeConnection}); err != nil {
		return nil, err
	}
	known, set, all, err := s.knownConnections(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	if len(all[id]) == 0 {
		return nil, notFound(resources.TypeConnection)
	}
	return connectionOf(id, known, all[id], set), nil
}

// NewConnection is a connection that an administrator makes.
type NewConnection struct {
	Name    string
	Profile string    // compatibility profile; empty: auto
	Expires time.Time // of the token; zero: never
}

// CreateConnection makes a connection and returns it with the text of its token, which is shown this once.
func (s *Service) CreateConnection(ctx context.Context, sub Subject, n NewConnection) (*Connection, string, error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeConnection}); err != nil {
		return nil, "", err
	}
	t, token, err := s.resources.CreateToken(ctx, sub.Org, resources.NewToken{Name: n.Name, Profile: n.Profile, Expires: n.Expires})
	if err != nil {
		return nil, "", err
	}
	c, err := s.Connection(ctx, sub, t.ID)
	return c, token, err
}

// ChangeConnection stores what fn makes of a connection's name and rules.
func (s *Service) ChangeConnection(ctx context.Context, sub Subject, id string, pre scim.Precondition, fn func(name *string, r *ConnectionRules) error) (*Connection, error) {
	return s.saveConnection(ctx, sub, id, pre, func(c *connection) error {
		r := c.rules()
		if err := fn(&c.Name, &r); err != nil {
			return err
		}
		if n := len([]rune(strings.TrimSpace(c.Name))); n == 0 || n > 200 {
			return invalid("name", "malformed", "must be 1 to 200 characters")
		}
		c.follow(r)
		return r.check()
	})
}

// PauseConnection keeps a connection's client out until it is resumed: its requests answer 503 with Retry-After.
func (s *Service) PauseConnection(ctx context.Context, sub Subject, id string, pre scim.Precondition, pause bool) (*Connection, error) {
	return s.saveConnection(ctx, sub, id, pre, func(c *connection) error {
		switch {
		case !pause:
			c.PausedAt = time.Time{}
		case c.PausedAt.IsZero():
			c.PausedAt = s.now()
		}
		return nil
	})
}

// saveConnection stores what fn makes of what was decided about a connection. fn may run more than once.
func (s *Service) saveConnection(ctx context.Context, sub Subject, id string, pre scim.Precondition, fn func(*connection) error) (*Connection, error) {
	was, err := s.Connection(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if was.Version == 0 {
		if known, err := s.readConnections(ctx, sub.Org); err != nil || len(known.list) >= maxConnections {
			return nil, cmp.Or(err, error(conflict("too_many", "an organization has at most %d connections with rules of their own", maxConnections)))
		}
	}
	k, at := connectionKey(sub.Org, id), s.now()
	defer s.pauses.forget(sub.Org)
	defer s.snapshots.forget(sub.Org)
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		have, err := load[connection](ctx, tx, k)
		if err != nil {
			return err
		}
		if have == nil {
			have = &record[connection]{Value: connection{Tokens: []string{id}, Name: was.Name}}
		}
		if err := pre.Check(have.Version); err != nil {
			return err
		}
		if err := fn(&have.Value); err != nil {
			return err
		}
		if have.Version == 0 {
			_, err = s.insert(ctx, tx, sub.Caller, k, at, have.Value, nil)
		} else {
			_, err = change(ctx, s, tx, sub.Caller, k, at, func(r *record[connection]) error { r.Value = have.Value; return nil })
		}
		if err != nil {
			return err
		}
		return s.bumpCatalogue(ctx, tx, sub.Caller, at)
	})
	if errors.Is(err, storage.ErrExists) { // somebody else was first
		err = storage.ErrContention
	}
	if err != nil {
		return nil, fail(resources.TypeConnection, err)
	}
	return s.Connection(ctx, sub, id)
}

// distinguish tells a connection apart from tokens of which nobody has decided anything, in a step: from then on others are
// kept from the people that are marked as its own.
func (s *Service) distinguish(ctx context.Context, tx storage.Tx, c scim.Caller, id, name string) error {
	k, now := connectionKey(c.Org, id), s.now()
	have, err := load[connection](ctx, tx, k)
	if err != nil || have != nil {
		return err
	}
	if _, err := s.insert(ctx, tx, c, k, now, connection{Tokens: []string{id}, Name: name}, nil); err != nil {
		return err
	}
	return s.bumpCatalogue(ctx, tx, c, now)
}

// RotateConnection gives a connection another token, with the scopes and the profile of the one before, and returns its
// text, which is shown this once. The old ones go on working unless they are to be revoked.
func (s *Service) RotateConnection(ctx context.Context, sub Subject, id string, pre scim.Precondition, revokeOld bool) (*Connection, string, error) {
	was, err := s.Connection(ctx, sub, id)
	if err != nil {
		return nil, "", err
	}
	t, token, err := s.resources.CreateToken(ctx, sub.Org, resources.NewToken{Name: was.Name, Scopes: was.Scopes, Profile: was.Profile})
	if err != nil {
		return nil, "", err
	}
	c, err := s.saveConnection(ctx, sub, id, pre, func(c *connection) error {
		c.Tokens = append(slices.Clip(c.Tokens), t.ID)
		if more := len(c.Tokens) - maxConnectionTokens; more > 0 {
			c.Tokens = slices.Delete(c.Tokens, 1, 1+more) // the first is the connection's id
		}
		return nil
	})
	if err != nil { // nobody has seen its text
		return nil, "", errors.Join(err, s.resources.RevokeToken(ctx, sub.Org, t.ID))
	}
	if revokeOld {
		c, err = s.RetireTokens(ctx, sub, id)
	}
	return c, token, err
}

// RetireTokens ends a rotation: of a connection's tokens only the newest goes on working.
func (s *Service) RetireTokens(ctx context.Context, sub Subject, id string) (*Connection, error) {
	c, err := s.Connection(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	for _, t := range c.Tokens[1:] {
		if err := s.resources.RevokeToken(ctx, sub.Org, t.ID); err != nil {
			return nil, err
		}
	}
	return s.Connection(ctx, sub, id)
}

// DeleteConnection ends a connection: its tokens are refused from now on. The people stay, and what the client has written
// of them is the organization's. What was decided about the connection is forgotten last, so that a try that failed
// half-way can be repeated.
func (s *Service) DeleteConnection(ctx context.Context, sub Subject, id string, pre scim.Precondition) error {
	c, err := s.Connection(ctx, sub, id)
	if err != nil {
		return err
	}
	if err := pre.Check(c.Version); err != nil {
		return err
	}
	for _, t := range slices.Backward(c.Tokens) {
		if err := s.resources.RevokeToken(ctx, sub.Org, t.ID); err != nil {
			return err
		}
	}
	at := s.now()
	defer s.pauses.forget(sub.Org)
	defer s.snapshots.forget(sub.Org)
	if err := s.forgetConnection(ctx, sub.Caller, id, at); err != nil {
		return err
	}
	return s.releasePeople(ctx, sub.Org)
}

// forgetConnection drops what was decided about a connection.
func (s *Service) forgetConnection(ctx context.Context, c scim.Caller, id string, at time.Time) error {
	return fail(resources.TypeConnection, s.store.Within(ctx, c.Org, func(tx storage.Tx) error {
		have, err := load[connection](ctx, tx, connectionKey(c.Org, id))
		if err != nil || have == nil {
			return err
		}
		del := func(storage.Current) (storage.Change, error) {
			return storage.Change{Op: storage.OpDelete, Actor: c.Actor, Request: c.RequestID}, nil
		}
		if err := tx.Delete(ctx, have.Key, at, del); err != nil {
			return err
		}
		return s.bumpCatalogue(ctx, tx, c, at)
	}))
}

// releasePeople forgets connections all of whose tokens were revoked, and takes the mark off people whose connection is not
// there any more: off some at once, off the others at the next sweeps. The mark binds nobody meanwhile.
func (s *Service) releasePeople(ctx context.Context, org scim.OrgID) error {
	known, _, all, err := s.knownConnections(ctx, org)
	if err != nil {
		return err
	}
	c := System(org, "connections").Caller
	for _, r := range known.list {
		if len(all[r.Key.ID]) > 0 {
			continue
		}
		if err := s.forgetConnection(ctx, c, r.Key.ID, s.now()); err != nil {
			return err
		}
		s.snapshots.forget(org)
	}
	where := query.And{query.Present{Field: s.field(typeUser, managedByPath)}}
	for id := range all {
		where = append(where, query.Not{Expr: s.eq(typeUser, managedByPath, id)})
	}
	keys, err := s.due(ctx, org, typeUser, where)
	if err != nil {
		return fail(typeUser, err)
	}
	for _, k := range keys {
		_, err := s.changeUser(ctx, s.store, c, k, s.now(), 0, func(doc scim.Attributes) error {
			setExtension(doc, "managedBy", nil)
			return nil
		})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fail(typeUser, err)
		}
	}
	return nil
}

const managedByPath = scim.SchemaRollcallUser + ":managedBy.value"

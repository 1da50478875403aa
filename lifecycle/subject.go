package lifecycle

import (
	"slices"

	"rollcall/scim"
)

// Kind is what kind of actor somebody is: a column of the permission matrix.
type Kind string

// The kinds of subjects.
const (
	KindOwner    Kind = "owner"
	KindAdmin    Kind = "admin"
	KindManager  Kind = "manager"
	KindMember   Kind = "member"
	KindIdP      Kind = "idp"      // a token with scopes of SCIM
	KindApp      Kind = "app"      // a token with some scopes of the companion API
	KindInvitee  Kind = "invitee"  // who holds the token of a link
	KindPublic   Kind = "public"   // nobody that is known
	KindOperator Kind = "operator" // who runs the server
)

// Subject is who acts: the caller, and what of it the rules ask about.
type Subject struct {
	scim.Caller
	Kind   Kind
	User   string   // id of the person; empty for tokens
	Label  string   // what people see the subject as
	Rank   int      // of the highest role, or of what a token stands for; nobody grants more
	Roles  []string // role values of a person
	Scopes []string // of a token
}

// Ranks of the built-in roles. Roles of an organization's own have any rank up to 100.
const (
	RankOwner   = 100
	RankAdmin   = 80
	RankManager = 60
	RankMember  = 40
	RankGuest   = 20
)

// The scopes of tokens for the companion API, beside scim.ScopeAdmin, which stands for an owner.
const (
	ScopeRead     = scim.ScopeAdminRead
	ScopeMembers  = scim.ScopeAdminMembers
	ScopeInvites  = scim.ScopeAdminInvites
	ScopeCatalog  = scim.ScopeAdminCatalog
	ScopeClients  = scim.ScopeAdminClients
	ScopeOperator = scim.ScopeOperator
)

// ScopeApp stands for the scope of any one application: what it lets do is bound to what is the application's own.
const ScopeApp = "app"

// hasScope reports whether the subject has the scope.
func (s Subject) hasScope(scope string) bool {
	return slices.Contains(s.Scopes, scope) || scope == ScopeApp && slices.ContainsFunc(s.Scopes, isAppScope)
}

func isAppScope(scope string) bool { return scim.AppOf(scope) != "" }

// bound reports whether the subject may do nothing but what is the own of applications, and serves reports of which.
func (s Subject) bound() bool {
	return s.Kind == KindApp && !slices.ContainsFunc(s.Scopes, func(x string) bool { return x != ScopeApp && !isAppScope(x) })
}

// serves reports whether what is an application's own is the subject's to work on.
func (s Subject) serves(app string) bool {
	return !s.bound() || app != "" && slices.Contains(s.Scopes, scim.AppScope(app))
}

// TokenSubject is the subject that a token stands for.
func TokenSubject(c scim.Caller, client *scim.Client) Subject {
	// Change rows tell what a token did by this API from what it did by SCIM: only the latter claims attributes.
	c.Actor.Kind = actorApp
	s := Subject{Caller: c, Kind: KindIdP, Label: client.Actor.Name, Scopes: client.Scopes}
	has := func(scope string) bool { return slices.Contains(client.Scopes, scope) }
	switch {
	case has(ScopeOperator):
		s.Kind, s.Rank = KindOperator, RankOwner
	case has(scim.ScopeAdmin):
		s.Kind, s.Rank = KindOwner, RankOwner
	case has(ScopeRead), has(ScopeMembers), has(ScopeInvites), has(ScopeCatalog), has(ScopeClients), slices.ContainsFunc(client.Scopes, isAppScope):
		s.Kind, s.Rank = KindApp, RankAdmin
	}
	return s
}

// System is the subject of what the server does by itself, such as the return of a person whose leave has ended.
func System(org scim.OrgID, name string) Subject {
	return Subject{
		Caller: scim.Caller{Org: org, Actor: scim.Actor{Kind: "system", ID: name, Name: name}},
		Kind:   KindOperator, Label: name, Rank: RankOwner,
	}
}

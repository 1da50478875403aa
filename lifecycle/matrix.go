package lifecycle

import (
	"slices"

	"rollcall/scim"
)

// Action is something that somebody does to an organization or to a person of it: a row of the permission matrix.
type Action string

// The actions.
const (
	ActReadMembers      Action = "read members"
	ActWriteMember      Action = "create or patch a user"
	ActInvite           Action = "invite, resend, revoke, copy link"
	ActAnswerInvite     Action = "accept or decline an invite"
	ActAskToJoin        Action = "ask to join"
	ActDecideJoin       Action = "decide join requests"
	ActChangeRole       Action = "change role"
	ActChangeOccupation Action = "change occupation"
	ActEntitle          Action = "modules and sub-accounts"
	ActReadClients      Action = "read clients"
	ActAssignClients    Action = "clients"
	ActEditProfile      Action = "edit profile"
	ActSetActive        Action = "deactivate or activate"
	ActRemove           Action = "remove"
	ActRestore          Action = "restore"
	ActErase            Action = "erase"
	ActResetPassword    Action = "reset password"
	ActTransfer         Action = "transfer work"
	ActAnswerTransfer   Action = "answer steps of transfers"
	ActSettings         Action = "settings, domains, connections"
	ActBrand            Action = "branding"
	ActRename           Action = "name of the organization"
	ActReadCatalog      Action = "read roles, occupations, modules"
	ActWriteCatalog     Action = "write roles, occupations, modules"
	ActResolve          Action = "release guard, resolve conflict"
	ActAudit            Action = "audit, export"
	ActJobs             Action = "read, commit, cancel jobs"
	ActOwnership        Action = "close organization, plan, owner transfer"
)

// rule is a cell of the matrix: when one kind of subject may do one thing.
type rule uint8

const (
	no         rule = iota
	yes             // always
	byRank          // to people of a lower rank
	bySetting       // if the setting, or the permission of the person, that Target.Setting holds allows it
	selfOnly        // to themselves
	selfPolicy      // to themselves, if Target.Setting allows it
	byScope         // with a scope of the row
	overSCIM        // by SCIM, under the policy of the connection; not by the companion API
)

// cells are a row: who may do an action, in the order of columns.
type cells struct {
	owner, admin, manager, member, idp, app, invitee, public, operator rule

	scopes []string // that let a token of the companion API do it
}

// matrix is who may do what (docs/lifecycle.md prints it).
var matrix = map[Action]cells{
	ActReadMembers:      {yes, yes, yes, yes, overSCIM, byScope, no, no, yes, []string{ScopeRead, ScopeMembers}},
	ActWriteMember:      {yes, byRank, no, no, overSCIM, byScope, no, no, no, []string{ScopeMembers}},
	ActInvite:           {yes, byRank, bySetting, bySetting, no, byScope, no, no, no, []string{ScopeInvites}},
	ActAnswerInvite:     {no, no, no, no, no, no, yes, no, no, nil},
	ActAskToJoin:        {no, no, no, yes, no, byScope, no, bySetting, no, []string{ScopeInvites}},
	ActDecideJoin:       {yes, byRank, bySetting, no, no, byScope, no, no, no, []string{ScopeInvites}},
	ActChangeRole:       {yes, byRank, no, no, overSCIM, no, no, no, no, nil},
	ActChangeOccupation: {yes, byRank, no, selfPolicy, overSCIM, no, no, no, no, nil},
	ActEntitle:          {yes, byRank, no, no, overSCIM, no, no, no, no, nil},
	ActReadClients:      {yes, yes, yes, selfOnly, no, byScope, no, no, no, []string{ScopeRead, ScopeMembers, ScopeClients, ScopeApp}},
	ActAssignClients:    {yes, byRank, yes, no, overSCIM, byScope, no, no, no, []string{ScopeClients, ScopeApp}},
	ActEditProfile:      {yes, byRank, selfOnly, selfOnly, overSCIM, no, no, no, no, nil},
	ActSetActive:        {yes, byRank, no, no, overSCIM, no, no, no, yes, nil},
	ActRemove:           {yes, byRank, no, selfOnly, overSCIM, no, no, no, no, nil},
	ActRestore:          {yes, byRank, no, no, no, no, no, no, yes, nil},
	ActErase:            {yes, no, no, selfOnly, no, no, no, no, yes, nil},
	ActResetPassword:    {yes, byRank, no, selfOnly, no, no, no, yes, no, nil},
	ActTransfer:         {yes, byRank, selfOnly, no, no, no, no, no, no, nil},
	ActAnswerTransfer:   {yes, no, no, no, no, byScope, no, no, no, []string{ScopeClients, ScopeApp}},
	ActSettings:         {yes, yes, no, no, no, no, no, no, no, nil},
	ActBrand:            {yes, bySetting, bySetting, bySetting, no, no, no, no, no, nil},
	ActRename:           {yes, bySetting, bySetting, bySetting, no, no, no, no, yes, nil},
	ActReadCatalog:      {yes, yes, yes, yes, overSCIM, byScope, no, no, yes, []string{ScopeRead, ScopeCatalog, ScopeMembers, ScopeInvites}},
	ActWriteCatalog:     {yes, yes, no, no, no, byScope, no, no, no, []string{ScopeCatalog}},
	ActResolve:          {yes, yes, no, no, no, no, no, no, no, nil},
	ActAudit:            {yes, yes, no, selfOnly, no, byScope, no, no, selfOnly, []string{ScopeRead}},
	ActJobs:             {yes, yes, selfOnly, selfOnly, no, selfOnly, no, no, selfOnly, nil},
	ActOwnership:        {yes, no, no, no, no, no, no, no, yes, nil},
}

func (c cells) of(k Kind) rule {
	switch k {
	case KindOwner:
		return c.owner
	case KindAdmin:
		return c.admin
	case KindManager:
		return c.manager
	case KindMember:
		return c.member
	case KindIdP:
		return c.idp
	case KindApp:
		return c.app
	case KindInvitee:
		return c.invitee
	case KindPublic:
		return c.public
	case KindOperator:
		return c.operator
	}
	return no
}

// Target is what an action is done to.
type Target struct {
	Org     scim.OrgID    // the organization of the thing; empty: the subject's own
	Type    scim.TypeName // what a 404 says is not there; empty: User
	User    string        // id of the person, or of the actor whose traces are asked for; empty: none
	Rank    int           // the highest rank that the person has
	Gives   int           // the highest rank that the action gives
	Setting bool          // what the setting says that decides for some kinds of subjects
	SCIM    bool          // it is done by SCIM
}

// Allowed returns nil if the subject may do it: the matrix, and the rule of ranks. A thing of another organization is not
// found, whoever asks.
func Allowed(sub Subject, act Action, t Target) error {
	if t.Org != "" && t.Org != sub.Org {
		if t.Type == "" {
			t.Type = "User"
		}
		return notFound(t.Type)
	}
	row := matrix[act]
	own := row.of(sub.Kind)
	// Whoever administers is a member as well: what members may do to themselves, they may.
	person := sub.Kind == KindAdmin || sub.Kind == KindManager
	switch {
	case row.met(own, sub, t), person && row.met(row.member, sub, t):
	case own == byRank:
		return forbidden("person_above_you", "your role does not let you change a person of the same or a higher rank")
	default:
		return forbidden("not_allowed", "your role does not include this: %s", act)
	}
	if t.Gives > sub.Rank && !t.SCIM {
		return forbidden("role_above_yours", "you can give roles up to the rank of your own")
	}
	return nil
}

// met reports whether the condition of a cell holds.
func (c cells) met(r rule, sub Subject, t Target) bool {
	self := t.User != "" && (t.User == sub.User || sub.User == "" && t.User == sub.Actor.ID)
	switch r {
	case yes:
		return true
	case byRank:
		// Nobody edits somebody of their own rank: else two administrators could cut each other's access, and each
		// their own.
		return t.User == "" || t.Rank < sub.Rank
	case bySetting:
		return t.Setting
	case selfOnly:
		return self
	case selfPolicy:
		return self && t.Setting
	case byScope:
		return slices.ContainsFunc(c.scopes, sub.hasScope)
	case overSCIM:
		return t.SCIM
	case no:
	}
	return false
}

package admin

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const membersTag = "Members"

func (a *API) memberEndpoints() {
	act := func(id, action, summary string) operation {
		return operation{
			id: id, method: http.MethodPost, path: "/members/{id}/actions/" + action, tag: membersTag, summary: summary,
			scope: scim.ScopeAdminMembers, conditional: true,
		}
	}
	deactivate := act("deactivate-member", "deactivate", "Deactivate a member")
	deactivate.detail = "Cuts access at once and keeps everything else. It can be undone, or undoes itself at `until`. Open invites to the person are revoked."
	handle(a, deactivate, a.deactivateMember)
	handle(a, act("activate-member", "activate", "Activate a member"), a.activateMember)
	handle(a, act("detach-member", "detach-from-idp", "Take a member over from the client that provisions them"), a.detachMember)
	remove := act("remove-member", "remove", "Remove a member")
	remove.detail = "Access ends at once. Every statement of the removal effects must be acknowledged; if they changed meanwhile the answer is 409 `effects_changed`."
	handle(a, remove, a.removeMember)
	restore := act("restore-member", "restore", "Bring a removed member back")
	restore.conditional = false
	handle(a, restore, a.restoreMember)
	erase := act("erase-member", "erase", "Erase a member for good")
	erase.conditional, erase.status = false, http.StatusNoContent
	handle(a, erase, a.eraseMember)

	read := operation{method: http.MethodGet, tag: membersTag, scope: scim.ScopeAdminMembers}
	effects := read
	effects.id, effects.path, effects.summary = "get-removal-effects", "/removal-effects", "What removing a member does"
	handle(a, effects, a.removalEffects)
	removed := read
	removed.id, removed.path, removed.summary = "list-removed-members", "/removed-members", "Who was removed"
	handle(a, removed, a.removedMembers)
	access := read
	access.id, access.path, access.summary = "check-access", "/members/{id}/access", "Whether a person may come in"
	access.detail = "For applications that have authenticated the person already: `deactivated` and `revoked` are told to nobody else."
	handle(a, access, a.checkAccess)
	name := read
	name.id, name.path, name.summary = "get-member-name", "/members/{id}/name", "The name to show for an id"
	name.detail = "Also of people who were removed, until they are erased."
	handle(a, name, a.memberName)
	history := read
	history.id, history.path, history.summary = "get-member-history", "/members/{id}/history", "What was changed of a member, by whom"
	handle(a, history, a.memberHistory)
}

// MemberPath is embedded by the input of what is about one member.
type MemberPath struct {
	ID string `path:"id" format:"uuid" doc:"Id of the user."`
}

// MemberInfo is a user as the companion API shows them: the SCIM resource has all.
type MemberInfo struct {
	ID           string                   `json:"id" format:"uuid"`
	UserName     string                   `json:"userName"`
	Name         string                   `json:"name"`
	Active       bool                     `json:"active"`
	Roles        []string                 `json:"roles" nullable:"false"`
	Occupation   string                   `json:"occupation,omitempty"`
	Deactivation *lifecycle.DeactivatedBy `json:"deactivation,omitempty"`
}

type memberOutput struct {
	ETag string `header:"ETag"`
	Body MemberInfo
}

func (a *API) memberOf(r *scim.Resource) (*memberOutput, error) {
	m, err := a.Lifecycle.MemberOf(r)
	if err != nil {
		return nil, err
	}
	return &memberOutput{ETag: scim.ETag(r.Version), Body: showMember(r.ID, m)}, nil
}

func showMember(id string, m *lifecycle.MemberFacts) MemberInfo {
	return MemberInfo{
		ID: id, UserName: m.UserName, Name: m.Label, Active: m.Active, Roles: m.Roles, Occupation: m.Occupation,
		Deactivation: m.Deactivation,
	}
}

// version is the one that If-Match names; 0 if it names none in particular.
func (c *Call) version() (int64, error) {
	text := strings.TrimSpace(c.If.IfMatch)
	if text == "" || text == "*" {
		return 0, nil
	}
	text = strings.Trim(strings.TrimPrefix(text, "W/"), `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, scim.PreconditionFailed()
	}
	return n, nil
}

type deactivateInput struct {
	MemberPath
	Body struct {
		Reason string    `json:"reason,omitempty" enum:"leave,terminated,expired,other" doc:"other if absent"`
		Until  time.Time `json:"until,omitzero" doc:"When access comes back by itself."`
		Note   string    `json:"note,omitempty" maxLength:"1000" doc:"For administrators."`
	}
}

func (a *API) deactivateMember(ctx context.Context, c *Call, in *deactivateInput) (*memberOutput, error) {
	v, err := c.version()
	if err != nil {
		return nil, err
	}
	r, err := a.Lifecycle.Deactivate(ctx, c.Subject, in.ID, v, lifecycle.Deactivation{
		Reason: in.Body.Reason, Until: in.Body.Until, Note: in.Body.Note,
	})
	if err != nil {
		return nil, err
	}
	return a.memberOf(r)
}

func (a *API) activateMember(ctx context.Context, c *Call, in *MemberPath) (*memberOutput, error) {
	v, err := c.version()
	if err != nil {
		return nil, err
	}
	r, err := a.Lifecycle.Activate(ctx, c.Subject, in.ID, v)
	if err != nil {
		return nil, err
	}
	return a.memberOf(r)
}

func (a *API) detachMember(ctx context.Context, c *Call, in *MemberPath) (*memberOutput, error) {
	v, err := c.version()
	if err != nil {
		return nil, err
	}
	r, err := a.Lifecycle.Detach(ctx, c.Subject, in.ID, v)
	if err != nil {
		return nil, err
	}
	return a.memberOf(r)
}

type removeInput struct {
	MemberPath
	Body struct {
		Acknowledge    []string `json:"acknowledge" maxItems:"5000" nullable:"false" doc:"Ids of all statements of the removal effects."`
		EffectsVersion string   `json:"effectsVersion" maxLength:"64" doc:"Their version."`
		Confirm        string   `json:"confirm,omitempty" maxLength:"500" doc:"The person's userName, for somebody whom a client provisions."`
		TransferID     string   `json:"transferId,omitempty" maxLength:"36" doc:"Id of an open transfer of the person's work: access is cut now, and the person is removed when it has ended."`
	}
}

func (a *API) removeMember(ctx context.Context, c *Call, in *removeInput) (*struct{}, error) {
	v, err := c.version()
	if err != nil {
		return nil, err
	}
	return nil, a.Lifecycle.Remove(ctx, c.Subject, in.ID, v, lifecycle.Removal{
		Acknowledge: in.Body.Acknowledge, EffectsVersion: in.Body.EffectsVersion, Confirm: in.Body.Confirm,
		Transfer: in.Body.TransferID,
	})
}

func (a *API) restoreMember(ctx context.Context, c *Call, in *MemberPath) (*memberOutput, error) {
	r, err := a.Lifecycle.Restore(ctx, c.Subject, in.ID)
	if err != nil {
		return nil, err
	}
	return a.memberOf(r)
}

type eraseInput struct {
	MemberPath
	Body struct {
		Confirm string `json:"confirm,omitempty" maxLength:"500" doc:"The person's userName, unless they were removed before."`
	}
}

func (a *API) eraseMember(ctx context.Context, c *Call, in *eraseInput) (*struct{}, error) {
	return nil, a.Lifecycle.Erase(ctx, c.Subject, in.ID, in.Body.Confirm)
}

type effectsOutput struct{ Body lifecycle.Statements }

func (a *API) removalEffects(ctx context.Context, c *Call, _ *struct{}) (*effectsOutput, error) {
	st, err := a.Lifecycle.RemovalEffects(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	return &effectsOutput{st}, nil
}

// RemovedMember is what is left of somebody who was removed.
type RemovedMember struct {
	ID           string     `json:"id" format:"uuid"`
	Name         string     `json:"name"`
	RemovedAt    time.Time  `json:"removedAt"`
	RestoreUntil *time.Time `json:"restoreUntil,omitempty" doc:"Absent if the profile is no longer kept."`
	Erased       bool       `json:"erased"`
}

type removedOutput struct {
	Body struct {
		Items []RemovedMember `json:"items" nullable:"false"`
		Next  string          `json:"next,omitempty" doc:"The cursor of the next page."`
	}
}

func (a *API) removedMembers(ctx context.Context, c *Call, in *PageInput) (*removedOutput, error) {
	after := ""
	p, err := openCursor[string](a, c, "removed-members", in.Cursor)
	if err != nil {
		return nil, err
	}
	if p != nil {
		after = *p
	}
	list, next, err := a.Lifecycle.Removed(ctx, c.Subject, after, in.Count)
	if err != nil {
		return nil, err
	}
	out := &removedOutput{}
	out.Body.Items = make([]RemovedMember, len(list))
	for i, r := range list {
		out.Body.Items[i] = RemovedMember{
			ID: r.User, Name: r.Name, RemovedAt: r.RemovedAt.Time, RestoreUntil: present(r.RestoreUntil.Time), Erased: r.Erased,
		}
	}
	if next != "" {
		if out.Body.Next, err = sealCursor(a, c, "removed-members", next); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type accessOutput struct {
	Body struct {
		Access lifecycle.Access `json:"access" enum:"active,deactivated,pendingConsent,revoked,unknown"`
	}
}

func (a *API) checkAccess(ctx context.Context, c *Call, in *MemberPath) (*accessOutput, error) {
	access, err := a.Lifecycle.CheckAccess(ctx, c.Subject, in.ID)
	if err != nil {
		return nil, err
	}
	out := &accessOutput{}
	out.Body.Access = access
	return out, nil
}

type nameOutput struct {
	Body struct {
		Name string `json:"name"`
	}
}

func (a *API) memberName(ctx context.Context, c *Call, in *MemberPath) (*nameOutput, error) {
	name, err := a.Lifecycle.NameOf(ctx, c.Subject, in.ID)
	if err != nil {
		return nil, err
	}
	out := &nameOutput{}
	out.Body.Name = name
	return out, nil
}

type historyInput struct {
	MemberPath
	PageInput
}

type historyOutput struct {
	Body struct {
		Items []lifecycle.HistoryEntry `json:"items" nullable:"false"`
		Next  string                   `json:"next,omitempty" doc:"The cursor of the next page."`
	}
}

func (a *API) memberHistory(ctx context.Context, c *Call, in *historyInput) (*historyOutput, error) {
	skip := 0
	of := "history " + in.ID
	p, err := openCursor[int](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	if p != nil {
		skip = *p
	}
	list, more, err := a.Lifecycle.History(ctx, c.Subject, in.ID, skip, in.Count)
	if err != nil {
		return nil, err
	}
	out := &historyOutput{}
	out.Body.Items = list
	if more {
		if out.Body.Next, err = sealCursor(a, c, of, skip+len(list)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// BulkOutcome is what became of one address.
type BulkOutcome struct {
	Input       string     `json:"input" doc:"What the request said."`
	Email       string     `json:"email,omitempty"`
	Outcome     string     `json:"outcome" enum:"created,created_needs_approval,resent,replaced,converted_join_request,skipped_existing_member,skipped_deactivated_member,skipped_pending_invite,skipped_disposable,skipped_domain_not_allowed,skipped_managed_domain,skipped_suppressed,skipped_duplicate_in_request,invalid_address,role_above_yours,admin_only_module,over_seat_limit,over_rate_limit,plan_required"`
	Detail      string     `json:"detail,omitempty" doc:"A sentence for people, if the address was not invited."`
	Warnings    []string   `json:"warnings" nullable:"false" doc:"typo_suspected:domain, role_mailbox, occupation_missing, no_modules, formerly_removed:date"`
	Invite      string     `json:"invite,omitempty" doc:"Id of the invite."`
	JoinRequest string     `json:"joinRequest,omitempty"`
	User        string     `json:"user,omitempty" doc:"Id of the member who is there already."`
	Token       string     `json:"token,omitempty" doc:"Of a link to hand out; shown this once."`
	Link        string     `json:"link,omitempty" doc:"The link to hand out; shown this once."`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
}

func showOutcome(o *lifecycle.InviteOutcome) BulkOutcome {
	out := BulkOutcome{
		Input: o.Input, Email: o.Email, Outcome: o.Outcome, Detail: o.Detail, Warnings: append([]string{}, o.Warnings...), Invite: o.Invite,
		JoinRequest: o.JoinRequest, User: o.User, Token: o.Token, Link: o.Link,
	}
	if !o.ExpiresAt.IsZero() {
		out.ExpiresAt = &o.ExpiresAt
	}
	return out
}

func (a *API) inviteActionEndpoints() {
	handle(a, operation{
		id: "invite-many", method: http.MethodPost, path: "/invites/actions/bulk", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Invite up to 500 people",
		detail: "`recipients` is a list as people paste it: separated by comma, semicolon, line end or tab, with or without names. The " +
			"answer has one outcome for each address, in the order of the request.",
	}, a.inviteMany)
	action := func(id, name, summary, detail string, fn func(context.Context, *Call, *InvitePath) (*inviteOutput, error)) {
		handle(a, operation{
			id: id, method: http.MethodPost, path: "/invites/{id}/actions/" + name, tag: inviteTag, scope: scim.ScopeAdminInvites,
			summary: summary, detail: detail,
		}, fn)
	}
	action("resend-invite", "resend", "Mail an invite again",
		"With a new link: earlier ones are dead, and the time starts again. At most once a minute.",
		func(ctx context.Context, c *Call, in *InvitePath) (*inviteOutput, error) {
			return inviteAnswer(a.Lifecycle.ResendInvite(ctx, c.Subject, in.ID))
		})
	handle(a, operation{
		id: "revoke-invite", method: http.MethodPost, path: "/invites/{id}/actions/revoke", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "End an open invite", detail: "Its links are dead at once. Revoking twice is no error.",
	}, func(ctx context.Context, c *Call, in *revokeInviteInput) (*inviteOutput, error) {
		reason := ""
		if in.Body != nil {
			reason = in.Body.Reason
		}
		return inviteAnswer(a.Lifecycle.RevokeInvite(ctx, c.Subject, in.ID, reason))
	})
	handle(a, operation{
		id: "link-invite", method: http.MethodPost, path: "/invites/{id}/actions/link", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Make a link to hand out",
		detail: "Whoever holds it proves the address by a mailed code or by a login. The link that was mailed works on; one handed out " +
			"before is dead.",
	}, a.linkInvite)
	handle(a, operation{
		id: "reissue-invite", method: http.MethodPost, path: "/invites/{id}/actions/reissue", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Replace an invite by one to another address", status: http.StatusCreated,
	}, func(ctx context.Context, c *Call, in *reissueInviteInput) (*inviteMadeOutput, error) {
		o, err := a.Lifecycle.ReissueInvite(ctx, c.Subject, in.ID, in.Body.Email)
		return a.made(ctx, c, o, err)
	})
	handle(a, operation{
		id: "revoke-invites", method: http.MethodPost, path: "/invites/actions/revoke-all", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "End every open invite, or those of one inviter",
	}, func(ctx context.Context, c *Call, in *revokeInvitesInput) (*revokedOutput, error) {
		n, err := a.Lifecycle.RevokeInvites(ctx, c.Subject, in.Body.Inviter, in.Body.Reason)
		out := &revokedOutput{}
		out.Body.Revoked = n
		return out, err
	})
}

type inviteManyInput struct {
	Body struct {
		Recipients  string          `json:"recipients,omitempty" maxLength:"200000" doc:"A list as people paste it."`
		People      []BulkRecipient `json:"people,omitempty" nullable:"false" maxItems:"500" doc:"The same with more about each."`
		Common      *BulkCommon     `json:"common,omitempty"`
		OnDuplicate string          `json:"onDuplicate,omitempty" enum:"skip,resend,replace,fail" doc:"What an address with an open invite gets; the organization's setting if left out."`
		DryRun      bool            `json:"dryRun,omitempty" doc:"Says what would happen, and does nothing."`
	}
}

// BulkRecipient is one person of a batch. What it says goes before what is common.
type BulkRecipient struct {
	Email string `json:"email" maxLength:"1024"`
	InviteGrant
}

// BulkCommon is what all invites of a batch say.
type BulkCommon struct {
	Delivery  string     `json:"delivery,omitempty" enum:"email,link,none"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	InviteGrant
}

func (b *BulkCommon) invite() lifecycle.Invite {
	var v lifecycle.Invite
	if b == nil {
		return v
	}
	v.Delivery = b.Delivery
	if b.ExpiresAt != nil {
		v.ExpiresAt = lifecycle.Instant{Time: *b.ExpiresAt}
	}
	b.on(&v)
	return v
}

type inviteManyOutput struct {
	Body struct {
		Outcomes []BulkOutcome `json:"outcomes" nullable:"false"`
		Totals   []BulkTotal   `json:"totals" nullable:"false" doc:"How many addresses had each outcome."`
		DryRun   bool          `json:"dryRun"`
	}
}

// BulkTotal is how many addresses had an outcome.
type BulkTotal struct {
	Outcome string `json:"outcome"`
	Count   int    `json:"count"`
}

func totals(list []lifecycle.InviteOutcome) []BulkTotal {
	n := map[string]int{}
	for i := range list {
		n[list[i].Outcome]++
	}
	out := []BulkTotal{}
	for _, o := range lifecycle.InviteOutcomes() {
		if n[o] > 0 {
			out = append(out, BulkTotal{o, n[o]})
		}
	}
	return out
}

func (a *API) inviteMany(ctx context.Context, c *Call, in *inviteManyInput) (*inviteManyOutput, error) {
	b := lifecycle.InviteBatch{
		Text: in.Body.Recipients, Common: in.Body.Common.invite(), OnDuplicate: in.Body.OnDuplicate, DryRun: in.Body.DryRun,
	}
	for i := range in.Body.People {
		p := &in.Body.People[i]
		r := lifecycle.InviteRecipient{Email: p.Email}
		p.on(&r.Own)
		b.Recipients = append(b.Recipients, r)
	}
	list, err := a.Lifecycle.InviteMany(ctx, c.Subject, b)
	if err != nil {
		return nil, err
	}
	out := &inviteManyOutput{}
	out.Body.Outcomes, out.Body.Totals, out.Body.DryRun = make([]BulkOutcome, len(list)), totals(list), in.Body.DryRun
	for i := range list {
		out.Body.Outcomes[i] = showOutcome(&list[i])
	}
	return out, nil
}

type revokeInviteInput struct {
	InvitePath
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"200"`
	}
}

type linkOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Invite Invite `json:"invite"`
		Token  string `json:"token" doc:"Shown this once."`
		Link   string `json:"link" doc:"Shown this once."`
	}
}

func (a *API) linkInvite(ctx context.Context, c *Call, in *InvitePath) (*linkOutput, error) {
	l, err := a.Lifecycle.LinkInvite(ctx, c.Subject, in.ID)
	if err != nil {
		return nil, err
	}
	out := &linkOutput{ETag: scim.ETag(l.Version)}
	out.Body.Invite, out.Body.Token, out.Body.Link = showInvite(&l.InviteRecord), l.Token, l.Link
	return out, nil
}

type reissueInviteInput struct {
	InvitePath
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"1024" doc:"The right address."`
	}
}

type revokeInvitesInput struct {
	Body struct {
		Inviter string `json:"inviter,omitempty" maxLength:"36" doc:"Id of who invited; empty: all."`
		Reason  string `json:"reason,omitempty" maxLength:"200"`
	}
}

type revokedOutput struct {
	Body struct {
		Revoked int `json:"revoked"`
	}
}

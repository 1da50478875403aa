package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

const inviteTag = "Invites"

// PersonName is a person's name.
type PersonName = lifecycle.Name

// ProfileFields are what the profile of a new user is filled with.
type ProfileFields = lifecycle.Profile

// Reference names another resource, by id or by key.
type Reference struct {
	Value   string `json:"value"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// MailStatus is what became of the last mail about an invite.
type MailStatus struct {
	State       string     `json:"state"`
	Code        string     `json:"code,omitempty" doc:"Status code of the receiving mail server."`
	Detail      string     `json:"detail,omitempty" doc:"What the receiving mail server said."`
	At          *time.Time `json:"at,omitempty"`
	AutoReplied bool       `json:"autoReplied" doc:"An automatic reply came back: whoever signs in with the address must have none."`
	Suggestion  string     `json:"suggestion,omitempty" doc:"The address that was probably meant."`
}

// Invite is an invitation.
type Invite struct {
	ID         string `json:"id" format:"uuid"`
	ExternalID string `json:"externalId,omitempty"`
	Email      string `json:"email,omitempty"`
	Kind       string `json:"kind" enum:"person,link" doc:"For one address, or a link for several people."`
	Status     string `json:"status" enum:"pending,accepted,declined,revoked,expired,failed"`

	Name                *PersonName    `json:"name,omitempty"`
	Roles               []Reference    `json:"roles" nullable:"false"`
	Occupation          string         `json:"occupation,omitempty"`
	Entitlements        []Reference    `json:"entitlements" nullable:"false"`
	Groups              []Reference    `json:"groups" nullable:"false"`
	Clients             []Reference    `json:"clients" nullable:"false"`
	Profile             *ProfileFields `json:"profile,omitempty"`
	MembershipExpiresAt *time.Time     `json:"membershipExpiresAt,omitempty"`
	Message             string         `json:"message,omitempty"`
	Locale              string         `json:"locale,omitempty"`
	Delivery            string         `json:"delivery" enum:"email,link,none"`

	ExpiresAt    *time.Time  `json:"expiresAt,omitempty"`
	SentAt       *time.Time  `json:"sentAt,omitempty"`
	LastSentAt   *time.Time  `json:"lastSentAt,omitempty"`
	SendCount    int         `json:"sendCount"`
	AcceptedAt   *time.Time  `json:"acceptedAt,omitempty"`
	DeclinedAt   *time.Time  `json:"declinedAt,omitempty"`
	RevokedAt    *time.Time  `json:"revokedAt,omitempty"`
	MaxUses      int         `json:"maxUses,omitempty" doc:"How many people may use the link."`
	Uses         int         `json:"uses,omitempty"`
	Mail         *MailStatus `json:"mail,omitempty"`
	Inviter      *Reference  `json:"inviter,omitempty"`
	AcceptedUser *Reference  `json:"acceptedUser,omitempty"`
	JoinRequest  string      `json:"joinRequest,omitempty"`
	Supersedes   string      `json:"supersedes,omitempty"`
	SupersededBy string      `json:"supersededBy,omitempty"`
	SeatHeld     bool        `json:"seatHeld"`
	Reason       string      `json:"reason,omitempty" doc:"Why it was revoked or failed."`
	Created      time.Time   `json:"created"`
	Modified     time.Time   `json:"modified"`
}

// InviteGrant is what an invite gives and says. Left out of a change it stays.
type InviteGrant struct {
	Name                *PersonName       `json:"name,omitempty"`
	Roles               *[]string         `json:"roles,omitempty" nullable:"false" maxItems:"100" doc:"Keys of roles; the organization's default role without any."`
	Occupation          *string           `json:"occupation,omitempty" maxLength:"200"`
	Entitlements        *[]GivenReference `json:"entitlements,omitempty" nullable:"false" maxItems:"100" doc:"Modules and sub-accounts."`
	Groups              *[]string         `json:"groups,omitempty" nullable:"false" maxItems:"100" doc:"Ids of groups that are joined on acceptance."`
	Clients             *[]string         `json:"clients,omitempty" nullable:"false" maxItems:"1000" doc:"Ids of clients that are assigned on acceptance."`
	Profile             *ProfileFields    `json:"profile,omitempty"`
	MembershipExpiresAt *time.Time        `json:"membershipExpiresAt,omitempty" doc:"When the membership ends by itself."`
	Message             *string           `json:"message,omitempty" maxLength:"1000" doc:"Shown as plain text."`
	Locale              *string           `json:"locale,omitempty" maxLength:"35"`
	ExternalID          *string           `json:"externalId,omitempty" maxLength:"200"`
}

// GivenReference is a module or a sub-account that is to be given.
type GivenReference struct {
	Value string `json:"value" minLength:"1" maxLength:"200" doc:"The key; with :read for a module to look at only."`
	Type  string `json:"type,omitempty" enum:"module,subAccount"`
}

// on puts the grant on an invite.
func (g *InviteGrant) on(v *lifecycle.Invite) {
	set(&v.Occupation, g.Occupation)
	set(&v.Message, g.Message)
	set(&v.Locale, g.Locale)
	set(&v.ExternalID, g.ExternalID)
	set(&v.Profile, g.Profile)
	if g.Name != nil {
		v.Name = g.Name
	}
	if g.MembershipExpiresAt != nil {
		v.MembershipExpiresAt = lifecycle.Instant{Time: *g.MembershipExpiresAt}
	}
	refs(&v.Roles, g.Roles)
	refs(&v.Groups, g.Groups)
	refs(&v.Clients, g.Clients)
	if g.Entitlements != nil {
		v.Entitlements = nil
		for _, e := range *g.Entitlements {
			v.Entitlements = append(v.Entitlements, lifecycle.Ref{Value: e.Value, Type: e.Type})
		}
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func refs(to *[]lifecycle.Ref, values *[]string) {
	if values == nil {
		return
	}
	*to = []lifecycle.Ref{}
	for _, v := range *values {
		*to = append(*to, lifecycle.Ref{Value: v})
	}
}

func showRef(r *lifecycle.Ref) *Reference {
	if r == nil {
		return nil
	}
	return &Reference{r.Value, r.Display, r.Type, r.Primary}
}

func showRefs(list []lifecycle.Ref) []Reference {
	out := make([]Reference, len(list))
	for i := range list {
		out[i] = *showRef(&list[i])
	}
	return out
}

func showTime(i lifecycle.Instant) *time.Time {
	if i.IsZero() {
		return nil
	}
	return &i.Time
}

func showInvite(r *lifecycle.InviteRecord) Invite {
	v := &r.Invite
	out := Invite{
		ID: r.ID, ExternalID: v.ExternalID, Email: v.Email, Kind: v.Kind, Status: v.Status, Name: v.Name, Roles: showRefs(v.Roles),
		Occupation: v.Occupation, Entitlements: showRefs(v.Entitlements), Groups: showRefs(v.Groups), Clients: showRefs(v.Clients),
		MembershipExpiresAt: showTime(v.MembershipExpiresAt), Message: v.Message, Locale: v.Locale, Delivery: v.Delivery,
		ExpiresAt: showTime(v.ExpiresAt), SentAt: showTime(v.SentAt), LastSentAt: showTime(v.LastSentAt), SendCount: v.SendCount,
		AcceptedAt: showTime(v.AcceptedAt), DeclinedAt: showTime(v.DeclinedAt), RevokedAt: showTime(v.RevokedAt),
		MaxUses: v.MaxUses, Uses: v.Uses, Inviter: showRef(v.Inviter), AcceptedUser: showRef(v.AcceptedUser),
		JoinRequest: v.JoinRequest, Supersedes: v.Supersedes, SupersededBy: v.SupersededBy, SeatHeld: v.SeatHeld, Reason: v.Reason,
		Created: r.Created, Modified: r.Modified,
	}
	if v.Profile != (ProfileFields{}) {
		out.Profile = &v.Profile
	}
	if m := v.Mail; m.State != "" || m.Suggestion != "" {
		out.Mail = &MailStatus{m.State, m.Code, m.Detail, showTime(m.At), m.AutoReplied, m.Suggestion}
	}
	return out
}

func (a *API) inviteEndpoints() {
	handle(a, operation{
		id: "list-invites", method: http.MethodGet, path: "/invites", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Invites, the newest last",
	}, a.listInvites)
	handle(a, operation{
		id: "get-invite", method: http.MethodGet, path: "/invites/{id}", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "An invite",
	}, func(ctx context.Context, c *Call, in *InvitePath) (*inviteOutput, error) {
		r, err := a.Lifecycle.GetInvite(ctx, c.Subject, in.ID)
		return inviteAnswer(r, err)
	})
	handle(a, operation{
		id: "create-invite", method: http.MethodPost, path: "/invites", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Invite a person, or make a link for several", status: http.StatusCreated,
		detail: "The link of an invite that is not mailed is in the answer, and shown this once.",
	}, a.createInvite)
	handle(a, operation{
		id: "change-invite", method: http.MethodPatch, path: "/invites/{id}", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Change what an open invite gives and says", conditional: true,
	}, a.changeInvite)
}

// InvitePath is embedded by the input of what is done to one invite.
type InvitePath struct {
	ID string `path:"id" minLength:"1" maxLength:"36" doc:"Id of the invite."`
}

type inviteOutput struct {
	ETag string `header:"ETag"`
	Body Invite
}

func inviteAnswer(r *lifecycle.InviteRecord, err error) (*inviteOutput, error) {
	if err != nil {
		return nil, err
	}
	return &inviteOutput{scim.ETag(r.Version), showInvite(r)}, nil
}

type listInvitesInput struct {
	PageInput
	Status  string `query:"status" enum:"pending,accepted,declined,revoked,expired,failed"`
	Q       string `query:"q" maxLength:"200" doc:"Part of the address."`
	Inviter string `query:"inviter" maxLength:"36" doc:"Id of who invited."`
	Sort    string `query:"sort" enum:"email,status,expiresAt,created,occupation"`
	Desc    bool   `query:"desc"`
}

type invitesOutput struct {
	Body struct {
		Items []Invite `json:"items" nullable:"false"`
		Next  string   `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

// sortPath is the attribute that a list is sorted by.
func sortPath(sort string) string {
	if sort == "created" {
		return "meta.created"
	}
	return sort
}

func (a *API) listInvites(ctx context.Context, c *Call, in *listInvitesInput) (*invitesOutput, error) {
	of := "invites\x00" + in.Status + "\x00" + in.Q + "\x00" + in.Inviter + "\x00" + in.Sort + "\x00" + cmp.Or(map[bool]string{true: "desc"}[in.Desc], "asc")
	after, err := openCursor[query.Position](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.PageInvites(ctx, c.Subject, lifecycle.ArrivalQuery{
		Status: in.Status, Text: in.Q, By: in.Inviter, Sort: sortPath(in.Sort), Desc: in.Desc, After: after, Count: in.Count,
	})
	if err != nil {
		return nil, err
	}
	out := &invitesOutput{}
	out.Body.Items = make([]Invite, len(list))
	for i := range list {
		out.Body.Items[i] = showInvite(&list[i])
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *next)
	}
	return out, err
}

type createInviteInput struct {
	Body struct {
		Email     string     `json:"email,omitempty" maxLength:"1024" doc:"Required unless kind is link."`
		Kind      string     `json:"kind,omitempty" enum:"person,link"`
		Delivery  string     `json:"delivery,omitempty" enum:"email,link,none" doc:"email unless kind is link."`
		ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"An hour to 30 days ahead; the organization's setting if left out."`
		MaxUses   int        `json:"maxUses,omitempty" minimum:"0" maximum:"10000"`
		InviteGrant
	}
}

// InviteMade is an invite with what is shown this once.
type InviteMade struct {
	Invite      *Invite  `json:"invite,omitempty"`
	Outcome     string   `json:"outcome" doc:"created, created_needs_approval, converted_join_request or replaced."`
	Warnings    []string `json:"warnings" nullable:"false" doc:"What to look at nevertheless."`
	JoinRequest string   `json:"joinRequest,omitempty" doc:"Id of the request that waits for approval, or that was closed."`
	Token       string   `json:"token,omitempty" doc:"Of a link to hand out; shown this once."`
	Link        string   `json:"link,omitempty" doc:"The link to hand out; shown this once."`
}

type inviteMadeOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     InviteMade
}

func (a *API) createInvite(ctx context.Context, c *Call, in *createInviteInput) (*inviteMadeOutput, error) {
	b := &in.Body
	v := lifecycle.Invite{Email: b.Email, Kind: b.Kind, Delivery: b.Delivery, MaxUses: b.MaxUses}
	if b.ExpiresAt != nil {
		v.ExpiresAt = lifecycle.Instant{Time: *b.ExpiresAt}
	}
	b.on(&v)
	o, err := a.Lifecycle.Invite(ctx, c.Subject, v)
	return a.made(ctx, c, o, err)
}

// made shows what was made.
func (a *API) made(ctx context.Context, c *Call, o *lifecycle.InviteOutcome, err error) (*inviteMadeOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &inviteMadeOutput{Body: InviteMade{
		Outcome: o.Outcome, Warnings: append([]string{}, o.Warnings...), JoinRequest: o.JoinRequest, Token: o.Token, Link: o.Link,
	}}
	if o.Invite == "" {
		out.Location = DefaultBasePath + "/join-requests/" + o.JoinRequest
		return out, nil
	}
	r, err := a.Lifecycle.GetInvite(ctx, c.Subject, o.Invite)
	if err != nil {
		return nil, err
	}
	shown := showInvite(r)
	out.Body.Invite, out.ETag, out.Location = &shown, scim.ETag(r.Version), DefaultBasePath+"/invites/"+r.ID
	return out, nil
}

type changeInviteInput struct {
	InvitePath
	Body struct {
		ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"An hour to 30 days ahead."`
		InviteGrant
	}
}

func (a *API) changeInvite(ctx context.Context, c *Call, in *changeInviteInput) (*inviteOutput, error) {
	r, err := a.Lifecycle.ChangeInvite(ctx, c.Subject, in.ID, c.If, func(v *lifecycle.Invite) error {
		in.Body.on(v)
		if in.Body.ExpiresAt != nil {
			v.ExpiresAt = lifecycle.Instant{Time: *in.Body.ExpiresAt}
		}
		return nil
	})
	return inviteAnswer(r, err)
}

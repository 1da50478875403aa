package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

// Listed is a line of the list of members: somebody who is a member, or an invite to become one.
type Listed struct {
	Kind         string                   `json:"kind" enum:"member,invite"`
	ID           string                   `json:"id" format:"uuid" doc:"Of the user, or of the invite."`
	Status       string                   `json:"status" enum:"active,deactivated,pending,expired"`
	Name         string                   `json:"name,omitempty"`
	UserName     string                   `json:"userName,omitempty" doc:"Of a member."`
	Email        string                   `json:"email,omitempty"`
	Roles        []string                 `json:"roles" nullable:"false" doc:"Keys of roles that they have of their own, or will have."`
	Occupation   string                   `json:"occupation,omitempty"`
	Title        string                   `json:"title,omitempty"`
	Photo        string                   `json:"photo,omitempty" doc:"URL of the picture."`
	Deactivation *lifecycle.DeactivatedBy `json:"deactivation,omitempty"`
	ExpiresAt    *time.Time               `json:"expiresAt,omitempty" doc:"Until when an invite can be accepted."`
	MailState    string                   `json:"mailState,omitempty" doc:"What became of the last mail about an invite."`
	Created      time.Time                `json:"created"`
	Modified     time.Time                `json:"modified"`
	Version      string                   `json:"version" doc:"ETag of the user or invite, for If-Match."`
}

func (a *API) memberListEndpoint() {
	handle(a, operation{
		id: "list-members", method: http.MethodGet, path: "/members", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "Members and, with include=invites, who is invited",
		detail: "`status` chooses a view: `active` and `deactivated` members, `pending` and `expired` invites. Without it the list has all " +
			"members, and with `include=invites` the invites that can be accepted among them, in one order. An invite leaves the list " +
			"when it is revoked or accepted. Whoever is no more than a member sees active members only.",
	}, a.listMembers)
}

type listMembersInput struct {
	PageInput
	Status     string `query:"status" enum:"active,pending,deactivated,expired"`
	Include    string `query:"include" enum:"invites" doc:"With the invites that can be accepted."`
	Q          string `query:"q" maxLength:"200" doc:"Part of a name or an address."`
	Role       string `query:"role" maxLength:"100" doc:"Key of a role, be it given by a group."`
	Occupation string `query:"occupation" maxLength:"200" doc:"Key, name or alias of an occupation."`
	Sort       string `query:"sort" enum:"name,userName,occupation,modified" doc:"name is the family name; who has no value comes last."`
	Desc       bool   `query:"desc"`
}

// of names the list for its cursors.
func (in *listMembersInput) of() string {
	desc := "asc"
	if in.Desc {
		desc = "desc"
	}
	return strings.Join([]string{"members", in.Status, in.Include, in.Q, in.Role, in.Occupation, in.Sort, desc}, "\x00")
}

type membersOutput struct {
	Body struct {
		Items []Listed `json:"items" nullable:"false"`
		Next  string   `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (a *API) listMembers(ctx context.Context, c *Call, in *listMembersInput) (*membersOutput, error) {
	after, err := openCursor[query.Position](a, c, in.of(), in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.Members(ctx, c.Subject, lifecycle.MemberQuery{
		View: in.Status, Invites: in.Include != "", Text: in.Q, Role: in.Role, Occupation: in.Occupation,
		Sort: in.Sort, Desc: in.Desc, After: after, Count: in.Count,
	})
	if err != nil {
		return nil, err
	}
	out := &membersOutput{}
	out.Body.Items = make([]Listed, len(list))
	for i := range list {
		out.Body.Items[i] = showListed(&list[i])
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, in.of(), *next)
	}
	return out, err
}

func showListed(l *lifecycle.Listed) Listed {
	if m := l.Member; m != nil {
		out := Listed{
			Kind: "member", ID: m.ID, Status: lifecycle.ViewActive, Name: m.Label, UserName: m.UserName, Email: m.Email, Roles: m.Roles,
			Occupation: m.Occupation, Title: m.Title, Photo: m.Photo, Deactivation: m.Deactivation, Created: m.Created,
			Modified: m.Modified, Version: scim.ETag(m.Version),
		}
		if !m.Active {
			out.Status = lifecycle.ViewDeactivated
		}
		return out
	}
	v := &l.Invite.Invite
	out := Listed{
		Kind: "invite", ID: l.Invite.ID, Status: v.Status, Name: l.Invite.Label(), Email: v.Email, Roles: []string{}, Occupation: v.Occupation,
		Title: v.Profile.Title, ExpiresAt: showTime(v.ExpiresAt), MailState: v.Mail.State, Created: l.Invite.Created,
		Modified: l.Invite.Modified, Version: scim.ETag(l.Invite.Version),
	}
	for _, r := range v.Roles {
		out.Roles = append(out.Roles, r.Value)
	}
	return out
}

package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
)

const publicTag = "Without a login"

// visitor is who asks without being anybody here: a person's token is not needed, and proves the address if it is there.
func visitor(c *Call) lifecycle.Visitor {
	v := lifecycle.Visitor{RequestID: c.RequestID, Quota: c.quota}
	if c.Addr.IsValid() {
		v.IP = c.Addr.String()
	}
	v.Login = c.Login
	return v
}

// LinkBody is what the page of a link knows.
type LinkBody struct {
	Org   string `json:"org" maxLength:"64" doc:"The organization that the page shows, as the link names it."`
	Token string `json:"token" maxLength:"128" doc:"Of the link."`
}

func (b *LinkBody) link(id string) lifecycle.InviteLink {
	return lifecycle.InviteLink{Org: b.Org, Invite: id, Token: b.Token}
}

// InvitePage is what a page shows of an invite.
type InvitePage struct {
	Organization struct {
		Slug string `json:"slug"`
		Name string `json:"name"`
		Logo string `json:"logo,omitempty"`
	} `json:"organization"`
	Inviter     string      `json:"inviter,omitempty"`
	Kind        string      `json:"kind" enum:"person,link"`
	EmailMasked string      `json:"emailMasked,omitempty"`
	Name        *PersonName `json:"name,omitempty"`
	Role        string      `json:"role,omitempty"`
	Message     string      `json:"message,omitempty"`
	ExpiresAt   time.Time   `json:"expiresAt"`
	Needs       []string    `json:"needs" nullable:"false" doc:"What proves the address, one of them is enough: mailboxCode, login. Nothing is needed if it is empty."`
}

func (a *API) publicInviteEndpoints() {
	public := func(id, name, summary, detail string, readOnly bool) operation {
		return operation{
			id: id, method: http.MethodPost, path: "/public/invites/{id}/actions/" + name, tag: publicTag, access: forAll,
			summary: summary, detail: detail, readOnly: readOnly,
		}
	}
	handle(a, public("view-invite", "view", "Look at an invite",
		"It changes nothing, so a mail scanner that opens the link does no harm. Whatever is not known (the organization, the invite, "+
			"the token) has the same answer; who holds the token of an invite that has ended is told so.", true),
		func(ctx context.Context, c *Call, in *linkInput) (*invitePageOutput, error) {
			p, err := a.Lifecycle.ViewInvite(ctx, visitor(c), in.Body.link(in.ID))
			if err != nil {
				return nil, err
			}
			out := &invitePageOutput{Body: InvitePage{
				Inviter: p.Inviter, Kind: p.Kind, EmailMasked: p.EmailMasked, Name: p.Name, Role: p.Role, Message: p.Message,
				ExpiresAt: p.ExpiresAt, Needs: append([]string{}, p.Needs...),
			}}
			o := &out.Body.Organization
			o.Slug, o.Name, o.Logo = p.Org.Slug, cmp.Or(p.Branding.Name, p.Org.Name), p.Branding.Logo
			return out, nil
		})
	handle(a, public("accept-invite", "accept", "Become a member",
		"A token of the person, if it is sent, is the login that leads to the new member. Repeating it is no error for the same person.", false),
		a.acceptInvite)
	handle(a, public("decline-invite", "decline", "Refuse an invite", "", false),
		func(ctx context.Context, c *Call, in *declineInput) (*struct{}, error) {
			return nil, a.Lifecycle.DeclineInvite(ctx, visitor(c), in.Body.link(in.ID), in.Body.Stop)
		})
	send := public("send-invite-code", "send-code", "Have six digits mailed",
		"They prove that whoever holds a link that was handed out receives mail at the invited address.", false)
	send.status = http.StatusAccepted
	handle(a, send, func(ctx context.Context, c *Call, in *sendCodeInput) (*struct{}, error) {
		return nil, a.Lifecycle.SendInviteCode(ctx, visitor(c), in.Body.link(in.ID), in.Body.Email)
	})
}

type linkInput struct {
	InvitePath
	Body LinkBody
}

type invitePageOutput struct{ Body InvitePage }

type declineInput struct {
	InvitePath
	Body struct {
		LinkBody
		Stop bool `json:"stop,omitempty" doc:"Nobody shall invite the address again."`
	}
}

type sendCodeInput struct {
	InvitePath
	Body struct {
		LinkBody
		Email string `json:"email,omitempty" maxLength:"1024" doc:"For a link that is for several people."`
	}
}

type acceptInput struct {
	InvitePath
	Body struct {
		LinkBody
		Code    string         `json:"code,omitempty" maxLength:"10" doc:"The six digits that were mailed."`
		Email   string         `json:"email,omitempty" maxLength:"1024" doc:"For a link that is for several people."`
		Name    *PersonName    `json:"name,omitempty"`
		Profile *ProfileFields `json:"profile,omitempty"`
	}
}

type acceptOutput struct {
	Body struct {
		User         string          `json:"user" doc:"Id of the member."`
		Organization OrganizationRef `json:"organization"`
		Existing     bool            `json:"existing" doc:"The person was a member already."`
		Dropped      []string        `json:"dropped" nullable:"false" doc:"What of the invite could not be given, as role:key."`
	}
}

func (a *API) acceptInvite(ctx context.Context, c *Call, in *acceptInput) (*acceptOutput, error) {
	b := &in.Body
	acc := lifecycle.Acceptance{InviteLink: b.link(in.ID), Code: b.Code, Email: b.Email, Name: b.Name}
	set(&acc.Profile, b.Profile)
	got, err := a.Lifecycle.AcceptInvite(ctx, visitor(c), acc)
	if err != nil {
		return nil, err
	}
	out := &acceptOutput{}
	out.Body.User, out.Body.Organization = got.User, OrganizationRef{string(got.Org.ID), got.Org.Slug}
	out.Body.Existing, out.Body.Dropped = got.Existing, append([]string{}, got.Dropped...)
	return out, nil
}

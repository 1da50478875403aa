package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) passwordEndpoints() {
	handle(a, operation{
		id: "reset-member-password", method: http.MethodPost, path: "/members/{id}/actions/reset-password", tag: membersTag,
		scope: scim.ScopeAdminMembers, summary: "Let a member set a new password", status: http.StatusAccepted,
		detail: "A link that works once and for 24 hours is mailed to the person; an older one ends. With deliver=link, which the setting " +
			"`passwords.adminLinks` must allow, it is in the answer, shown this once, and proves nothing about the mailbox.",
	}, func(ctx context.Context, c *Call, in *resetPasswordInput) (*resetOpenedOutput, error) {
		r, err := a.Lifecycle.ResetPassword(ctx, c.Subject, in.ID, in.Body.Deliver)
		if err != nil {
			return nil, err
		}
		out := &resetOpenedOutput{}
		out.Body.Reset, out.Body.SentTo, out.Body.Link, out.Body.Token, out.Body.ExpiresAt = r.ID, r.SentTo, r.Link, r.Token, r.ExpiresAt
		return out, nil
	})
	handle(a, operation{
		id: "ask-for-password-reset", method: http.MethodPost, path: "/public/password-resets", tag: publicTag, access: forAll,
		summary: "Have a link to set a new password mailed", status: http.StatusAccepted,
		detail: "The answer is the same for every address and every organization, but for one whose people sign in elsewhere: 409 " +
			"`signs_in_elsewhere` names the page. The link works once and for 30 minutes.",
	}, func(ctx context.Context, c *Call, in *askForResetInput) (*struct{}, error) {
		return nil, a.Lifecycle.AskForReset(ctx, visitor(c), in.Body.Org, in.Body.Email)
	})
	handle(a, operation{
		id: "redeem-password-reset", method: http.MethodPost, path: "/public/password-resets/{id}/actions/redeem", tag: publicTag, access: forAll,
		summary: "Use a link to set a new password",
		detail: "Where Rollcall keeps passwords, `password` is the new one. Elsewhere an application redeems the link, learns whose it is, " +
			"and sets the password itself; with the same `nonce` it may ask again. Whoever holds a link that has ended is told why.",
	}, a.redeemReset)
}

type resetPasswordInput struct {
	MemberPath
	Body struct {
		Deliver string `json:"deliver,omitempty" enum:"email,link" doc:"email if absent."`
	}
}

type resetOpenedOutput struct {
	Body struct {
		Reset     string    `json:"reset" doc:"Id of the reset."`
		SentTo    string    `json:"sentTo,omitempty" doc:"The address, most of it hidden."`
		Link      string    `json:"link,omitempty" doc:"To hand out; shown this once."`
		Token     string    `json:"token,omitempty" doc:"Of that link."`
		ExpiresAt time.Time `json:"expiresAt"`
	}
}

type askForResetInput struct {
	Body struct {
		Org   string `json:"org" maxLength:"64" doc:"Slug of the organization."`
		Email string `json:"email" maxLength:"1024"`
	}
}

type redeemResetInput struct {
	ID   string `path:"id" minLength:"1" maxLength:"36" doc:"Id of the reset, as the link has it."`
	Body struct {
		LinkBody
		Password string `json:"password,omitempty" maxLength:"1024" doc:"8 to 256 characters."`
		Nonce    string `json:"nonce,omitempty" maxLength:"128" doc:"What the application chose for this link."`
	}
}

type redeemedOutput struct {
	Body struct {
		User          string          `json:"user" doc:"Id of the person."`
		Organization  OrganizationRef `json:"organization"`
		MailboxProved bool            `json:"mailboxProved" doc:"Whoever held the link receives mail at the person's address."`
		RedeemedAt    time.Time       `json:"redeemedAt"`
	}
}

func (a *API) redeemReset(ctx context.Context, c *Call, in *redeemResetInput) (*redeemedOutput, error) {
	b := &in.Body
	r, err := a.Lifecycle.RedeemReset(ctx, visitor(c), lifecycle.ResetLink{
		Org: b.Org, Reset: in.ID, Token: b.Token, Password: b.Password, Nonce: b.Nonce,
	})
	if err != nil {
		return nil, err
	}
	out := &redeemedOutput{}
	out.Body.User, out.Body.Organization = r.User, OrganizationRef{string(r.Org.ID), r.Org.Slug}
	out.Body.MailboxProved, out.Body.RedeemedAt = r.MailboxProved, r.At
	return out, nil
}

package admin

import (
	"context"
	"net/http"

	"rollcall/scim"
)

// Me is who the credentials of a request stand for.
type Me struct {
	Kind         string          `json:"kind" enum:"token,person"`
	ID           string          `json:"id" doc:"Of the token, or of the user that the person is."`
	Name         string          `json:"name"`
	Scopes       []string        `json:"scopes,omitempty" nullable:"false" doc:"Of a token."`
	Roles        []string        `json:"roles,omitempty" nullable:"false" doc:"Of a person."`
	Login        *Login          `json:"login,omitempty" doc:"Of a person."`
	Organization OrganizationRef `json:"organization"`
	// No doc of its own: a description beside a reference hides what is referred to from some readers of the document.
	Profile *ShownProfile `json:"profile,omitempty"`
}

// Login is how a person signed in.
type Login struct {
	Issuer        string `json:"issuer"`
	Subject       string `json:"subject"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"emailVerified"`
}

// OrganizationRef names an organization.
type OrganizationRef struct {
	ID   string `json:"id" format:"uuid"`
	Slug string `json:"slug"`
}

type meOutput struct {
	ETag string `header:"ETag" doc:"Of a person, for If-Match."`
	Body Me
}

func (a *API) meEndpoints() {
	handle(a, operation{
		id: "get-me", method: http.MethodGet, path: "/me", tag: "Me", summary: "Who I am",
		detail: "The person or the token that the request's credentials stand for.",
	}, a.getMe)
}

func (a *API) getMe(ctx context.Context, c *Call, _ *struct{}) (*meOutput, error) {
	me := Me{
		Kind: "token", ID: c.Subject.Actor.ID, Name: c.Subject.Label, Scopes: c.Subject.Scopes,
		Organization: OrganizationRef{string(c.Subject.Org), c.OrgSlug},
	}
	l := c.Login
	if l == nil {
		return &meOutput{Body: me}, nil
	}
	p, err := a.Lifecycle.Person(ctx, c.Subject, c.Subject.User)
	if err != nil {
		return nil, err
	}
	profile := p.Profile()
	shown := showProfile(&profile)
	me.Kind, me.Name, me.Roles, me.Profile = "person", p.Label, c.Subject.Roles, &shown
	me.Login = &Login{Issuer: l.Issuer, Subject: l.Subject, Email: l.Email, EmailVerified: l.EmailVerified}
	return &meOutput{ETag: scim.ETag(p.Version), Body: me}, nil
}

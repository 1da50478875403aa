package admin

import (
	"context"
	"net/http"
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

type meOutput struct{ Body Me }

func (a *API) meEndpoints() {
	handle(a, operation{
		id: "get-me", method: http.MethodGet, path: "/me", tag: "Me", summary: "Who I am",
		detail: "The person or the token that the request's credentials stand for.",
	}, a.getMe)
}

func (a *API) getMe(_ context.Context, c *Call, _ *struct{}) (*meOutput, error) {
	me := Me{
		Kind: "token", ID: c.Subject.Actor.ID, Name: c.Subject.Actor.Name, Scopes: c.Subject.Scopes,
		Organization: OrganizationRef{string(c.Subject.Org), c.OrgSlug},
	}
	if p := c.Login; p != nil {
		me.Kind, me.Roles = "person", c.Subject.Roles
		me.Login = &Login{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, EmailVerified: p.EmailVerified}
	}
	return &meOutput{me}, nil
}

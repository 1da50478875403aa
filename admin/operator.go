package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/resources"
)

const operatorTag = "Operator"

func (a *API) operatorEndpoints() {
	handle(a, operation{
		id: "list-organizations", method: http.MethodGet, path: "/operator/organizations", tag: operatorTag,
		access: forOperators, summary: "All organizations",
	}, a.listOrganizations)
	handle(a, operation{
		id: "create-organization", method: http.MethodPost, path: "/operator/organizations", tag: operatorTag,
		access: forOperators, summary: "Create an organization", status: http.StatusCreated,
	}, a.createOrganization)
	handle(a, operation{
		id: "list-tokens", method: http.MethodGet, path: "/operator/organizations/{organization}/tokens", tag: operatorTag,
		access: forOperators, summary: "The tokens of an organization",
	}, a.listTokens)
	handle(a, operation{
		id: "create-token", method: http.MethodPost, path: "/operator/organizations/{organization}/tokens", tag: operatorTag,
		access: forOperators, summary: "Create a token", status: http.StatusCreated,
		detail: "The answer holds the token's text, which is shown only now.",
	}, a.createToken)
	handle(a, operation{
		id: "revoke-token", method: http.MethodDelete, path: "/operator/organizations/{organization}/tokens/{id}", tag: operatorTag,
		access: forOperators, summary: "Revoke a token",
		detail: "The next request with it is refused. Revoking twice is no error.",
	}, a.revokeToken)
}

type organizationsOutput struct {
	Body struct {
		Items []Organization `json:"items" nullable:"false"`
	}
}

func (a *API) listOrganizations(ctx context.Context, _ *Call, _ *struct{}) (*organizationsOutput, error) {
	list, err := a.Resources.Organizations(ctx)
	if err != nil {
		return nil, err
	}
	out := &organizationsOutput{}
	out.Body.Items = make([]Organization, len(list))
	for i, o := range list {
		out.Body.Items[i] = Organization{string(o.ID), o.Slug, o.Name, o.Created}
	}
	return out, nil
}

type createOrganizationInput struct {
	Body struct {
		Slug string `json:"slug" minLength:"1" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" doc:"Short name: lower case letters, digits and hyphens."`
		Name string `json:"name,omitempty" maxLength:"200" doc:"Name for people; the slug if empty."`
	}
}

type createdOrganizationOutput struct {
	Location string `header:"Location"`
	Body     Organization
}

func (a *API) createOrganization(ctx context.Context, _ *Call, in *createOrganizationInput) (*createdOrganizationOutput, error) {
	o, err := a.Resources.CreateOrganization(ctx, in.Body.Slug, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &createdOrganizationOutput{
		Location: DefaultBasePath + "/operator/organizations/" + o.Slug,
		Body:     Organization{string(o.ID), o.Slug, o.Name, o.Created},
	}, nil
}

// OrganizationPath is embedded by the input of what an operator does to one organization. huma sees only exported fields,
// embedded ones too.
type OrganizationPath struct {
	Organization string `path:"organization" minLength:"1" maxLength:"63" doc:"Slug or id."`
}

// TokenInfo is a token of Rollcall without its text.
type TokenInfo struct {
	ID       string     `json:"id" format:"uuid"`
	Name     string     `json:"name"`
	Scopes   []string   `json:"scopes" nullable:"false"`
	Profile  string     `json:"profile" doc:"The compatibility profile of the SCIM client."`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
	LastUsed *time.Time `json:"lastUsed,omitempty" doc:"To the minute."`
}

// present is nil for an instant that is not.
func present(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type tokensOutput struct {
	Body struct {
		Items []TokenInfo `json:"items" nullable:"false"`
	}
}

func (a *API) listTokens(ctx context.Context, _ *Call, in *OrganizationPath) (*tokensOutput, error) {
	o, err := a.Resources.Organization(ctx, in.Organization)
	if err != nil {
		return nil, err
	}
	list, err := a.Resources.Tokens(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{}
	out.Body.Items = make([]TokenInfo, len(list))
	for i, t := range list {
		out.Body.Items[i] = TokenInfo{
			ID: t.ID, Name: t.Name, Scopes: t.Scopes, Profile: t.Profile, Created: t.Created,
			Expires: present(t.Expires), Revoked: present(t.Revoked), LastUsed: present(t.LastUsed),
		}
	}
	return out, nil
}

type createTokenInput struct {
	OrganizationPath
	Body struct {
		Name    string    `json:"name" minLength:"1" maxLength:"200"`
		Scopes  []string  `json:"scopes,omitempty" maxItems:"50" doc:"What it may do; scim if empty." nullable:"false"`
		Profile string    `json:"profile,omitempty" maxLength:"50" doc:"The compatibility profile of the SCIM client; auto if empty."`
		Expires time.Time `json:"expires,omitzero" doc:"Never if absent."`
	}
}

type createdTokenOutput struct {
	Body struct {
		TokenInfo
		Token string `json:"token" doc:"The token's text."`
	}
}

func (a *API) createToken(ctx context.Context, _ *Call, in *createTokenInput) (*createdTokenOutput, error) {
	o, err := a.Resources.Organization(ctx, in.Organization)
	if err != nil {
		return nil, err
	}
	t, text, err := a.Resources.CreateToken(ctx, o.ID, resources.NewToken{
		Name: in.Body.Name, Scopes: in.Body.Scopes, Profile: in.Body.Profile, Expires: in.Body.Expires,
	})
	if err != nil {
		return nil, err
	}
	out := &createdTokenOutput{}
	out.Body.TokenInfo = TokenInfo{
		ID: t.ID, Name: t.Name, Scopes: t.Scopes, Profile: t.Profile, Created: t.Created, Expires: present(t.Expires),
	}
	out.Body.Token = text
	return out, nil
}

// TokenPath is the path of one token.
type TokenPath struct {
	OrganizationPath
	ID string `path:"id" maxLength:"36" doc:"Of the token."`
}

func (a *API) revokeToken(ctx context.Context, _ *Call, in *TokenPath) (*struct{}, error) {
	o, err := a.Resources.Organization(ctx, in.Organization)
	if err != nil {
		return nil, err
	}
	return nil, a.Resources.RevokeToken(ctx, o.ID, in.ID)
}

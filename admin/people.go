package admin

import (
	"errors"
	"strings"

	"rollcall/internal/idtoken"
	"rollcall/lifecycle"
	"rollcall/scim"
)

// organizationHeader chooses among the organizations of a person.
const organizationHeader = "X-Rollcall-Organization"

// looksLikeJWT tells the tokens of people from Rollcall's own: three parts, the first of which is a JSON object.
func looksLikeJWT(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}

// person resolves the token of a person.
func (x *exchange) person(token string) error {
	claims, err := x.api.People.Verify(x.ctx, token)
	switch {
	case errors.Is(err, idtoken.ErrIssuer):
		return x.unauthenticated("issuer", "invalid_token", "the token is not valid")
	case errors.Is(err, idtoken.ErrInvalid):
		return x.unauthenticated("invalid", "invalid_token", "the token is not valid")
	case err != nil && x.ctx.Err() == nil:
		return scim.Unavailable(retryProvider, err)
	case err != nil:
		return err
	}
	x.who = Identity{Kind: Someone, Home: claims.Issuer.Organization, Login: &lifecycle.Login{
		Issuer: claims.Issuer.URL, Subject: claims.Subject, Email: claims.Email, EmailVerified: claims.EmailVerified, Name: claims.Name,
	}}
	switch x.operation.access {
	case forAll, forKnown:
		return nil
	case forOperators:
		return x.lacks(x.operation.wants())
	case forMembers:
	}
	sub, slug, err := x.api.Lifecycle.SignIn(x.ctx, x.who.Login, x.who.Home, x.req.Header.Get(organizationHeader))
	if err != nil {
		if known, ok := errors.AsType[*scim.Error](err); ok && known.RetryAfter == 0 {
			x.api.Metrics.AuthFailure("stranger")
		}
		return err
	}
	sub.RequestID = x.id
	x.who.Subject, x.who.OrgSlug = sub, slug
	return x.admit(&scim.Client{Org: sub.Org, OrgSlug: slug, Actor: sub.Actor})
}

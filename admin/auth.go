package admin

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const realm = `Bearer realm="rollcall"`

// authenticate finds out who asks and whether they may call the operation (RFC 6750). Wrong credentials are refused even
// where none are needed.
func (x *exchange) authenticate() error {
	if x.local {
		return x.console()
	}
	header := x.req.Header.Get("Authorization")
	if header == "" {
		if x.operation.access == forAll {
			return nil
		}
		return x.unauthenticated("missing", "", "a bearer token is required")
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return x.unauthenticated("unknown", "invalid_token", "the token is not valid")
	}
	if x.api.People != nil && looksLikeJWT(token) {
		return x.person(token)
	}
	return x.token(token)
}

// token resolves one of Rollcall's tokens.
func (x *exchange) token(text string) error {
	client, err := x.api.Auth.Authenticate(x.ctx, text)
	if err != nil {
		var failure *scim.AuthError
		switch {
		case errors.As(err, &failure):
			return x.unauthenticated(failure.Reason, "invalid_token", "the token is not valid")
		case errors.Is(err, scim.ErrUnauthenticated):
			return x.unauthenticated("unknown", "invalid_token", "the token is not valid")
		}
		return err
	}
	x.who = Identity{
		Kind: Token, OrgSlug: client.OrgSlug,
		Subject: lifecycle.TokenSubject(scim.Caller{Org: client.Org, Actor: client.Actor, RequestID: x.id}, client),
	}
	if err := x.admit(client); err != nil {
		return err
	}
	if x.operation.access == forAll || x.operation.allowed(client.Scopes) {
		return nil
	}
	return x.lacks(x.operation.wants())
}

// retryProvider is how long to wait for an identity provider that does not answer.
const retryProvider = 10 * time.Second

// admit counts the request against the rates of organization and actor.
func (x *exchange) admit(client *scim.Client) error {
	reason, wait := x.api.Rates.Request(client, x.start)
	if wait == 0 {
		return nil
	}
	x.reject(reason)
	return &scim.Error{
		Status: http.StatusTooManyRequests, RetryAfter: wait,
		Detail: "too many requests: the rate that the operator set is used up",
	}
}

// unauthenticated answers a credential that is not good; the client does not learn more than the detail says.
func (x *exchange) unauthenticated(reason, code, detail string) error {
	x.api.Metrics.AuthFailure(reason)
	challenge := realm
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	x.answer.Header().Set("WWW-Authenticate", challenge)
	return &scim.Error{Status: http.StatusUnauthorized, Detail: detail}
}

// lacks is the 403 that names the missing scope (RFC 6750 3.1).
func (x *exchange) lacks(scope string) error {
	x.api.Metrics.AuthFailure("scope")
	x.answer.Header().Set("WWW-Authenticate", realm+`, error="insufficient_scope", scope="`+scope+`"`)
	e := scim.Forbidden("the token lacks the scope %s", scope)
	e.Code = "insufficient_scope"
	return e
}

// check is the middleware in front of every operation: who asks, how often, and what they sent.
func (a *API) check(o *operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		x := exchangeOf(ctx.Context())
		x.operation = o
		if err := x.authenticate(); err != nil {
			x.fail(err)
			return
		}
		if err := x.receive(); err != nil {
			x.fail(err)
			return
		}
		x.once(func() { next(quiet{ctx}) })
	}
}

// quiet hides from huma what the edge has decided already: the deadline for the body, which has been read, and what
// the client accepts, which is JSON.
type quiet struct{ inner }

// inner has another name than the interface, which has a method of that name.
type inner = huma.Context

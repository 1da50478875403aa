package api

import (
	"errors"
	"net/http"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
)

const realm = `Bearer realm="scim"`

// entraFlag is the name of the query parameter.
const entraFlag = "aadOptscim062020"

// authenticate resolves the bearer token (RFC 6750 2.1, RFC 7644 2). ServiceProviderConfig may be read without one,
// since it says how to authenticate (RFC 7643 5); an endpoint that does not exist needs none to say so. A token
// that is sent and wrong is refused everywhere.
func (x *exchange) authenticate() error {
	header := x.req.Header.Get("Authorization")
	if header == "" {
		if k := x.route.kind; k == serviceProviderConfig || k == unknown {
			return nil
		}
		x.api.metrics.AuthFailure("missing")
		x.w.Header().Set("WWW-Authenticate", realm)
		return &scim.Error{Status: http.StatusUnauthorized, Detail: "a bearer token is required"}
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return x.refuse("unknown")
	}
	client, err := x.api.auth.Authenticate(x.ctx, token)
	if err != nil {
		var failure *scim.AuthError
		switch {
		case errors.As(err, &failure):
			return x.refuse(failure.Reason)
		case errors.Is(err, scim.ErrUnauthenticated):
			return x.refuse("unknown")
		}
		return err
	}
	x.client = client
	x.caller = scim.Caller{
		Org: client.Org, Actor: client.Actor, RequestID: x.id, Compat: compat.NewSession(client.Profile),
	}
	// The flag that Entra's administrators put on the tenant URL comes back with every request; its ops are then
	// spelled as everybody's.
	if strings.Contains(x.req.URL.RawQuery, entraFlag) {
		x.caller.Compat.RecognizeEntra()
	}
	return nil
}

// refuse answers a credential that is not good; the client does not learn why.
func (x *exchange) refuse(reason string) error {
	x.api.metrics.AuthFailure(reason)
	x.w.Header().Set("WWW-Authenticate", realm+`, error="invalid_token"`)
	return &scim.Error{Status: http.StatusUnauthorized, Detail: "the token is not valid"}
}

// authorize demands that the token may read, or write, resources of t.
func (x *exchange) authorize(t *endpointType, write bool) error {
	if t.Allows(x.client.Scopes, write) {
		return nil
	}
	return x.lacks(scim.TypeScope(t.Endpoint, write))
}

// lacks is the 403 that names the missing scope (RFC 6750 3.1).
func (x *exchange) lacks(scope string) error {
	x.api.metrics.AuthFailure("scope")
	x.w.Header().Set("WWW-Authenticate", realm+`, error="insufficient_scope", scope="`+scope+`"`)
	e := scim.Forbidden("the token lacks the scope %s", scope)
	e.Code = "insufficient_scope"
	return e
}

// readable are the types that the token may read.
func (x *exchange) readable() []*endpointType {
	var list []*endpointType
	for _, t := range x.api.types {
		if t.Allows(x.client.Scopes, false) {
			list = append(list, t)
		}
	}
	return list
}

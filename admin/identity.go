package admin

import (
	"net/netip"
	"slices"
	"strings"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// Kind is what somebody who asks is.
type Kind uint8

// The kinds.
const (
	Public  Kind = iota // nobody in particular
	Token               // a program with one of Rollcall's tokens
	Someone             // a person who signed in elsewhere
)

// Identity is who asks.
type Identity struct {
	Kind    Kind
	Subject lifecycle.Subject // whom the rules see
	OrgSlug string
	Login   *lifecycle.Login // of a person
	Home    string           // the organization whose people the person's identity provider signs in; empty: none in particular
}

// Call is one request as a handler is given it.
type Call struct {
	Identity
	If        scim.Precondition // If-Match, of an operation that takes it
	Addr      netip.Addr        // of the client; the zero address if unknown
	RequestID string
	quota     *scim.Quota // what the limits on visitors leave; see rate.go
}

func (x *exchange) call() *Call {
	c := &Call{Identity: x.who, Addr: x.addr, RequestID: x.id, quota: &x.quota}
	if x.operation.conditional {
		c.If.IfMatch = x.req.Header.Get("If-Match")
	}
	return c
}

// allowed reports whether a token with these scopes may call the operation. What it may do to whom there is for
// lifecycle to say.
func (o *operation) allowed(scopes []string) bool {
	if o.access == forOperators {
		return slices.Contains(scopes, scim.ScopeOperator)
	}
	for _, s := range scopes {
		switch {
		case s == scim.ScopeOperator: // what operators may do in an organization is for the matrix to say
			return true
		case s == scim.ScopeAdmin, s == o.scope && s != "", s == scim.ScopeAdminRead && o.reads():
			return true
		case o.apps && scim.AppOf(s) != "":
			return true
		case o.scope == "" && strings.HasPrefix(s, scim.ScopeAdmin+":"):
			return true
		}
	}
	return false
}

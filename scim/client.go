package scim

import (
	"errors"

	"rollcall/scim/compat"
)

// Client is who a bearer token stands for: one connection of an identity provider.
type Client struct {
	Org     OrgID
	OrgSlug string // for metrics and logs
	Actor   Actor
	Scopes  []string // see Allows
	Profile compat.Profile
}

// ErrUnauthenticated is what an authenticator wraps to refuse a token. The wrapping text says why, for metrics and
// logs: see [AuthError].
var ErrUnauthenticated = errors.New("token refused")

// AuthError is a refused token. It is an [ErrUnauthenticated].
type AuthError struct{ Reason string } // "unknown", "expired" or "revoked"

// Error names the reason, never the token.
func (e *AuthError) Error() string { return ErrUnauthenticated.Error() + ": " + e.Reason }

// Unwrap returns [ErrUnauthenticated].
func (e *AuthError) Unwrap() error { return ErrUnauthenticated }

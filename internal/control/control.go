// Package control is how the command line talks to the server that holds a data directory: a few administrative
// operations as JSON over HTTP on a unix socket inside that directory. The server alone writes to its database, so a
// token that is revoked through it is refused from the next request on. Who may open the socket is decided by the
// modes of the directory (0700) and of the socket (0600); there is no other authentication. The package knows
// neither store nor configuration: what is done is behind [Operator].
package control

import (
	"context"
	"time"
)

// Organization is an organization as the command line shows it.
type Organization struct {
	ID      string    `json:"id"`
	Slug    string    `json:"slug"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// NewOrganization asks for an organization.
type NewOrganization struct {
	Slug string `json:"slug"`
	Name string `json:"name"`
}

// Token is a token as the command line shows it; Text is there only in the answer that created it.
type Token struct {
	ID           string     `json:"id"`
	Organization string     `json:"organization"` // slug
	Name         string     `json:"name"`
	Scopes       []string   `json:"scopes"`
	Profile      string     `json:"profile"`
	Created      time.Time  `json:"created"`
	Expires      *time.Time `json:"expires,omitempty"`
	Revoked      *time.Time `json:"revoked,omitempty"`
	LastUsed     *time.Time `json:"lastUsed,omitempty"`
	Text         string     `json:"token,omitempty"`
}

// NewToken asks for a token.
type NewToken struct {
	Organization string     `json:"organization"` // id or slug
	Name         string     `json:"name"`
	Scopes       []string   `json:"scopes"`
	Profile      string     `json:"profile"`
	Expires      *time.Time `json:"expires,omitempty"`
}

// Operator does the operations: in the server, or through a [Client] from outside.
type Operator interface {
	CreateOrganization(ctx context.Context, o NewOrganization) (*Organization, error)
	Organizations(ctx context.Context) ([]Organization, error)
	// Organization finds one by id or slug.
	Organization(ctx context.Context, idOrSlug string) (*Organization, error)
	CreateToken(ctx context.Context, t NewToken) (*Token, error)
	Tokens(ctx context.Context, org string) ([]Token, error)
	RevokeToken(ctx context.Context, org, id string) error
	// Backup writes a copy of the database to file, an absolute path that must not exist yet.
	Backup(ctx context.Context, file string) error
	// Check reads the whole database and returns what is wrong with it.
	Check(ctx context.Context) ([]string, error)
	// VerifyAudit holds the audit trail of an organization against its chain. expect is a checkpoint that it must have,
	// "number:hash"; empty: none.
	VerifyAudit(ctx context.Context, org, expect string) (*Verification, error)
}

// Verification is what came of verifying an audit trail.
type Verification struct {
	Seals    int64    `json:"seals"`
	Hash     string   `json:"hash"` // of the last one
	Changes  int      `json:"changes"`
	Unsealed int      `json:"unsealed"`
	Erased   int      `json:"erased"`
	Problems []string `json:"problems"`
}

// Error is a failure that came through the socket: its text is what the server said.
type Error struct{ Message string }

// Error returns the server's text.
func (e *Error) Error() string { return e.Message }

package api

import (
	"context"
	"time"

	"rollcall/scim"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// Service is what happens to resources. Errors are *scim.Error, or a context's error; anything else becomes 500.
type Service interface {
	// Create stores a new resource (RFC 7644 3.3).
	Create(ctx context.Context, c scim.Caller, t *schema.ResourceType, doc *schema.Document, load query.Load) (*scim.Resource, error)
	// Get reads one (RFC 7644 3.4.1).
	Get(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, load query.Load) (*scim.Resource, error)
	// Replace is PUT (RFC 7644 3.5.1).
	Replace(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, pre scim.Precondition, doc *schema.Document, load query.Load) (*scim.Resource, error)
	// Patch applies a compiled PATCH whole or not at all (RFC 7644 3.5.2).
	Patch(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, pre scim.Precondition, plan *patch.Plan, load query.Load) (*scim.Resource, error)
	// Delete removes one (RFC 7644 3.6).
	Delete(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, pre scim.Precondition) error
	// Query returns one page (RFC 7644 3.4.2).
	Query(ctx context.Context, c scim.Caller, q query.Query) (*query.Page, error)
	// Bulk runs operations (RFC 7644 3.7) until failOnErrors of them have failed; 0 means never stop.
	Bulk(ctx context.Context, c scim.Caller, ops []scim.BulkOperation, failOnErrors int) ([]scim.BulkResult, error)
}

// Authenticator resolves bearer tokens. It returns a *scim.AuthError, which is a scim.ErrUnauthenticated, for a
// token that is unknown, expired or revoked; which of these is for metrics and logs, not for the client.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*scim.Client, error)
}

// Metrics counts what the edge sees. Implementations must be safe for concurrent use.
type Metrics interface {
	// Request counts one answered request; resourceType is "" for none. The operations of a Bulk request are
	// counted one by one beside it, method "BULK POST" and the like, each with its share of the time.
	Request(org, resourceType, method string, status int, d time.Duration)
	// Relaxation counts one use of a compat rule.
	Relaxation(rule, profile string)
	// AuthFailure counts one refused credential; reason is missing, unknown, expired, revoked or scope.
	AuthFailure(reason string)
	// Panic counts one recovered panic.
	Panic()
	// Rejection counts one request that was refused for load or rate: overload, wait, body_memory,
	// rate_organization or rate_token.
	Rejection(reason string)
}

package lifecycle

import (
	"rollcall/mail"
	"rollcall/scim"
	"rollcall/scim/query"
)

// What became of a join request. The schema knows "unverified" too; such a request is no resource yet, but a
// [joinProof], which no list shows.
const (
	joinPending    = "pending"
	joinApproved   = "approved"
	joinDeclined   = "declined"
	joinWithdrawn  = "withdrawn"
	joinExpired    = "expired"
	joinSuperseded = "superseded"
)

// Where a join request was made.
const (
	sourcePublic = "public"
	sourceDomain = "domain" // the address is of a domain of the organization
	sourceMember = "member" // somebody asks for another person
)

// JoinRequest is the document of a join request.
type JoinRequest struct {
	ExternalID          string    `json:"externalId,omitempty"`
	Email               string    `json:"email"`
	Name                *Name     `json:"name,omitempty"`
	Message             string    `json:"message,omitempty"`
	OccupationRequested string    `json:"occupationRequested,omitempty"`
	RoleRequested       string    `json:"roleRequested,omitempty"`
	Requester           *Ref      `json:"requester,omitempty"`
	OnBehalfOf          *Ref      `json:"onBehalfOf,omitempty"`
	Source              string    `json:"source"`
	Status              string    `json:"status"`
	Decision            *Decision `json:"decision,omitempty"`
	Grant               *Given    `json:"grant,omitempty"`
	Result              string    `json:"result,omitempty"`
	ExpiresAt           Instant   `json:"expiresAt,omitzero"`
	VerifiedAt          Instant   `json:"verifiedAt,omitzero"`
	DecidedAt           Instant   `json:"decidedAt,omitzero"`
	Signals             *Signals  `json:"signals,omitempty"`
}

// Decision is who decided a request, and why.
type Decision struct {
	By                 string  `json:"by,omitempty"`
	Display            string  `json:"display,omitempty"`
	At                 Instant `json:"at,omitzero"`
	ReasonCode         string  `json:"reasonCode,omitempty"`
	Note               string  `json:"note,omitempty"`
	VisibleToRequester bool    `json:"visibleToRequester,omitempty"`
}

// Given is what an approval gives.
type Given struct {
	Roles        []string `json:"roles,omitempty" maxItems:"100"`
	Occupation   string   `json:"occupation,omitempty" maxLength:"200"`
	Entitlements []string `json:"entitlements,omitempty" maxItems:"100" doc:"module:key and subAccount:key"`
	Groups       []string `json:"groups,omitempty" maxItems:"100"`
	Clients      []string `json:"clients,omitempty" maxItems:"1000"`
}

// Signals help to decide.
type Signals struct {
	DomainMatch  bool `json:"domainMatch"`
	PriorMember  bool `json:"priorMember"`
	PriorDecline int  `json:"priorDecline"`
	Disposable   bool `json:"disposable"`
}

// The secrets of a join request's record.
const (
	secretWithdraw = "withdraw" // digest of the token by which whoever asked takes the request back
	secretWish     = "wish"     // what a member proposed to give, as JSON of Given
)

// joinKeys: an address has at most one open request.
func joinKeys(doc scim.Attributes) []query.UniqueKey {
	email, _ := doc["email"].(string)
	if doc["status"] != joinPending || email == "" {
		return nil
	}
	return []query.UniqueKey{{Attr: "email", Value: mail.Fold(email)}}
}

// closeRequest ends an open request in a step: it was invited or provisioned, or is no longer wanted.
func closeRequest(r *record[JoinRequest], status, result string, now Instant) error {
	if r.Value.Status != joinPending {
		return nil // decided meanwhile: that stands
	}
	r.Value.Status, r.Value.Result, r.Value.DecidedAt = status, result, now
	return nil
}

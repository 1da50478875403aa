package lifecycle

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// The names of the resource types of this file.
const (
	typeInvite      = scim.TypeName("Invite")
	typeJoinRequest = scim.TypeName("JoinRequest")
)

// What an invite is for.
const (
	kindPerson = "person" // one address
	kindLink   = "link"   // a link that several people may use
)

// How the link of an invite reaches people.
const (
	deliverEmail = "email"
	deliverLink  = "link"
	deliverNone  = "none"
)

// What became of an invite.
const (
	invitePending  = "pending"
	inviteAccepted = "accepted"
	inviteDeclined = "declined"
	inviteRevoked  = "revoked"
	inviteExpired  = "expired"
	inviteFailed   = "failed"
)

// Name is a person's name.
type Name struct {
	Formatted  string `json:"formatted,omitempty" maxLength:"200"`
	GivenName  string `json:"givenName,omitempty" maxLength:"100"`
	FamilyName string `json:"familyName,omitempty" maxLength:"100"`
}

// Ref names another resource, by id or by key.
type Ref struct {
	Value   string `json:"value"`
	Ref     string `json:"$ref,omitempty"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Profile is what the profile of a new user is filled with.
type Profile struct {
	Title       string `json:"title,omitempty" maxLength:"200"`
	PhoneNumber string `json:"phoneNumber,omitempty" maxLength:"50"`
	Locale      string `json:"locale,omitempty" maxLength:"35"`
	Timezone    string `json:"timezone,omitempty" maxLength:"64"`
}

// MailState is what became of the last mail about something.
type MailState struct {
	State       string  `json:"state,omitempty"`
	Code        string  `json:"code,omitempty"`
	Detail      string  `json:"detail,omitempty"`
	At          Instant `json:"at,omitzero"`
	AutoReplied bool    `json:"autoReplied,omitempty"`
	Suggestion  string  `json:"suggestion,omitempty"`
}

// Invite is the document of an invite. Its token is not part of it: digests are among the secrets of the record.
type Invite struct {
	ExternalID          string  `json:"externalId,omitempty"`
	Email               string  `json:"email,omitempty"`
	Kind                string  `json:"kind"`
	Name                *Name   `json:"name,omitempty"`
	Roles               []Ref   `json:"roles,omitempty"`
	Occupation          string  `json:"occupation,omitempty"`
	Entitlements        []Ref   `json:"entitlements,omitempty"`
	Groups              []Ref   `json:"groups,omitempty"`
	Clients             []Ref   `json:"clients,omitempty"`
	Profile             Profile `json:"profile,omitzero"`
	MembershipExpiresAt Instant `json:"membershipExpiresAt,omitzero"`
	Message             string  `json:"message,omitempty"`
	Locale              string  `json:"locale,omitempty"`
	Delivery            string  `json:"delivery"`
	ExpiresAt           Instant `json:"expiresAt,omitzero"`
	MaxUses             int     `json:"maxUses,omitempty"`

	Status       string    `json:"status"`
	SentAt       Instant   `json:"sentAt,omitzero"`
	LastSentAt   Instant   `json:"lastSentAt,omitzero"`
	SendCount    int       `json:"sendCount,omitempty"`
	AcceptedAt   Instant   `json:"acceptedAt,omitzero"`
	DeclinedAt   Instant   `json:"declinedAt,omitzero"`
	RevokedAt    Instant   `json:"revokedAt,omitzero"`
	Uses         int       `json:"uses,omitempty"`
	Mail         MailState `json:"mail,omitzero"`
	Inviter      *Ref      `json:"inviter,omitempty"`
	AcceptedUser *Ref      `json:"acceptedUser,omitempty"`
	JoinRequest  string    `json:"joinRequest,omitempty"`
	Supersedes   string    `json:"supersedes,omitempty"`
	SupersededBy string    `json:"supersededBy,omitempty"`
	SeatHeld     bool      `json:"seatHeld,omitempty"`
	Reason       string    `json:"reason,omitempty"`
}

// The secrets of an invite's record.
const (
	secretMailed = "mailed" // digest of the token that was mailed, and nowhere else: it proves the mailbox
	secretShared = "shared" // digest of the token that was handed to somebody to share: it proves nothing
	secretUser   = "user"   // the id that the user will have, so that an acceptance that is tried again makes the same
	secretLogin  = "login"  // of an accepted invite, the login that accepted it: see loginKey
	secretRank   = "rank"   // the rank of the inviter, who may have left since
)

// open reports whether the invite can still lead to something at t.
func (v *Invite) open(t time.Time) bool {
	return v.Status == invitePending && v.ExpiresAt.After(t)
}

// statusAt is the status as it is at t, whatever the record has been told.
func (v *Invite) statusAt(t time.Time) string {
	if v.Status == invitePending && !v.ExpiresAt.After(t) {
		return inviteExpired
	}
	return v.Status
}

func (v *Invite) roleKeys() []string {
	keys := make([]string, len(v.Roles))
	for i, r := range v.Roles {
		keys[i] = r.Value
	}
	return keys
}

// label is what people see as the inviter.
func (v *Invite) inviterLabel() string {
	if v.Inviter == nil {
		return ""
	}
	return v.Inviter.Display
}

// typed reads a document as T has it.
func typed[T any](doc scim.Attributes) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(scim.AppendJSON(nil, doc), v); err != nil {
		return nil, fmt.Errorf("read a document: %w", err)
	}
	return v, nil
}

// rewrite puts v in place of what doc has, whose map it keeps: hooks are given documents to change.
func rewrite(d *resources.Definition, doc scim.Attributes, v any) error {
	next, err := attributes(d, v)
	if err != nil {
		return err
	}
	clear(doc)
	maps.Copy(doc, next)
	return nil
}

// inviteKeys: an address has at most one open invite.
func inviteKeys(doc scim.Attributes) []query.UniqueKey {
	email, _ := doc["email"].(string)
	if doc["status"] != invitePending || doc["kind"] == kindLink || email == "" {
		return nil
	}
	return []query.UniqueKey{{Attr: "email", Value: mail.Fold(email)}}
}

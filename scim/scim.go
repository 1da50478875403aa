package scim

import (
	"time"

	"rollcall/scim/compat"
)

// MediaType is the media type of every SCIM message (RFC 7644 8.1).
const MediaType = "application/scim+json"

// Schema and message URNs (RFC 7643 10, RFC 7644 8.2).
const (
	SchemaUser                  = "urn:ietf:params:scim:schemas:core:2.0:User"
	SchemaGroup                 = "urn:ietf:params:scim:schemas:core:2.0:Group"
	SchemaEnterpriseUser        = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	SchemaRollcallUser          = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User"
	SchemaInvite                = "urn:ietf:params:scim:schemas:rollcall:2.0:Invite"
	SchemaJoinRequest           = "urn:ietf:params:scim:schemas:rollcall:2.0:JoinRequest"
	SchemaOccupation            = "urn:ietf:params:scim:schemas:rollcall:2.0:Occupation"
	SchemaRole                  = "urn:ietf:params:scim:schemas:core:2.0:Role" // draft-ietf-scim-roles-entitlements
	SchemaEntitlement           = "urn:ietf:params:scim:schemas:core:2.0:Entitlement"
	SchemaRollcallRole          = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Role"
	SchemaRollcallEntitlement   = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Entitlement"
	SchemaServiceProviderConfig = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	SchemaResourceType          = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	SchemaSchema                = "urn:ietf:params:scim:schemas:core:2.0:Schema"

	MessageListResponse  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	MessageSearchRequest = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	MessagePatchOp       = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	MessageBulkRequest   = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	MessageBulkResponse  = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	MessageError         = "urn:ietf:params:scim:api:messages:2.0:Error"
)

// OrgID identifies an organization. Everything but organizations themselves belongs to exactly one.
type OrgID string

// SystemOrg is the organization of what belongs to none, such as which organizations a person's login leads to. No
// token is of it and no list shows it.
const SystemOrg OrgID = "00000000-0000-0000-0000-000000000000"

// TypeName is the name of a resource type, as in meta.resourceType ("User").
type TypeName string

// Attributes is a canonical document or a complex value: attribute names are spelled as the schema spells them,
// extension attributes lie in a nested Attributes under the extension's URN, unassigned attributes are absent.
// Values are string, bool, int64, float64, []any or Attributes.
//
// A canonical resource document holds "schemas" but never "id", "meta", the derived "groups" of a member, the
// "members" of a group (relations, see storage.Member) or an attribute with returned=never (secrets).
type Attributes = map[string]any

// Actor says who acts.
type Actor struct {
	Kind string // "token" or "system"
	ID   string // token id
	Name string // token name, for people
}

// Caller is who asks and for which organization. It is passed explicitly, never through a context.
type Caller struct {
	Org       OrgID
	Actor     Actor
	RequestID string
	// Compat is the request's view of the client's compatibility profile; nil is strict.
	Compat *compat.Session
}

// TimeFormat is how Rollcall writes instants: UTC, milliseconds (RFC 7643 2.3.5).
const TimeFormat = "2006-01-02T15:04:05.000Z"

// FormatTime writes t in [TimeFormat].
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }

// AppendTime is FormatTime onto dst. Every resource that is sent has two instants, and the general way takes longer
// than all else that is put around a document.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, TimeFormat)
	}
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / int(time.Millisecond)
	digits := func(n int) (tens, ones byte) { return byte('0' + n/10%10), byte('0' + n%10) }
	y1, y2 := digits(year / 100)
	y3, y4 := digits(year)
	m1, m2 := digits(int(month))
	d1, d2 := digits(day)
	h1, h2 := digits(hour)
	n1, n2 := digits(minute)
	s1, s2 := digits(second)
	f2, f3 := digits(milli)
	return append(dst, y1, y2, y3, y4, '-', m1, m2, '-', d1, d2, 'T', h1, h2, ':', n1, n2, ':', s1, s2,
		'.', byte('0'+milli/100), f2, f3, 'Z')
}

// Millis cuts t to what every store keeps: UTC, whole milliseconds.
func Millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Package compat names every relaxation of the strict protocol that real provisioning clients need, and the
// per-client profiles that allow them. It decides nothing else: the code that meets a deviation asks
// [Session.Allow], so that each use is permitted by the profile and counted by name.
package compat

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is one named relaxation.
type Rule uint8

// The rules. Each comment says what the client sends and what is done; strict refuses all of them.
const (
	// OpCase: `"op":"Replace"`, `"operations"`: PATCH and message member names compared ignoring case (Entra).
	OpCase Rule = iota
	// StringBoolean: "True", "false" for a boolean, in bodies, PATCH values and filters (Entra).
	StringBoolean
	// CreateOnReplace: replace of a value path that matches nothing creates the element from the path's eq terms
	// instead of noTarget (Entra: `emails[type eq "work"].value`). RFC 7644 3.5.2.3 demands noTarget, so in auto
	// only for a request in which Entra was recognized.
	CreateOnReplace
	// RemoveWithValue: remove with path `members` and a value removes the listed elements only (Entra).
	RemoveWithValue
	// BareComplexValue: a plain string for a complex attribute with a `value` sub-attribute means {"value": s}
	// (Entra's manager).
	BareComplexValue
	// UnwrapSingleElement: a one-element array for a single-valued complex attribute is unwrapped (Entra's manager).
	UnwrapSingleElement
	// WrapSingleValue: a lone object for a multi-valued complex attribute (OneLogin's emails), or a lone value for a
	// simple one, becomes a one-element array.
	WrapSingleValue
	// IgnoreReadOnlyInValue: readOnly names inside the value of a path-less PATCH are ignored (Okta's id).
	IgnoreReadOnlyInValue
	// IgnoreUnknownAttributes: attributes that no schema of the type defines are ignored.
	IgnoreUnknownAttributes
	// InferExtension: an extension object without its URN in `schemas` is accepted (Entra's custom extensions).
	InferExtension
	// IgnoreUnknownSchemas: unknown URIs in `schemas` beside the base schema are ignored (Entra groups, Google).
	IgnoreUnknownSchemas
	// DottedKeys: `name.givenName`, `emails[type eq "work"].value` and `urn:..:User:department` as keys of a
	// path-less PATCH value (Entra with aadOptscim062020).
	DottedKeys
	// URNDotPath: `urn:..:User.department`, a dot instead of the colon before the attribute (old Entra); in auto
	// only where Entra was recognized.
	URNDotPath
	// UnprefixedExtension: an extension attribute named without its URN in a filter, path or sortBy.
	UnprefixedExtension
	// EmptyOperations: a PATCH with no operations changes nothing (Microsoft's validator); in auto only where Entra
	// was recognized.
	EmptyOperations
	// NullReference: a PATCH value that is an emptied reference, {"value": ""}, removes it (Entra's manager).
	NullReference
	// StringNumber: "5" for an integer or decimal.
	StringNumber
	// MissingContentType: a JSON body without Content-Type is accepted.
	MissingContentType
	// LowerCaseEndpoint: /users for /Users (Entra's Postman collection).
	LowerCaseEndpoint
	// FirstPrimaryWins: of several primary elements the first stays primary (PingOne); not in auto.
	FirstPrimaryWins
	// UniqueGroupName: displayName is unique over groups (Entra matches by it); not in auto.
	UniqueGroupName
	// ReactivateOnCreate: POST of a user that exists and is inactive updates and re-activates it (Okta); not in
	// auto.
	ReactivateOnCreate
	// UnpackRoleJSON: a role whose value is JSON text is stored unpacked (Entra's SingleAppRoleAssignment); not
	// in auto.
	UnpackRoleJSON

	ruleCount
)

var ruleNames = [ruleCount]string{
	OpCase: "op_case", StringBoolean: "string_boolean", CreateOnReplace: "create_on_replace",
	RemoveWithValue: "remove_with_value", BareComplexValue: "bare_complex_value",
	UnwrapSingleElement: "unwrap_single_element", WrapSingleValue: "wrap_single_value",
	IgnoreReadOnlyInValue: "ignore_read_only_in_value", IgnoreUnknownAttributes: "ignore_unknown_attributes",
	InferExtension: "infer_extension", IgnoreUnknownSchemas: "ignore_unknown_schemas", DottedKeys: "dotted_keys",
	URNDotPath: "urn_dot_path", UnprefixedExtension: "unprefixed_extension", EmptyOperations: "empty_operations",
	NullReference: "null_reference", StringNumber: "string_number", MissingContentType: "missing_content_type",
	LowerCaseEndpoint: "lower_case_endpoint", FirstPrimaryWins: "first_primary_wins",
	UniqueGroupName: "unique_group_name", ReactivateOnCreate: "reactivate_on_create",
	UnpackRoleJSON: "unpack_role_json",
}

// String returns the rule's name as metrics and documents spell it.
func (r Rule) String() string { return ruleNames[r] }

// Rules returns every rule.
func Rules() []Rule {
	all := make([]Rule, ruleCount)
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}

// Profile is a named set of allowed relaxations.
type Profile struct {
	Name  string
	rules uint64
}

func profile(name string, rules ...Rule) Profile {
	p := Profile{Name: name}
	for _, r := range rules {
		p.rules |= 1 << r
	}
	return p
}

func (p Profile) with(name string, rules ...Rule) Profile {
	q := profile(name, rules...)
	q.rules |= p.rules
	return q
}

// optIn are the rules that change what a request means, not only how it is spelled: a profile must name them.
func optIn() []Rule {
	return append(dialect(), FirstPrimaryWins, UniqueGroupName, ReactivateOnCreate, UnpackRoleJSON)
}

// dialect are the rules by which Entra's requests mean what the RFC refuses.
func dialect() []Rule { return []Rule{CreateOnReplace, URNDotPath, EmptyOperations} }

// autoName is the default profile.
const autoName = "auto"

func auto() Profile {
	not := optIn()
	var rules []Rule
	for _, r := range Rules() {
		if !slices.Contains(not, r) {
			rules = append(rules, r)
		}
	}
	return profile(autoName, rules...)
}

// Profiles returns every profile, by name: auto (the default), strict, and one a client.
func Profiles() []Profile {
	a := auto()
	return []Profile{
		a,
		profile("strict"),
		a.with("entra", append(dialect(), UniqueGroupName, UnpackRoleJSON)...),
		a.with("okta", ReactivateOnCreate),
		a.with("google"),
		a.with("jumpcloud"),
		a.with("onelogin"),
		a.with("ping", FirstPrimaryWins),
	}
}

// Lookup returns the profile called name; the empty name is auto.
func Lookup(name string) (Profile, error) {
	if name == "" {
		return auto(), nil
	}
	names := []string{}
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, fmt.Errorf("unknown compatibility profile: choose one of %s", strings.Join(names, ", "))
}

// Has reports whether the profile allows r, without counting a use.
func (p Profile) Has(r Rule) bool { return p.rules&(1<<r) != 0 }

// Session is one request's view of a profile. It is not safe for concurrent use. A nil *Session is strict.
type Session struct {
	profile Profile
	used    uint64
}

// NewSession starts a request under p.
func NewSession(p Profile) *Session { return &Session{profile: p} }

// Profile returns the session's profile.
func (s *Session) Profile() Profile {
	if s == nil {
		return Profile{Name: "strict"}
	}
	return s.profile
}

// Has reports whether r is allowed, without counting a use.
func (s *Session) Has(r Rule) bool { return s != nil && s.profile.Has(r) }

// RecognizeEntra is called when a request shows itself to be Entra's, by the spelling of an op or by a feature flag in
// the query. Under auto it allows Entra's dialect for the rest of the request; a profile that names its client
// stays as it is.
func (s *Session) RecognizeEntra() {
	if s != nil && s.profile.Name == autoName {
		s.profile = s.profile.with(autoName, dialect()...)
	}
}

// Allow reports whether r is allowed and, if so, records its use. Call it only when the deviation is at hand.
func (s *Session) Allow(r Rule) bool {
	if !s.Has(r) {
		return false
	}
	s.used |= 1 << r
	return true
}

// Fork returns a session with the same profile and no uses, for work beside this one; see Join.
func (s *Session) Fork() *Session {
	if s == nil {
		return nil
	}
	return NewSession(s.profile)
}

// Join adds the uses of other, a session from Fork.
func (s *Session) Join(other *Session) {
	if s != nil && other != nil {
		s.used |= other.used
	}
}

// Used returns the rules that were used.
func (s *Session) Used() []Rule {
	if s == nil || s.used == 0 {
		return nil
	}
	var used []Rule
	for r := range ruleCount {
		if s.used&(1<<r) != 0 {
			used = append(used, r)
		}
	}
	return used
}

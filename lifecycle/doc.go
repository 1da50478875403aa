// Package lifecycle is what happens to people beside SCIM: how they come (invites, join requests), what they may do
// (roles, occupations, grants), and how they leave (deactivation, removal, erasure, transfer of work). Each transition is
// one step of the store, decided by comparing state, version and time in that step, with its change row.
//
// Its state is records of the resource types in package resources, internal ones among them. It knows no HTTP and no
// database; the clock, ids and random bytes come from above.
package lifecycle

// Package admin is the companion API under /api/v1: what administrators, people and operators do beside SCIM, as JSON
// over HTTP, described by an OpenAPI document that is made from the same Go types as the routes. It is thin: a handler
// reads its input, calls one method of resources or lifecycle and shows what came back. It has no rule of its own, and
// knows neither a store nor filters.
package admin

// Package edge is what the HTTP edges share, the SCIM protocol and the companion API: how many requests are worked on at
// once, how many a client may make, how long one may take, and what of a request may be believed and logged. It knows
// neither routes nor bodies.
package edge

// Package projection decides which attributes an answer carries: the `attributes` and `excludedAttributes`
// parameters and each attribute's `returned` characteristic (RFC 7643 2.2, RFC 7644 3.9). A parameter list is
// parsed once a request into a [Selection], which says what must be loaded and is applied to each resource. It
// knows no HTTP and no store.
//
// What passes is what the schema defines as readable: an attribute that is returned=never, or that no schema
// defines, has no way through.
package projection

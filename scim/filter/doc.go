// Package filter turns filter text into typed expressions: a recursive-descent parser of RFC 7644 3.4.2.2 that
// yields the syntax tree of the filter-parser library, and a compiler that resolves the tree against a resource
// type into [query.Expr]. PATCH paths (RFC 7644 3.5.2) share the parser. It knows no store and no HTTP.
//
// The library's own parser is not used: it is some seventy times slower, leaves string escapes undecoded, refuses
// groups inside brackets and exhausts the stack on deep nesting. Only its tree is kept.
package filter

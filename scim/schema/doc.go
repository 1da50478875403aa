// Package schema holds what resource types look like: their attributes with all characteristics (RFC 7643 2.2, 7),
// how client JSON becomes a canonical document, and how attribute paths are resolved. Filters, PATCH, projection,
// storage indexes and discovery all read the same [ResourceType]. It is the only importer of elimity's schema model.
// It knows no HTTP, no store and nothing of what happens to resources.
package schema

// Package scim is the vocabulary of the SCIM 2.0 protocol as Rollcall speaks it: URNs, identifiers, documents,
// versions, errors and messages. It is pure: it does no I/O and knows neither HTTP handlers, nor resource types,
// nor a store.
package scim

// Package resources says what the resource types are and what happens to them: definitions with their hooks, the
// Service behind the protocol's edge, Bulk, organizations and tokens. A resource type is one definition in one
// file; everything else here works on any definition.
//
// It knows no HTTP and no database driver: it speaks the vocabulary of package scim on one side and the contract of
// package storage on the other. Clock, ids and random bytes are given to it.
package resources

// Package mongo keeps everything in one MongoDB database, which any number of processes may share. It knows the
// contract of package storage and nothing of HTTP or of any schema beyond the indexes that it is told.
//
// # How it is laid out
//
// Each resource type has a collection of documents that a person can read: the attributes under their own names, an
// extension under a short alias. Beside them lie fields that begin with an underscore and are Rollcall's own: _doc is
// the document as the bytes that go on the wire, and the truth; _f has each indexed attribute as it is compared
// (folded strings, instants as text), _s what a multi-valued one is sorted by. An absent value is MaxKey there, which
// is just where an absent value is to be sorted and which no comparison finds.
//
// Collection keys holds what exists once in an organization: each id, whatever the type, and each unique value; its
// _id is the key, so uniqueness needs no index that a sharded cluster could not keep. It is also where a write of a
// membership and a write of the member meet. Relations are documents of memberships. Collection changes is the feed;
// a change gets its position after it is committed (see sequence.go). Every write is one transaction.
package mongo

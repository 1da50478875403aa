// Package sqlite keeps everything in one SQLite database: the embedded store. It has one connection that writes, in
// group commits, and a bounded pool that reads. It knows the contract of package storage and nothing of HTTP or of
// any schema beyond the indexes that it is told.
//
// # How it is laid out
//
// A record is one row of res (its document as the bytes that go on the wire) and one of ids (key, label). Each value
// of an indexed field is a row of idx, keyed (attribute, organization, value, id), so that equality comes in id order
// and a range or a sort in value order; a record without a value has a row with the empty blob, which SQLite orders
// after every text and number: just where an absent value is to be sorted. Fields that are unique keys have their
// values in uniq instead. Relations are rows of members. Organizations, types and attributes are small integers in
// all of these.
package sqlite

// Package storage is the contract between what happens to resources and where they are kept. It holds interfaces,
// the values that cross them and the sentinel errors; package storage/conformance proves that an adapter keeps
// every MUST stated here. The contract knows no HTTP, no schema and nothing of any database.
//
// Rules for every method:
//   - Values passed in and handed out share no memory with the store. [conformance: Aliasing]
//   - Everything is seen and changed within one organization only. [conformance: OrganizationIsolation]
//   - A method whose context is done MUST return the context's error and change nothing, unless the write is
//     already committed. [conformance: Canceled]
//   - After Close every method MUST return ErrClosed. [conformance: UseAfterClose]
//   - Instants are stored as UTC with whole milliseconds. The store reads neither clock nor random numbers: ids
//     and instants come from the caller. [conformance: Instants]
//   - Strings are compared by their bytes; the store knows no collation. [conformance: BytesDistinct]
//   - A write that is acknowledged survives the death of the process. [conformance: the crash tests of adapters]
package storage

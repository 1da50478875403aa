// Package patch compiles PATCH requests (RFC 7644 3.5.2) into plans and applies plans to documents. Everything
// that needs only the schema is refused while compiling, before any store is touched. It knows no store.
package patch

// Package mail is what Rollcall knows of e-mail: reading the recipients that people type, the messages it writes and
// their templates, handing them to a mail server or into files, the worker that empties an outbox, and what comes back
// as bounces and automatic replies.
//
// It knows nothing of stores, resource types or HTTP: a worker asks an [Outbox], a listener tells a [Receiver]. Clock
// and keys come from above. No address, name or text of a message goes into an error or a log line.
package mail

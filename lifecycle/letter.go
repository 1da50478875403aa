package lifecycle

import (
	"context"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// Letter is a mail that a step queues: it is sent if, and only if, the step is committed.
type Letter struct {
	Kind   mail.Kind
	To     string
	Locale string // empty: the organization's
	Values mail.Values
	About  storage.Key // the resource that is told what became of the mail
	Until  time.Time   // it is of no use later; zero: always
}

// Outbox queues letters.
type Outbox interface {
	// Queue writes the letter in the step tx. It may run more than once, as steps do.
	Queue(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time, l Letter) error
}

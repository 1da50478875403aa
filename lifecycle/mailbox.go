package lifecycle

import (
	"context"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// post queues a letter.
func (s *Service) post(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time, l Letter) error {
	return s.outbox.Queue(ctx, tx, c, at, l)
}

// noOutbox is that of a server that sends no mail.
type noOutbox struct{}

func (noOutbox) Queue(context.Context, storage.Tx, scim.Caller, time.Time, Letter) error {
	return conflict("mail_off", "the server sends no mail: hand out links instead")
}

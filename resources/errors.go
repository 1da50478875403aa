package resources

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// Pauses that clients are asked to make.
const (
	retryContention  = time.Second
	retryUnavailable = 5 * time.Second
)

// failed is fail for a write, of which the type may have something to note.
func failed(ctx context.Context, c scim.Caller, d *Definition, err error) error {
	if d != nil && d.Refused != nil {
		err = d.Refused(ctx, c, err)
	}
	return fail(c, d, err)
}

// fail turns a failure of the store, or of a callback that it ran, into what the client may see. What has no row
// here is not the client's to see: it passes through and becomes 500 at the edge.
func fail(c scim.Caller, d *Definition, err error) error {
	var (
		known  *scim.Error
		unique *storage.UniqueError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unique):
		if d != nil {
			for _, u := range d.rules {
				if u.field.Path == unique.Attr {
					c.Compat.Allow(u.rule) // it made the difference: counted
				}
			}
		}
		return scim.Uniqueness(unique.Attr)
	case errors.Is(err, storage.ErrNotFound) && d != nil:
		return scim.NotFound(d.Name)
	case errors.Is(err, storage.ErrContention):
		return scim.Unavailable(retryContention, err)
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed):
		return scim.Unavailable(retryUnavailable, err)
	case errors.Is(err, storage.ErrTooExpensive):
		return scim.TooMany("the answer holds more members than one request may load: ask for fewer resources or leave the members out")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("store: %w", err)
}

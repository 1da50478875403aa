package lifecycle

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// refuse is a refusal with a stable machine code and a sentence that an administrator understands.
func refuse(status int, code, format string, args ...any) *scim.Error {
	return &scim.Error{Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// forbidden says: this subject may not do that.
func forbidden(code, format string, args ...any) *scim.Error {
	return refuse(http.StatusForbidden, code, format, args...)
}

// conflict says: the state of things does not allow it now.
func conflict(code, format string, args ...any) *scim.Error {
	return refuse(http.StatusConflict, code, format, args...)
}

// invalid says: the value of the attribute at path does not fit.
func invalid(path, code, format string, args ...any) *scim.Error {
	e := scim.InvalidValue(path, format, args...)
	e.Code = code
	return e
}

// notFound says: no such thing in the caller's organization.
func notFound(t scim.TypeName) *scim.Error {
	e := scim.NotFound(t)
	e.Code = "not_found"
	return e
}

// Pauses that clients are asked to make.
const (
	retryContention  = time.Second
	retryUnavailable = 5 * time.Second
)

// fail turns a failure of the store into what a client may see; what has no row here passes through and becomes 500.
func fail(t scim.TypeName, err error) error {
	var (
		known  *scim.Error
		unique *storage.UniqueError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &unique):
		e := scim.Uniqueness(unique.Attr)
		e.Code = "already_in_use"
		return e
	case errors.Is(err, storage.ErrNotFound):
		return notFound(t)
	case errors.Is(err, storage.ErrContention):
		return scim.Unavailable(retryContention, err)
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed):
		return scim.Unavailable(retryUnavailable, err)
	}
	return err
}

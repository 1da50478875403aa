package scim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ErrorType is a scimType keyword (RFC 7644 3.12 table 9, RFC 9865 2.1).
type ErrorType string

// The scimType keywords.
const (
	TypeInvalidFilter ErrorType = "invalidFilter"
	TypeTooMany       ErrorType = "tooMany"
	TypeUniqueness    ErrorType = "uniqueness"
	TypeMutability    ErrorType = "mutability"
	TypeInvalidSyntax ErrorType = "invalidSyntax"
	TypeInvalidPath   ErrorType = "invalidPath"
	TypeNoTarget      ErrorType = "noTarget"
	TypeInvalidValue  ErrorType = "invalidValue"
	TypeInvalidVers   ErrorType = "invalidVers"
	TypeSensitive     ErrorType = "sensitive"
	TypeInvalidCursor ErrorType = "invalidCursor"
	TypeExpiredCursor ErrorType = "expiredCursor"
	TypeInvalidCount  ErrorType = "invalidCount"
)

// Error is a failure that the client may see (RFC 7644 3.12). Detail names attributes and limits, never a value.
type Error struct {
	Status     int           // HTTP status
	Type       ErrorType     // scimType; empty if none fits
	Detail     string        // one sentence for people
	Path       string        // attribute concerned, canonical; empty if none
	Code       string        // stable machine code of the companion API, such as "last_owner"; empty: Type or Status says it
	RetryAfter time.Duration // for 429 and 503; 0 leaves the header out
	Quota      *Quota        // the limit that refused, for 429; nil if there is none to tell of
	Managed    *Managed      // which client has the say, if that is the reason
	Cause      error         // private: logged, never sent
}

// Quota is what a limit leaves.
type Quota struct {
	Limit     int           // most that may be used within the limit's window; 0: there is no limit to tell of
	Remaining int           // of them, now
	Reset     time.Duration // until one more is free
}

// Managed is a provisioning client's claim on what somebody else would like to write.
type Managed struct {
	Connection string    // id
	Name       string    // for people
	Since      time.Time // the client has written it
}

// Error returns the public text.
func (e *Error) Error() string {
	if e.Type == "" {
		return strconv.Itoa(e.Status) + ": " + e.Detail
	}
	return strconv.Itoa(e.Status) + " " + string(e.Type) + ": " + e.Detail
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// AppendJSON appends the error message body (RFC 7644 3.12); status is a string.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"schemas":["`+MessageError+`"],"status":"`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = append(dst, '"')
	if e.Type != "" {
		dst = append(dst, `,"scimType":"`...)
		dst = append(append(dst, e.Type...), '"')
	}
	dst = append(dst, `,"detail":`...)
	dst = AppendString(dst, e.Detail)
	return append(dst, '}')
}

func newError(status int, t ErrorType, path, format string, args ...any) *Error {
	return &Error{Status: status, Type: t, Path: path, Detail: fmt.Sprintf(format, args...)}
}

// InvalidSyntax says: the body is not JSON or not the message that belongs here.
func InvalidSyntax(format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeInvalidSyntax, "", format, args...)
}

// InvalidValue says: the value of the attribute at path is missing or does not fit the schema.
func InvalidValue(path, format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeInvalidValue, path, "%s", path+": "+fmt.Sprintf(format, args...))
}

// InvalidFilter says: the filter is malformed or asks what the attribute does not allow.
func InvalidFilter(format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeInvalidFilter, "", format, args...)
}

// InvalidPath says: a PATCH path is malformed or names nothing in the schema.
func InvalidPath(format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeInvalidPath, "", format, args...)
}

// NoTarget says: a PATCH path yields nothing to operate on.
func NoTarget(format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeNoTarget, "", format, args...)
}

// Mutability says: the change is not compatible with the attribute's mutability or present state.
func Mutability(path, format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeMutability, path, "%s", path+": "+fmt.Sprintf(format, args...))
}

// Uniqueness says: the value of the attribute at path is taken.
func Uniqueness(path string) *Error {
	return newError(http.StatusConflict, TypeUniqueness, path, "%s: the value is already in use", path)
}

// TooMany says: the result is larger than the server computes.
func TooMany(format string, args ...any) *Error {
	return newError(http.StatusBadRequest, TypeTooMany, "", format, args...)
}

// NotFound says: no such resource in the caller's organization.
func NotFound(t TypeName) *Error {
	return newError(http.StatusNotFound, "", "", "%s not found", t)
}

// PreconditionFailed says: If-Match or If-None-Match does not hold (RFC 7644 3.14).
func PreconditionFailed() *Error {
	return newError(http.StatusPreconditionFailed, "", "", "the resource has changed on the server: its version is not the one required")
}

// TooLarge says: the request exceeds the named limit.
func TooLarge(format string, args ...any) *Error {
	return newError(http.StatusRequestEntityTooLarge, "", "", format, args...)
}

// Conflict says: the request does not fit the state of another resource.
func Conflict(format string, args ...any) *Error {
	return newError(http.StatusConflict, "", "", format, args...)
}

// Forbidden says: the token lacks what the request needs.
func Forbidden(format string, args ...any) *Error {
	return newError(http.StatusForbidden, "", "", format, args...)
}

// Unavailable says: the store cannot answer now; retry after d.
func Unavailable(d time.Duration, cause error) *Error {
	e := newError(http.StatusServiceUnavailable, "", "", "the service is temporarily unavailable")
	e.RetryAfter, e.Cause = d, cause
	return e
}

package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"rollcall/internal/edge"
	"rollcall/scim"
)

// fail answers with an error: the one place where an error becomes HTTP.
func (x *exchange) fail(err error) {
	if errors.Is(err, context.Canceled) && x.req.Context().Err() != nil {
		x.empty(statusClientGone) // nobody listens
		return
	}
	e := x.public(err)
	x.refused(x.req.Method, x.route.typ, x.route.id, e)
	if e.RetryAfter > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Status == http.StatusRequestEntityTooLarge {
		x.w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
	buf := x.api.buffer()
	*buf = e.AppendJSON(*buf)
	x.send(e.Status, *buf)
	x.api.release(buf)
}

// refused tells who listens that a token was not allowed something: for its scopes, or by a rule that has a code.
func (x *exchange) refused(method string, t *endpointType, id string, e *scim.Error) {
	if x.api.denied == nil || x.client == nil || e.Status != http.StatusForbidden && e.Code == "" {
		return
	}
	name := ""
	if t != nil {
		name = string(t.Name)
	}
	x.api.denied(x.caller, edge.MethodLabel(method)+" "+name, name, id, e)
}

// public is what the client may know of an error. The cause of a 5xx is kept for the log.
func (x *exchange) public(err error) *scim.Error {
	var e *scim.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		if e.Status >= http.StatusInternalServerError && e.Cause != nil {
			x.cause = e.Cause
		}
		return e
	case errors.As(err, &tooLarge):
		return bodyTooLarge(tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		x.cause = err
		return scim.Unavailable(time.Second, err)
	}
	x.cause = err
	return &scim.Error{
		Status: http.StatusInternalServerError,
		Detail: "internal error; the operator finds its cause in the log under request id " + x.id,
		Cause:  err,
	}
}

func bodyTooLarge(limit int64) *scim.Error {
	return scim.TooLarge("the body is larger than %d bytes", limit)
}

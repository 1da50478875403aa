package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"rollcall/scim"
)

// problemType is the media type of errors (RFC 9457 3).
const problemType = "application/problem+json"

// problemURN is what the type of a problem begins with; its code follows.
const problemURN = "urn:rollcall:problem:"

// Problem is an error as a client sees it (RFC 9457).
type Problem struct {
	Type      string    `json:"type" format:"uri" doc:"Names the kind of problem: urn:rollcall:problem: and the code."`
	Title     string    `json:"title" doc:"The status in words."`
	Status    int       `json:"status" doc:"The HTTP status."`
	Detail    string    `json:"detail" doc:"One sentence for an administrator. It names attributes and limits, never a value."`
	Code      string    `json:"code" pattern:"^[a-z0-9_]+$" doc:"Stable machine code, such as last_owner."`
	RequestID string    `json:"requestId" doc:"Under this id the operator finds the request in the log."`
	Errors    []Mistake `json:"errors,omitempty" doc:"What is wrong with the request, attribute by attribute."`
	ManagedBy *Managed  `json:"managedBy,omitempty" doc:"With attribute_managed: the connection that has the say."`
}

// Managed is a connection's claim on an attribute.
type Managed struct {
	Connection string    `json:"connection" doc:"Id of the connection."`
	Name       string    `json:"name"`
	Since      time.Time `json:"since" doc:"When it wrote the attribute."`
}

// Mistake is one thing that is wrong with a request.
type Mistake struct {
	Path    string `json:"path" doc:"Where: body.email, query.count, path.id."`
	Message string `json:"message" doc:"What was expected there."`
}

// refusal is an error on its way through huma, which asks it for status, headers and media type.
type refusal struct {
	Problem
	retryAfter time.Duration
	quota      *scim.Quota
}

func (r *refusal) Error() string             { return r.Detail }
func (r *refusal) GetStatus() int            { return r.Status }
func (r *refusal) ContentType(string) string { return problemType }

// GetHeaders are those that the problem brings.
func (r *refusal) GetHeaders() http.Header {
	h := http.Header{}
	if r.retryAfter > 0 {
		h.Set("Retry-After", wholeSeconds(r.retryAfter))
	}
	tellQuota(h, r.quota)
	return h
}

// MarshalJSON is the problem's.
func (r *refusal) MarshalJSON() ([]byte, error) { return json.Marshal(r.Problem) }

// refuse turns an error into what the client may know of it: the one place where that is decided. The cause of a 5xx is
// kept for the log.
func (x *exchange) refuse(err error) *refusal {
	var e *scim.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &tooLarge):
		e = scim.TooLarge("the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = scim.Unavailable(time.Second, err)
	default:
		e = &scim.Error{
			Status: http.StatusInternalServerError, Cause: err,
			Detail: "internal error; the operator finds its cause in the log under the request id",
		}
	}
	if e.Status >= http.StatusInternalServerError && e.Cause != nil {
		x.cause = e.Cause
	}
	x.denied = e
	r := &refusal{Problem: x.problem(e.Status, codeOf(e), e.Detail), retryAfter: e.RetryAfter, quota: cmp.Or(e.Quota, &x.quota)}
	if m := e.Managed; m != nil {
		r.ManagedBy = &Managed{m.Connection, m.Name, m.Since}
	}
	if e.Path != "" {
		r.Errors = []Mistake{{Path: e.Path, Message: strings.TrimPrefix(e.Detail, e.Path+": ")}}
	}
	return r
}

func (x *exchange) problem(status int, code, detail string) Problem {
	return Problem{
		Type: problemURN + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code, RequestID: x.id,
	}
}

// fail answers with an error from outside of an operation.
func (x *exchange) fail(err error) {
	if errors.Is(err, context.Canceled) && x.req.Context().Err() != nil {
		x.answer.WriteHeader(statusClientGone)
		return
	}
	r := x.refuse(err)
	h := x.answer.Header()
	maps.Copy(h, r.GetHeaders())
	if r.Status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // what is left of the body is not worth reading
	}
	h.Set("Content-Type", problemType)
	body, err := json.Marshal(r)
	if err != nil { // a struct of strings
		panic(err)
	}
	x.answer.WriteHeader(r.Status)
	_, _ = x.answer.Write(body)
}

// codeOf is the machine code of an error: its own, or that of its scimType or status.
func codeOf(e *scim.Error) string {
	switch {
	case e.Code != "":
		return e.Code
	case e.Type != "":
		return snake(string(e.Type))
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return "unauthenticated"
	case http.StatusPreconditionFailed:
		return "version_mismatch"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusTooManyRequests:
		return "rate_limited"
	case http.StatusServiceUnavailable:
		return "unavailable"
	case http.StatusInternalServerError:
		return "internal_error"
	}
	return strings.ReplaceAll(strings.ToLower(http.StatusText(e.Status)), " ", "_")
}

// snake writes a scimType as codes are written: invalidValue is invalid_value.
func snake(camel string) string {
	var b strings.Builder
	for _, c := range []byte(camel) {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			c |= 0x20
		}
		b.WriteByte(c)
	}
	return b.String()
}

package admin

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/scim"
)

// smallBody is how much of a body is read without asking whether there is memory for it.
const smallBody = 64 << 10

// receive reads the body, from outside of the gate, for as long as the client takes, and refuses JSON that is not
// exactly one value.
func (x *exchange) receive() error {
	if x.req.Body == nil || x.req.Body == http.NoBody {
		return nil
	}
	if e := x.req.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &scim.Error{Status: http.StatusUnsupportedMediaType, Detail: "request bodies must not be encoded"}
	}
	limit := x.operation.body
	if limit == 0 {
		limit = x.api.Body
	}
	limit = min(limit, max(x.api.Body, x.api.Upload))
	x.leave()
	if err := x.readBody(limit); err != nil {
		var tooLarge *http.MaxBytesError
		var known *scim.Error
		if errors.As(err, &tooLarge) || errors.As(err, &known) || x.ctx.Err() != nil {
			return err
		}
		return scim.InvalidSyntax("the body could not be read to its end")
	}
	if err := x.enter(); err != nil {
		return err
	}
	if len(x.body) > 0 && isJSON(x.req.Header.Get("Content-Type")) {
		_, err := scim.ParseJSON(x.body, defaultDepth)
		return err
	}
	return nil
}

func (x *exchange) readBody(limit int64) error {
	var buf bytes.Buffer
	body := http.MaxBytesReader(x.w, x.req.Body, limit)
	n, err := buf.ReadFrom(io.LimitReader(body, smallBody))
	if err == nil && n == smallBody {
		size := x.req.ContentLength
		if size < 0 || size > limit {
			size = limit
		}
		if err := x.api.Gate.Reserve(x.ctx, size); err != nil {
			if x.ctx.Err() != nil {
				return err
			}
			return x.overloaded("body_memory", err)
		}
		x.reserved = size
		_, err = buf.ReadFrom(body)
	}
	x.body = buf.Bytes()
	return err
}

func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	return (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && (t == "application/json" || strings.HasSuffix(t, "+json"))
}

// BodyReader is the body that was read already.
func (q quiet) BodyReader() io.Reader { return bytes.NewReader(exchangeOf(q.Context()).body) }

// SetReadDeadline does nothing: the server's own deadline held while the body was read.
func (quiet) SetReadDeadline(time.Time) error { return nil }

// Header hides Accept: answers are JSON, whatever a client that asks for nothing else puts there.
func (q quiet) Header(name string) string {
	if strings.EqualFold(name, "Accept") {
		return ""
	}
	return q.inner.Header(name)
}

// Unwrap is for the adapter of Gin.
func (q quiet) Unwrap() huma.Context { return q.inner }

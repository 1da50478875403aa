package admin

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	// maxIdempotencyKey is how many characters a key may have.
	maxIdempotencyKey = 255
	// keepPatience is how long it may take to keep an answer, after the request's own time.
	keepPatience = 10 * time.Second
)

// keptHeaders are those of an answer that belong to it.
func keptHeaders() []string {
	return []string{"Content-Type", "Location", "ETag", "WWW-Authenticate", "Retry-After"}
}

// idempotent reports whether the operation takes an Idempotency-Key: whatever creates or does something for somebody who
// is known.
func (o *operation) idempotent() bool {
	return o.method == http.MethodPost && o.access != forAll && !o.readOnly
}

// once runs what carries the request out. With an Idempotency-Key that has come before, the request is answered as it was
// then, and nothing is carried out.
func (x *exchange) once(run func()) {
	key := x.req.Header.Get(idempotencyHeader)
	if key == "" || !x.operation.idempotent() {
		run()
		return
	}
	if !validIdempotencyKey(key) {
		x.fail(&scim.Error{
			Status: http.StatusBadRequest, Code: "invalid_idempotency_key", Path: "header." + idempotencyHeader,
			Detail: "header." + idempotencyHeader + ": must be 1 to 255 visible ASCII characters",
		})
		return
	}
	who, digest := x.who.Subject.Caller, x.digest()
	kept, err := x.api.Lifecycle.BeginRequest(x.ctx, who, key, digest)
	switch {
	case err != nil:
		x.fail(err)
		return
	case kept != nil:
		x.replay(kept)
		return
	}
	carried := false
	defer func() { // also after a panic, which goes on
		ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx), keepPatience)
		defer cancel()
		var err error
		if carried && final(x.answer.status) {
			err = x.api.Lifecycle.FinishRequest(ctx, who, key, digest, x.kept())
		} else {
			err = x.api.Lifecycle.AbandonRequest(ctx, who, key, digest)
		}
		if err != nil { // the key stays taken until its lease ends
			x.api.Logger.LogAttrs(ctx, slog.LevelError, "keep the answer of an Idempotency-Key",
				slog.String("request", x.id), slog.String("error", err.Error()))
		}
	}()
	run()
	carried = true
}

// final reports whether an answer holds for good. What failed on our side, or was too early, may be tried again.
func final(status int) bool {
	return status != 0 && status < http.StatusInternalServerError && status != statusClientGone &&
		status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

func validIdempotencyKey(key string) bool {
	if len(key) > maxIdempotencyKey {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// digest stands for all of a request that decides what it does.
func (x *exchange) digest() [32]byte {
	h := sha256.New()
	for _, part := range []string{
		x.req.Method, x.req.URL.EscapedPath(), x.req.URL.RawQuery, x.req.Header.Get("Content-Type"), x.req.Header.Get("If-Match"),
		string(x.body),
	} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return [32]byte(h.Sum(nil))
}

// kept is the answer as it is kept.
func (x *exchange) kept() *lifecycle.Answer {
	a := &lifecycle.Answer{Status: x.answer.status, Header: map[string]string{}, Body: x.answer.body.Bytes()}
	for _, name := range keptHeaders() {
		if v := x.answer.Header().Get(name); v != "" {
			a.Header[name] = v
		}
	}
	return a
}

// replay answers as the first request with the key was answered.
func (x *exchange) replay(a *lifecycle.Answer) {
	h := x.answer.Header()
	for name, value := range a.Header {
		h.Set(name, value)
	}
	h.Set(replayedHeader, "true")
	x.answer.WriteHeader(a.Status)
	_, _ = x.answer.Write(a.Body)
}

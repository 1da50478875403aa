package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rollcall/admin"
)

// remote is the companion API as commands use it: of a server far away, of the one that holds the data directory, or of
// this very process.
type remote struct {
	http  *http.Client
	root  string // URL of the API, without a slash at its end
	token string // empty where none is needed
	org   string // slug or id; empty: the token's, or the default
	close func() error
	// work, if there is one, gives jobs that wait some time: where no server does.
	work func(context.Context) error
}

const (
	// remoteTries is how often a request is sent whose answer is that it should be sent again, or is lost.
	remoteTries = 4
	// maxRetryAfter is how long a command waits before it sends a request again.
	maxRetryAfter = 10 * time.Second
	// maxAnswer bounds what is read of an answer, other than an export.
	maxAnswer = 64 << 20
	// remoteTimeout is how long a request may take; the server's own bound is shorter.
	remoteTimeout = 5 * time.Minute
)

// problemError is a refusal by the server.
type problemError struct{ admin.Problem }

// Error is one sentence, with the code that programs look at.
func (e *problemError) Error() string {
	text := strings.TrimPrefix(e.Detail, "body.")
	for _, m := range e.Errors {
		if !strings.Contains(text, m.Message) {
			text += "; " + strings.TrimPrefix(m.Path, "body.") + ": " + m.Message
		}
	}
	return printable(text) + " (" + printable(e.Code) + ")"
}

// do sends a request. in, if not nil, becomes its body; the answer's body is read into out, if not nil.
func (r *remote) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	resp, err := r.send(ctx, method, path, query, "application/json", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return errNotCompanion
	}
	return nil
}

var errNotCompanion = errors.New("the server gave an answer that is not understood: is this the root of a Rollcall server, of this version?")

// send sends a request until it has an answer that is more than "later", and returns it if it is no refusal. A POST has
// an Idempotency-Key, so that one whose answer was lost is carried out once.
func (r *remote) send(ctx context.Context, method, path string, query url.Values, mediaType string, body []byte) (*http.Response, error) {
	u := r.root + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	key := newID()
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body != nil {
			req.Header.Set("Content-Type", mediaType)
		}
		if method == http.MethodPost {
			req.Header.Set("Idempotency-Key", key)
		}
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
		if r.org != "" {
			req.Header.Set("X-Rollcall-Organization", r.org)
		}
		resp, err := r.http.Do(req)
		wait, again := time.Second, method == http.MethodGet || method == http.MethodPost
		if err == nil {
			if resp.StatusCode < http.StatusMultipleChoices {
				return resp, nil
			}
			err = refusalOf(resp)
			wait, again = retryAfter(resp)
		} else {
			err = fmt.Errorf("cannot reach the server: %w", err)
		}
		if !again || try == remoteTries || ctx.Err() != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// retryAfter says whether the server wants the request again, and when.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	wait := time.Duration(seconds) * time.Second
	soon := resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests
	return wait, err == nil && soon && wait <= maxRetryAfter
}

// refusalOf reads what a server says that does not do what it was asked.
func refusalOf(resp *http.Response) error {
	defer resp.Body.Close()
	var p problemError
	t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&p.Problem)
	if t != "application/problem+json" || err != nil || p.Code == "" {
		return fmt.Errorf("%w (HTTP %d)", errNotCompanion, resp.StatusCode)
	}
	return &p
}

// pageOf is a page of a list.
type pageOf struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next"`
}

// pageSize is how many items of a list are asked for at once.
const pageSize = 500

// list reads a list from its beginning, page after page, up to limit items; more says that there are others.
func (r *remote) list(ctx context.Context, path string, query url.Values, limit int) (items []json.RawMessage, more bool, err error) {
	items = []json.RawMessage{}
	if query == nil {
		query = url.Values{}
	}
	for {
		query.Set("count", strconv.Itoa(min(limit-len(items), pageSize)))
		var p pageOf
		if err := r.do(ctx, http.MethodGet, path, query, nil, &p); err != nil {
			return nil, false, err
		}
		items = append(items, p.Items...)
		if p.Next == "" || len(items) >= limit {
			return items, p.Next != "", nil
		}
		query.Set("cursor", p.Next)
	}
}

// decodeAll reads items as T has them.
func decodeAll[T any](items []json.RawMessage) ([]T, error) {
	list := make([]T, len(items))
	for i, raw := range items {
		if json.Unmarshal(raw, &list[i]) != nil {
			return nil, errNotCompanion
		}
	}
	return list, nil
}

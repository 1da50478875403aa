package lifecycle

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

const (
	// keepAnswers is how long the answer to a request with an Idempotency-Key is kept.
	keepAnswers = 24 * time.Hour
	// answerLease is how long the first request with a key may take. After it the attempt is taken for dead, and the
	// next one with the key runs.
	answerLease = 5 * time.Minute
	// maxKeptAnswer bounds what is kept, in bytes. A larger answer is not kept, but that there was one is.
	maxKeptAnswer = 1 << 20
)

const answerSecret = "answer"

// Answer is what a request was answered.
type Answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
}

// idempotentRequest is a request with an Idempotency-Key.
type idempotentRequest struct {
	Digest string `json:"digest"` // of the request
	State  string `json:"state"`  // running, done, tooLarge
	Lease  string `json:"lease"`  // when an attempt that still runs is taken for dead
	Until  string `json:"until"`
}

func requestKey(c scim.Caller, key string) storage.Key {
	return storage.Key{
		Org: c.Org, Type: resources.TypeRequest, ID: idOf("request", string(c.Org), c.Actor.Kind, c.Actor.ID, key),
	}
}

// BeginRequest is called before a request with an Idempotency-Key is carried out. digest stands for the whole request.
// An answer means that the request was carried out before, and is to be answered so again. Otherwise the caller carries
// it out and then calls FinishRequest or AbandonRequest. It returns 422 idempotency_key_reused if the key came with
// another request, and 409 idempotency_in_progress while the first attempt runs.
func (s *Service) BeginRequest(ctx context.Context, c scim.Caller, key string, digest [32]byte) (*Answer, error) {
	k, now := requestKey(c, key), s.now()
	next := idempotentRequest{
		Digest: hex.EncodeToString(digest[:]), State: "running",
		Lease: scim.FormatTime(now.Add(answerLease)), Until: scim.FormatTime(now.Add(keepAnswers)),
	}
	_, err := s.insert(ctx, s.store, c, k, now, next, nil)
	if !errors.Is(err, storage.ErrExists) {
		return nil, fail(resources.TypeRequest, err)
	}
	var kept *record[idempotentRequest]
	_, err = change(ctx, s, s.store, c, k, now, func(r *record[idempotentRequest]) error {
		kept = nil
		stamp := scim.FormatTime(now)
		switch v := r.Value; {
		case v.Until <= stamp: // the key is free again
		case v.Digest != next.Digest:
			return refuse(http.StatusUnprocessableEntity, "idempotency_key_reused", "the Idempotency-Key came with another request before")
		case v.State == "tooLarge":
			return conflict("idempotency_answer_too_large", "the request was carried out before; its answer was too large to be kept")
		case v.State == "done":
			kept = &record[idempotentRequest]{Key: r.Key, Value: v, Secret: r.Secret}
			return nil
		case v.Lease > stamp:
			e := conflict("idempotency_in_progress", "the first request with this Idempotency-Key is still being carried out")
			e.RetryAfter = retryContention
			return e
		}
		r.Value, r.Secret = next, nil
		return nil
	})
	switch {
	case errors.Is(err, storage.ErrNotFound): // abandoned since
		e := conflict("idempotency_in_progress", "the first request with this Idempotency-Key has just failed: send it again")
		e.RetryAfter = retryContention
		return nil, e
	case err != nil:
		return nil, fail(resources.TypeRequest, err)
	case kept == nil:
		return nil, nil //nolint:nilnil // nothing was answered yet
	}
	return s.keptAnswer(kept)
}

func (s *Service) keptAnswer(r *record[idempotentRequest]) (*Answer, error) {
	text, _ := r.Secret[answerSecret].(string)
	plain, err := s.opened(text, r.Key.ID)
	if err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	var a Answer
	if err := json.Unmarshal(plain, &a); err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	return &a, nil
}

// FinishRequest keeps the answer, sealed, since it may hold tokens.
func (s *Service) FinishRequest(ctx context.Context, c scim.Caller, key string, digest [32]byte, a *Answer) error {
	k, now := requestKey(c, key), s.now()
	state, text := "tooLarge", ""
	if len(a.Body) <= maxKeptAnswer {
		plain, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("keep an answer: %w", err)
		}
		if text, err = s.sealed(plain, k.ID); err != nil {
			return err
		}
		state = "done"
	}
	_, err := change(ctx, s, s.store, c, k, now, func(r *record[idempotentRequest]) error {
		if r.Value.Digest != hex.EncodeToString(digest[:]) {
			return nil // the attempt took so long that the key is another request's now
		}
		r.Value.State, r.Value.Until = state, scim.FormatTime(now.Add(keepAnswers))
		if text != "" {
			r.Secret = scim.Attributes{answerSecret: text}
		}
		return nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return fail(resources.TypeRequest, err)
}

// AbandonRequest frees the key of a request that was not carried out.
func (s *Service) AbandonRequest(ctx context.Context, c scim.Caller, key string, digest [32]byte) error {
	k := requestKey(c, key)
	err := s.store.Delete(ctx, k, s.now(), func(cur storage.Current) (storage.Change, error) {
		r, err := decode[idempotentRequest](cur.Record())
		if err != nil {
			return storage.Change{}, err
		}
		if r.Value.State != "running" || r.Value.Digest != hex.EncodeToString(digest[:]) {
			return storage.Change{}, errKept
		}
		return storage.Change{Op: storage.OpDelete, Actor: c.Actor, Request: c.RequestID}, nil
	})
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errKept) {
		return nil
	}
	return fail(resources.TypeRequest, err)
}

var errKept = errors.New("lifecycle: the record is kept")

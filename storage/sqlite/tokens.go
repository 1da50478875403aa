package sqlite

import (
	"context"
	"strings"
	"sync"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

const maxCachedTokens = 4096

// tokenCache keeps tokens by digest. This process is the only one on the database, so a revocation is seen at once
// by taking the token out before RevokeToken returns.
type tokenCache struct {
	mu       sync.RWMutex
	byDigest map[[32]byte]*storage.Token
	// era counts revocations: what was read from the database in an era that is over is not kept.
	era     uint64
	touched map[touchKey]time.Time // last use
}

type touchKey struct {
	org scim.OrgID
	id  string
}

func (t *tokenCache) init() {
	t.byDigest = make(map[[32]byte]*storage.Token)
	t.touched = make(map[touchKey]time.Time)
}

// InsertToken implements storage.Tokens.
func (s *Store) InsertToken(ctx context.Context, t storage.Token) (err error) {
	defer s.observe("insert token", &err)()
	return s.w.do(ctx, t.Org, 1, func(w *writer) error {
		q := w.c.prep("SELECT 1 FROM organizations WHERE id=?")
		if _, found, err := q.text(string(t.Org)).one(); err != nil || !found {
			return firstError(translate(ctx, "look up an organization", err), storage.ErrNotFound)
		}
		q = w.c.prep("SELECT 1 FROM tokens WHERE id=? OR digest=?")
		if _, found, err := q.text(t.ID).blob(t.Digest[:]).one(); err != nil || found {
			return firstError(translate(ctx, "look up a token", err), storage.ErrExists)
		}
		return w.write(func() error {
			q := w.c.prep(`INSERT INTO tokens (id, org, name, digest, scopes, profile, created, expires, revoked, last_used)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
			q.text(t.ID).text(string(t.Org)).text(t.Name).blob(t.Digest[:]).text(strings.Join(t.Scopes, " ")).text(t.Profile)
			return q.int(millis(t.Created)).maybe(t.Expires).maybe(t.Revoked).maybe(t.LastUsed).exec()
		})
	})
}

// maybe binds an instant, NULL for the zero one.
func (s *stmt) maybe(t time.Time) *stmt {
	if t.IsZero() {
		return s.blob(nil)
	}
	return s.int(millis(t))
}

// colMaybe is the way back: no instant of ours is that of the Unix epoch by accident, so NULL is asked for.
func (s *stmt) colMaybe(i int) time.Time {
	if s.s.ColumnIsNull(i) {
		return time.Time{}
	}
	return instant(s.colInt(i))
}

const tokenColumns = "id, org, name, digest, scopes, profile, created, expires, revoked, last_used"

func scanToken(q *stmt) *storage.Token {
	t := &storage.Token{
		ID: q.colText(0), Org: scim.OrgID(q.colText(1)), Name: q.colText(2), Profile: q.colText(5),
		Created: instant(q.colInt(6)), Expires: q.colMaybe(7), Revoked: q.colMaybe(8), LastUsed: q.colMaybe(9),
	}
	q.s.ColumnBytes(3, t.Digest[:])
	t.Scopes = strings.Fields(q.colText(4))
	return t
}

// TokenByDigest implements storage.Tokens.
func (s *Store) TokenByDigest(ctx context.Context, digest [32]byte) (_ *storage.Token, err error) {
	defer s.observe("token", &err)()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	s.tokens.mu.RLock()
	t, era := s.tokens.byDigest[digest], s.tokens.era
	s.tokens.mu.RUnlock()
	if t == nil {
		if t, err = s.readToken(ctx, digest); err != nil {
			return nil, err
		}
		s.tokens.keep(t, era)
	}
	return s.tokens.handOut(t), nil
}

func (s *Store) readToken(ctx context.Context, digest [32]byte) (*storage.Token, error) {
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	q := c.prep("SELECT " + tokenColumns + " FROM tokens WHERE digest=?")
	found, err := q.blob(digest[:]).step()
	if err != nil {
		return nil, translate(ctx, "read a token", err)
	}
	if !found {
		return nil, storage.ErrNotFound
	}
	t := scanToken(&q)
	return t, q.done()
}

func (t *tokenCache) keep(tok *storage.Token, era uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.era != era {
		return
	}
	if len(t.byDigest) >= maxCachedTokens {
		clear(t.byDigest) // rare, and refilled by one read for each token in use
	}
	t.byDigest[tok.Digest] = tok
}

// handOut copies a token and adds the last use that is not stored yet.
func (t *tokenCache) handOut(tok *storage.Token) *storage.Token {
	own := *tok
	own.Scopes = append([]string(nil), tok.Scopes...)
	t.mu.RLock()
	if at := t.touched[touchKey{tok.Org, tok.ID}]; at.After(own.LastUsed) {
		own.LastUsed = at
	}
	t.mu.RUnlock()
	return &own
}

// ListTokens implements storage.Tokens.
func (s *Store) ListTokens(ctx context.Context, org scim.OrgID) (list []storage.Token, err error) {
	defer s.observe("list tokens", &err)()
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	q := c.prep("SELECT " + tokenColumns + " FROM tokens WHERE org=? ORDER BY created, id")
	q.text(string(org))
	for {
		more, err := q.step()
		if err != nil {
			return nil, translate(ctx, "read tokens", err)
		}
		if !more {
			return list, nil
		}
		list = append(list, *s.tokens.handOut(scanToken(&q)))
	}
}

// RevokeToken implements storage.Tokens.
func (s *Store) RevokeToken(ctx context.Context, org scim.OrgID, id string, at time.Time) (err error) {
	defer s.observe("revoke token", &err)()
	err = s.w.do(ctx, org, 1, func(w *writer) error {
		q := w.c.prep("SELECT 1 FROM tokens WHERE id=? AND org=?")
		if _, found, err := q.text(id).text(string(org)).one(); err != nil || !found {
			return firstError(translate(ctx, "look up a token", err), storage.ErrNotFound)
		}
		return w.write(func() error {
			q := w.c.prep("UPDATE tokens SET revoked=? WHERE id=? AND revoked IS NULL")
			return q.int(millis(at)).text(id).exec()
		})
	})
	s.tokens.mu.Lock()
	s.tokens.era++
	for digest, t := range s.tokens.byDigest {
		if t.ID == id {
			delete(s.tokens.byDigest, digest)
		}
	}
	s.tokens.mu.Unlock()
	return err
}

// touchEvery is how much newer a use must be to be stored.
const touchEvery = time.Minute

// TouchToken implements storage.Tokens. It notes the use in memory; the writer stores it in passing, at most once a
// minute for each token.
func (s *Store) TouchToken(ctx context.Context, org scim.OrgID, id string, at time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	at = scim.Millis(at)
	c, k := &s.tokens, touchKey{org, id}
	c.mu.RLock()
	last := c.touched[k]
	c.mu.RUnlock()
	if !last.IsZero() && at.Sub(last) < touchEvery {
		return nil
	}
	c.mu.Lock()
	if at.After(c.touched[k]) {
		c.touched[k] = at
	}
	c.mu.Unlock()
	// If the queue is full, the use stays in memory and the one a minute later stores its own.
	s.w.queue.offer(&job{
		org: org, weight: 1, done: make(chan struct{}), run: func(w *writer) error { return w.touch(org, id, at) },
	})
	return nil
}

func (w *writer) touch(org scim.OrgID, id string, at time.Time) error {
	return w.write(func() error {
		q := w.c.prep("UPDATE tokens SET last_used=?1 WHERE id=?2 AND org=?3 AND (last_used IS NULL OR last_used<?1)")
		return q.int(millis(at)).text(id).text(string(org)).exec()
	})
}

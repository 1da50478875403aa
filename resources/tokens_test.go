package resources_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/resources"
	"rollcall/scim"
)

func (f *fixture) token(n resources.NewToken) (id, text string) {
	f.Helper()
	tok, text, err := f.svc.CreateToken(f.Context(), f.org, n)
	if err != nil {
		f.Fatal(err)
	}
	return tok.ID, text
}

// refused returns the reason for which a token is refused, "" if it is not.
func (f *fixture) refused(text string) string {
	f.Helper()
	_, err := f.svc.Authenticate(f.Context(), text)
	if err == nil {
		return ""
	}
	var fail *scim.AuthError
	if !errors.Is(err, scim.ErrUnauthenticated) || !errors.As(err, &fail) {
		f.Fatalf("authenticate: %v", err)
	}
	return fail.Reason
}

func TestToken(t *testing.T) {
	f := newFixture(t)
	id, text := f.token(resources.NewToken{Name: "entra", Scopes: []string{"scim:users", "scim:read", "scim:users"}, Profile: "entra"})
	if !regexp.MustCompile(`^rc_[A-Za-z0-9_-]{43}$`).MatchString(text) {
		t.Errorf("the text %q has not the form of a token", text)
	}
	c, err := f.svc.Authenticate(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if c.Org != f.org || c.OrgSlug != "acme" || c.Actor != (scim.Actor{Kind: "token", ID: id, Name: "entra"}) ||
		c.Profile.Name != "entra" || !cmp.Equal(c.Scopes, []string{"scim:read", "scim:users"}) {
		t.Errorf("client %+v", c)
	}
	for _, wrong := range []string{"", "x", text + "x", text[:45], strings.ToUpper(text), strings.Repeat("x", 1<<20)} {
		if got := f.refused(wrong); got != "unknown" {
			t.Errorf("a token that nobody made: %q, want unknown", got)
		}
	}
	if _, other := f.token(resources.NewToken{Name: "second"}); other == text || f.refused(other) != "" || f.refused(text) != "" {
		t.Error("two tokens are not live side by side")
	}
	list, err := f.svc.Tokens(t.Context(), f.org)
	if err != nil || len(list) != 2 || list[0].ID != id || list[1].Profile != "auto" || !cmp.Equal(list[1].Scopes, []string{"scim"}) {
		t.Errorf("list: %v, %+v", err, list)
	}
}

func TestTokenEnds(t *testing.T) {
	f := newFixture(t)
	id, text := f.token(resources.NewToken{Name: "a", Expires: f.clock.Now().Add(time.Hour)})
	f.clock.Advance(time.Hour - time.Millisecond)
	if got := f.refused(text); got != "" {
		t.Errorf("just before its end: %s", got)
	}
	f.clock.Tick()
	if got := f.refused(text); got != "expired" {
		t.Errorf("at its end: %q, want expired", got)
	}
	revokedID, revoked := f.token(resources.NewToken{Name: "b"})
	if f.refused(revoked) != "" {
		t.Error("a new token is refused")
	}
	for range 2 {
		if err := f.svc.RevokeToken(t.Context(), f.org, revokedID); err != nil {
			t.Fatal(err)
		}
		if got := f.refused(revoked); got != "revoked" {
			t.Errorf("the request after the revocation: %q, want revoked", got)
		}
	}
	wantError(t, "unknown token", f.svc.RevokeToken(t.Context(), f.org, f.ids.New()), 404, "")
	wantError(t, "no id", f.svc.RevokeToken(t.Context(), f.org, "x"), 404, "")
	other, err := f.svc.CreateOrganization(t.Context(), "other", "")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "token of another organization", f.svc.RevokeToken(t.Context(), other.ID, id), 404, "")
}

func TestTokenRefuses(t *testing.T) {
	f := newFixture(t)
	for _, n := range []resources.NewToken{
		{},
		{Name: "a\nb"},
		{Name: strings.Repeat("x", 201)},
		{Name: "a", Scopes: []string{"scim", "write"}},
		{Name: "a", Scopes: []string{"scim:devices"}},
		{Name: "a", Profile: "nope"},
		{Name: "a", Expires: f.clock.Now()},
	} {
		_, text, err := f.svc.CreateToken(t.Context(), f.org, n)
		if wantError(t, n.Name, err, 400, scim.TypeInvalidValue); text != "" {
			t.Error("the text of a refused token was returned")
		}
	}
	_, _, err := f.svc.CreateToken(t.Context(), scim.OrgID(f.ids.New()), resources.NewToken{Name: "a"})
	wantError(t, "unknown organization", err, 404, "")
}

// TestTokenLastUsed: kept to the minute, not written for every request.
func TestTokenLastUsed(t *testing.T) {
	f := newFixture(t)
	_, text := f.token(resources.NewToken{Name: "a"})
	use := func() time.Time {
		t.Helper()
		if got := f.refused(text); got != "" {
			t.Fatal(got)
		}
		f.svc.Close() // waits for what is noted beside the request
		list, err := f.svc.Tokens(t.Context(), f.org)
		if err != nil {
			t.Fatal(err)
		}
		return list[0].LastUsed
	}
	start := f.clock.Now()
	if got := use(); !got.Equal(start) {
		t.Errorf("last used %v, want %v", got, start)
	}
	f.clock.Advance(time.Minute - time.Millisecond)
	if got := use(); !got.Equal(start) {
		t.Errorf("last used %v within the minute, want %v", got, start)
	}
	at := f.clock.Tick()
	if !use().Equal(at) {
		t.Errorf("the next minute was not noted")
	}
	f.svc = f.newService() // another process, which has not seen the token yet
	f.clock.Tick()
	if got := use(); !got.Equal(at) {
		t.Errorf("another process noted %v within the minute, want %v", got, at)
	}
}

func TestOrganizations(t *testing.T) {
	f := newFixture(t)
	o, err := f.svc.CreateOrganization(t.Context(), "a-1", "")
	if err != nil || o.Name != "a-1" || !o.Created.Equal(f.clock.Now()) {
		t.Fatalf("create: %v, %+v", err, o)
	}
	for _, by := range []string{string(o.ID), "a-1"} {
		if got, err := f.svc.Organization(t.Context(), by); err != nil || !cmp.Equal(got, o) {
			t.Errorf("by %q: %v, %+v", by, err, got)
		}
	}
	_, err = f.svc.Organization(t.Context(), "nope")
	wantError(t, "unknown", err, 404, "")
	_, err = f.svc.CreateOrganization(t.Context(), "a-1", "")
	wantError(t, "slug taken", err, 409, "")
	for _, slug := range []string{"", "A", "a b", "-a", "a-", "ä", "a.b", strings.Repeat("a", 64), f.ids.New()} {
		_, err := f.svc.CreateOrganization(t.Context(), slug, "")
		wantError(t, "slug "+slug, err, 400, scim.TypeInvalidValue)
	}
	_, err = f.svc.CreateOrganization(t.Context(), "b", "a\x00b")
	wantError(t, "name", err, 400, scim.TypeInvalidValue)
	list, err := f.svc.Organizations(t.Context())
	if err != nil || len(list) != 2 || list[0].Slug != "a-1" || list[1].Slug != "acme" {
		t.Errorf("list: %v, %+v", err, list)
	}
}

func TestBootstrap(t *testing.T) {
	f := newFixture(t)
	const text = "a-text-of-the-operators-own"
	wantError(t, "newline", f.svc.EnsureBootstrap(t.Context(), text+"\n"), 400, scim.TypeInvalidValue)
	wantError(t, "short", f.svc.EnsureBootstrap(t.Context(), strings.Repeat("x", 19)), 400, scim.TypeInvalidValue)
	for range 2 {
		if err := f.svc.EnsureBootstrap(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	c, err := f.svc.Authenticate(t.Context(), text)
	if err != nil || c.OrgSlug != resources.DefaultOrganization || !cmp.Equal(c.Scopes, []string{"admin", "scim"}) || c.Actor.Name != "bootstrap" {
		t.Fatalf("authenticate: %v, %+v", err, c)
	}
	list, err := f.svc.Tokens(t.Context(), c.Org)
	if err != nil || len(list) != 1 {
		t.Errorf("tokens: %v, %+v", err, list)
	}
	if err := f.svc.RevokeToken(t.Context(), c.Org, list[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := f.svc.EnsureBootstrap(t.Context(), text); err != nil || f.refused(text) != "revoked" {
		t.Errorf("a start made a revoked token live: %v, %q", err, f.refused(text))
	}
	if first, err := f.svc.FirstStart(t.Context()); err != nil || first != "" {
		t.Errorf("a store with organizations had its first start: %v", err)
	}
}

package control_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/control"
)

var errTaken = errors.New("slug: is taken")

// operator answers from what it was asked, so that a test sees that arguments and answers come through whole.
type operator struct{}

var created = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

func (operator) CreateOrganization(_ context.Context, o control.NewOrganization) (*control.Organization, error) {
	if o.Slug == "taken" {
		return nil, errTaken
	}
	return &control.Organization{ID: "id-" + o.Slug, Slug: o.Slug, Name: o.Name, Created: created}, nil
}

func (operator) Organizations(context.Context) ([]control.Organization, error) {
	return []control.Organization{{Slug: "a"}, {Slug: "b"}}, nil
}

func (operator) Organization(_ context.Context, idOrSlug string) (*control.Organization, error) {
	return &control.Organization{Slug: idOrSlug}, nil
}

func (operator) CreateToken(_ context.Context, t control.NewToken) (*control.Token, error) {
	return &control.Token{Organization: t.Organization, Name: t.Name, Scopes: t.Scopes, Profile: t.Profile, Expires: t.Expires, Text: "rc_x"}, nil
}

func (operator) Tokens(_ context.Context, org string) ([]control.Token, error) {
	return []control.Token{{ID: "1", Organization: org, Revoked: &created}}, nil
}

func (operator) RevokeToken(_ context.Context, org, id string) error {
	if org != "acme" || id != "1" {
		return errors.New("token: not found")
	}
	return nil
}

func (operator) Backup(_ context.Context, file string) error {
	if !filepath.IsAbs(file) {
		return errors.New("file: is not absolute")
	}
	return nil
}

func (operator) VerifyAudit(_ context.Context, org, expect string) (*control.Verification, error) {
	return &control.Verification{Hash: org + expect, Problems: []string{"seal 1 is missing"}}, nil
}

func (operator) Check(context.Context) ([]string, error) { return []string{"page 3 is broken"}, nil }

func serve(t *testing.T, dir string) *control.Client {
	t.Helper()
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: control.NewHandler(operator{}), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	c := control.NewClient(dir)
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), srv.Close()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return c
}

func TestOperations(t *testing.T) {
	c := serve(t, t.TempDir())
	ctx := t.Context()
	check := func(name string, got any, err error, want any) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	org, err := c.CreateOrganization(ctx, control.NewOrganization{Slug: "acme", Name: "Acme"})
	check("create organization", org, err, &control.Organization{ID: "id-acme", Slug: "acme", Name: "Acme", Created: created})
	orgs, err := c.Organizations(ctx)
	check("organizations", orgs, err, []control.Organization{{Slug: "a"}, {Slug: "b"}})
	org, err = c.Organization(ctx, "acme")
	check("organization", org, err, &control.Organization{Slug: "acme"})
	token, err := c.CreateToken(ctx, control.NewToken{Organization: "acme", Name: "okta", Scopes: []string{"scim"}, Profile: "okta", Expires: &created})
	check("create token", token, err, &control.Token{Organization: "acme", Name: "okta", Scopes: []string{"scim"}, Profile: "okta", Expires: &created, Text: "rc_x"})
	tokens, err := c.Tokens(ctx, "acme")
	check("tokens", tokens, err, []control.Token{{ID: "1", Organization: "acme", Revoked: &created}})
	check("revoke", nil, c.RevokeToken(ctx, "acme", "1"), nil)
	check("backup", nil, c.Backup(ctx, "/x"), nil)
	if v, err := c.VerifyAudit(ctx, "acme", "1:x"); err != nil || v.Hash != "acme1:x" || len(v.Problems) != 1 {
		t.Errorf("verify: %+v, %v", v, err)
	}
	problems, err := c.Check(ctx)
	check("check", problems, err, []string{"page 3 is broken"})

	var remote *control.Error
	if _, err := c.CreateOrganization(ctx, control.NewOrganization{Slug: "taken"}); !errors.As(err, &remote) || remote.Error() != errTaken.Error() {
		t.Errorf("the server's error arrives as %v", err)
	}
	if err := c.Backup(ctx, "x"); err == nil {
		t.Error("no error for a backup to a relative path")
	}
}

// shortDir is a directory whose path leaves room for a socket's name, as t.TempDir's, made of the test's name, may
// not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rc") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSocket(t *testing.T) {
	tests := []struct {
		name, sub string
		inside    bool
	}{
		{"in the directory", "d", true},
		{"long path", strings.Repeat("long/", 40), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := shortDir(t)
			t.Setenv("TMPDIR", base)
			dir := filepath.Join(base, tt.sub)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if control.Running(t.Context(), dir) {
				t.Fatal("running before it started")
			}
			l, err := control.Listen(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !control.Running(t.Context(), dir) {
				t.Error("not running")
			}
			path := l.Addr().String()
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("the socket's mode is %v", info.Mode())
			}
			if inside := filepath.Dir(path) == dir; inside != tt.inside {
				t.Errorf("the socket is at %s", path)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if control.Running(t.Context(), dir) {
				t.Error("running after it ended")
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
		})
	}
}

// TestSocketOfDeadServer: a process that died leaves its socket; the next one replaces it.
func TestSocketOfDeadServer(t *testing.T) {
	dir := shortDir(t)
	if err := os.WriteFile(filepath.Join(dir, "control.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A redirection to somewhere that Listen did not make is dropped, its target left alone.
	other := filepath.Join(t.TempDir(), "precious")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "control.path"), []byte(filepath.Join(other, "control.sock")), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !control.Running(t.Context(), dir) {
		t.Error("not running")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

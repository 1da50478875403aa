package lifecycle

import (
	"fmt"
	"net/http"
	"testing"

	"rollcall/scim"
	"rollcall/storage"
)

func TestSignIn(t *testing.T) {
	f := newFixture(t)
	user := func(userName, email string, active bool) string {
		t.Helper()
		return f.create(typeUser, fmt.Sprintf(`"userName":%q,"active":%t,"emails":[{"value":%q,"type":"work"}]`, userName, active, email))
	}
	ada := user("ada@example.com", "ada@elsewhere.example", true)
	bob := user("bob", "bob@example.com", true)
	user("twin1", "twins@example.com", true)
	user("twin2", "twins@example.com", true)
	user("gone@example.com", "gone@example.com", false)
	proved := func(email string) *Login {
		return &Login{Issuer: "https://login.example.com", Subject: "s", Email: email, EmailVerified: true}
	}
	bind := func(subject string, org scim.OrgID, user string) *Login {
		t.Helper()
		l := &Login{Issuer: "https://login.example.com", Subject: subject}
		c := System(org, "test").Caller
		if err := f.store.Within(t.Context(), org, func(tx storage.Tx) error {
			return f.bindLogin(t.Context(), tx, c, l, user, f.now())
		}); err != nil {
			t.Fatal(err)
		}
		if err := f.indexLogin(t.Context(), l, org); err != nil {
			t.Fatal(err)
		}
		return l
	}
	bound := bind("bob", f.org, bob)
	other, err := f.resources.CreateOrganization(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	here := f.admin
	f.admin.Org = other.ID
	carolThere := user("carol@other.example", "carol@other.example", true)
	f.admin = here
	carolHere := user("carol", "carol@example.com", true)
	both := bind("carol", f.org, carolHere)
	bind("carol", other.ID, carolThere)
	mixed := bind("ada", f.org, bob) // bound to somebody else than the address says
	mixed.Email, mixed.EmailVerified = "ada@example.com", true

	for _, c := range []struct {
		name      string
		login     *Login
		home, org string
		want      string // id; empty: refused
		slug      string
		status    int
		code      string
	}{
		{"by userName", proved("Ada@Example.com"), "acme", "", ada, "acme", 0, ""},
		{"by address", proved("bob@example.com"), "acme", "acme", bob, "acme", 0, ""},
		{"by the organization's id", proved("bob@example.com"), string(f.org), string(f.org), bob, "acme", 0, ""},
		{"address not verified", &Login{Subject: "s", Email: "ada@example.com"}, "acme", "", "", "", http.StatusForbidden, "not_a_member"},
		{"a provider that is bound to none", proved("ada@example.com"), "", "acme", "", "", http.StatusForbidden, "not_a_member"},
		{"another organization than the provider's", proved("ada@example.com"), "acme", "other", "", "", http.StatusForbidden, "not_a_member"},
		{"an organization that is not", proved("ada@example.com"), "nobody", "", "", "", http.StatusForbidden, "not_a_member"},
		{"a stranger", proved("eve@example.com"), "acme", "", "", "", http.StatusForbidden, "not_a_member"},
		{"two of them", proved("twins@example.com"), "acme", "", "", "", http.StatusForbidden, "not_a_member"},
		{"deactivated", proved("gone@example.com"), "acme", "", "", "", http.StatusForbidden, "deactivated"},
		{"a bound login", bound, "", "", bob, "acme", 0, ""},
		{"a bound login is more than an address", mixed, "acme", "", bob, "acme", 0, ""},
		{"several organizations", both, "", "", "", "", http.StatusBadRequest, "organization_required"},
		{"one of several", both, "", "other", carolThere, "other", 0, ""},
		{"the other of several", both, "", "acme", carolHere, "acme", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub, slug, err := f.SignIn(t.Context(), c.login, c.home, c.org)
			if c.want == "" {
				wantCode(t, "sign in", err, c.status, c.code)
				return
			}
			if err != nil || sub.User != c.want || sub.Actor.ID != c.want || slug != c.slug {
				t.Errorf("got %+v of %s: %v", sub, slug, err)
			}
		})
	}
}

package scim_test

import (
	"errors"
	"fmt"
	"testing"

	"rollcall/scim"
)

func TestAllows(t *testing.T) {
	for _, tt := range []struct {
		scopes                []string
		readUser, writeUser   bool
		readGroup, writeGroup bool
	}{
		{nil, false, false, false, false},
		{[]string{"scim"}, true, true, true, true},
		{[]string{"scim:read"}, true, false, true, false},
		{[]string{"admin"}, false, false, false, false},
		{[]string{"scim:users"}, true, true, false, false},
		{[]string{"scim:users:read"}, true, false, false, false},
		{[]string{"scim:users:read", "scim:groups"}, true, false, true, true},
		{[]string{"scim:"}, false, false, false, false},
		{[]string{"scim:users:write"}, false, false, false, false},
		{[]string{"scimx", "scim:user"}, false, false, false, false},
	} {
		got := [4]bool{
			scim.Allows(tt.scopes, "/Users", false), scim.Allows(tt.scopes, "/Users", true),
			scim.Allows(tt.scopes, "/Groups", false), scim.Allows(tt.scopes, "/Groups", true),
		}
		if want := [4]bool{tt.readUser, tt.writeUser, tt.readGroup, tt.writeGroup}; got != want {
			t.Errorf("scopes %v: read and write users, groups = %v, want %v", tt.scopes, got, want)
		}
	}
}

func TestValidScope(t *testing.T) {
	endpoints := []string{"/Users", "/Groups"}
	for _, s := range []string{"scim", "scim:read", "admin", "scim:users", "scim:users:read", "scim:groups", "admin:read", "admin:invites", "operator"} {
		if !scim.ValidScope(s, endpoints) {
			t.Errorf("ValidScope(%q) = false", s)
		}
	}
	for _, s := range []string{"", "SCIM", "scim:", "scim:devices", "scim:users:write", "read", "admin:", "admin:everything"} {
		if scim.ValidScope(s, endpoints) {
			t.Errorf("ValidScope(%q) = true", s)
		}
	}
	for _, write := range []bool{true, false} {
		if s := scim.TypeScope("/Users", write); !scim.Allows([]string{s}, "/Users", write) {
			t.Errorf("the scope %q does not allow what it is named for", s)
		}
	}
}

func TestAuthErrorIsUnauthenticated(t *testing.T) {
	err := fmt.Errorf("request: %w", &scim.AuthError{Reason: "expired"})
	var f *scim.AuthError
	if !errors.Is(err, scim.ErrUnauthenticated) || !errors.As(err, &f) || f.Reason != "expired" {
		t.Errorf("%v does not tell that the token is refused and why", err)
	}
}

package schema_test

import (
	"testing"

	"rollcall/scim/schema"
)

func TestAccess(t *testing.T) {
	tests := []struct {
		access      schema.Access
		scope       string
		read, write bool
	}{
		{schema.AccessDirectory, "scim", true, true},
		{schema.AccessDirectory, "scim:read", true, false},
		{schema.AccessDirectory, "scim:things", true, true},
		{schema.AccessCatalog, "scim", true, false},
		{schema.AccessCatalog, "scim:read", true, false},
		{schema.AccessCatalog, "scim:things", true, true},
		{schema.AccessCatalog, "scim:things:read", true, false},
		{schema.AccessNamed, "scim", false, false},
		{schema.AccessNamed, "scim:read", false, false},
		{schema.AccessNamed, "scim:others", false, false},
		{schema.AccessNamed, "scim:Things", true, true},
		{schema.AccessNamed, "scim:things:read", true, false},
		{schema.AccessDirectory, "admin", false, false},
	}
	for _, tt := range tests {
		rt := &schema.ResourceType{Name: "Thing", Endpoint: "/Things", Access: tt.access}
		scopes := []string{tt.scope}
		if got := rt.Allows(scopes, false); got != tt.read {
			t.Errorf("access %d, scope %s reads: %v", tt.access, tt.scope, got)
		}
		if got := rt.Allows(scopes, true); got != tt.write {
			t.Errorf("access %d, scope %s writes: %v", tt.access, tt.scope, got)
		}
	}
}

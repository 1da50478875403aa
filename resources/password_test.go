package resources_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// secret returns the stored password hash of a user.
func (f *fixture) secret(id string) string {
	f.Helper()
	rec, err := f.store.Get(f.Context(), storage.Key{Org: f.org, Type: "User", ID: id}, query.Load{Secret: true})
	if err != nil {
		f.Fatal(err)
	}
	s, _ := rec.Secret["password"].(string)
	return s
}

// verify checks a password against a PHC string, by nothing but what the string says.
func verify(t *testing.T, phc, plain string) bool {
	t.Helper()
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		t.Fatalf("%q is not an argon2id PHC string", phc)
	}
	var m, n uint32
	var p uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &n, &p); err != nil {
		t.Fatal(err)
	}
	if m < 19*1024 || n < 2 || p != 1 {
		t.Errorf("parameters %s are weaker than OWASP's", parts[3])
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 16 {
		t.Fatalf("salt of %d bytes, %v", len(salt), err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 32 {
		t.Fatalf("key of %d bytes, %v", len(want), err)
	}
	return bytes.Equal(want, argon2.IDKey([]byte(plain), salt, n, m, p, uint32(len(want))))
}

func TestPassword(t *testing.T) {
	f := newFixture(t)
	r := f.create("User", `"userName":"ann","password":"correct horse"`)
	first := f.secret(r.ID)
	if !verify(t, first, "correct horse") || verify(t, first, "Correct horse") {
		t.Error("the hash is not that of the password")
	}
	if got := f.patch("User", r.ID, `{"op":"replace","path":"password","value":"staple"}`); got.Version != 2 {
		t.Errorf("a PATCH of the password made version %d, want 2", got.Version)
	}
	if !verify(t, f.secret(r.ID), "staple") {
		t.Error("PATCH did not set the password")
	}
	f.replace("User", r.ID, `"userName":"ann","password":"battery"`)
	if !verify(t, f.secret(r.ID), "battery") {
		t.Error("PUT did not set the password")
	}
	res, err := f.svc.Bulk(t.Context(), f.caller("strict"), []scim.BulkOperation{
		{Method: "POST", Path: "/Users", BulkID: "b", Data: f.body("User", `"userName":"ben","password":"horse"`)},
		{Method: "PATCH", Path: "/Users/" + r.ID, Data: f.patchBody(`{"op":"add","value":{"password":"stable"}}`)},
	}, 0)
	if err != nil || res[0].Err != nil || res[1].Err != nil {
		t.Fatalf("bulk: %v, %+v", err, res)
	}
	if !verify(t, f.secret(res[0].ID), "horse") || !verify(t, f.secret(r.ID), "stable") {
		t.Error("Bulk did not set the passwords")
	}
	f.patch("User", r.ID, `{"op":"remove","path":"password"}`)
	if got := f.secret(r.ID); got != "" {
		t.Error("remove left a password")
	}
	f.replace("User", r.ID, `"userName":"ann","password":"again"`)
	f.replace("User", r.ID, `"userName":"ann","password":null`)
	if got := f.secret(r.ID); got != "" {
		t.Error("null left a password")
	}

	// Neither text nor hash is anywhere but in Secret; that it changed is.
	named := 0
	for _, c := range f.changes() {
		for _, v := range c.Values {
			if v.Path == "password" {
				named++
				if v.Old != nil || v.New != nil {
					t.Error("a change row has a password's value")
				}
			}
		}
		all := fmt.Sprint(c.Values)
		for _, leak := range []string{"correct horse", "staple", "battery", "stable", "argon2"} {
			if strings.Contains(all, leak) {
				t.Errorf("a change row of %s leaks a password or its hash", c.Op)
			}
		}
	}
	if named != 8 {
		t.Errorf("%d change rows name the password, want 8", named)
	}
	for _, r := range []*scim.Resource{f.get("User", r.ID), f.get("User", res[0].ID)} {
		if bytes.Contains(r.Doc, []byte("password")) || bytes.Contains(r.Doc, []byte("argon2")) {
			t.Errorf("the document has the password: %s", r.Doc)
		}
	}
}

// TestPasswordOpaque: one password however its characters are composed (PRECIS OpaqueString maps to NFC).
func TestPasswordOpaque(t *testing.T) {
	f := newFixture(t)
	r := f.create("User", `"userName":"ann","password":"Zoe\u0308\u00a0x"`)
	if !verify(t, f.secret(r.ID), "Zo\u00eb x") {
		t.Error("the hash is not that of the composed form with a plain space")
	}
	r = f.create("User", `"userName":"bob","password":"tab\tis not in the profile"`)
	if !verify(t, f.secret(r.ID), "tab\tis not in the profile") {
		t.Error("a password outside of the profile was not taken as it is")
	}
}

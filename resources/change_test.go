package resources_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/storage"
)

// TestChangeValues: which attribute paths a change row names, with which values.
func TestChangeValues(t *testing.T) {
	f := newFixture(t)
	last := func() []storage.ValueChange {
		t.Helper()
		rows := f.changes()
		c := rows[len(rows)-1]
		if c.Actor != (scim.Actor{Kind: "token", ID: "t1", Name: "test"}) || c.Request != "r1" {
			t.Errorf("the row does not say who: %+v", c)
		}
		return c.Values
	}
	check := func(what string, want ...storage.ValueChange) {
		t.Helper()
		if d := cmp.Diff(want, last()); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	const ent = scim.SchemaEnterpriseUser
	r := f.create("User", `"userName":"ann","name":{"familyName":"Lee","givenName":"Ann"},"emails":[{"value":"a@b","type":"work"}],"`+
		ent+`":{"department":"A","manager":{"value":"m1"}}`)
	mails := []any{scim.Attributes{"value": "a@b", "type": "work"}}
	check("create",
		storage.ValueChange{Path: "active", New: true},
		storage.ValueChange{Path: "emails", New: mails},
		storage.ValueChange{Path: "name.familyName", New: "Lee"},
		storage.ValueChange{Path: "name.givenName", New: "Ann"},
		storage.ValueChange{Path: ent + ":department", New: "A"},
		storage.ValueChange{Path: ent + ":manager.value", New: "m1"},
		storage.ValueChange{Path: "userName", New: "ann"},
	)
	f.patch("User", r.ID, `{"op":"replace","path":"name.familyName","value":"Doe"},{"op":"remove","path":"`+ent+`:department"},`+
		`{"op":"replace","path":"`+ent+`:manager.value","value":"m2"},{"op":"add","path":"emails","value":[{"value":"c@d"}]}`)
	more := append(mails[:1:1], scim.Attributes{"value": "c@d"})
	check("patch",
		storage.ValueChange{Path: "emails", Old: mails, New: more},
		storage.ValueChange{Path: "name.familyName", Old: "Lee", New: "Doe"},
		storage.ValueChange{Path: ent + ":department", Old: "A"},
		storage.ValueChange{Path: ent + ":manager.value", Old: "m1", New: "m2"},
	)
	f.replace("User", r.ID, `"userName":"ann"`)
	check("replace",
		storage.ValueChange{Path: "emails", Old: more},
		storage.ValueChange{Path: "name.familyName", Old: "Doe"},
		storage.ValueChange{Path: "name.givenName", Old: "Ann"},
		storage.ValueChange{Path: ent + ":manager.value", Old: "m2"},
	)
	if err := f.tryDelete("User", r.ID, ""); err != nil {
		t.Fatal(err)
	}
	check("delete",
		storage.ValueChange{Path: "active", Old: true},
		storage.ValueChange{Path: "userName", Old: "ann"},
	)
	var ops []storage.ChangeOp
	for _, c := range f.changes() {
		ops = append(ops, c.Op)
	}
	want := []storage.ChangeOp{storage.OpCreate, storage.OpPatch, storage.OpReplace, storage.OpDelete}
	if d := cmp.Diff(want, ops); d != "" {
		t.Errorf("operations (-want +got):\n%s", d)
	}
}

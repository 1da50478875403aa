package lifecycle

import (
	"testing"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// BenchmarkClientWrite is what the rules about authority cost a client's write of a person whom clients made.
func BenchmarkClientWrite(b *testing.B) {
	f := newFixture(b)
	snap, err := f.fresh(b.Context(), f.org)
	if err != nil {
		b.Fatal(err)
	}
	doc := scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": "ann@example.com", "active": true}
	w := &resources.Write{Caller: f.provisioner("idp"), Op: storage.OpReplace, Old: doc, Doc: doc}
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := snap.admitClient(w); err != nil {
				b.Fatal(err)
			}
			snap.keepLocal(w)
		}
	})
	b.Run("admission", func(b *testing.B) {
		b.ReportAllocs()
		client := &scim.Client{Org: f.org, Actor: scim.Actor{Kind: actorToken, ID: "idp"}, Scopes: []string{scim.ScopeSCIM}}
		for b.Loop() {
			if err := f.admitToken(b.Context(), client); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMayEdit is what the question costs an administrator's edit of a person with 100 changes.
func BenchmarkMayEdit(b *testing.B) {
	f := newFixture(b)
	id := f.scimUser("ann@example.com", nil)
	for i := range 100 {
		if err := f.patchTitle(b.Context(), "idp", id, "Nurse "+string(rune('a'+i%26))); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := f.mayEdit(b.Context(), f.org, id, "displayName"); err != nil {
			b.Fatal(err)
		}
	}
}

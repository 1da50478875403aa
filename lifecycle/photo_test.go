package lifecycle

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// pictureOf is a PNG of one color.
func pictureOf(t *testing.T, c color.Color) []byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, 40, 20), color.Palette{c})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// redOf is how red the picture of a person is, as it is served.
func (f *fixture) redOf(id string) uint32 {
	f.Helper()
	p, err := f.Photo(f.Context(), f.admin, id)
	if err != nil {
		f.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(p.Data))
	if err != nil {
		f.Fatal(err)
	}
	r, _, _, _ := m.At(20, 10).RGBA()
	return r >> 8
}

// photoKept is the stored picture of a person; nil if there is none.
func (f *fixture) photoKept(id string) *record[photoDoc] {
	f.Helper()
	r, err := load[photoDoc](f.Context(), f.store, photoKey(f.org, id))
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// removePerson removes somebody as an administrator who has read everything.
func (f *fixture) removePerson(id, userName string) {
	f.Helper()
	st, err := f.RemovalEffects(f.Context(), f.admin)
	if err != nil {
		f.Fatal(err)
	}
	r := Removal{EffectsVersion: st.Version, Confirm: userName}
	for _, s := range st.Statements {
		r.Acknowledge = append(r.Acknowledge, s.ID)
	}
	if err := f.Remove(f.Context(), f.admin, id, 0, r); err != nil {
		f.Fatal(err)
	}
}

// TestPhotoGoesWithThePerson: a picture is kept sealed, comes back with who is restored, and is destroyed when the
// retention ends, with an erasure, and at once where nothing is retained.
func TestPhotoGoesWithThePerson(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.admin.Actor.Kind = actorApp
		red := pictureOf(t, color.RGBA{255, 0, 0, 255})
		upload := func(name string) string {
			t.Helper()
			sub := f.asPerson(name, RoleMember)
			if _, err := f.SetPhoto(t.Context(), sub, sub.User, scim.Precondition{}, red); err != nil {
				t.Fatal(err)
			}
			if f.redOf(sub.User) < 200 {
				t.Errorf("the picture of %s is another one", name)
			}
			return sub.User
		}
		ann := upload("ann")
		kept := text(f.photoKept(ann).Secret[secretPicture])
		if b, err := f.opened(kept, "photo "+ann); err != nil || !bytes.HasPrefix(b, []byte("\xff\xd8\xff")) {
			t.Errorf("what is kept is no sealed JPEG: %v", err)
		}
		changes, err := f.store.Changes(t.Context(), f.org, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(changes, func(c storage.Change) bool { return c.Key.Type == resources.TypePhoto }) {
			t.Error("the change feed has no picture")
		}
		if feed, err := json.Marshal(changes); err != nil || strings.Contains(string(feed), kept[:40]) {
			t.Errorf("the picture is in the history: %v", err)
		}

		f.removePerson(ann, "ann")
		_, err = f.Photo(t.Context(), f.admin, ann)
		wantCode(t, "the picture of who was removed", err, 404, "not_found")
		if _, err := f.Restore(t.Context(), f.admin, ann); err != nil {
			t.Fatal(err)
		}
		if f.redOf(ann) < 200 {
			t.Error("the restored picture is another one")
		}
		f.removePerson(ann, "ann")
		f.clock.Advance(30 * 24 * time.Hour)
		f.sweepMembers()
		if f.photoKept(ann) != nil {
			t.Error("the picture outlives the retention")
		}

		bob := upload("bob")
		if err := f.Erase(t.Context(), f.admin, bob, "bob"); err != nil {
			t.Fatal(err)
		}
		if f.photoKept(bob) != nil {
			t.Error("the picture outlives the erasure")
		}

		f.settings(func(v *Settings) { v.Members.RemoveRetention = 0 })
		cat := upload("cat")
		f.removePerson(cat, "cat")
		if f.photoKept(cat) != nil {
			t.Error("the picture is retained where nothing is")
		}
	})
}

// TestPhotosAtOnce: of several uploads and removals at once, what the profile shows is what is served, or nothing is kept.
func TestPhotosAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		sub := f.asPerson("ann", RoleMember)
		var wg sync.WaitGroup
		for i := range 6 {
			data := pictureOf(t, color.RGBA{uint8(40 * i), 0, 0, 255})
			wg.Go(func() {
				if _, err := f.SetPhoto(t.Context(), sub, sub.User, scim.Precondition{}, data); err != nil {
					t.Error(err)
				}
				if i%3 == 2 {
					if err := f.RemovePhoto(t.Context(), sub, sub.User, scim.Precondition{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		link := f.profile(sub.User).Photo
		switch kept := f.photoKept(sub.User); {
		case kept == nil && link != "":
			t.Errorf("the profile shows %s, nothing is kept", link)
		case kept != nil && !strings.HasSuffix(link, photoPath(sub.User, kept.Value.Version)):
			t.Errorf("the profile shows %q, version %s is kept", link, kept.Value.Version)
		}
	})
}

// TestPhotoOfAClient: a picture that a client has put in the place of the uploaded one is not ours to serve; who takes
// their picture away takes the uploaded one with it.
func TestPhotoOfAClient(t *testing.T) {
	f := newFixture(t)
	sub := f.asPerson("ann", RoleMember)
	if _, err := f.SetPhoto(t.Context(), sub, sub.User, scim.Precondition{}, pictureOf(t, color.White)); err != nil {
		t.Fatal(err)
	}
	if err := f.tryPatch(typeUser, sub.User, `{"op":"remove","path":"photos"}`); err != nil {
		t.Fatal(err)
	}
	_, err := f.Photo(t.Context(), f.admin, sub.User)
	wantCode(t, "a picture that nobody shows", err, 404, "not_found")
	if err := f.RemovePhoto(t.Context(), sub, sub.User, scim.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if f.photoKept(sub.User) != nil {
		t.Error("the uploaded picture is still kept")
	}
}

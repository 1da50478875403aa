package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollcall/scim"
)

// profile is that of the user called id.
func (f *fixture) profile(id string) ProfileOf {
	f.Helper()
	p, err := f.Person(f.ctx(), f.admin, id)
	if err != nil {
		f.Fatal(err)
	}
	return p.Profile()
}

// TestProfileWritesAreNotLost: several people who each change something else at once lose nothing, and of several who look
// at one version one writes.
func TestProfileWritesAreNotLost(t *testing.T) {
	f := newFixture(t)
	sub := f.asPerson("ann", RoleMember)
	changes := []ProfileChange{{Title: new("Nurse")}, {PhoneNumber: new("+49 30 1")}, {Locale: new("de")}, {GivenName: new("Ann")}, {FamilyName: new("Lee")}}
	var wg sync.WaitGroup
	for _, ch := range changes {
		wg.Go(func() {
			if _, err := f.ChangeProfile(t.Context(), sub, sub.User, scim.Precondition{}, ch); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := f.profile(sub.User)
	if got.Title != "Nurse" || got.PhoneNumber != "+49 30 1" || got.Locale != "de" || got.GivenName != "Ann" || got.FamilyName != "Lee" {
		t.Errorf("something was lost: %+v", got)
	}

	p, err := f.Person(t.Context(), sub, sub.User)
	if err != nil {
		t.Fatal(err)
	}
	pre := scim.Precondition{IfMatch: scim.ETag(p.Version)}
	var mu sync.Mutex
	var won []string
	for i := range 10 {
		wg.Go(func() {
			title := fmt.Sprint("title ", i)
			_, err := f.ChangeProfile(t.Context(), sub, sub.User, pre, ProfileChange{Title: &title})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, title)
			case !strings.HasPrefix(err.Error(), "412"):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if title := f.profile(sub.User).Title; len(won) != 1 || title != won[0] {
		t.Errorf("%v wrote on one version, the title is %q", won, title)
	}
}

// TestNamesFollow: what shows the name says the new one if it said the old one, and else stays.
func TestNamesFollow(t *testing.T) {
	f := newFixture(t)
	for _, x := range []struct{ has, change, want string }{
		{"userName=a Ann Lee", "Ann Roe", "Ann Roe"},
		{"userName=b", "Ann Roe", "Ann Roe"},
		{"userName=c Ann Lee as Annie", "Ann Roe", "Annie"},
	} {
		has, shown, _ := strings.Cut(x.has, " as ")
		words := strings.Fields(has)
		userName := strings.TrimPrefix(words[0], "userName=")
		attrs := scim.Attributes{"displayName": userName}
		if len(words) == 3 {
			attrs["name"] = scim.Attributes{"givenName": words[1], "familyName": words[2]}
			attrs["displayName"] = words[1] + " " + words[2]
		}
		if shown != "" {
			attrs["displayName"] = shown
		}
		doc := scim.CloneAttributes(attrs)
		doc["userName"] = userName
		given, family, _ := strings.Cut(x.change, " ")
		ch := ProfileChange{GivenName: &given, FamilyName: &family}
		for _, e := range ch.nameEdits(doc) {
			e.set(doc)
		}
		if doc["displayName"] != x.want {
			t.Errorf("%s, changed to %s, is shown as %v", x.has, x.change, doc["displayName"])
		}
	}
	id := f.scimUser("dee", scim.Attributes{"displayName": "dee"})
	if _, err := f.ChangeProfile(t.Context(), f.admin, id, scim.Precondition{}, ProfileChange{GivenName: new("Dee")}); err != nil {
		t.Fatal(err)
	}
	if got := f.profile(id); slices.Contains(got.Missing, "givenName") {
		t.Errorf("missing although it is there: %v", got.Missing)
	}
}

package lifecycle

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// resetLetter is the link of the last letter to an address.
func (f *fixture) resetLetter(to string) ResetLink {
	f.Helper()
	_, fragment, _ := strings.Cut(f.last(to).Values.Link, "#")
	v, err := url.ParseQuery(fragment)
	if err != nil {
		f.Fatal(err)
	}
	return ResetLink{Org: v.Get("org"), Reset: v.Get("reset"), Token: v.Get("token")}
}

// password is what is stored of a user's password.
func (f *fixture) password(id string) string {
	f.Helper()
	rec, err := f.store.Get(f.ctx(), userKey(f.org, id), query.Load{Secret: true})
	if err != nil {
		f.Fatal(err)
	}
	return text(rec.Secret["password"])
}

func (f *fixture) askReset(email string) {
	f.Helper()
	if err := f.AskForReset(f.ctx(), Visitor{}, "acme", email); err != nil {
		f.Fatal(err)
	}
}

// TestOneResetWins: of 50 who come with one link at once, one sets the password; all others learn that it was used.
func TestOneResetWins(t *testing.T) {
	for _, mode := range []string{passwordsLink, passwordsLocal} {
		t.Run(mode, func(t *testing.T) {
			f := newInviteFixture(t)
			f.settings(func(v *Settings) { v.Passwords.Mode = mode })
			id := f.create(typeUser, `"userName":"ann@example.com"`)
			f.askReset("ann@example.com")
			link := f.resetLetter("ann@example.com")
			var wg sync.WaitGroup
			var mu sync.Mutex
			won, lost := 0, 0
			for i := range 50 {
				wg.Go(func() {
					mine := link
					if mode == passwordsLocal {
						mine.Password = fmt.Sprint("a fine password ", i)
					} else {
						mine.Nonce = fmt.Sprint("application ", i)
					}
					done, err := f.RedeemReset(t.Context(), Visitor{}, mine)
					mu.Lock()
					defer mu.Unlock()
					var known *scim.Error
					switch {
					case err == nil && done.User == id && done.MailboxProved:
						won++
					case errors.As(err, &known) && known.Code == "reset_used":
						lost++
					default:
						t.Errorf("try %d: %+v %v", i, done, err)
					}
				})
			}
			wg.Wait()
			if won != 1 || lost != 49 {
				t.Errorf("%d won, %d lost", won, lost)
			}
			if stored := f.password(id); strings.HasPrefix(stored, "$argon2id$") != (mode == passwordsLocal) {
				t.Errorf("stored of the password: %q", stored)
			}
		})
	}
}

// TestResetEnds: a link is of no use when its time is over, when there is a newer one, and when the person has no access;
// none of that uses it up or changes the password.
func TestResetEnds(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Passwords.Mode = passwordsLocal })
	id := f.create(typeUser, `"userName":"ann@example.com","password":"the one before"`)
	before := f.password(id)
	redeem := func(l ResetLink) error {
		l.Password = "correct horse battery"
		_, err := f.RedeemReset(t.Context(), Visitor{}, l)
		return err
	}
	f.askReset("ann@example.com")
	old := f.resetLetter("ann@example.com")
	f.clock.Advance(resetTTL)
	wantCode(t, "at the last instant", redeem(old), http.StatusGone, "reset_expired")

	f.askReset("ann@example.com")
	link := f.resetLetter("ann@example.com")
	wantCode(t, "an older link", redeem(old), http.StatusNotFound, "unknown_link")
	if _, err := f.Deactivate(t.Context(), f.admin, id, 0, Deactivation{}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "without access", redeem(link), http.StatusGone, "account_closed")
	if f.password(id) != before {
		t.Error("the password was changed on the way")
	}
	if _, err := f.Activate(t.Context(), f.admin, id, 0); err != nil {
		t.Fatal(err)
	}
	if err := redeem(link); err != nil {
		t.Fatal(err)
	}
	if after := f.password(id); after == before || after == "" {
		t.Error("the password was not changed")
	}
	for _, v := range f.changes(id) {
		if strings.Contains(fmt.Sprint(v), "argon2id") {
			t.Errorf("the history shows the hash: %v", v)
		}
	}
	f.clock.Advance(resetTTL + resetKept + time.Second)
	if _, err := f.Sweep(t.Context(), f.org); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "long after", redeem(link), http.StatusNotFound, "unknown_link")
}

// changes is the history of a user.
func (f *fixture) changes(id string) []HistoryEntry {
	f.Helper()
	list, _, err := f.History(f.ctx(), f.admin, id, 0, 100)
	if err != nil {
		f.Fatal(err)
	}
	return list
}

// TestResetTellsNobody: for an address that nobody has the answer is the same, and nothing is mailed.
func TestResetTellsNobody(t *testing.T) {
	f := newInviteFixture(t)
	f.create(typeUser, `"userName":"ann@example.com","emails":[{"value":"ann@example.com"},{"value":"shared@example.com"}]`)
	gone := f.create(typeUser, `"userName":"gone@example.com","active":false`)
	for _, x := range []struct{ org, email string }{
		{"acme", "nobody@example.com"},
		{"acme", "gone@example.com"},
		{"acme", "shared@example.com"}, // listed, but not her own
		{"nowhere", "ann@example.com"},
		{string(scim.SystemOrg), "ann@example.com"},
	} {
		if err := f.AskForReset(t.Context(), Visitor{IP: "192.0.2.1"}, x.org, x.email); err != nil {
			t.Errorf("%s at %s: %v", x.email, x.org, err)
		}
	}
	if n := f.letters(); n != 0 {
		t.Errorf("%d letters", n)
	}
	_, err := f.ResetPassword(t.Context(), f.admin, gone, "")
	wantCode(t, "by an administrator", err, http.StatusConflict, "deactivated")
}

package lifecycle

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"rollcall/scim"
)

// TestQuotaTellsNobody: what visitors are told of limits is the same whatever there is, until they are used up and after.
func TestQuotaTellsNobody(t *testing.T) {
	f := newInviteFixture(t)
	f.create(typeUser, `"userName":"ann@example.com","emails":[{"value":"ann@example.com"}]`)
	l := f.mailed(f.invite(Invite{Email: "bea@example.com"}), "bea@example.com")
	// told makes one kind of request as somebody of their own, more often than they may, and returns what they were told.
	told := func(who string, call func(Visitor) error) []scim.Quota {
		var list []scim.Quota
		refused := 0
		for range triesPerMinute {
			v := Visitor{IP: who, Quota: &scim.Quota{}}
			q := v.Quota
			if known, ok := errors.AsType[*scim.Error](call(v)); ok && known.Status == http.StatusTooManyRequests {
				q = known.Quota
				refused++
			}
			list = append(list, *q)
		}
		if list[0].Limit == 0 || list[0].Remaining == 0 || refused == 0 || list[len(list)-1].Remaining != 0 {
			t.Errorf("%s was told %+v and refused %d times", who, list, refused)
		}
		return list
	}
	same := func(what string, calls ...func(Visitor) error) {
		t.Helper()
		first := told(what+" 0", calls[0])
		for i, call := range calls[1:] {
			if more := told(what+" "+string(rune('1'+i)), call); !slices.Equal(first, more) {
				t.Errorf("%s tells cases apart:\n%+v\n%+v", what, first, more)
			}
		}
	}
	view := func(l InviteLink) func(Visitor) error {
		return func(v Visitor) error { _, err := f.ViewInvite(t.Context(), v, l); return err }
	}
	same("view", view(InviteLink{l.Org, l.Invite, l.Token + "x"}), view(InviteLink{l.Org, f.newID(), l.Token}),
		view(InviteLink{"nowhere", l.Invite, "x"}))
	ask := func(org, email string) func(Visitor) error {
		return func(v Visitor) error {
			_, err := f.AskToJoin(t.Context(), v, JoinAsk{Email: email, Org: org})
			return err
		}
	}
	same("join", ask("acme", "ann@example.com"), ask("acme", "nobody@example.com"), ask("nowhere", "somebody@example.com"))
	reset := func(org, email string) func(Visitor) error {
		return func(v Visitor) error { return f.AskForReset(t.Context(), v, org, email) }
	}
	same("reset", reset("acme", "ann@example.com"), reset("acme", "nobody@example.com"), reset("nowhere", "somebody@example.com"))
}

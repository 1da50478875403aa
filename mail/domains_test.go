package mail

import (
	"strings"
	"testing"
)

func newDomains(tb testing.TB) *Domains {
	tb.Helper()
	d, err := NewDomains("")
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestDisposable(t *testing.T) {
	d := newDomains(t)
	if len(d.disposable) < 5000 || len(d.public) < 3000 {
		t.Fatalf("%d disposable and %d public domains: the lists are cut", len(d.disposable), len(d.public))
	}
	own := Lists{Extra: []string{"throwaway.example"}, Allowed: []string{"mailinator.com", "ok.throwaway.example"}}
	for _, tc := range []struct {
		domain string
		own    Lists
		want   bool
	}{
		{"mailinator.com", Lists{}, true},
		{"any.thing.mailinator.com", Lists{}, true},
		{"surelynotmailinator.com", Lists{}, false},
		{"yopmail.com", Lists{}, true},
		{"example.com", Lists{}, false},
		{"gmail.com", Lists{}, false},
		{"com", Lists{}, false},
		{"mailinator.com", own, false},
		{"sub.mailinator.com", own, false},
		{"throwaway.example", own, true},
		{"sub.throwaway.example", own, true},
		{"ok.throwaway.example", own, false},
		{"deep.ok.throwaway.example", own, false},
		{"yopmail.com", own, true},
	} {
		if got := d.Disposable(tc.domain, tc.own); got != tc.want {
			t.Errorf("%s with %v: %v", tc.domain, tc.own, got)
		}
	}
	// A parent that is allowed wins over a child that is listed.
	if d.Disposable("bad.good.example", Lists{Extra: []string{"bad.good.example"}, Allowed: []string{"good.example"}}) {
		t.Error("the allowed parent does not win")
	}
}

func TestDomainsOfTheOperator(t *testing.T) {
	d, err := NewDomains("# ours\nTrash.Example # a comment\n\nmüll.example\n")
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]bool{"trash.example": true, "xn--mll-hoa.example": true, "mailinator.com": false} {
		if d.Disposable(domain, Lists{}) != want {
			t.Errorf("%s: not %v", domain, want)
		}
	}
	_, err = NewDomains("trash.example\nno domain\n")
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names line 2", err)
	}
}

func TestPublic(t *testing.T) {
	d := newDomains(t)
	for domain, want := range map[string]bool{
		"gmail.com": true, "outlook.com": true, "gmx.de": true, "web.de": true, "t-online.de": true, "proton.me": true,
		"mailbox.org": true, "hey.com": true, "mailinator.com": true,
		"example.com": false, "siemens.com": false, "acme.gmail.com": false,
	} {
		if d.Public(domain) != want {
			t.Errorf("%s: not %v", domain, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	d := newDomains(t)
	for domain, want := range map[string]string{
		"gmial.com": "gmail.com", "gmal.com": "gmail.com", "gmail.co": "gmail.com", "gamil.com": "gmail.com", "gmaill.com": "gmail.com",
		"gmail.con": "gmail.com", "hotmial.com": "hotmail.com", "hotmail.cm": "hotmail.com", "outlok.com": "outlook.com",
		"yahho.com": "yahoo.com", "t-onlin.de": "t-online.de", "iclould.com": "icloud.com", "mgail.com": "gmail.com",
		"company.con": "company.com", "verein.ogr": "verein.org",
		"gmail.com": "", "yahoo.de": "", "yahoo.es": "", "example.com": "", "ge.com": "", "cloud.com": "", "love.com": "", "siemens.com": "",
	} {
		if got := d.Suggest(domain); got != want {
			t.Errorf("%s: %q, want %q", domain, got, want)
		}
	}
}

func TestRoleMailbox(t *testing.T) {
	for local, want := range map[string]bool{"info": true, "NoReply": true, "no-reply": true, "kontakt": true, "ada": false, "information": false} {
		if RoleMailbox(local) != want {
			t.Errorf("%s: not %v", local, want)
		}
	}
}

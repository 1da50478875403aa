package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/lifecycle"
	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// mailboxPath is where transcripts read mail: GET /mailbox/ann@example.com is the last letter to Ann.
const mailboxPath = "/mailbox/"

// mailbox keeps what steps queue, as whoever receives it would see it.
type mailbox struct {
	post *lifecycle.Post
	now  func() time.Time

	mu      sync.Mutex
	letters []lifecycle.Letter
}

// Queue keeps the letter and hands it on. Steps of transcripts run alone, so each is committed if it returns at all.
func (b *mailbox) Queue(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time, l lifecycle.Letter) error {
	b.mu.Lock()
	b.letters = append(b.letters, l)
	b.mu.Unlock()
	return b.post.Queue(ctx, tx, c, at, l)
}

// sendPath, with an address after it, sends all that waits and answers with the link by which that person refuses such mails.
const sendPath = mailboxPath + "send/"

// send is a worker and a mail server that takes everything.
func (b *mailbox) send(t testing.TB, address string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	out := map[string]string{}
	items, err := b.post.Lease(t.Context(), b.now(), 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i := range items {
		m := &items[i].Message
		if err := b.post.Done(t.Context(), &items[i], &mail.Outcome{State: mail.StateSent, At: b.now()}); err != nil {
			t.Fatal(err)
		}
		if _, fragment, ok := strings.Cut(m.Unsubscribe, "#"); ok && strings.EqualFold(m.To, address) {
			v, err := url.ParseQuery(fragment)
			if err != nil {
				t.Fatal(err)
			}
			out = map[string]string{"mail": v.Get("mail"), "token": v.Get("token"), "subject": m.Subject, "text": m.Text}
		}
	}
	rec.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rec).Encode(out); err != nil {
		t.Fatal(err)
	}
	return rec
}

// read answers with the last letter to an address: what kind it is, and what is in it to act on.
func (b *mailbox) read(address string) *httptest.ResponseRecorder {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec := httptest.NewRecorder()
	for _, l := range slices.Backward(b.letters) {
		if !strings.EqualFold(l.To, address) {
			continue
		}
		v := l.Values
		out := map[string]string{
			"kind": string(l.Kind), "organization": v.Organization, "name": v.Name, "actor": v.Actor, "role": v.Role, "message": v.Message,
			"reason": v.Reason, "link": v.Link, "code": v.Code,
		}
		if _, fragment, ok := strings.Cut(v.Link, "#"); ok {
			if values, err := url.ParseQuery(fragment); err == nil {
				out["token"], out["invite"], out["reset"] = values.Get("token"), values.Get("invite"), values.Get("reset")
			}
		}
		for name, text := range out {
			if text == "" {
				delete(out, name)
			}
		}
		rec.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rec).Encode(out)
		return rec
	}
	rec.WriteHeader(http.StatusNotFound)
	return rec
}

// domains reads the lists once for all tests.
var domains = sync.OnceValues(func() (*mail.Domains, error) { return mail.NewDomains("") })

// mailed opens the post of a world.
func (w *world) mailed(t testing.TB, o *lifecycle.Options) {
	t.Helper()
	templates, err := mail.NewTemplates()
	if err != nil {
		t.Fatal(err)
	}
	post, err := lifecycle.NewPost(t.Context(), lifecycle.PostOptions{
		Store: o.Store, Registry: o.Registry, Now: o.Now, NewID: o.NewID, Random: o.Random, Templates: templates,
		PublicURL: "https://id.example.com", From: mail.Identity{From: mail.Address{Local: "accounts", Domain: "id.example.com"}, Name: "Example Accounts"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Domains, err = domains(); err != nil {
		t.Fatal(err)
	}
	w.Mailbox = &mailbox{post: post, now: o.Now}
	o.Outbox, o.PublicURL = w.Mailbox, "https://id.example.com"
}

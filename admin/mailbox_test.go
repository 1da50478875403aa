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
	next lifecycle.Outbox

	mu      sync.Mutex
	letters []lifecycle.Letter
}

// Queue keeps the letter and hands it on. Steps of transcripts run alone, so each is committed if it returns at all.
func (b *mailbox) Queue(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time, l lifecycle.Letter) error {
	b.mu.Lock()
	b.letters = append(b.letters, l)
	b.mu.Unlock()
	return b.next.Queue(ctx, tx, c, at, l)
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
		PublicURL: "https://id.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Domains, err = domains(); err != nil {
		t.Fatal(err)
	}
	w.Mailbox = &mailbox{next: post}
	o.Outbox, o.PublicURL = w.Mailbox, "https://id.example.com"
}

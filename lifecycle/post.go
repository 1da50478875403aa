package lifecycle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// PostOptions are what a [Post] works with.
type PostOptions struct {
	Store     storage.Store
	Registry  *resources.Registry
	Now       func() time.Time
	NewID     func() string
	Random    io.Reader
	Templates *mail.Templates
	Locale    mail.Locale // of letters that name none; English if empty
	PublicURL string      // root of the pages that mailed links lead to; empty: mails have no link to refuse them

	From mail.Identity // whom mails come from, to tell people what to look for; zero: unknown
}

// Post is where letters wait until they are sent: an [Outbox] for steps, a mail.Outbox for workers, a mail.Receiver for
// what comes back, and an organization's own templates.
//
// A letter is a record of the organization, written in the step that it belongs to. What it says (the recipient, the
// link that lets somebody in) is sealed, with the organization's template of that moment, until the letter has been
// sent or given up; then it is thrown away. It is rendered when it is sent, which keeps work out of the step: whatever
// passed the checks of values and templates renders.
type Post struct {
	s         *Service
	templates *mail.Templates
	locale    mail.Locale
	pages     string
	from      mail.Identity

	mu    sync.Mutex
	queue queueWatch
}

// NewPost checks the options and reads the keys of the database.
func NewPost(ctx context.Context, o PostOptions) (*Post, error) {
	if o.Store == nil || o.Registry == nil || o.Now == nil || o.NewID == nil || o.Random == nil || o.Templates == nil {
		return nil, errors.New("lifecycle: post needs store, registry, clock, ids, random bytes and templates")
	}
	if o.Locale == "" {
		o.Locale = mail.English
	}
	if !slices.Contains(mail.Locales(), o.Locale) {
		return nil, fmt.Errorf("lifecycle: there are no mails in %q", string(o.Locale))
	}
	s := &Service{store: o.Store, registry: o.Registry, clock: o.Now, newID: o.NewID, random: o.Random}
	if err := s.readKeys(ctx); err != nil {
		return nil, err
	}
	return &Post{s: s, templates: o.Templates, locale: o.Locale, pages: o.PublicURL, from: o.From}, nil
}

// States of a letter. Those after "sent" are what came back.
const (
	mailQueued      = "queued"
	mailSending     = "sending"
	mailDeferred    = "deferred"
	mailSent        = "sent"
	mailFailed      = "failed"
	mailExpired     = "expired"
	mailSuppressed  = "suppressed"
	mailBouncedHard = "bouncedHard"
	mailBouncedSoft = "bouncedSoft"
	mailComplained  = "complained"
)

// mailDoc is a letter, without what it says.
type mailDoc struct {
	Kind      string        `json:"kind"`
	State     string        `json:"state"`
	Due       string        `json:"due,omitempty"`
	DoneAt    string        `json:"doneAt,omitempty"`
	NotAfter  string        `json:"notAfter,omitempty"`
	About     string        `json:"about,omitempty"`
	AboutType scim.TypeName `json:"aboutType,omitempty"`
	Address   string        `json:"address"` // keyed hash of the recipient
	Lease     string        `json:"lease,omitempty"`
	Attempts  int           `json:"attempts"`
	Code      int           `json:"code,omitempty"`
	Status    string        `json:"status,omitempty"` // enhanced status code
	AutoReply bool          `json:"autoReply,omitempty"`
	Counted   string        `json:"counted,omitempty"` // the worst that was counted against the address
	OptOut    string        `json:"optOut,omitempty"`  // digest of the token by which the recipient refuses such mails
}

// The secrets of a letter.
const (
	secretLetter = "letter" // sealed: what it says; gone when nothing is to be done
	secretReply  = "reply"  // sealed: what a server said about it, which often repeats the address
)

// letterContent is what is sealed.
type letterContent struct {
	To       string         `json:"to"`
	Locale   mail.Locale    `json:"locale"`
	Values   mail.Values    `json:"values"`
	FromName string         `json:"fromName,omitempty"`
	Own      *mail.Override `json:"own,omitempty"` // the organization's template
	Written  time.Time      `json:"written"`
}

// Queue writes a letter in the step tx. A letter that cannot be sent by anybody is refused: no such message, no
// address, a link that is none.
func (p *Post) Queue(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time, l Letter) error {
	address, err := mail.ParseAddress(l.To)
	if err != nil {
		return invalid("email", "invalid_address", "%s", err)
	}
	if !l.Kind.Known() {
		return fmt.Errorf("lifecycle: there is no message %q", string(l.Kind))
	}
	if err := l.Values.Check(); err != nil {
		return err
	}
	content := letterContent{To: address.String(), Locale: p.locale, Values: l.Values, Written: at}
	if l.Locale != "" {
		content.Locale = mail.LocaleOf(l.Locale)
	}
	settings, _, err := p.s.settings(ctx, tx, c.Org)
	if err != nil {
		return err
	}
	content.FromName = settings.Branding.MailFromName
	content.Values.Organization = cmp.Or(settings.Branding.Name, content.Values.Organization)
	own, err := load[templateDoc](ctx, tx, templateKey(c.Org, l.Kind, content.Locale))
	if err != nil {
		return err
	}
	if own != nil {
		content.Own = &mail.Override{Subject: own.Value.Subject, Text: own.Value.Text, HTML: own.Value.HTML}
	}
	k := storage.Key{Org: c.Org, Type: resources.TypeMail, ID: p.s.newID()}
	optOut := ""
	if l.Kind.MayUnsubscribe() && l.Values.Unsubscribe == "" && p.pages != "" {
		if content.Values.Unsubscribe, optOut, err = p.optOutLink(k.ID); err != nil {
			return err
		}
	}
	sealed, err := p.seal(content, k)
	if err != nil {
		return err
	}
	doc := mailDoc{
		Kind: string(l.Kind), State: mailQueued, Due: scim.FormatTime(at), About: l.About.ID, AboutType: l.About.Type,
		Address: p.s.addressDigest(address), OptOut: optOut,
	}
	if !l.Until.IsZero() {
		doc.NotAfter = scim.FormatTime(l.Until)
	}
	if _, err := p.s.insert(ctx, tx, c, k, at, doc, scim.Attributes{secretLetter: sealed}); err != nil {
		return err
	}
	p.expect(c.Org, at)
	return nil
}

// seal hides a value in the record called k.
func (p *Post) seal(v any, k storage.Key) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write a letter: %w", err)
	}
	return p.s.sealed(b, string(k.Org)+"/"+k.ID)
}

func (p *Post) open(r *record[mailDoc], name string, v any) error {
	text, ok := r.Secret[name].(string)
	if !ok {
		return errors.New("lifecycle: a letter has lost its " + name)
	}
	b, err := p.s.opened(text, string(r.Key.Org)+"/"+r.Key.ID)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// message renders a letter.
func (p *Post) message(r *record[mailDoc]) (mail.Message, error) {
	var c letterContent
	if err := p.open(r, secretLetter, &c); err != nil {
		return mail.Message{}, err
	}
	own := mail.Override{}
	if c.Own != nil {
		own = *c.Own
	}
	kind := mail.Kind(r.Value.Kind)
	content, err := p.templates.Render(kind, c.Locale, own, c.Values)
	if err != nil && c.Own != nil { // written for an older Rollcall: better the built-in text than none
		content, err = p.templates.Render(kind, c.Locale, mail.Override{}, c.Values)
	}
	if err != nil {
		return mail.Message{}, err
	}
	return mail.Message{
		Kind: kind, To: c.To, ToName: c.Values.Name, FromName: c.FromName, Subject: content.Subject, Text: content.Text,
		HTML: content.HTML, Unsubscribe: c.Values.Unsubscribe, Date: c.Written,
	}, nil
}

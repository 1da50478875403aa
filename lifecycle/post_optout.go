package lifecycle

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// optOutLink makes the link by which a recipient refuses mails of the sort. The token is known to the mail only; like
// every link of ours, opening it changes nothing: the page asks first.
func (p *Post) optOutLink(letter string) (link, digest string, err error) {
	token, digest, err := p.s.newLinkToken(prefixOptOut)
	if err != nil {
		return "", "", err
	}
	v := url.Values{"mail": {letter}, "token": {token}}
	return strings.TrimSuffix(p.pages, "/") + "/mail-opt-out#" + v.Encode(), digest, nil
}

// OptOut notes that the recipient of a letter wants no invitations, reminders and the like any more, from no
// organization. An unknown letter and a wrong token are answered alike.
func (p *Post) OptOut(ctx context.Context, letter, token string) error {
	unknown := refuse(http.StatusNotFound, "not_found", "there is no such link, or it has been too long")
	digest, address := "", ""
	way, err := load[routeDoc](ctx, p.s.store, routeKey(letter))
	if err != nil {
		return fail(resources.TypeMail, err)
	}
	if way != nil {
		m, err := load[mailDoc](ctx, p.s.store, storage.Key{Org: way.Value.Org, Type: resources.TypeMail, ID: letter})
		if err != nil {
			return fail(resources.TypeMail, err)
		}
		if m != nil {
			digest, address = m.Value.OptOut, m.Value.Address
		}
	}
	if !p.s.isLinkToken(token, digest) {
		return unknown
	}
	return fail(resources.TypeMailAddress, p.s.noteAddress(ctx, address, func(d *addressDoc, _ time.Time) { d.OptedOut = true }))
}

// MailInfo is a letter as administrators see it: what became of it, not what it said or to whom.
type MailInfo struct {
	ID        string
	Kind      string
	State     string // queued, sending, sent, deferred, failed, expired, suppressed, bouncedHard, bouncedSoft, complained
	Created   time.Time
	Due       time.Time // when the next attempt comes; zero if none does
	Attempts  int
	About     string // id of the resource that it is about
	AboutType scim.TypeName
	Code      int    // reply code of the last attempt
	Status    string // enhanced status code
	Detail    string // what a mail server said last
	AutoReply bool
}

// MaxMails is the most letters that one call of Mails returns.
const MaxMails = 200

// Mails returns letters of an organization, newest first: those in a state, or about a resource, or all, if these are
// empty; before is the id of the last one of the page before, empty for the first page.
func (p *Post) Mails(ctx context.Context, org scim.OrgID, state, about, before string, limit int) (list []MailInfo, more bool, err error) {
	var terms query.And
	if state != "" {
		terms = append(terms, p.s.eq(resources.TypeMail, "state", state))
	}
	if about != "" {
		terms = append(terms, p.s.eq(resources.TypeMail, "about", about))
	}
	if before == "" {
		before = lastID
	}
	page, err := p.s.store.Query(ctx, org, query.Query{
		Sources: []query.Source{{Type: resources.TypeMail, Where: terms}},
		Before:  &query.Position{ID: before}, Limit: min(max(limit, 1), MaxMails), Load: query.Load{Secret: true},
	})
	if err != nil {
		return nil, false, fail(resources.TypeMail, err)
	}
	for i := range slices.Backward(page.Records) {
		info, err := p.info(&page.Records[i])
		if err != nil {
			return nil, false, err
		}
		list = append(list, *info)
	}
	return list, page.More, nil
}

// lastID is behind every id.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

func (p *Post) info(rec *storage.Record) (*MailInfo, error) {
	r, err := decode[mailDoc](rec)
	if err != nil {
		return nil, err
	}
	v := &r.Value
	info := &MailInfo{
		ID: r.Key.ID, Kind: v.Kind, State: v.State, Created: r.Created, Attempts: v.Attempts, About: v.About, AboutType: v.AboutType,
		Code: v.Code, Status: v.Status, AutoReply: v.AutoReply,
	}
	if v.State == mailQueued || v.State == mailDeferred {
		info.Due = instantOf(v.Due)
	}
	if r.Secret[secretReply] != nil {
		err = p.open(r, secretReply, &info.Detail)
	}
	return info, err
}

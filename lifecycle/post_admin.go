package lifecycle

import (
	"context"
	"errors"
	"net/http"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
)

// This is what administrators do with the post: what each method decides is who may; the rest is in the methods that it
// calls.

// MailQuery asks for letters, newest first.
type MailQuery struct {
	State  string // empty: any
	About  string // id of what they are about; empty: anything
	Before string // id of the last letter of the page before
	Count  int
}

// ReadMails is [Post.Mails] for somebody who may know what was sent.
func (p *Post) ReadMails(ctx context.Context, sub Subject, q MailQuery) (list []MailInfo, more bool, err error) {
	if err := Allowed(sub, ActAudit, Target{Type: "Mail"}); err != nil {
		return nil, false, err
	}
	return p.Mails(ctx, sub.Org, q.State, q.About, q.Before, q.Count)
}

// TemplateLine says of a message in one language whether the organization has its own.
type TemplateLine struct {
	Kind   mail.Kind
	Locale mail.Locale
	Own    bool
}

// maxTemplates is more than there can be.
const maxTemplates = 500

// Templates lists all messages in all languages.
func (p *Post) Templates(ctx context.Context, sub Subject) ([]TemplateLine, error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeMailTemplate}); err != nil {
		return nil, err
	}
	have, err := find[templateDoc](ctx, p.s, sub.Org, resources.TypeMailTemplate, nil, maxTemplates)
	if err != nil {
		return nil, fail(resources.TypeMailTemplate, err)
	}
	own := map[string]bool{}
	for _, r := range have {
		own[r.Key.ID] = true
	}
	var list []TemplateLine
	for _, k := range mail.Kinds() {
		for _, l := range mail.Locales() {
			list = append(list, TemplateLine{k, l, own[templateKey(sub.Org, k, l).ID]})
		}
	}
	return list, nil
}

// ReadTemplate is [Post.Template] for an administrator.
func (p *Post) ReadTemplate(ctx context.Context, sub Subject, k mail.Kind, l mail.Locale) (*Template, error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeMailTemplate}); err != nil {
		return nil, err
	}
	return p.Template(ctx, sub.Org, k, l)
}

// WriteTemplate is [Post.SetTemplate] for an administrator; without any part it goes back to what is built in.
func (p *Post) WriteTemplate(ctx context.Context, sub Subject, pre scim.Precondition, k mail.Kind, l mail.Locale, o mail.Override) (*Template, error) {
	is, err := p.ReadTemplate(ctx, sub, k, l)
	if err != nil {
		return nil, err
	}
	if err := pre.Check(is.Version); err != nil {
		return nil, err
	}
	if o == (mail.Override{}) {
		if err := p.ResetTemplate(ctx, sub, k, l); err != nil {
			return nil, err
		}
		return p.Template(ctx, sub.Org, k, l)
	}
	version := is.Version
	if pre.IfMatch == "" {
		version = 0
	}
	return p.SetTemplate(ctx, sub, version, k, l, o)
}

// ShowTemplate is [Post.PreviewTemplate] for an administrator: a message as it would look, with made-up values. Parts that
// are empty are those that the organization has now.
func (p *Post) ShowTemplate(ctx context.Context, sub Subject, k mail.Kind, l mail.Locale, o mail.Override) (mail.Content, error) {
	is, err := p.ReadTemplate(ctx, sub, k, l)
	if err != nil {
		return mail.Content{}, err
	}
	if o == (mail.Override{}) {
		o = is.Own
	}
	return p.PreviewTemplate(k, l, o)
}

// Sender is whom people must look for when they miss a mail.
type Sender struct {
	Name     string
	Address  string // empty if the server does not know it
	Subjects []Subjects
}

// Subjects is the subject of a message.
type Subjects struct {
	Kind    mail.Kind
	Subject string
}

// awaited are the messages that people wait for.
func awaited() []mail.Kind {
	return []mail.Kind{
		mail.KindInvite, mail.KindInviteReminder, mail.KindWelcome, mail.KindJoinVerify, mail.KindJoinApproved, mail.KindPasswordReset,
		mail.KindMailboxCode,
	}
}

// sampleCode stands for the digits of codes in a subject.
const sampleCode = "000000"

// Sender says from whom the organization's mails come and what their subjects are, as the subject would send them.
func (p *Post) Sender(ctx context.Context, sub Subject, l mail.Locale) (*Sender, error) {
	if err := Allowed(sub, ActReadMembers, Target{Type: "Mail"}); err != nil {
		return nil, err
	}
	org, err := p.s.store.Organization(ctx, string(sub.Org))
	if err != nil {
		return nil, fail("Organization", err)
	}
	set, _, err := p.s.Settings(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	out := &Sender{Name: p.from.Name}
	if p.from.From.Domain != "" {
		out.Address = p.from.From.String()
	}
	if set.Branding.MailFromName != "" {
		out.Name = set.Branding.MailFromName
	}
	values := mail.Values{Organization: org.Name, Actor: sub.Label, Code: sampleCode, Link: p.pages}
	for _, k := range awaited() {
		t, err := p.Template(ctx, sub.Org, k, l)
		if err != nil {
			return nil, err
		}
		content, err := p.templates.Render(k, l, t.Own, values)
		if err != nil {
			return nil, err
		}
		out.Subjects = append(out.Subjects, Subjects{k, content.Subject})
	}
	return out, nil
}

// LetIn lets mail go to an address again that bounced, complained or was opted out: the operator has cleared it up.
func (s *Service) LetIn(ctx context.Context, sub Subject, address string) error {
	if sub.Kind != KindOperator {
		return forbidden("not_allowed", "only the operator of the server lifts this")
	}
	return s.Release(ctx, address)
}

// OptOut is [Post.OptOut] for whoever comes with the link of a mail; how often is bounded as for every link.
func (s *Service) OptOut(ctx context.Context, who Visitor, p *Post, letter, token string) error {
	if err := s.mayTry(ctx, who); err != nil {
		return err
	}
	err := p.OptOut(ctx, letter, token)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == http.StatusNotFound {
		return s.wrong(ctx, who, "opt_out", letter)
	}
	return err
}

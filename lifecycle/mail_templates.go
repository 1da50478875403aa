package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// templateDoc is an organization's own template of a message in one language.
type templateDoc struct {
	Kind    string `json:"kind"`
	Locale  string `json:"locale"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"`
	HTML    string `json:"html,omitempty"`
}

func templateKey(org scim.OrgID, k mail.Kind, l mail.Locale) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeMailTemplate, ID: idOf("mail-template", string(org), string(k), string(l))}
}

// Template is a message in one language as an organization sends it.
type Template struct {
	Kind      mail.Kind
	Locale    mail.Locale
	Own       mail.Override // what the organization has put in place of the built-in parts; empty parts are built in
	BuiltIn   mail.Override // subject and text that come with Rollcall
	Variables []mail.Variable
	Version   int64 // for If-Match; 0 if nothing is the organization's own
}

func knownTemplate(k mail.Kind, l mail.Locale) error {
	if !k.Known() || !slices.Contains(mail.Locales(), l) {
		return refuse(http.StatusNotFound, "not_found", "there is no such message in this language")
	}
	return nil
}

// Template returns a message in one language.
func (p *Post) Template(ctx context.Context, org scim.OrgID, k mail.Kind, l mail.Locale) (*Template, error) {
	if err := knownTemplate(k, l); err != nil {
		return nil, err
	}
	t := &Template{Kind: k, Locale: l, BuiltIn: p.templates.Source(k, l), Variables: k.Variables()}
	own, err := load[templateDoc](ctx, p.s.store, templateKey(org, k, l))
	if err != nil {
		return nil, fail(resources.TypeMailTemplate, err)
	}
	if own != nil {
		t.Own, t.Version = mail.Override{Subject: own.Value.Subject, Text: own.Value.Text, HTML: own.Value.HTML}, own.Version
	}
	return t, nil
}

// SetTemplate stores an organization's own template, checked: what passes can be sent. With a version that is not 0 it
// is refused, 412, if the template has another.
func (p *Post) SetTemplate(ctx context.Context, sub Subject, version int64, k mail.Kind, l mail.Locale, o mail.Override) (*Template, error) {
	if err := knownTemplate(k, l); err != nil {
		return nil, err
	}
	if err := p.checkTemplate(k, o); err != nil {
		return nil, err
	}
	key, at := templateKey(sub.Org, k, l), p.s.now()
	doc := templateDoc{Kind: string(k), Locale: string(l), Subject: o.Subject, Text: o.Text, HTML: o.HTML}
	for {
		_, err := change(ctx, p.s, p.s.store, sub.Caller, key, at, func(r *record[templateDoc]) error {
			if version != 0 && version != r.Version {
				return scim.PreconditionFailed()
			}
			r.Value = doc
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			if version != 0 {
				return nil, scim.PreconditionFailed()
			}
			if _, err = p.s.insert(ctx, p.s.store, sub.Caller, key, at, doc, nil); errors.Is(err, storage.ErrExists) {
				continue
			}
		}
		if err != nil {
			return nil, fail(resources.TypeMailTemplate, err)
		}
		return p.Template(ctx, sub.Org, k, l)
	}
}

// ResetTemplate goes back to the built-in template.
func (p *Post) ResetTemplate(ctx context.Context, sub Subject, k mail.Kind, l mail.Locale) error {
	if err := knownTemplate(k, l); err != nil {
		return err
	}
	return fail(resources.TypeMailTemplate, p.s.drop(ctx, templateKey(sub.Org, k, l), p.s.now(), sub.Caller))
}

// PreviewTemplate renders a template with made-up values, before or without it being stored.
func (p *Post) PreviewTemplate(k mail.Kind, l mail.Locale, o mail.Override) (mail.Content, error) {
	if err := knownTemplate(k, l); err != nil {
		return mail.Content{}, err
	}
	if err := p.checkTemplate(k, o); err != nil {
		return mail.Content{}, err
	}
	return p.templates.Preview(k, l, o)
}

func (p *Post) checkTemplate(k mail.Kind, o mail.Override) error {
	err := p.templates.Check(k, o)
	if wrong, ok := errors.AsType[*mail.TemplateError](err); ok {
		return invalid(wrong.Part, "template_invalid", "%s", wrong)
	}
	return err
}

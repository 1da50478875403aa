package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/mail"
	"rollcall/scim"
)

// MailTemplate is a message in one language.
type MailTemplate struct {
	Kind      string         `json:"kind"`
	Locale    string         `json:"locale"`
	Own       TemplateParts  `json:"own"`
	BuiltIn   TemplateParts  `json:"builtIn"`
	Variables []MailVariable `json:"variables" nullable:"false" doc:"All that it may show, as {{.Name}}."`
}

// TemplateParts are the parts of a message. One that is empty is what comes with Rollcall.
type TemplateParts struct {
	Subject string `json:"subject,omitempty" maxLength:"500"`
	Text    string `json:"text,omitempty" maxLength:"50000"`
	HTML    string `json:"html,omitempty" maxLength:"200000" doc:"Needs a text beside it. Without it, it follows from the text."`
}

func (p TemplateParts) override() mail.Override { return mail.Override(p) }

// MailVariable is something that a message may show.
type MailVariable struct {
	Name     string `json:"name"`
	Meaning  string `json:"meaning"`
	URL      bool   `json:"url" doc:"It may be the target of a link."`
	Required bool   `json:"required" doc:"A message without it would be of no use, and is refused."`
}

// TemplateLine is a message in the list of all.
type TemplateLine struct {
	Kind   string `json:"kind"`
	Locale string `json:"locale"`
	Own    bool   `json:"own" doc:"The organization has put something in place of what comes with Rollcall."`
}

// TemplatePath names a message in a language.
type TemplatePath struct {
	Kind   string `path:"kind" maxLength:"50" doc:"Which message, such as invite."`
	Locale string `path:"locale" maxLength:"10" doc:"The language, such as en."`
}

func (p *TemplatePath) of() (mail.Kind, mail.Locale) { return mail.Kind(p.Kind), mail.Locale(p.Locale) }

func (a *API) mailTemplateEndpoints() {
	const one = "/mail-templates/{kind}/{locale}"
	handle(a, operation{
		id: "list-mail-templates", method: http.MethodGet, path: "/mail-templates", tag: mailTag, summary: "The messages in all languages",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*templatesOutput, error) {
		list, err := a.Post.Templates(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		out := &templatesOutput{}
		out.Body.Items = make([]TemplateLine, len(list))
		for i, t := range list {
			out.Body.Items[i] = TemplateLine{string(t.Kind), string(t.Locale), t.Own}
		}
		return out, nil
	})
	handle(a, operation{
		id: "get-mail-template", method: http.MethodGet, path: one, tag: mailTag, summary: "A message and what it may show",
	}, func(ctx context.Context, c *Call, in *TemplatePath) (*templateOutput, error) {
		k, l := in.of()
		return templateAnswer(a.Post.ReadTemplate(ctx, c.Subject, k, l))
	})
	handle(a, operation{
		id: "set-mail-template", method: http.MethodPut, path: one, tag: mailTag, summary: "Put the organization's own message in place",
		conditional: true, detail: "What cannot be sent is refused: an unknown variable, a message without its link, markup that a mail must not have.",
	}, func(ctx context.Context, c *Call, in *setTemplateInput) (*templateOutput, error) {
		k, l := in.of()
		return templateAnswer(a.Post.WriteTemplate(ctx, c.Subject, c.If, k, l, in.Body.override()))
	})
	handle(a, operation{
		id: "reset-mail-template", method: http.MethodDelete, path: one, tag: mailTag, summary: "Go back to the message that comes with Rollcall",
		conditional: true,
	}, func(ctx context.Context, c *Call, in *TemplatePath) (*struct{}, error) {
		k, l := in.of()
		_, err := a.Post.WriteTemplate(ctx, c.Subject, c.If, k, l, mail.Override{})
		return nil, err
	})
	handle(a, operation{
		id: "preview-mail-template", method: http.MethodPost, path: one + "/actions/preview", tag: mailTag, readOnly: true,
		summary: "See a message with made-up values", detail: "With no part it is the organization's message as it is now.",
	}, func(ctx context.Context, c *Call, in *setTemplateInput) (*previewOutput, error) {
		k, l := in.of()
		got, err := a.Post.ShowTemplate(ctx, c.Subject, k, l, in.Body.override())
		if err != nil {
			return nil, err
		}
		return &previewOutput{MailContent(got)}, nil
	})
}

type templatesOutput struct {
	Body struct {
		Items []TemplateLine `json:"items" nullable:"false"`
	}
}

type templateOutput struct {
	ETag string `header:"ETag"`
	Body MailTemplate
}

type setTemplateInput struct {
	TemplatePath
	Body TemplateParts
}

// MailContent is a message as it is shown.
type MailContent struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

type previewOutput struct{ Body MailContent }

func templateAnswer(t *lifecycle.Template, err error) (*templateOutput, error) {
	if err != nil {
		return nil, err
	}
	out := MailTemplate{
		Kind: string(t.Kind), Locale: string(t.Locale), Own: TemplateParts(t.Own), BuiltIn: TemplateParts(t.BuiltIn), Variables: []MailVariable{},
	}
	for _, v := range t.Variables {
		out.Variables = append(out.Variables, MailVariable(v))
	}
	return &templateOutput{scim.ETag(t.Version), out}, nil
}

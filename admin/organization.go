package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// Organization is an organization as clients see it.
type Organization struct {
	ID      string    `json:"id" format:"uuid"`
	Slug    string    `json:"slug" doc:"Short name, for command lines and URLs."`
	Name    string    `json:"name" doc:"Name for people."`
	Created time.Time `json:"created"`
}

type organizationOutput struct{ Body Organization }

func (a *API) organizationEndpoints() {
	handle(a, operation{
		id: "get-organization", method: http.MethodGet, path: "/organization", tag: "Organization",
		summary: "The organization",
	}, a.getOrganization)
	handle(a, operation{
		id: "get-branding", method: http.MethodGet, path: "/organization/branding", tag: "Organization",
		summary: "How the organization shows itself",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*brandingOutput, error) {
		return brandingAnswer(a.Lifecycle.ReadBranding(ctx, c.Subject))
	})
	handle(a, operation{
		id: "change-branding", method: http.MethodPatch, path: "/organization/branding", tag: "Organization", conditional: true,
		summary: "Change how the organization shows itself",
		detail: "For people with the permission `org.branding.write`, whatever their role; the name takes `account.details`. What is left out stays, an " +
			"empty text takes a value away. The ETag is that of the settings.",
	}, func(ctx context.Context, c *Call, in *changeBrandingInput) (*brandingOutput, error) {
		return brandingAnswer(a.Lifecycle.ChangeBranding(ctx, c.Subject, c.If, in.Body.on))
	})
}

// Branding is how the organization shows itself.
type Branding = lifecycle.Branding

type brandingOutput struct {
	ETag string `header:"ETag"`
	Body Branding
}

func brandingAnswer(b Branding, version int64, err error) (*brandingOutput, error) {
	if err != nil {
		return nil, err
	}
	return &brandingOutput{scim.ETag(version), b}, nil
}

// BrandingBody is branding as it is written.
type BrandingBody struct {
	Name         *string `json:"name,omitempty" maxLength:"200" doc:"What people see it called; empty: the name that the operator gave it."`
	Logo         *string `json:"logo,omitempty" maxLength:"2000" doc:"https URL of a picture."`
	Color        *string `json:"color,omitempty" maxLength:"7" doc:"As #1a2b3c."`
	MailFromName *string `json:"mailFromName,omitempty" maxLength:"100" doc:"Name beside the sender's address of mails."`
}

func (b *BrandingBody) on(v *Branding) {
	v.Name, v.Logo = or(b.Name, v.Name), or(b.Logo, v.Logo)
	v.Color, v.MailFromName = or(b.Color, v.Color), or(b.MailFromName, v.MailFromName)
}

type changeBrandingInput struct{ Body BrandingBody }

func (a *API) getOrganization(ctx context.Context, c *Call, _ *struct{}) (*organizationOutput, error) {
	o, err := a.Resources.Organization(ctx, string(c.Subject.Org))
	if err != nil {
		return nil, err
	}
	b, _, err := a.Lifecycle.ReadBranding(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	return &organizationOutput{Organization{string(o.ID), o.Slug, cmp.Or(b.Name, o.Name), o.Created}}, nil
}

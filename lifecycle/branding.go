package lifecycle

import (
	"context"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"rollcall/scim"
)

// The permissions that let people change how the organization shows itself.
const (
	permissionBranding = "org.branding.write"
	permissionDetails  = "account.details"
)

// Bounds of branding, in characters.
const (
	maxBrandName = 200
	maxLogo      = 2000
	maxFromName  = 100
)

// check refuses branding that pages and mails could not show.
func (b *Branding) check() error {
	for _, t := range []struct {
		path, text string
		most       int
	}{{"branding.name", b.Name, maxBrandName}, {"branding.mailFromName", b.MailFromName, maxFromName}, {"branding.logo", b.Logo, maxLogo}} {
		switch {
		case utf8.RuneCountInString(t.text) > t.most:
			return invalid(t.path, "too_long", "must have at most %d characters", t.most)
		case strings.ContainsFunc(t.text, unicode.IsControl) || t.text != strings.TrimSpace(t.text):
			return invalid(t.path, "malformed", "must have no control characters, and no space at its ends")
		}
	}
	if b.Color != "" && !isColor(b.Color) {
		return invalid("branding.color", "malformed", "must be a color such as #1a2b3c")
	}
	if b.Logo == "" {
		return nil
	}
	if u, err := url.Parse(b.Logo); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return invalid("branding.logo", "malformed", "must be an https URL")
	}
	return nil
}

// ReadBranding returns how an organization shows itself, and the version of its settings.
func (s *Service) ReadBranding(ctx context.Context, sub Subject) (Branding, int64, error) {
	v, version, err := s.Settings(ctx, sub.Org)
	return v.Branding, version, err
}

// ChangeBranding stores what fn makes of how the organization shows itself. People need the permission
// org.branding.write, and account.details for the name.
func (s *Service) ChangeBranding(ctx context.Context, sub Subject, pre scim.Precondition, fn func(*Branding)) (Branding, int64, error) {
	brands, names := false, false
	if sub.User != "" {
		p, _, err := s.person(ctx, sub.Org, sub.User)
		if err != nil {
			return Branding{}, 0, err
		}
		brands, names = p.Grant.Has(permissionBranding), p.Grant.Has(permissionDetails)
	}
	out, version, err := s.patchSettings(ctx, sub, pre, func(v *Settings) error {
		next := v.Branding
		fn(&next)
		if next.Name != v.Branding.Name {
			if err := Allowed(sub, ActRename, Target{Type: "Organization", Setting: names}); err != nil {
				return err
			}
		}
		was := v.Branding
		was.Name = next.Name
		if next != was || next.Name == v.Branding.Name {
			if err := Allowed(sub, ActBrand, Target{Type: "Organization", Setting: brands}); err != nil {
				return err
			}
		}
		v.Branding = next
		return nil
	})
	return out.Branding, version, err
}

// isColor reports whether text is a color as CSS writes it in six digits.
func isColor(text string) bool {
	digits, ok := strings.CutPrefix(text, "#")
	return ok && len(digits) == 6 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

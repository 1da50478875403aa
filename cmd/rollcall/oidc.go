package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/idtoken"
)

// issuersValue is a list of OpenID providers: each a URL, and after it words such as audience=ID and organization=SLUG.
type issuersValue struct{ p *[]idtoken.Issuer }

func (v issuersValue) Set(text string) error {
	var list []idtoken.Issuer
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		i := idtoken.Issuer{URL: words[0]}
		for _, w := range words[1:] {
			key, value, ok := strings.Cut(w, "=")
			switch {
			case ok && value != "" && key == "audience":
				i.Audience = value
			case ok && value != "" && key == "organization":
				i.Organization = value
			default:
				return fmt.Errorf("after the URL of %s only audience=ID and organization=SLUG may stand", i.URL)
			}
		}
		list = append(list, i)
	}
	*v.p = list
	return nil
}

func (v issuersValue) String() string {
	parts := make([]string, len(*v.p))
	for n, i := range *v.p {
		parts[n] = i.URL
		if i.Audience != "" {
			parts[n] += " audience=" + i.Audience
		}
		if i.Organization != "" {
			parts[n] += " organization=" + i.Organization
		}
	}
	return strings.Join(parts, ",")
}

func (v issuersValue) Type() string { return "providers" }

// people verifies the tokens of people; nil if no provider is trusted.
func (c *Config) people() (*idtoken.Verifier, error) {
	if len(c.Issuers) == 0 {
		return nil, nil //nolint:nilnil // then nobody but tokens gets in
	}
	list := slices.Clone(c.Issuers)
	for n := range list {
		list[n].Audience = cmp.Or(list[n].Audience, c.OIDCAudience)
	}
	return idtoken.New(list, time.Now, nil)
}

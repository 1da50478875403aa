package lifecycle

import (
	"net/url"
	"strings"
)

// pageLink is the URL of a page for people. What the page must know is in the fragment, which no server is sent and no
// log holds.
func (s *Service) pageLink(page string, values ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(values); i += 2 {
		v.Set(values[i], values[i+1])
	}
	return strings.TrimSuffix(s.pages, "/") + "/" + page + "#" + v.Encode()
}

// inviteLink is the link of an invite.
func (s *Service) inviteLink(org, id, token string) string {
	return s.pageLink("invite", "org", org, "invite", id, "token", token)
}

// resetLink is the link of a password reset: to the organization's page, or Rollcall's own.
func (s *Service) resetLink(page, org, id, token string) string {
	if page == "" {
		return s.pageLink("password-reset", "org", org, "reset", id, "token", token)
	}
	v := url.Values{"org": {org}, "reset": {id}, "token": {token}}
	return page + "#" + v.Encode()
}

package lifecycle

import (
	"context"
	"strings"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/scim/query"
)

// addressFacts are what an organization knows of an address.
type addressFacts struct {
	user   *record[userFacts]
	invite *record[Invite] // pending, be its time over
	join   *record[JoinRequest]
}

// userFacts are what invites must know of a user.
type userFacts struct {
	UserName    string      `json:"userName"`
	DisplayName string      `json:"displayName"`
	Active      *bool       `json:"active"`
	Emails      []mailValue `json:"emails"`
	Own         struct {
		Origin        string `json:"origin"`
		EmailVerified *bool  `json:"emailVerified"`
	} `json:"urn:ietf:params:scim:schemas:extension:rollcall:2.0:User"`
}

type mailValue struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

func (u *userFacts) active() bool { return u.Active == nil || *u.Active }

// asked reports whether the person has not agreed yet to be in the organization.
func (u *userFacts) asked() bool {
	return u.Own.Origin == originSCIM && u.Own.EmailVerified != nil && !*u.Own.EmailVerified
}

// owns reports whether the address is the user's own: the name, or the main address.
func (u *userFacts) owns(address string) bool {
	key := mail.Fold(address)
	if mail.Fold(u.UserName) == key {
		return true
	}
	for _, m := range u.Emails {
		if mail.Fold(m.Value) == key && (m.Primary || len(u.Emails) == 1) {
			return true
		}
	}
	return false
}

// maxSameAddress bounds how many users are read for one address: several may list it beside their own.
const maxSameAddress = 4

// facts reads what is known of addresses, by their keys (mail.Address.Key).
func (s *Service) facts(ctx context.Context, org scim.OrgID, addresses []mail.Address) (map[string]*addressFacts, error) {
	found := make(map[string]*addressFacts, len(addresses))
	var users, invites, joins query.Or
	for _, a := range addresses {
		found[a.Key()] = &addressFacts{}
		text := a.String()
		users = append(users, s.eq(typeUser, "userName", text), s.eq(typeUser, "emails.value", text))
		invites = append(invites, s.eq(typeInvite, "email", text))
		joins = append(joins, s.eq(typeJoinRequest, "email", text))
	}
	list, err := find[userFacts](ctx, s, org, typeUser, users, maxSameAddress*len(addresses))
	if err != nil {
		return nil, err
	}
	for _, u := range list {
		for _, m := range u.Value.Emails {
			if f := found[mail.Fold(m.Value)]; f != nil && f.user == nil {
				f.user = u
			}
		}
	}
	for _, u := range list { // whose name the address is goes before who lists it
		if f := found[mail.Fold(u.Value.UserName)]; f != nil {
			f.user = u
		}
	}
	// The addresses come first: of two conditions as good as each other the embedded store looks up by the first, and the
	// open invites may be many.
	pending := query.And{invites, s.eq(typeInvite, "status", invitePending), s.eq(typeInvite, "kind", kindPerson)}
	open, err := find[Invite](ctx, s, org, typeInvite, pending, len(addresses))
	if err != nil {
		return nil, err
	}
	for _, i := range open {
		if f := found[mail.Fold(i.Value.Email)]; f != nil {
			f.invite = i
		}
	}
	waiting, err := find[JoinRequest](ctx, s, org, typeJoinRequest, query.And{joins, s.eq(typeJoinRequest, "status", joinPending)}, len(addresses))
	if err != nil {
		return nil, err
	}
	for _, j := range waiting {
		if f := found[mail.Fold(j.Value.Email)]; f != nil {
			f.join = j
		}
	}
	return found, nil
}

// judgeAddress says why an address cannot be invited, whatever else is known of it; "" if it can. Warnings are what
// people should look at nevertheless.
func (s *Service) judgeAddress(ctx context.Context, p *invitePolicy, a mail.Address) (outcome, detail string, warnings []string, err error) {
	domains, err := s.domains()
	if err != nil {
		return "", "", nil, err
	}
	d := p.settings.Domains
	if meant := domains.Suggest(a.Domain); meant != "" {
		warnings = append(warnings, "typo_suspected:"+meant)
	}
	if mail.RoleMailbox(a.Local) {
		warnings = append(warnings, "role_mailbox")
	}
	switch {
	case p.domains.capture(a.Domain) == captureIdPOnly:
		return OutcomeManagedDomain, "people of this domain come by the organization's identity provider", warnings, nil
	case within(a.Domain, d.Blocked), len(d.Allowed) > 0 && !within(a.Domain, d.Allowed):
		return OutcomeDomain, "the organization does not invite addresses of this domain", warnings, nil
	case d.BlockDisposable && domains.Disposable(a.Domain, mail.Lists{Extra: d.DisposableExtra, Allowed: d.Allowed}):
		return OutcomeDisposable, "the address is of a provider of throw-away addresses", warnings, nil
	}
	suppressed, err := s.suppressed(ctx, a)
	if err != nil {
		return "", "", nil, err
	}
	if suppressed {
		return OutcomeSuppressed, "mails to the address came back or are not wanted", warnings, nil
	}
	return "", "", warnings, nil
}

// within reports whether a domain is one of the list or below one.
func within(domain string, list []string) bool {
	for _, d := range list {
		d = strings.ToLower(strings.TrimPrefix(d, "."))
		if domain == d || strings.HasSuffix(domain, "."+d) {
			return true
		}
	}
	return false
}

// suggestion is the whole address that was probably meant.
func suggestion(a mail.Address, warnings []string) string {
	for _, w := range warnings {
		if meant, ok := strings.CutPrefix(w, "typo_suspected:"); ok {
			return a.Local + "@" + meant
		}
	}
	return ""
}

// date is how warnings write a day.
func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

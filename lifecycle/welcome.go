package lifecycle

import (
	"context"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// welcomePause is how long after one welcome another may be sent to the same person.
const welcomePause = time.Minute

// SendWelcome mails the welcome to a member, once more or for the first time, also to somebody whom a client has made. It
// says to which address, most of it hidden. An organization that has turned the welcome off sends none.
func (s *Service) SendWelcome(ctx context.Context, sub Subject, id string) (sentTo string, err error) {
	p, snap, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return "", err
	}
	if err := Allowed(sub, ActWriteMember, Target{User: id, Rank: p.Grant.Rank()}); err != nil {
		return "", err
	}
	switch {
	case snap.settings.Welcome.Mode == "off":
		return "", conflict("welcome_off", "the organization sends no welcome")
	case !p.Facts.Active:
		return "", conflict("deactivated", "the person is deactivated: activate them first")
	}
	a, err := mail.ParseAddress(mainAddress(p.Doc))
	if err != nil {
		return "", conflict("no_address", "the person has no mail address")
	}
	org, err := s.store.Organization(ctx, string(sub.Org))
	if err != nil {
		return "", fail("Organization", err)
	}
	n, after, err := s.take(ctx, sub.Org, "welcome", id, 1, 1, welcomePause)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", tooMany("sent_just_now", 1, after, "the welcome was sent just now")
	}
	l := s.welcomeLetter(org, sub, p, a.String())
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error { return s.post(ctx, tx, sub.Caller, s.now(), l) })
	if err != nil {
		return "", fail(typeUser, err)
	}
	return masked(a.String()), nil
}

func (s *Service) welcomeLetter(org *storage.Organization, sub Subject, p *Person, to string) Letter {
	l := Letter{
		Kind: mail.KindWelcome, To: to, Locale: firstText(p.Doc, "preferredLanguage", "locale"), About: userKey(org.ID, p.ID),
		Values: mail.Values{
			Organization: org.Name, Name: p.Label, Actor: sub.Label, Contact: sub.Label, Link: s.pageLink("welcome", "org", org.Slug),
		},
	}
	if len(p.Grant.Roles) > 0 {
		l.Values.Role = p.Grant.Roles[0].Display
	}
	if p.Grant.Occupation != nil {
		l.Values.Occupation = p.Grant.Occupation.Display
	}
	return l
}

// firstText is the first of a document's attributes that says something.
func firstText(doc scim.Attributes, names ...string) string {
	for _, name := range names {
		if s := text(doc[name]); s != "" {
			return s
		}
	}
	return ""
}

package admin_test

import (
	"context"
	"encoding/base64"
	"strings"

	"rollcall/admin"
	"rollcall/scim"
	"rollcall/scim/query"
)

// signedIn are the people of acme: whoever asks by a name that no token has is the user name@example.com.
type signedIn struct{ w *world }

// personToken is the text of a token by which the person called name asks.
func personToken(name string) string {
	return "eyJ" + base64.RawURLEncoding.EncodeToString([]byte(name)) + ".e30.x"
}

// Verify is an admin.Verifier.
func (s signedIn) Verify(_ context.Context, token string) (*admin.Person, error) {
	first, _, _ := strings.Cut(strings.TrimPrefix(token, "eyJ"), ".")
	name, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return nil, admin.ErrPerson
	}
	return &admin.Person{Issuer: "https://login.example.com", Subject: string(name), Email: string(name) + "@example.com", EmailVerified: true}, nil
}

// Member is an admin.Members.
func (s signedIn) Member(ctx context.Context, p *admin.Person, _ string) (*admin.Member, error) {
	o, err := s.w.Resources.Organization(ctx, "acme")
	if err != nil {
		return nil, err
	}
	c := scim.Caller{Org: o.ID}
	field := query.Field{Path: "userName", Steps: []string{"userName"}, Kind: query.String}
	page, err := s.w.Resources.Query(ctx, c, query.Query{Limit: 1, Sources: []query.Source{{
		Type: "User", Where: query.Compare{Field: field, Op: query.Eq, Value: query.Value{Kind: query.String, Str: p.Email}},
	}}})
	if err != nil {
		return nil, err
	}
	if len(page.Resources) == 0 {
		return nil, &scim.Error{Status: 403, Code: "not_a_member", Detail: "you are not a member of this organization"}
	}
	c.Actor = scim.Actor{Kind: "user", ID: page.Resources[0].ID, Name: p.Subject}
	sub, err := s.w.Lifecycle.PersonSubject(ctx, c, page.Resources[0].ID)
	if err != nil {
		return nil, err
	}
	return &admin.Member{Subject: sub, OrgSlug: "acme"}, nil
}

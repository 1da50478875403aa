package admin

import (
	"context"
	"errors"
	"strings"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// organizationHeader chooses among the organizations of a person.
const organizationHeader = "X-Rollcall-Organization"

// People lets people in.
type People struct {
	Verifier Verifier
	Members  Members
}

// Verifier finds out whom a JSON Web Token belongs to. What is wrong with a token is an [ErrPerson] or an
// [ErrIssuer]; other errors are failures to find out.
type Verifier interface {
	Verify(ctx context.Context, token string) (*Person, error)
}

// Members finds the user of an organization that a person is. organization is a slug or an id, or empty if the person
// named none. It returns a *scim.Error for one who is nobody there.
type Members interface {
	Member(ctx context.Context, p *Person, organization string) (*Member, error)
}

// Member is a person as a user of an organization.
type Member struct {
	Subject lifecycle.Subject
	OrgSlug string
}

// What a [Verifier] wraps.
var (
	ErrPerson = errors.New("the token of the person is not valid")
	ErrIssuer = errors.New("the issuer of the token is not trusted")
)

// looksLikeJWT tells the tokens of people from Rollcall's own: three parts, the first of which is a JSON object.
func looksLikeJWT(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}

// person resolves the token of a person.
func (x *exchange) person(token string) error {
	p, err := x.api.People.Verifier.Verify(x.ctx, token)
	switch {
	case errors.Is(err, ErrIssuer):
		return x.unauthenticated("issuer", "invalid_token", "the token is not valid")
	case errors.Is(err, ErrPerson):
		return x.unauthenticated("invalid", "invalid_token", "the token is not valid")
	case err != nil:
		return err
	}
	x.who = Identity{Kind: Someone, Person: p}
	if x.operation.access == forAll {
		return nil
	}
	if x.operation.access == forOperators {
		return x.lacks(x.operation.wants())
	}
	m, err := x.api.People.Members.Member(x.ctx, p, x.req.Header.Get(organizationHeader))
	if err != nil {
		if _, known := errors.AsType[*scim.Error](err); known {
			x.api.Metrics.AuthFailure("stranger")
		}
		return err
	}
	x.who.Subject, x.who.OrgSlug = m.Subject, m.OrgSlug
	x.who.Subject.RequestID = x.id
	return nil
}

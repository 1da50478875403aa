package lifecycle

import (
	"context"

	"rollcall/scim"
)

// jobSubject is who started a job, as the job remembers it.
type jobSubject struct {
	Kind   Kind       `json:"kind"`
	User   string     `json:"user,omitempty"`
	Label  string     `json:"label,omitempty"`
	Rank   int        `json:"rank"`
	Roles  []string   `json:"roles,omitempty"`
	Scopes []string   `json:"scopes,omitempty"`
	Actor  scim.Actor `json:"actor"`
}

func keptSubject(sub Subject) jobSubject {
	return jobSubject{sub.Kind, sub.User, sub.Label, sub.Rank, sub.Roles, sub.Scopes, sub.Actor}
}

// subject is who acts in a job, with what they may do now: a person whose access was cut, or a token that was revoked,
// does nothing more by a job that it started.
func (s *Service) subject(ctx context.Context, org scim.OrgID, job string, k jobSubject) (Subject, error) {
	c := scim.Caller{Org: org, Actor: k.Actor, RequestID: "job " + job}
	switch {
	case k.User != "":
		return s.PersonSubject(ctx, c, k.User)
	case k.Actor.Kind == actorApp:
		list, err := s.resources.Tokens(ctx, org)
		if err != nil {
			return Subject{}, err
		}
		now := s.now()
		for i := range list {
			t := &list[i]
			if t.ID == k.Actor.ID && t.Revoked.IsZero() && (t.Expires.IsZero() || t.Expires.After(now)) {
				return TokenSubject(c, &scim.Client{Org: org, Actor: k.Actor, Scopes: t.Scopes}), nil
			}
		}
		return Subject{}, forbidden("token_ended", "the token that started the job is no longer valid")
	}
	return Subject{Caller: c, Kind: k.Kind, Label: k.Label, Rank: k.Rank, Roles: k.Roles, Scopes: k.Scopes}, nil
}

package lifecycle

import (
	"context"
	"encoding/json"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// PersonExport is everything that an organization stores of a person, for themselves and for whoever must answer when they
// ask (GDPR article 15). Each list is bounded; More names those that are longer.
type PersonExport struct {
	ID           string            `json:"id" format:"uuid"`
	ExportedAt   Instant           `json:"exportedAt"`
	Created      Instant           `json:"created"`
	Modified     Instant           `json:"modified"`
	Resources    any               `json:"resources" doc:"A list of one: the user as SCIM has it."`
	Groups       []Ref             `json:"groups" nullable:"false"`
	Permissions  []string          `json:"permissions" nullable:"false" doc:"What the person may do."`
	PasswordKept bool              `json:"passwordKept" doc:"A hash of a password is stored."`
	Logins       []ExportedLogin   `json:"logins" nullable:"false"`
	Invites      []ExportedArrival `json:"invites" nullable:"false" doc:"To the person's addresses, and the one that was accepted."`
	JoinRequests []ExportedArrival `json:"joinRequests" nullable:"false"`
	Requests     []ExportedRequest `json:"changeRequests" nullable:"false"`
	Mails        []ExportedMail    `json:"mails" nullable:"false" doc:"About the person; what they said is not kept."`
	History      []HistoryEntry    `json:"history" nullable:"false" doc:"Newest first."`
	More         []string          `json:"more" nullable:"false" doc:"Lists that are longer than what is here."`
}

// ExportedLogin is a login that leads to the person.
type ExportedLogin struct {
	Issuer  string  `json:"issuer"`
	Subject string  `json:"subject"`
	Since   Instant `json:"since"`
}

// ExportedArrival is an invite or a join request.
type ExportedArrival struct {
	ID     string  `json:"id"`
	Email  string  `json:"email,omitempty"`
	Status string  `json:"status"`
	At     Instant `json:"at"`
	By     string  `json:"by,omitempty" doc:"Who invited."`
}

// ExportedRequest is something that the person asked to have changed.
type ExportedRequest struct {
	Attribute string  `json:"attribute"`
	Value     string  `json:"value"`
	Status    string  `json:"status"`
	At        Instant `json:"at"`
}

// ExportedMail is a mail about the person.
type ExportedMail struct {
	ID    string  `json:"id"`
	Kind  string  `json:"kind"`
	State string  `json:"state"`
	At    Instant `json:"at"`
}

// maxExported bounds each list of an export.
const maxExported = 500

// ExportPerson collects what is stored of a person: people ask for their own, administrators for anybody's.
func (s *Service) ExportPerson(ctx context.Context, sub Subject, id string) (*PersonExport, error) {
	if id == "" {
		return nil, notAPerson()
	}
	if err := Allowed(sub, ActAudit, Target{User: id}); err != nil {
		return nil, err
	}
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	rec, err := s.store.Get(ctx, userKey(sub.Org, id), query.Load{Secret: true})
	if err != nil {
		return nil, fail(typeUser, err)
	}
	out := &PersonExport{
		ID: id, ExportedAt: at(s.now()), Created: at(rec.Created), Modified: at(rec.Modified), PasswordKept: rec.Secret["password"] != nil,
		Permissions: append([]string{}, p.Grant.Effective()...), Groups: []Ref{}, More: []string{},
	}
	var user any
	if err := json.Unmarshal(rec.Doc, &user); err != nil {
		return nil, err
	}
	out.Resources = []any{user}
	for _, g := range p.Groups {
		out.Groups = append(out.Groups, Ref{Value: g.ID, Display: g.Display})
	}
	if err := s.exportTraces(ctx, sub.Org, p, out); err != nil {
		return nil, err
	}
	var more bool
	if out.History, more, err = s.History(ctx, sub, id, 0, maxExported); more {
		out.More = append(out.More, "history")
	}
	return out, err
}

// exportTraces adds the records that are about a person without being part of them.
func (s *Service) exportTraces(ctx context.Context, org scim.OrgID, p *Person, out *PersonExport) error {
	invited, asked := query.Or{s.eq(typeInvite, "acceptedUser.value", p.ID)}, query.Or{s.eq(typeJoinRequest, "requester.value", p.ID)}
	for _, a := range addresses(p.Doc) {
		invited, asked = append(invited, s.eq(typeInvite, "email", a)), append(asked, s.eq(typeJoinRequest, "email", a))
	}
	var err error
	out.Logins, err = exported(ctx, s, org, resources.TypeLogin, s.eq(resources.TypeLogin, "user", p.ID), "logins", out,
		func(r *record[boundLogin]) ExportedLogin {
			return ExportedLogin{r.Value.Issuer, r.Value.Subject, r.Value.At}
		})
	if err != nil {
		return err
	}
	out.Invites, err = exported(ctx, s, org, typeInvite, invited, "invites", out, func(r *record[Invite]) ExportedArrival {
		return ExportedArrival{r.Key.ID, r.Value.Email, r.Value.Status, at(r.Created), r.Value.inviterLabel()}
	})
	if err != nil {
		return err
	}
	out.JoinRequests, err = exported(ctx, s, org, typeJoinRequest, asked, "joinRequests", out, func(r *record[JoinRequest]) ExportedArrival {
		return ExportedArrival{ID: r.Key.ID, Email: r.Value.Email, Status: r.Value.Status, At: at(r.Created)}
	})
	if err != nil {
		return err
	}
	out.Requests, err = exported(ctx, s, org, resources.TypeChangeRequest, s.eq(resources.TypeChangeRequest, "user", p.ID), "changeRequests", out,
		func(r *record[ChangeRequest]) ExportedRequest {
			return ExportedRequest{r.Value.Attribute, r.Value.Value, r.Value.Status, at(r.Value.At)}
		})
	if err != nil {
		return err
	}
	out.Mails, err = exported(ctx, s, org, resources.TypeMail, s.eq(resources.TypeMail, "about", p.ID), "mails", out,
		func(r *record[mailDoc]) ExportedMail {
			return ExportedMail{r.Key.ID, r.Value.Kind, r.Value.State, at(r.Created)}
		})
	return err
}

// exported are up to maxExported records of a type, each as of shows it.
func exported[T, U any](ctx context.Context, s *Service, org scim.OrgID, t scim.TypeName, where query.Expr, name string, out *PersonExport, of func(*record[T]) U) ([]U, error) {
	found, err := find[T](ctx, s, org, t, where, maxExported+1)
	if err != nil {
		return nil, fail(t, err)
	}
	if len(found) > maxExported {
		found = found[:maxExported]
		out.More = append(out.More, name)
	}
	list := make([]U, len(found))
	for i, r := range found {
		list[i] = of(r)
	}
	return list, nil
}

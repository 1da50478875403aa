package lifecycle

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Domain is a domain of an organization as administrators see it.
type Domain struct {
	Domain     string
	Version    int64
	Status     string
	RecordName string    // of the TXT record that proves it
	Proof      string    // its value
	ProofUntil time.Time // until when that proves the domain first; zero once it is proved
	VerifiedAt time.Time
	CheckedAt  time.Time
	Failures   int
	DomainRules
}

// DomainRules are what administrators decide about a domain.
type DomainRules struct {
	Capture           string
	DefaultRole       string // of people who are let in by themselves; empty: the setting invite.defaultRole
	DefaultOccupation string
}

// The TXT record that proves a domain.
const (
	proofLabel = "_rollcall-challenge."
	proofText  = "rollcall-verification="
)

func domainOf(r *record[domainDoc]) *Domain {
	v := &r.Value
	return &Domain{
		Domain: v.Domain, Version: r.Version, Status: v.Status, RecordName: proofLabel + v.Domain, Proof: proofText + v.Proof,
		ProofUntil: v.ProofUntil.Time, VerifiedAt: v.VerifiedAt.Time, CheckedAt: v.CheckedAt.Time, Failures: v.Failures,
		DomainRules: DomainRules{v.Capture, v.DefaultRole, v.DefaultOccupation},
	}
}

// AddDomain notes a domain that the organization is about to prove. Nobody owns a domain where anybody gets an address.
func (s *Service) AddDomain(ctx context.Context, sub Subject, text string) (*Domain, error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeDomain}); err != nil {
		return nil, err
	}
	domain, err := mail.ParseDomain(text)
	if err != nil {
		return nil, invalid("domain", "malformed", "is not the name of a domain")
	}
	lists, err := s.domains()
	if err != nil {
		return nil, err
	}
	if lists.Public(domain) {
		return nil, invalid("domain", "public_domain", "anybody can get an address of this domain")
	}
	n, err := s.count(ctx, sub.Org, resources.TypeDomain, nil)
	if err != nil {
		return nil, fail(resources.TypeDomain, err)
	}
	if n >= maxDomains {
		return nil, conflict("too_many", "an organization has at most %d domains", maxDomains)
	}
	proof, err := s.newProof()
	if err != nil {
		return nil, err
	}
	now := s.now()
	v := domainDoc{Domain: domain, Status: domainPending, Proof: proof, ProofUntil: at(now.Add(proofLifetime)), Capture: captureNone}
	rec, err := s.insert(ctx, s.store, sub.Caller, domainKey(sub.Org, domain), now, v, nil)
	if errors.Is(err, storage.ErrExists) {
		return nil, conflict("domain_exists", "the organization has the domain in its list already")
	}
	if err != nil {
		return nil, fail(resources.TypeDomain, err)
	}
	r, err := decode[domainDoc](rec)
	if err != nil {
		return nil, err
	}
	return domainOf(r), nil
}

func (s *Service) newProof() (string, error) {
	b := make([]byte, 24)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// Domains lists up to limit domains whose names come after one; more says that there are others.
func (s *Service) Domains(ctx context.Context, sub Subject, after string, limit int) (list []*Domain, more bool, err error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeDomain}); err != nil {
		return nil, false, err
	}
	all, err := find[domainDoc](ctx, s, sub.Org, resources.TypeDomain, nil, maxDomains)
	if err != nil {
		return nil, false, fail(resources.TypeDomain, err)
	}
	slices.SortFunc(all, func(a, b *record[domainDoc]) int { return strings.Compare(a.Value.Domain, b.Value.Domain) })
	for _, r := range all {
		switch {
		case r.Value.Domain <= after:
		case len(list) == limit:
			return list, true, nil
		default:
			list = append(list, domainOf(r))
		}
	}
	return list, false, nil
}

// Domain reads one.
func (s *Service) Domain(ctx context.Context, sub Subject, domain string) (*Domain, error) {
	r, err := s.domain(ctx, sub, domain)
	if err != nil {
		return nil, err
	}
	return domainOf(r), nil
}

func (s *Service) domain(ctx context.Context, sub Subject, domain string) (*record[domainDoc], error) {
	if err := Allowed(sub, ActSettings, Target{Type: resources.TypeDomain}); err != nil {
		return nil, err
	}
	r, err := load[domainDoc](ctx, s.store, domainKey(sub.Org, strings.ToLower(domain)))
	if err != nil {
		return nil, fail(resources.TypeDomain, err)
	}
	if r == nil {
		return nil, notFound(resources.TypeDomain)
	}
	return r, nil
}

// ChangeDomain stores what fn makes of a domain's rules. What they say counts once the domain is proved.
func (s *Service) ChangeDomain(ctx context.Context, sub Subject, domain string, pre scim.Precondition, fn func(*DomainRules)) (*Domain, error) {
	r, err := s.domain(ctx, sub, domain)
	if err != nil {
		return nil, err
	}
	snap, err := s.fresh(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	r, err = s.setDomain(ctx, sub.Caller, r.Value.Domain, func(r *record[domainDoc]) error {
		if err := pre.Check(r.Version); err != nil {
			return err
		}
		rules := DomainRules{r.Value.Capture, r.Value.DefaultRole, r.Value.DefaultOccupation}
		fn(&rules)
		if !slices.Contains([]string{captureNone, captureSuggest, captureRequest, captureAuto, captureIdPOnly}, rules.Capture) {
			return invalid("capture", "not_a_choice", "must be none, suggest, request, auto or idpOnly")
		}
		if rules.DefaultRole != "" && rules.DefaultRole != r.Value.DefaultRole {
			role, err := snap.assignable(sub, "defaultRole", rules.DefaultRole)
			if err != nil {
				return err
			}
			rules.DefaultRole = role.Key
		}
		if o := rules.DefaultOccupation; o != "" && snap.Occupation(o) == nil {
			return invalid("defaultOccupation", "unknown_occupation", "is not in the organization's catalogue of occupations")
		}
		r.Value.Capture, r.Value.DefaultRole, r.Value.DefaultOccupation = rules.Capture, rules.DefaultRole, rules.DefaultOccupation
		return nil
	})
	if err != nil {
		return nil, err
	}
	return domainOf(r), nil
}

// RenewProof gives a domain that is not proved another proof, with its time starting again.
func (s *Service) RenewProof(ctx context.Context, sub Subject, domain string) (*Domain, error) {
	r, err := s.domain(ctx, sub, domain)
	if err != nil {
		return nil, err
	}
	proof, err := s.newProof()
	if err != nil {
		return nil, err
	}
	r, err = s.setDomain(ctx, sub.Caller, r.Value.Domain, func(r *record[domainDoc]) error {
		if r.Value.Status == domainVerified {
			return conflict("domain_verified", "the domain is proved already")
		}
		r.Value.Status, r.Value.Proof, r.Value.ProofUntil = domainPending, proof, at(s.now().Add(proofLifetime))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return domainOf(r), nil
}

// DeleteDomain takes a domain off the list. It is nobody's then, and another organization may prove it.
func (s *Service) DeleteDomain(ctx context.Context, sub Subject, domain string, pre scim.Precondition) error {
	r, err := s.domain(ctx, sub, domain)
	if err != nil {
		return err
	}
	defer s.snapshots.forget(sub.Org)
	now := s.now()
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		err := tx.Delete(ctx, r.Key, now, func(cur storage.Current) (storage.Change, error) {
			return storage.Change{Op: storage.OpDelete, Actor: sub.Actor, Request: sub.RequestID}, pre.Check(cur.Record().Version)
		})
		if err != nil {
			return err
		}
		return s.bumpCatalogue(ctx, tx, sub.Caller, now)
	})
	if err != nil {
		return fail(resources.TypeDomain, err)
	}
	return s.releaseDomain(ctx, sub.Org, r.Value.Domain)
}

// ContestedDomain is a domain that several organizations have proved.
type ContestedDomain struct {
	Domain    string
	Owner     scim.OrgID
	Since     time.Time
	Claimants []scim.OrgID
}

// ContestedDomains lists up to limit domains that several organizations have proved, after a position; next is where the
// list goes on, "" at its end.
func (s *Service) ContestedDomains(ctx context.Context, sub Subject, after string, limit int) (list []ContestedDomain, next string, err error) {
	if sub.Kind != KindOperator {
		return nil, "", forbidden("not_allowed", "the operator of the server decides whose a domain is")
	}
	q := query.Query{Sources: []query.Source{{Type: resources.TypeDomain, Where: s.is(resources.TypeDomain, "contested", true)}}, Limit: limit}
	if after != "" {
		q.After = &query.Position{ID: after}
	}
	page, err := s.store.Query(ctx, scim.SystemOrg, q)
	if err != nil {
		return nil, "", fail(resources.TypeDomain, err)
	}
	for i := range page.Records {
		r, err := decode[domainOwner](&page.Records[i])
		if err != nil {
			return nil, "", err
		}
		list = append(list, ContestedDomain{r.Value.Domain, r.Value.Owner, r.Value.Since.Time, r.Value.Claimants})
		next = r.Key.ID
	}
	if !page.More {
		next = ""
	}
	return list, next, nil
}

// AssignDomain is the operator's word on whose a contested domain is: the organization must have proved it. The other
// organizations lose it.
func (s *Service) AssignDomain(ctx context.Context, sub Subject, domain string, org scim.OrgID) (*ContestedDomain, error) {
	if sub.Kind != KindOperator {
		return nil, forbidden("not_allowed", "the operator of the server decides whose a domain is")
	}
	domain = strings.ToLower(domain)
	var (
		losers []scim.OrgID
		now    = s.now()
		c      = scim.Caller{Org: scim.SystemOrg, Actor: sub.Actor, RequestID: sub.RequestID}
		out    ContestedDomain
	)
	_, err := change(ctx, s, s.store, c, domainKey(scim.SystemOrg, domain), now, func(r *record[domainOwner]) error {
		v := &r.Value
		if v.Owner != org && !slices.Contains(v.Claimants, org) {
			return conflict("not_proved", "the organization has not proved the domain")
		}
		losers = slices.DeleteFunc(append(slices.Clone(v.Claimants), v.Owner), func(o scim.OrgID) bool { return o == org || o == "" })
		if v.Owner != org {
			v.Owner, v.Since = org, at(now)
		}
		v.Claimants, v.Contested = nil, false
		out = ContestedDomain{v.Domain, v.Owner, v.Since.Time, nil}
		return nil
	})
	if err != nil {
		return nil, fail(resources.TypeDomain, err)
	}
	for _, o := range losers {
		if err := s.loseDomain(ctx, o, domain); err != nil {
			return nil, err
		}
	}
	c.Org = org
	_, err = s.setDomain(ctx, c, domain, func(r *record[domainDoc]) error { r.Value.verified(now); return nil })
	return &out, err
}

// loseDomain says in an organization that a domain is not its own any more.
func (s *Service) loseDomain(ctx context.Context, org scim.OrgID, domain string) error {
	_, err := s.setDomain(ctx, System(org, "domains").Caller, domain, func(r *record[domainDoc]) error { r.Value.lost(); return nil })
	var e *scim.Error
	if errors.As(err, &e) && e.Code == "not_found" {
		return nil
	}
	return err
}

func (v *domainDoc) verified(now time.Time) {
	if v.Status != domainVerified {
		v.VerifiedAt = at(now)
	}
	v.Status, v.ProofUntil, v.Failures = domainVerified, Instant{}, 0
	v.CheckedAt, v.RecheckAt = at(now), at(now.Add(recheckEvery))
}

// lost demotes a domain: nobody comes in by it, nobody is kept out, and it says so.
func (v *domainDoc) lost() {
	v.Status, v.VerifiedAt, v.RecheckAt = domainLost, Instant{}, Instant{}
	if v.Capture != captureNone {
		v.Capture = captureSuggest
	}
}

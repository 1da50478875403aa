package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
)

// Resolver looks up the texts that the owner of a domain has put in the DNS.
type Resolver interface {
	// LookupTXT returns the TXT records of name, which is absolute; none, without an error, if there is no such name. An
	// error means that it could not be found out.
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// noResolver is for a server that asks no DNS.
type noResolver struct{}

func (noResolver) LookupTXT(context.Context, string) ([]string, error) {
	return nil, errors.New("lifecycle: no resolver")
}

// Bounds of what is asked of the DNS.
const (
	lookupTimeout  = 5 * time.Second
	maxTexts       = 100 // records of one name that are looked at
	verifysPerHour = 30  // of one organization
	retryLookup    = time.Minute
	maxRecheckedAt = 100 // domains of one organization in one sweep
)

// proved asks the DNS whether a domain's proof is there.
func (s *Service) proved(ctx context.Context, v *domainDoc) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	texts, err := s.resolver.LookupTXT(ctx, proofLabel+v.Domain+".")
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(texts[:min(len(texts), maxTexts)], func(t string) bool {
		return strings.TrimSpace(t) == proofText+v.Proof
	}), nil
}

// VerifyDomain looks whether the proof of a domain is in the DNS. If it is, the domain is the organization's own, unless it
// is another one's: then the operator decides.
func (s *Service) VerifyDomain(ctx context.Context, sub Subject, domain string) (*Domain, error) {
	r, err := s.domain(ctx, sub, domain)
	if err != nil {
		return nil, err
	}
	if r.Value.Status == domainPending && !r.Value.ProofUntil.After(s.now()) {
		return nil, conflict("proof_lapsed", "the proof was good for 7 days: ask for another one")
	}
	n, after, err := s.take(ctx, sub.Org, "verify-domain", "", 1, verifysPerHour, time.Hour)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, tooMany("rate_limited", verifysPerHour, max(after, time.Second), "the DNS was asked too often: wait a while")
	}
	found, err := s.proved(ctx, &r.Value)
	if err != nil {
		return nil, &scim.Error{
			Status: 503, Code: "dns_unavailable", Detail: "the DNS gives no answer: try again", RetryAfter: retryLookup, Cause: err,
		}
	}
	if !found {
		return nil, conflict("proof_not_found", "there is no TXT record %s with the proof; it may take hours until it is seen everywhere", proofLabel+r.Value.Domain)
	}
	domain = r.Value.Domain
	owner, err := s.claimDomain(ctx, sub.Org, domain)
	if err != nil {
		return nil, err
	}
	r, err = s.setDomain(ctx, sub.Caller, r.Value.Domain, func(x *record[domainDoc]) error {
		switch {
		case x.Value.Proof != r.Value.Proof:
			return errMoved
		case owner:
			x.Value.verified(s.now())
		default:
			x.Value.Status, x.Value.CheckedAt = domainContested, at(s.now())
		}
		return nil
	})
	var e *scim.Error
	switch {
	case errors.As(err, &e) && e.Code == "not_found": // deleted meanwhile
		return nil, errors.Join(err, s.releaseDomain(ctx, sub.Org, domain))
	case errors.Is(err, errMoved):
		return nil, conflict("proof_not_found", "the proof is another one since")
	case err != nil:
		return nil, err
	case !owner:
		return nil, conflict("domain_contested", "another organization has proved the domain before: the operator of the server decides whose it is")
	}
	return domainOf(r), nil
}

// SweepDomains looks again at the proofs of an organization's domains, each once a week. A domain whose proof is missing
// twice is the organization's no more. A DNS that gives no answer says nothing about it.
func (s *Service) SweepDomains(ctx context.Context, org scim.OrgID) error {
	now := s.now()
	due, err := find[domainDoc](ctx, s, org, resources.TypeDomain, s.before(resources.TypeDomain, "recheckAt", now), maxRecheckedAt)
	if err != nil {
		return fail(resources.TypeDomain, err)
	}
	c := System(org, "domains").Caller
	var errs []error
	for _, r := range due {
		found, lookup := s.proved(ctx, &r.Value)
		lost := false
		_, err := s.setDomain(ctx, c, r.Value.Domain, func(x *record[domainDoc]) error {
			if x.Version != r.Version {
				return errMoved
			}
			lost = false
			switch v := &x.Value; {
			case lookup != nil:
				v.RecheckAt = at(now.Add(time.Hour))
			case found:
				v.verified(now)
			default:
				v.Failures, v.CheckedAt, v.RecheckAt = v.Failures+1, at(now), at(now.Add(recheckSoon))
				if lost = v.Failures >= 2; lost {
					v.lost()
				}
			}
			return nil
		})
		if err == nil && lost {
			err = s.releaseDomain(ctx, org, r.Value.Domain)
		}
		var e *scim.Error
		if err != nil && !errors.Is(err, errMoved) && (!errors.As(err, &e) || e.Code != "not_found") {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// What a proved domain means for people with an address of it who want to come in (capture).
const (
	captureNone    = "none"    // the setting join.policy decides
	captureSuggest = "suggest" // they may ask, and who decides sees that the address is the organization's
	captureRequest = "request" // the same, whatever join.policy says
	captureAuto    = "auto"    // they are let in without being looked at
	captureIdPOnly = "idpOnly" // they come by the identity provider only
)

// The states of a domain.
const (
	domainPending   = "pending"   // not proved yet
	domainVerified  = "verified"  // proved: the organization's own
	domainContested = "contested" // proved, but it is another organization's: the operator decides
	domainLost      = "lost"      // no longer proved, or given to another organization
)

// domainDoc is a domain of an organization.
type domainDoc struct {
	Domain     string  `json:"domain"`
	Status     string  `json:"status"`
	Proof      string  `json:"proof"`               // the value that its owner puts in the DNS
	ProofUntil Instant `json:"proofUntil,omitzero"` // until when that proves it first
	VerifiedAt Instant `json:"verifiedAt,omitzero"`
	CheckedAt  Instant `json:"checkedAt,omitzero"`
	RecheckAt  Instant `json:"recheckAt,omitzero"`
	Failures   int     `json:"failures,omitempty"` // checks in a row that did not find the proof

	Capture           string `json:"capture"`
	DefaultRole       string `json:"defaultRole,omitempty"`
	DefaultOccupation string `json:"defaultOccupation,omitempty"`
}

// domainOwner is whose a domain is, in scim.SystemOrg.
type domainOwner struct {
	Domain    string       `json:"domain"`
	Owner     scim.OrgID   `json:"owner"`
	Since     Instant      `json:"since"`
	Contested bool         `json:"contested"`
	Claimants []scim.OrgID `json:"claimants,omitempty"` // who else has proved it
}

const maxClaimants = 20

func domainKey(org scim.OrgID, domain string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeDomain, ID: idOf("domain", string(org), domain)}
}

// maxDomains bounds the domains of an organization.
const maxDomains = 200

// ownDomains are the domains that an organization has proved.
type ownDomains struct{ m map[string]*domainDoc }

func (s *Service) readDomains(ctx context.Context, org scim.OrgID) (*ownDomains, error) {
	list, err := find[domainDoc](ctx, s, org, resources.TypeDomain, nil, maxDomains)
	if err != nil {
		return nil, fail(resources.TypeDomain, err)
	}
	d := &ownDomains{map[string]*domainDoc{}}
	for _, r := range list {
		if r.Value.Status == domainVerified {
			d.m[r.Value.Domain] = &r.Value
		}
	}
	return d, nil
}

// owned reports whether the organization has proved the domain. A domain below one that is proved is another domain.
func (d *ownDomains) owned(domain string) bool { return d.m[domain] != nil }

// capture is what follows for addresses of the domain; captureNone for one that is not proved.
func (d *ownDomains) capture(domain string) string {
	if v := d.m[domain]; v != nil {
		return v.Capture
	}
	return captureNone
}

// setDomain stores what fn makes of a domain of an organization, and tells whoever works with the organization's domains.
// fn may run more than once.
func (s *Service) setDomain(ctx context.Context, c scim.Caller, domain string, fn func(*record[domainDoc]) error) (*record[domainDoc], error) {
	k, now := domainKey(c.Org, domain), s.now()
	defer s.snapshots.forget(c.Org)
	var out *record[domainDoc]
	err := s.store.Within(ctx, c.Org, func(tx storage.Tx) error {
		rec, err := change(ctx, s, tx, c, k, now, fn)
		if err != nil {
			return err
		}
		if out, err = decode[domainDoc](rec); err != nil {
			return err
		}
		return s.bumpCatalogue(ctx, tx, c, now)
	})
	if err == nil && out.Value.Status == domainVerified && out.Value.Capture == captureIdPOnly {
		err = s.endInvitesTo(ctx, c, domain)
	}
	return out, fail(resources.TypeDomain, err)
}

// endInvitesTo revokes the open invites to addresses of a domain whose people come by the identity provider only.
func (s *Service) endInvitesTo(ctx context.Context, c scim.Caller, domain string) error {
	f := s.field(typeInvite, "email")
	_, err := s.revokeWhere(ctx, c, query.And{
		s.eq(typeInvite, "status", invitePending),
		query.Compare{Field: f, Op: query.Ew, Value: query.Value{Kind: f.Kind, Str: query.Fold("@" + domain)}},
	}, "managed_domain", func(*Invite) bool { return true })
	return err
}

// claimDomain makes an organization the owner of a domain that it has proved, unless another one is: then it is noted as
// another claimant, and the operator decides.
func (s *Service) claimDomain(ctx context.Context, org scim.OrgID, domain string) (owner bool, err error) {
	k, now, c := domainKey(scim.SystemOrg, domain), s.now(), System(scim.SystemOrg, "domains").Caller
	for range maxGuardRuns {
		_, err = change(ctx, s, s.store, c, k, now, func(r *record[domainOwner]) error {
			v := &r.Value
			if v.Owner == "" {
				v.Owner, v.Since = org, at(now)
			}
			if owner = v.Owner == org; owner {
				return nil
			}
			if v.Contested = true; !slices.Contains(v.Claimants, org) && len(v.Claimants) < maxClaimants {
				v.Claimants = append(v.Claimants, org)
			}
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			owner = true
			_, err = s.insert(ctx, s.store, c, k, now, domainOwner{Domain: domain, Owner: org, Since: at(now)}, nil)
		}
		if !errors.Is(err, storage.ErrExists) { // another one was first
			return owner, fail(resources.TypeDomain, err)
		}
	}
	return false, lostRaces()
}

// releaseDomain ends an organization's ownership, or claim, of a domain.
func (s *Service) releaseDomain(ctx context.Context, org scim.OrgID, domain string) error {
	k, now, c := domainKey(scim.SystemOrg, domain), s.now(), System(scim.SystemOrg, "domains").Caller
	_, err := change(ctx, s, s.store, c, k, now, func(r *record[domainOwner]) error {
		v := &r.Value
		v.Claimants = slices.DeleteFunc(v.Claimants, func(o scim.OrgID) bool { return o == org })
		if v.Owner == org { // the claimants prove it again, and the first to do so has it
			v.Owner, v.Since, v.Claimants = "", Instant{}, nil
		}
		v.Contested = len(v.Claimants) > 0
		return nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return fail(resources.TypeDomain, err)
}

// proofLifetime is how long a proof may be found first; recheckEvery how often it is looked for afterwards.
const (
	proofLifetime = 7 * day * time.Second
	recheckEvery  = 7 * day * time.Second
	recheckSoon   = day * time.Second
)

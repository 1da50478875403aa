package lifecycle

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// zone is a DNS that tests write.
type zone struct {
	mu    sync.Mutex
	texts map[string]string
	down  bool
}

// LookupTXT implements Resolver.
func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.down {
		return nil, errors.New("no answer")
	}
	return strings.Fields(z.texts[strings.TrimSuffix(name, ".")]), nil
}

func (z *zone) set(name, text string, down bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.texts[name], z.down = text, down
}

// prove makes a domain the organization's own.
func (f *fixture) prove(domain string) *Domain {
	f.Helper()
	d, err := f.AddDomain(f.Context(), f.admin, domain)
	if err != nil {
		f.Fatal(err)
	}
	f.dns.set(d.RecordName, d.Proof, false)
	if d, err = f.VerifyDomain(f.Context(), f.admin, domain); err != nil {
		f.Fatal(err)
	}
	return d
}

func (f *fixture) domainIs(domain, status string, failures int) {
	f.Helper()
	d, err := f.Domain(f.Context(), f.admin, domain)
	if err != nil || d.Status != status || d.Failures != failures {
		f.Errorf("%+v, %v; want %s with %d failures", d, err, status, failures)
	}
}

func TestProofLapses(t *testing.T) {
	f := newFixture(t)
	d, err := f.AddDomain(t.Context(), f.admin, "Corp.Example.")
	if err != nil || d.Domain != "corp.example" {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = f.VerifyDomain(t.Context(), f.admin, "corp.example")
	wantCode(t, "no record", err, 409, "proof_not_found")
	f.dns.set(d.RecordName, d.Proof, true)
	_, err = f.VerifyDomain(t.Context(), f.admin, "corp.example")
	wantCode(t, "no answer", err, 503, "dns_unavailable")
	f.dns.set(d.RecordName, d.Proof, false)
	f.clock.Advance(7 * 24 * time.Hour)
	_, err = f.VerifyDomain(t.Context(), f.admin, "corp.example")
	wantCode(t, "late", err, 409, "proof_lapsed")
	again, err := f.RenewProof(t.Context(), f.admin, "corp.example")
	if err != nil || again.Proof == d.Proof {
		t.Fatalf("%+v, %v", again, err)
	}
	_, err = f.VerifyDomain(t.Context(), f.admin, "corp.example")
	wantCode(t, "the old proof", err, 409, "proof_not_found")
	f.dns.set(d.RecordName, again.Proof, false)
	if _, err = f.VerifyDomain(t.Context(), f.admin, "corp.example"); err != nil {
		t.Error(err)
	}
}

// TestProofIsLookedForEveryWeek: a proof that is missing twice ends the ownership; a DNS that gives no answer does not.
func TestProofIsLookedForEveryWeek(t *testing.T) {
	f := newFixture(t)
	d := f.prove("corp.example")
	if _, err := f.ChangeDomain(t.Context(), f.admin, "corp.example", scim.Precondition{}, func(r *DomainRules) { r.Capture = captureAuto }); err != nil {
		t.Fatal(err)
	}
	sweep := func(after time.Duration) {
		t.Helper()
		f.clock.Advance(after)
		if err := f.SweepDomains(t.Context(), f.org); err != nil {
			t.Fatal(err)
		}
	}
	f.dns.set(d.RecordName, "", false)
	sweep(6 * 24 * time.Hour)
	f.domainIs("corp.example", domainVerified, 0)
	f.dns.set(d.RecordName, "", true)
	sweep(24 * time.Hour)
	f.domainIs("corp.example", domainVerified, 0)
	f.dns.set(d.RecordName, "", false)
	sweep(time.Hour)
	f.domainIs("corp.example", domainVerified, 1)
	sweep(time.Hour)
	f.domainIs("corp.example", domainVerified, 1)
	f.dns.set(d.RecordName, d.Proof, false)
	sweep(24 * time.Hour)
	f.domainIs("corp.example", domainVerified, 0)
	f.dns.set(d.RecordName, "", false)
	sweep(7 * 24 * time.Hour)
	sweep(24 * time.Hour)
	f.domainIs("corp.example", domainLost, 2)
	if d, err := f.Domain(t.Context(), f.admin, "corp.example"); err != nil || d.Capture != captureSuggest {
		t.Errorf("%+v, %v", d, err)
	}
	snap, err := f.fresh(t.Context(), f.org)
	if err != nil || snap.domains.owned("corp.example") {
		t.Errorf("still owned, %v", err)
	}
}

// TestOneOwner: of several organizations that prove a domain at once one owns it, and the operator decides about the rest.
func TestOneOwner(t *testing.T) {
	onEachStore(t, oneOwner)
}

func oneOwner(t *testing.T, open func([]storage.Type) storage.Store) {
	f := fixtureOn(t, open)
	const others = 8
	subs := []Subject{f.admin}
	for i := range others {
		o, err := f.resources.CreateOrganization(t.Context(), "org"+string(rune('a'+i)), "Org")
		if err != nil {
			t.Fatal(err)
		}
		sub := f.admin
		sub.Org = o.ID
		subs = append(subs, sub)
	}
	var proofs []string
	name := ""
	for _, sub := range subs {
		d, err := f.AddDomain(t.Context(), sub, "corp.example")
		if err != nil {
			t.Fatal(err)
		}
		name, proofs = d.RecordName, append(proofs, d.Proof)
	}
	f.dns.set(name, strings.Join(proofs, "\n"), false)
	var (
		wg        sync.WaitGroup
		mu        sync.Mutex
		owners    []scim.OrgID
		contested int
	)
	for _, sub := range subs {
		wg.Go(func() {
			_, err := f.VerifyDomain(context.Background(), sub, "corp.example")
			mu.Lock()
			defer mu.Unlock()
			var e *scim.Error
			switch {
			case err == nil:
				owners = append(owners, sub.Org)
			case errors.As(err, &e) && e.Code == "domain_contested":
				contested++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(owners) != 1 || contested != others {
		t.Fatalf("%d owners, %d contested", len(owners), contested)
	}
	operator := System(scim.SystemOrg, "operator")
	list, _, err := f.ContestedDomains(t.Context(), operator, "", 10)
	if err != nil || len(list) != 1 || list[0].Owner != owners[0] || len(list[0].Claimants) != others {
		t.Fatalf("%+v, %v", list, err)
	}
	winner := list[0].Claimants[0]
	if _, err := f.AssignDomain(t.Context(), operator, "corp.example", winner); err != nil {
		t.Fatal(err)
	}
	for _, sub := range subs {
		want := domainLost
		if sub.Org == winner {
			want = domainVerified
		}
		if d, err := f.Domain(t.Context(), sub, "corp.example"); err != nil || d.Status != want {
			t.Errorf("%+v, %v; want %s", d, err, want)
		}
	}
}

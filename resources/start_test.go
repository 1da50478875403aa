package resources_test

import (
	"crypto/rand"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/resources"
	"rollcall/storage/sqlite"
)

func TestFirstStart(t *testing.T) {
	reg, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Types: reg.StorageTypes()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	svc, err := resources.NewService(resources.Options{
		Store: store, Registry: reg, Now: testkit.NewClock().Now, NewID: testkit.NewIDs().New, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	text, err := svc.FirstStart(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := svc.Authenticate(t.Context(), text); err != nil || c.OrgSlug != resources.DefaultOrganization {
		t.Errorf("the first token: %v, %+v", err, c)
	}
	if again, err := svc.FirstStart(t.Context()); err != nil || again != "" {
		t.Errorf("a second first start: %v, %q", err, again)
	}
	if _, err := resources.NewService(resources.Options{Store: store}); err == nil {
		t.Error("a service without a clock was made")
	}
}

package acceptance_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/acceptance"
	"rollcall/resources"
	"rollcall/scim/api"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestSQLite replays the corpora against the embedded store.
func TestSQLite(t *testing.T) {
	acceptance.Run(t, func(t testing.TB) acceptance.Server {
		registry := newRegistry(t)
		store, err := sqlite.Open(t.Context(), sqlite.Options{Types: registry.StorageTypes()})
		if err != nil {
			t.Fatal(err)
		}
		return serve(t, registry, store)
	})
}

func newRegistry(t testing.TB) *resources.Registry {
	t.Helper()
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// serve puts service and edge over a store and starts them; all of it ends with the test.
func serve(t testing.TB, registry *resources.Registry, store storage.Store) acceptance.Server {
	t.Helper()
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	service, err := resources.NewService(resources.Options{
		Store: store, Registry: registry, Now: time.Now, NewID: newID, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	edge, err := api.New(api.Options{
		Service: service, Auth: service, Registry: registry.Registry,
		Logger: slog.New(slog.DiscardHandler),
		Now:    time.Now, NewID: newID, CursorKey: make([]byte, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(edge)
	t.Cleanup(func() {
		server.Close()
		service.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	org, err := service.CreateOrganization(t.Context(), "acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	return acceptance.Server{
		URL: server.URL + api.DefaultBasePath,
		Token: func(profile string) string {
			_, text, err := service.CreateToken(context.WithoutCancel(t.Context()), org.ID, resources.NewToken{
				Name: profile, Scopes: []string{"scim"}, Profile: profile,
			})
			if err != nil {
				t.Fatal(err)
			}
			return text
		},
	}
}

package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/api"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// BenchmarkReads is what the edge and everything behind it cost for one read, without a network.
func BenchmarkReads(b *testing.B) {
	w := newWorld(b, openSQLite, func(o *api.Options) { o.Logger = slog.New(slog.DiscardHandler) })
	var id string
	for i := range 1000 {
		id = w.create(b, "acme", "/Users", fmt.Sprintf(`{%s,"userName":"user%d@example.com","externalId":"e%d","displayName":"User %d",
			"name":{"givenName":"Given","familyName":"Family"},"emails":[{"value":"user%d@example.com","type":"work","primary":true}]}`, userSchema, i, i, i, i))
	}
	for _, bench := range []struct{ name, target string }{
		{"get", "/Users/" + id},
		{"getProjected", "/Users/" + id + "?attributes=userName"},
		{"filter", "/Users?filter=userName%20eq%20%22user500@example.com%22"},
		{"list", "/Users?count=100"},
		{"miss", "/Users?filter=externalId%20eq%20%22nobody%22"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			req := newRequest(b, http.MethodGet, root+bench.target)
			req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
			b.ReportAllocs()
			for b.Loop() {
				s := sink{header: http.Header{}}
				w.handler.ServeHTTP(&s, req)
				if s.status != http.StatusOK {
					b.Fatalf("status %d", s.status)
				}
			}
		})
	}
}

// fixed is a service and an authenticator that answer at once: what is left is the edge.
type fixed struct {
	api.Service
	client   scim.Client
	resource scim.Resource
}

func (f *fixed) Authenticate(context.Context, string) (*scim.Client, error) { return &f.client, nil }

func (f *fixed) Get(context.Context, scim.Caller, *schema.ResourceType, string, query.Load) (*scim.Resource, error) {
	return &f.resource, nil
}

// BenchmarkEdge is what the edge alone costs for a GET.
func BenchmarkEdge(b *testing.B) {
	f := &fixed{
		client: scim.Client{Org: "o", OrgSlug: "o", Scopes: []string{scim.ScopeSCIM}},
		resource: scim.Resource{
			Type: "User", ID: "00000000-0000-7000-8000-000000000001", Version: 1,
			Doc: []byte(`{"active":true,"displayName":"User","emails":[{"primary":true,"type":"work","value":"user@example.com"}],` + userSchema + `,"userName":"user@example.com"}`),
		},
	}
	w := newWorld(b, openSQLite, func(o *api.Options) {
		f.Service = o.Service
		o.Service, o.Auth, o.Logger, o.Now = f, f, slog.New(slog.DiscardHandler), time.Now
	})
	req := newRequest(b, http.MethodGet, root+"/Users/00000000-0000-7000-8000-000000000001")
	req.Header.Set("Authorization", "Bearer x")
	b.ReportAllocs()
	for b.Loop() {
		s := sink{header: http.Header{}}
		w.handler.ServeHTTP(&s, req)
		if s.status != http.StatusOK {
			b.Fatalf("status %d", s.status)
		}
	}
}

package admin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// dnsPath is where transcripts put TXT records: "PUT /dns/NAME" with a text on each line of the body.
const dnsPath = "/dns/"

// zone is a DNS that transcripts write.
type zone struct {
	mu    sync.Mutex
	texts map[string]string
}

// LookupTXT implements lifecycle.Resolver.
func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return strings.Fields(z.texts[strings.TrimSuffix(name, ".")]), nil
}

func (z *zone) put(name, text string) *httptest.ResponseRecorder {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.texts[name] = strings.TrimSpace(text)
	rec := httptest.NewRecorder()
	rec.WriteHeader(http.StatusNoContent)
	return rec
}

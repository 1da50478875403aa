package admin_test

import (
	"context"
	"io"
	"net/http"
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

// ServeHTTP puts a record.
func (z *zone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.texts[strings.TrimPrefix(r.URL.Path, dnsPath)] = string(text)
	w.WriteHeader(http.StatusNoContent)
}

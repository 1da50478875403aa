package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"rollcall/scim"
	"rollcall/scim/api"
)

// heldBulk is a service whose Bulk stays until it is let go.
type heldBulk struct {
	api.Service
	inside, free chan struct{}
}

func (h *heldBulk) Bulk(ctx context.Context, c scim.Caller, ops []scim.BulkOperation, failOnErrors int) ([]scim.BulkResult, error) {
	h.inside <- struct{}{}
	<-h.free
	return h.Service.Bulk(ctx, c, ops, failOnErrors)
}

// TestBulkTakenApart: only some Bulk requests at once are more than bytes; the others wait, and all are answered.
func TestBulkTakenApart(t *testing.T) {
	h := &heldBulk{inside: make(chan struct{}, 100), free: make(chan struct{})}
	w := newWorld(t, openSQLite, func(o *api.Options) {
		h.Service = o.Service
		o.Service = h
	})
	places := max(2, runtime.GOMAXPROCS(0))
	answers := make(chan int)
	for i := range 2 * places {
		go func() {
			body := fmt.Sprintf(`{"schemas":[%q],"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{%s,"userName":"bulk%d"}}]}`,
				scim.MessageBulkRequest, userSchema, i)
			answers <- w.do(t, "acme", "POST", "/Bulk", body).Code
		}()
	}
	for range places {
		<-h.inside
	}
	// One more would be inside by now: an answer of the server takes longer than that.
	if rec := w.do(t, "acme", "GET", "/Users?filter=userName%20eq%20%22nobody%22", ""); rec.Code != http.StatusOK {
		t.Fatalf("GET beside the Bulk requests: %d", rec.Code)
	}
	if n := len(h.inside); n > 0 {
		t.Errorf("%d requests more than the %d that may be inside", n, places)
	}
	close(h.free)
	for range 2 * places {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
}

// TestSlowReaderOfBulk: who does not read the answer to a Bulk request keeps no other from being taken apart.
func TestSlowReaderOfBulk(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	free := make(chan struct{})
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) + 2 {
		s := &slowReader{sink: sink{header: http.Header{}}, busy: make(chan struct{}), free: free}
		req := newRequest(t, "POST", root+"/Bulk")
		req.Body = io.NopCloser(strings.NewReader(`{` + bulkSchema + `,"Operations":[]}`))
		req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
		req.Header.Set("Content-Type", scim.MediaType)
		wg.Go(func() { w.handler.ServeHTTP(s, req) })
		<-s.busy
	}
	want(t, w.do(t, "acme", "POST", "/Bulk", `{`+bulkSchema+`,"Operations":[]}`), 200)
	close(free)
	wg.Wait()
}

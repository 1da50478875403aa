package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/api"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// held is a service whose Get stays until it is let go.
type held struct {
	api.Service
	inside chan struct{} // one element for each Get that has begun
	free   chan struct{} // closed: Get goes on
	fail   error         // what Get panics with then
}

func (h *held) Get(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, load query.Load) (*scim.Resource, error) {
	h.inside <- struct{}{}
	<-h.free
	if h.fail != nil {
		panic(h.fail)
	}
	return h.Service.Get(ctx, c, t, id, load)
}

// loadWorld is a world of bounded load whose GETs of one resource are held.
func loadWorld(t *testing.T, l api.Load, limits api.Limits) (*world, *held, string) {
	t.Helper()
	h := &held{inside: make(chan struct{}, 100), free: make(chan struct{})}
	w := newWorld(t, openSQLite, func(o *api.Options) {
		h.Service = o.Service
		o.Service, o.Load, o.Limits = h, l, limits
	})
	return w, h, "/Users/" + w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"held"}`)
}

func (h *held) letGo() { close(h.free) }

// get sends a GET in the background.
func (w *world) get(t *testing.T, path string) <-chan *httptest.ResponseRecorder {
	t.Helper()
	answers := make(chan *httptest.ResponseRecorder, 1)
	go func() { answers <- w.do(t, "acme", "GET", path, "") }()
	return answers
}

func want(t *testing.T, rec *httptest.ResponseRecorder, status int) {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("got %d, want %d: %s", rec.Code, status, rec.Body)
	}
}

func wantRejection(t *testing.T, w *world, rec *httptest.ResponseRecorder, reason string) {
	t.Helper()
	want(t, rec, http.StatusServiceUnavailable)
	if after := rec.Header().Get("Retry-After"); after != "1" {
		t.Errorf("Retry-After %q", after)
	}
	if !strings.Contains(rec.Body.String(), scim.MessageError) {
		t.Errorf("not a SCIM error: %s", rec.Body)
	}
	if w.metrics.get("rejection/"+reason) == 0 {
		t.Errorf("not counted as %s: %v", reason, w.metrics.n)
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a refused request is read")
	return 0, io.EOF
}

// One request at work, one waiting: all further ones are refused before their body is read, and what was accepted
// is answered.
func TestOverload(t *testing.T) {
	w, h, user := loadWorld(t, api.Load{InFlight: 1, Waiting: 1, Wait: time.Hour}, api.Limits{})
	working := w.get(t, user)
	<-h.inside
	// Of two more, one finds the waiting room empty.
	a, b := w.get(t, user), w.get(t, user)
	var refused *httptest.ResponseRecorder
	waiting := a
	select {
	case refused = <-a:
		waiting = b
	case refused = <-b:
	}
	wantRejection(t, w, refused, "overload")
	for _, size := range []int64{10, 1 << 20, -1} {
		req := httptest.NewRequestWithContext(t.Context(), "POST", root+"/Users", unread{t})
		req.ContentLength = size
		rec := newRecorder()
		w.handler.ServeHTTP(rec, req)
		wantRejection(t, w, rec, "overload")
		if closed := rec.Header().Get("Connection") == "close"; closed != (size != 10) {
			t.Errorf("body of %d bytes: connection closed: %t", size, closed)
		}
	}
	if strings.Contains(w.log.String(), `"level":"ERROR"`) {
		t.Error("a refused request is logged as an error")
	}
	h.letGo()
	want(t, <-working, 200)
	want(t, <-waiting, 200)
	want(t, w.do(t, "acme", "GET", user, ""), 200)
}

func TestWaitIsBounded(t *testing.T) {
	w, h, user := loadWorld(t, api.Load{InFlight: 1, Waiting: 1, Wait: time.Millisecond}, api.Limits{})
	working := w.get(t, user)
	<-h.inside
	wantRejection(t, w, w.do(t, "acme", "GET", user, ""), "wait")
	h.letGo()
	want(t, <-working, 200)
}

// A client that leaves the waiting room leaves its place.
func TestClientLeavesTheWaitingRoom(t *testing.T) {
	w, h, user := loadWorld(t, api.Load{InFlight: 1, Waiting: 1, Wait: time.Hour}, api.Limits{})
	working := w.get(t, user)
	<-h.inside
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.handler.ServeHTTP(newRecorder(), httptest.NewRequestWithContext(ctx, "GET", root+user, nil))
	}
	if n := w.metrics.get("rejection/overload"); n != 0 {
		t.Errorf("%d refused: places of those who left are not free", n)
	}
	h.letGo()
	want(t, <-working, 200)
}

// A request that panics, or drops its connection, gives its slot back.
func TestPanicLeavesTheGate(t *testing.T) {
	for _, fault := range []error{errors.New("fault"), http.ErrAbortHandler} {
		w, h, user := loadWorld(t, api.Load{InFlight: 1, Waiting: -1}, api.Limits{})
		h.fail = fault
		h.letGo()
		func() {
			defer func() { _ = recover() }()
			w.do(t, "acme", "GET", user, "")
		}()
		want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	}
}

// A client that sends its body slowly, or goes away in the middle of it, takes no slot from anybody.
func TestSlowBodyHoldsNoSlot(t *testing.T) {
	w, _, _ := loadWorld(t, api.Load{InFlight: 1, Waiting: -1}, api.Limits{})
	for _, leaves := range []bool{false, true} {
		r, client := io.Pipe()
		slow := make(chan *httptest.ResponseRecorder, 1)
		go func() { slow <- w.stream(t, "/Users", r, -1) }()
		body := `{` + userSchema + `,"userName":"slow"}`
		// What is written to the pipe has been read: the request is in the middle of its body.
		if _, err := io.WriteString(client, body[:20]); err != nil {
			t.Fatal(err)
		}
		want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
		if leaves {
			_ = client.CloseWithError(io.ErrUnexpectedEOF)
			want(t, <-slow, 400)
		} else {
			go func() { _, _ = io.WriteString(client, body[20:]); _ = client.Close() }()
			want(t, <-slow, 201)
		}
		want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	}
}

// stream posts a body as a stream.
func (w *world) stream(t *testing.T, path string, body io.Reader, length int64) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), "POST", root+path, body)
	req.ContentLength = length
	req.Header.Set("Content-Type", scim.MediaType)
	req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
	rec := newRecorder()
	w.handler.ServeHTTP(rec, req)
	return rec
}

// slowReader is a client that does not take its answer.
type slowReader struct {
	sink
	once sync.Once
	busy chan struct{} // closed when the answer is on its way
	free chan struct{}
}

func (s *slowReader) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.busy) })
	<-s.free
	return len(p), nil
}

// A client that reads its answer slowly holds up neither a slot nor a connection of the store: with one slot, and
// with more slow clients than the store has readers, all others are served.
func TestSlowReaderHoldsNothing(t *testing.T) {
	w, _, _ := loadWorld(t, api.Load{InFlight: 1, Waiting: -1}, api.Limits{})
	free := make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		s := &slowReader{sink: sink{header: http.Header{}}, busy: make(chan struct{}), free: free}
		req := newRequest(t, "GET", root+"/Users")
		req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
		wg.Go(func() { w.handler.ServeHTTP(s, req) })
		<-s.busy
	}
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	close(free)
	wg.Wait()
}

// Bodies that are large together wait for each other; small ones do not.
func TestBodyMemory(t *testing.T) {
	const size = 150_000
	w, _, _ := loadWorld(t, api.Load{BodyMemory: 200_000, Wait: time.Millisecond}, api.Limits{Body: 100_000, BulkBody: 200_000})
	whole := pad(`{`+bulkSchema+`,"Operations":[]}`, size)
	for _, length := range []int64{size, -1} {
		r, client := io.Pipe()
		first := make(chan *httptest.ResponseRecorder, 1)
		go func() { first <- w.stream(t, "/Bulk", r, length) }()
		if _, err := io.WriteString(client, whole[:100_000]); err != nil {
			t.Fatal(err)
		}
		rec := w.stream(t, "/Bulk", strings.NewReader(whole), size)
		wantRejection(t, w, rec, "body_memory")
		want(t, w.stream(t, "/Bulk", strings.NewReader(`{`+bulkSchema+`,"Operations":[]}`), -1), 200)
		_ = client.CloseWithError(io.ErrUnexpectedEOF)
		want(t, <-first, 400)
		want(t, w.stream(t, "/Bulk", strings.NewReader(whole), size), 200)
	}
}

// Over a real connection: a refused client has its answer although it has not sent its body, and is served as soon
// as there is room.
func TestOverloadIsAnsweredAtOnce(t *testing.T) {
	w, h, user := loadWorld(t, api.Load{InFlight: 1, Waiting: -1}, api.Limits{})
	srv := httptest.NewServer(w.handler)
	defer srv.Close()
	working := w.get(t, user)
	<-h.inside
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s/Users HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", root)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
		t.Errorf("status %d, closed %t", resp.StatusCode, resp.Close)
	}
	h.letGo()
	want(t, <-working, 200)
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
}

package admin_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rollcall/admin"
	"rollcall/internal/edge"
	"rollcall/lifecycle"
	"rollcall/scim"
)

// manyInvites makes n invites of about 3 KB each.
func manyInvites(t *testing.T, w *world, n int) {
	t.Helper()
	org, err := w.Resources.Organization(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d@example.com\n", i)
	}
	sub := lifecycle.Subject{
		Caller: scim.Caller{Org: org.ID, Actor: scim.Actor{Kind: "app", ID: "t", Name: "t"}}, Kind: lifecycle.KindOwner, Rank: lifecycle.RankOwner,
	}
	if _, err := w.Lifecycle.InviteMany(t.Context(), sub, lifecycle.InviteBatch{
		Text: b.String(), Common: lifecycle.Invite{Delivery: "none", Message: strings.Repeat("é", 1000)},
	}); err != nil {
		t.Fatal(err)
	}
}

func exportRequest(t *testing.T, w *world, root string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, root+adminRoot+"/invites/actions/export", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Token("admin"))
	return req
}

// TestStream: a large export comes in chunks, whole.
func TestStream(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	manyInvites(t, w, 400)
	srv := httptest.NewServer(w.Handler)
	defer srv.Close()
	resp, err := srv.Client().Do(exportRequest(t, w, srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != -1 || resp.Header.Get("X-Request-Id") == "" ||
		resp.Header.Get("Content-Type") != "application/x-ndjson" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, %d bytes announced, %v", resp.Status, resp.ContentLength, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var v admin.Invite
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
	}
	if err := lines.Err(); err != nil || n != 400 {
		t.Errorf("%d lines, %v", n, err)
	}
}

// gone is a client that goes away after some writes.
type gone struct {
	http.ResponseWriter
	writes int
}

var errGone = errors.New("gone")

func (g *gone) Write(p []byte) (int, error) {
	if g.writes--; g.writes < 0 {
		return 0, errGone
	}
	return g.ResponseWriter.Write(p)
}

// TestStreamBreaksOff: half an export is never a whole answer, and costs nobody their place.
func TestStreamBreaksOff(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *admin.Options) { o.Gate = edge.NewGate(edge.Load{InFlight: 1}.Filled(1 << 20)) })
	manyInvites(t, w, 300)
	for range 3 {
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a panic's value
					t.Errorf("ended with %v", v)
				}
			}()
			w.Handler.ServeHTTP(&gone{httptest.NewRecorder(), 2}, exportRequest(t, w, ""))
		}()
	}
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, exportRequest(t, w, ""))
	if rec.Code != http.StatusOK || strings.Count(rec.Body.String(), "\n") != 300 {
		t.Errorf("afterwards: %d, %d lines", rec.Code, strings.Count(rec.Body.String(), "\n"))
	}
	if !strings.Contains(w.Log.String(), "a download was broken off") {
		t.Error("nothing is logged")
	}
}

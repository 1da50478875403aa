package admin_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"rollcall/lifecycle"
)

// TestPhotoHeaders: a picture is served as nothing else, and kept by nobody but who was shown it; more bytes than allowed
// are not read.
func TestPhotoHeaders(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	rec := w.send(t, "scim", http.MethodPost, "/scim/v2/Users", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann@example.com"}`)
	wantStatus(t, rec, http.StatusCreated)
	path := "/api/v1/members/" + textAt(t, rec.Body.Bytes(), "id") + "/photo"
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	rec = w.send(t, "admin", http.MethodPut, path, b.String(), "Content-Type", "image/png")
	wantStatus(t, rec, http.StatusOK)
	_, version, _ := strings.Cut(textAt(t, rec.Body.Bytes(), "profile.photo"), "?v=")
	for query, keep := range map[string]string{"?v=" + version: "private, max-age=86400", "": "private, no-cache", "?v=old": "private, no-cache"} {
		rec = w.send(t, "read", http.MethodGet, path+query, "")
		wantStatus(t, rec, http.StatusOK)
		for name, want := range map[string]string{
			"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Cache-Control": keep, "ETag": `"` + version + `"`,
			"Content-Security-Policy": "default-src 'none'; sandbox",
		} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s of %s: %q, want %q", name, query, got, want)
			}
		}
	}
	big := b.String() + strings.Repeat("x", lifecycle.MaxPhoto)
	wantStatus(t, w.send(t, "admin", http.MethodPut, path, big, "Content-Type", "image/png"), http.StatusRequestEntityTooLarge)
	wantStatus(t, w.send(t, "read", http.MethodGet, path, ""), http.StatusOK) // the one before stays
}

package admin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"rollcall/scim"
)

// PageInput is embedded by the input of a list.
type PageInput struct {
	Cursor string `query:"cursor" maxLength:"4096" doc:"The next of the page before; empty for the first."`
	Count  int    `query:"count" minimum:"1" maximum:"1000" default:"100" doc:"Most items of the page."`
}

// cursorText is what a cursor holds.
type cursorText[P any] struct {
	Expires int64 `json:"e"` // Unix milliseconds
	At      P     `json:"p"`
}

// sealCursor makes the cursor of a list that is continued at a position. of names the list and all that must stay the
// same from page to page. The cursor is good for the organization of the call only.
func sealCursor[P any](a *API, c *Call, of string, at P) (string, error) {
	plain, err := json.Marshal(cursorText[P]{a.Now().Add(a.CursorTimeout).UnixMilli(), at})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(a.cursors.Seal(plain, string(c.Subject.Org)+"\x00"+of)), nil
}

// openCursor is the reverse of sealCursor; nil for the first page.
func openCursor[P any](a *API, c *Call, of, text string) (*P, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // there is no position before the first page
	}
	bad := &scim.Error{Status: http.StatusBadRequest, Type: scim.TypeInvalidCursor, Path: "cursor", Detail: "cursor: does not belong to this list"}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, bad
	}
	plain, ok := a.cursors.Open(raw, string(c.Subject.Org)+"\x00"+of)
	var t cursorText[P]
	if !ok || json.Unmarshal(plain, &t) != nil {
		return nil, bad
	}
	if a.Now().After(time.UnixMilli(t.Expires)) {
		return nil, &scim.Error{Status: http.StatusBadRequest, Type: scim.TypeExpiredCursor, Path: "cursor", Detail: "cursor: has expired; start again"}
	}
	return &t.At, nil
}

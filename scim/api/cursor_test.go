package api

import (
	"bytes"
	"encoding/base64"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim/query"
)

func cursorAPI(t *testing.T) *api {
	t.Helper()
	a := &api{}
	if err := a.initCursors(bytes.Repeat([]byte{3}, 32)); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCursorRoundTrip(t *testing.T) {
	at := time.UnixMilli(1_767_323_045_678)
	values := []query.Value{
		{},
		{Kind: query.String, Str: "äöü\x00 and more"},
		{Kind: query.Boolean, Bool: true},
		{Kind: query.Integer, IsInt: true, Int: math.MinInt64},
		{Kind: query.Integer, IsInt: true, Int: math.MaxInt64},
		{Kind: query.Decimal, Dec: -1.5e300},
		{Kind: query.Decimal, Dec: math.SmallestNonzeroFloat64},
		{Kind: query.DateTime, Str: "2026-01-02T03:04:05.000000000Z"},
		{Kind: query.Reference, Str: "Users/1"},
	}
	a := cursorAPI(t)
	for _, v := range values {
		for _, c := range []cursor{
			{dir: forward, pos: query.Position{Sorted: true, Value: v, ID: "id"}, hash: [16]byte{1, 15: 9}, count: 1000, expires: at},
			{dir: backward, pos: query.Position{Sorted: true, Absent: true, ID: ""}, count: 0, expires: at},
			{dir: fromStart, expires: at},
		} {
			text := a.sealCursor("org", c)
			got, ok := a.openCursor("org", text)
			if d := cmp.Diff(c, got, cmp.AllowUnexported(cursor{})); !ok || d != "" {
				t.Errorf("%v, opened %v (-want +got):\n%s", v, ok, d)
			}
			if text != a.sealCursor("org", c) {
				t.Error("the same cursor is another text")
			}
			if _, ok := a.openCursor("other", text); ok {
				t.Error("another organization opens it")
			}
		}
	}
}

func TestForgedCursors(t *testing.T) {
	a := cursorAPI(t)
	text := a.sealCursor("org", cursor{dir: forward, pos: query.Position{ID: "id"}, count: 7})
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		forged := bytes.Clone(raw)
		forged[i] ^= 1
		if _, ok := a.openCursor("org", base64.RawURLEncoding.EncodeToString(forged)); ok {
			t.Errorf("byte %d may be changed", i)
		}
		if _, ok := a.openCursor("org", base64.RawURLEncoding.EncodeToString(raw[:i])); ok {
			t.Errorf("%d bytes are enough", i)
		}
	}
}

// FuzzDecodeCursor: content of any form is decoded to the same cursor again or refused; older formats are refused.
func FuzzDecodeCursor(f *testing.F) {
	f.Add(cursor{dir: forward, pos: query.Position{Sorted: true, Value: query.Value{Str: "s"}, ID: "id"}, count: 7}.encode())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{cursorFormat}, 200))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := decodeCursor(b)
		if !ok {
			return
		}
		again, ok := decodeCursor(c.encode())
		nan := math.IsNaN(c.pos.Value.Dec)
		if !ok || !nan && again != c {
			t.Errorf("%+v became %+v", c, again)
		}
	})
}

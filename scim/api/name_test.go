package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What uniqueness takes for one userName a filter finds as one, and the other way round, in every script: a client
// that looks before it creates (all of them do) must not be told "none" and then 409.
func TestUserNamesAgree(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	for _, tt := range []struct {
		name, a, b string
		same       bool
	}{
		{"sharp s", "straße", "STRASSE", true},
		{"capital sharp s", "maẞ", "MASS", true},
		{"dotted I", "İz", "i\u0307Z", true},
		{"dotted I is not I", "İd", "id", false},
		{"dotless i is not i", "ıq", "iq", false},
		{"composed", "\u00e9t\u00e9", "e\u0301TE\u0301", true},
		{"final sigma", "Σας", "σΑΣ", true},
		{"ligature", "ﬁx", "FIX", true},
		{"wide", "ＷＩＤＥ", "wide", true},
		{"Kelvin", "\u212aelvin", "kelvin", true},
		{"Cyrillic is not Latin", "\u0430bc", "abc", false},
		{"joiner", "a\u200db", "ab", false},
		{"space", "sp ", "sp", false},
		{"very long", strings.Repeat("Ä", 50_000), strings.Repeat("ä", 50_000), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := func(name string) string { return `{` + userSchema + `,"userName":` + quote(name) + `}` }
			id := w.create(t, "acme", "/Users", body(tt.a))
			if len(tt.b) < 8000 { // what a filter may hold
				found := w.do(t, "acme", "POST", "/Users/.search", fmt.Sprintf(`{%s,"filter":%s}`, findSchema, quote(`userName eq `+quote(tt.b))))
				want := map[bool]string{true: `"totalResults":1`, false: `"totalResults":0`}[tt.same]
				if !strings.Contains(found.Body.String(), want) {
					t.Errorf("want %s in %s", want, found.Body)
				}
			}
			second := w.do(t, "acme", "POST", "/Users", body(tt.b))
			if conflict := second.Code == http.StatusConflict; conflict != tt.same {
				t.Errorf("second user: %d, want a conflict %v", second.Code, tt.same)
			}
			if rec := w.do(t, "acme", "PUT", "/Users/"+id, body(tt.b)); (rec.Code == http.StatusOK) != tt.same {
				t.Errorf("taking the other spelling: %d %.200s", rec.Code, rec.Body)
			}
		})
	}
}

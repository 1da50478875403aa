package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// A parameter in another case means what it means in ours: a filter that is overlooked answers with everybody.
func TestParametersIgnoreCase(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	for _, name := range []string{"ann", "bob"} {
		w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":`+quote(name)+`}`)
	}
	for _, tt := range []struct {
		query  string
		status int
		want   string
	}{
		{`Filter=userName+eq+"bob"`, http.StatusOK, `"totalResults":1`},
		{`FILTER=nonsense`, http.StatusBadRequest, `"scimType":"invalidFilter"`},
		{`filter=userName+eq+"bob"&Filter=userName+eq+"ann"`, http.StatusBadRequest, `filter: is given twice`},
		{`COUNT=0`, http.StatusOK, `"Resources":[]`},
		{`ExcludedAttributes=userName,meta`, http.StatusOK, `"Resources":[{"active":true,"id":`},
		{`unknown=1&aadOptscim062020`, http.StatusOK, `"totalResults":2`},
	} {
		rec := w.do(t, "acme", "GET", "/Users?"+strings.ReplaceAll(tt.query, `"`, "%22"), "")
		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.want) {
			t.Errorf("%s: %d %.300s", tt.query, rec.Code, rec.Body)
		}
	}
}

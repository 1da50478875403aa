package admin

import (
	"net/http"
	"strings"
)

// OperatorPath is the root of what operators do; see [API.WithoutOperator].
const OperatorPath = DefaultBasePath + "/operator"

// WithoutOperator is the API without what is for operators, which is then as unknown as any other path: for an address
// that is reachable from outside.
func (a *API) WithoutOperator() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, OperatorPath); ok && (rest == "" || rest[0] == '/') {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = DefaultBasePath+"/-", ""
		}
		a.ServeHTTP(w, r)
	})
}

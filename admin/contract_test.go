package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
)

// contract is the OpenAPI document that the server serves, with a validator that is not ours.
type contract struct {
	text       string
	validator  validator.Validator
	operations []string
}

// contracts keeps one contract for each document: to read a document takes longer than most tests.
//
//nolint:gochecknoglobals // a test binary has one document, however many worlds it makes
var contracts = sync.OnceValue(func() *struct {
	sync.Mutex
	known map[string]*contract
} {
	return &struct {
		sync.Mutex
		known map[string]*contract
	}{known: map[string]*contract{}}
})

// contractOf asks the world for its document.
func contractOf(t testing.TB, w *world) *contract {
	t.Helper()
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, adminRoot+"/openapi.json", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("no OpenAPI document: %d %s", rec.Code, rec.Body)
	}
	text := rec.Body.String()
	all := contracts()
	all.Lock()
	defer all.Unlock()
	if c := all.known[text]; c != nil {
		return c
	}
	doc, err := libopenapi.NewDocument([]byte(text))
	if err != nil {
		t.Fatalf("the OpenAPI document: %v", err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithoutSecurityValidation(), config.WithStrictMode(),
		// Headers that have nothing to do with an operation.
		config.WithStrictIgnoredHeadersExtra("X-Content-Type-Options", "WWW-Authenticate", "Idempotency-Replayed"))
	if len(errs) > 0 {
		t.Fatalf("the OpenAPI document: %v", errs)
	}
	if ok, found := v.ValidateDocument(); !ok {
		t.Fatalf("the OpenAPI document is not valid: %s", explain(found))
	}
	c := &contract{text: text, validator: v, operations: operations(t, text)}
	all.known[text] = c
	return c
}

// Operations returns the operationIds of the document.
func (w *world) Operations() []string { return w.doc.operations }

func operations(t testing.TB, text string) []string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var list []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.OperationID == "" {
				t.Fatalf("%s %s has no operationId", method, path)
			}
			list = append(list, op.OperationID)
		}
	}
	return list
}

// check holds a request and its answer against the document. invalid says that the request is not meant to fit.
func (c *contract) check(t testing.TB, req *http.Request, rec *httptest.ResponseRecorder, invalid bool) {
	t.Helper()
	answer := rec.Result()
	if rec.Code == http.StatusNotFound && strings.Contains(rec.Body.String(), "no such endpoint") || rec.Code == http.StatusMethodNotAllowed {
		c.checkProblem(t, rec)
		return // there is nothing in the document to hold it against
	}
	ok, found := c.validator.ValidateHttpRequestSync(req)
	switch {
	case !ok && !invalid:
		t.Errorf("%s %s does not fit the OpenAPI document: %s", req.Method, req.URL.Path, explain(found))
	case ok && invalid:
		t.Errorf("%s %s is marked as invalid and fits the OpenAPI document", req.Method, req.URL.Path)
	}
	if ok, found := c.validator.ValidateHttpResponse(req, answer); !ok {
		t.Errorf("the answer to %s %s does not fit the OpenAPI document: %s\n%d %s",
			req.Method, req.URL.Path, explain(found), rec.Code, rec.Body)
	}
	if rec.Code >= http.StatusBadRequest {
		c.checkProblem(t, rec)
	}
}

// checkProblem wants what every error has.
func (c *contract) checkProblem(t testing.TB, rec *httptest.ResponseRecorder) {
	t.Helper()
	var p struct {
		Status          int
		Code, RequestID string
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Status != rec.Code || p.Code == "" || p.RequestID == "" {
		t.Errorf("not a problem: %d %s", rec.Code, rec.Body)
	}
	if ct := rec.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("a problem of the type %q", ct)
	}
}

func explain(found []*errors.ValidationError) string {
	var b strings.Builder
	for _, e := range found {
		fmt.Fprintf(&b, "\n  %s: %s", e.Message, e.Reason)
		for _, s := range e.SchemaValidationErrors {
			fmt.Fprintf(&b, "\n    %s: %s", s.FieldPath, s.Reason)
		}
	}
	return b.String()
}

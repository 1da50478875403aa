package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// maxMistakes is how many mistakes one problem lists.
const maxMistakes = 50

// maxPath is how long the path of a mistake may be. It can hold a property's name that the client made up.
const maxPath = 200

// invalid is the transformer that turns huma's errors into problems. They are those of requests that do not fit the
// document, and carry the values that they found.
func (a *API) invalid(ctx huma.Context, _ string, v any) (any, error) {
	found, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	x := exchangeOf(ctx.Context())
	code := "invalid_request"
	detail := "the request does not fit the description of the endpoint"
	switch found.Status {
	case http.StatusBadRequest:
		code, detail = "invalid_syntax", "the body is missing or is not the JSON that the endpoint takes"
	case http.StatusUnsupportedMediaType:
		code, detail = "unsupported_media_type", "the endpoint does not take bodies of this Content-Type"
	}
	p := x.problem(found.Status, code, detail)
	for _, e := range found.Errors {
		if e == nil || len(p.Errors) == maxMistakes {
			continue
		}
		p.Errors = append(p.Errors, Mistake{Path: safePath(e.Location), Message: safeMessage(e)})
	}
	// huma goes through what a client sent in the order of a map.
	slices.SortStableFunc(p.Errors, func(a, b Mistake) int { return strings.Compare(a.Path, b.Path) })
	if len(p.Errors) == 1 && found.Status == http.StatusUnprocessableEntity {
		p.Detail = p.Errors[0].Path + ": " + p.Errors[0].Message
	}
	return p, nil
}

func safePath(path string) string {
	if len(path) > maxPath {
		path = strings.ToValidUTF8(path[:maxPath], "")
	}
	return path
}

// safeMessage is what huma says of a value, without the value. Some of its messages end in what a parser said, which may
// quote what it was given; some are only that.
func safeMessage(e *huma.ErrorDetail) string {
	const other = "the value does not have the form that is expected here"
	m := e.Message
	for _, form := range []string{
		"expected string to be RFC 5322 email", "expected string to be RFC 3986 uri", "expected string to be RFC 4122 uuid",
		"expected string to be regex", "expected duration",
	} {
		if strings.HasPrefix(m, form) {
			return form
		}
	}
	for _, known := range []string{"expected ", "unexpected property", "unknown query parameter", "required ", "invalid integer", "invalid boolean", "invalid float"} {
		if strings.HasPrefix(m, known) && !quotes(m, e.Value) {
			return m
		}
	}
	return other
}

// quotes reports whether the message holds the value that it is about.
func quotes(message string, value any) bool {
	switch value.(type) {
	case nil, map[string]any, []any:
		return false
	}
	text := fmt.Sprint(value)
	return len(text) > 3 && strings.Contains(message, text)
}

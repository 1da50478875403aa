package admin

import (
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/scim"
)

// The fields that say what a limit leaves, as most programs read them.
const (
	quotaLimit     = "RateLimit-Limit"
	quotaRemaining = "RateLimit-Remaining"
	quotaReset     = "RateLimit-Reset"
)

// tellQuota says what a limit leaves, if there is one.
func tellQuota(h http.Header, q *scim.Quota) {
	if q == nil || q.Limit == 0 {
		return
	}
	h.Set(quotaLimit, strconv.Itoa(q.Limit))
	h.Set(quotaRemaining, strconv.Itoa(q.Remaining))
	h.Set(quotaReset, wholeSeconds(q.Reset))
}

// wholeSeconds is a time that is over when it says so: rounded up.
func wholeSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// publishQuotas documents the fields: with errors everywhere, and with every answer where no login is needed.
func publishQuotas(doc *huma.OpenAPI) {
	number := func(text string) *huma.Header {
		return &huma.Header{Description: text, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0)}}
	}
	doc.Components.Headers = map[string]*huma.Header{
		quotaLimit:     number("Of the tightest limit that counted the request: how many it allows within its window."),
		quotaRemaining: number("How many of them are left."),
		quotaReset:     number("After how many seconds one more is free."),
		"Retry-After":  number("After how many seconds the request may be tried again."),
	}
	told := map[string]*huma.Header{}
	for name := range doc.Components.Headers {
		told[name] = &huma.Header{Ref: "#/components/headers/" + name}
	}
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for status, answer := range op.Responses {
				switch {
				case status == "default":
					answer.Headers = maps.Clone(told)
				case strings.HasPrefix(path, "/public/"):
					if answer.Headers == nil {
						answer.Headers = map[string]*huma.Header{}
					}
					maps.Copy(answer.Headers, told)
					delete(answer.Headers, "Retry-After")
				}
			}
		}
	}
}

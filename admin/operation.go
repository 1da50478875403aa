package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/scim"
)

// access is whom an operation is for.
type access uint8

const (
	forMembers   access = iota // people of the organization and tokens of the companion API
	forAll                     // anybody
	forOperators               // who runs the server
	forKnown                   // whoever has signed in, be it to no organization, and tokens of the companion API
)

// operation is an endpoint beside its types.
type operation struct {
	id           string // operationId: "list-members"
	method, path string // the path below DefaultBasePath: "/members/{id}/actions/activate"
	summary      string // one line: "Deactivate a member"
	detail       string // more, in Markdown; may be empty
	tag          string // the group of endpoints that it is listed in

	access      access
	scope       string // beside admin, the scope of tokens that may call it; empty: any scope of the companion API
	apps        bool   // tokens of single applications may call it too
	readOnly    bool   // a POST that changes nothing
	conditional bool   // takes If-Match
	status      int    // of success; 0: 200, or 204 without a body
	body        int64  // most bytes of a body; 0: Options.Body
}

// reads reports whether the operation changes nothing.
func (o *operation) reads() bool {
	return o.readOnly || o.method == http.MethodGet || o.method == http.MethodHead
}

// target is what the path of a request names: the type of thing, and its id.
func (o *operation) target(path string) (kind, id string) {
	path = strings.TrimPrefix(path, DefaultBasePath)
	named, sent := strings.Split(o.path, "/"), strings.Split(path, "/")
	for i, part := range named {
		if part == "{id}" && i < len(sent) {
			return typeAt(named[i-1]), sent[i]
		}
	}
	return "", ""
}

// typeAt is the type of the things in a collection.
func typeAt(collection string) string {
	switch collection {
	case "members":
		return "User"
	case "groups":
		return "Group"
	case "modules", "sub-accounts":
		return "Entitlement"
	}
	var b strings.Builder
	for word := range strings.SplitSeq(strings.TrimSuffix(collection, "s"), "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// wants is the scope that a token without it is told to have.
func (o *operation) wants() string {
	switch {
	case o.access == forOperators:
		return scim.ScopeOperator
	case o.scope != "":
		return o.scope
	case o.reads():
		return scim.ScopeAdminRead
	}
	return scim.ScopeAdmin
}

// handle adds an endpoint. Its input and output types make the OpenAPI document; fn is the handler.
func handle[I, O any](a *API, o operation, fn func(context.Context, *Call, *I) (*O, error)) {
	huma.Register(a.huma, a.describe(&o), func(ctx context.Context, in *I) (*O, error) {
		x := exchangeOf(ctx)
		out, err := fn(ctx, x.call(), in)
		if err != nil {
			return nil, x.refuse(err)
		}
		tellQuota(x.answer.Header(), &x.quota)
		return out, nil
	})
}

// describe is the operation as the document and huma have it.
func (a *API) describe(o *operation) huma.Operation {
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.detail, Tags: []string{o.tag},
		DefaultStatus: o.status,
		MaxBodyBytes:  -1, // the edge has read it
		// What the client misspelled would else be a filter that is not there.
		RejectUnknownQueryParameters: true,
		Middlewares:                  huma.Middlewares{a.check(o)},
		Responses:                    map[string]*huma.Response{},
	}
	problems := map[string]*huma.MediaType{problemType: {Schema: a.problemSchema()}}
	if o.access == forAll {
		op.Security = []map[string][]string{{}}
	} else {
		op.Security = []map[string][]string{{"token": {o.wants()}}}
		if o.access != forOperators {
			op.Security = append(op.Security, map[string][]string{"person": {}})
		}
		if o.access == forMembers {
			op.Parameters = append(op.Parameters, header(organizationHeader,
				"For people who belong to several organizations: the slug or id of the one that is meant.", 63))
		}
		op.Responses["401"] = &huma.Response{Description: "The credentials are missing or not valid.", Content: problems}
		op.Responses["403"] = &huma.Response{Description: "Not allowed; code says why.", Content: problems}
	}
	if o.idempotent() {
		op.Parameters = append(op.Parameters, header(idempotencyHeader,
			"Carry the request out once, however often it is sent: for 24 hours the same key gets the first answer again.", maxIdempotencyKey))
	}
	if o.conditional {
		op.Parameters = append(op.Parameters, header("If-Match",
			"The ETag of the version that is to be changed; another one answers 412.", 200))
		op.Responses["412"] = &huma.Response{Description: "The resource has another version.", Content: problems}
	}
	op.Responses["default"] = &huma.Response{Description: "What went wrong; code says it to programs, detail to people.", Content: problems}
	return op
}

func header(name, doc string, most int) *huma.Param {
	return &huma.Param{
		Name: name, In: "header", Description: doc,
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: &most},
	}
}

func (a *API) problemSchema() *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
}

// humaConfig is huma without what it would serve by itself.
func (a *API) humaConfig() huma.Config {
	jsonFormat := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI:       a.openAPI(),
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{a.invalid},
	}
}

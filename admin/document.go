package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const openAPIType = "application/openapi+json"

// document is the OpenAPI document as it is served.
type document struct {
	text []byte
	tag  string
}

// openAPI is the document before the endpoints are in it.
func (a *API) openAPI() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "Rollcall companion API",
			Version: a.Version,
			Description: "Invitations, members, roles and everything else beside SCIM. Errors are RFC 9457 problems with a " +
				"stable `code`. Lists are paged by cursor. A GET answers with an ETag where there is a version, which a write " +
				"may demand by If-Match.",
		},
		Servers: []*huma.Server{{URL: a.BaseURL}},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "A token of Rollcall (rc_...)."},
				"person": {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: "An OpenID Connect token of a person, by an issuer that the server trusts.",
				},
			},
		},
	}
}

type documentOutput struct {
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        []byte
}

func (a *API) documentEndpoints() {
	o := operation{
		id: "get-openapi", method: http.MethodGet, path: "/openapi.json", tag: "Server", access: forAll,
		summary: "This document",
	}
	op := a.describe(&o)
	op.Responses["200"] = &huma.Response{
		Description: "The OpenAPI 3.1 document of this API.",
		Content:     map[string]*huma.MediaType{openAPIType: {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
	}
	huma.Register(a.huma, op, func(context.Context, *struct{}) (*documentOutput, error) {
		return &documentOutput{ContentType: openAPIType, ETag: a.document.tag, Body: a.document.text}, nil
	})
}

// publish writes the document, when every endpoint is in it.
func (a *API) publish() error {
	doc := a.huma.OpenAPI()
	// huma's own model of errors is registered with every operation and answered by none.
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
	for _, item := range doc.Paths {
		if op := item.Get; op != nil && op.Responses["200"] != nil && op.Responses["200"].Headers["ETag"] != nil {
			op.Responses["304"] = &huma.Response{Description: "The client has this version: If-None-Match named it."}
		}
	}
	publishQuotas(doc)
	for _, s := range doc.Components.Schemas.Map() {
		bareReferences(s)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	a.document = document{text: text, tag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	return nil
}

// bareReferences takes from references what stands beside them. OpenAPI 3.1 allows that, and too many readers of
// documents then see neither.
func bareReferences(s *huma.Schema) {
	for _, p := range s.Properties {
		if p.Ref != "" {
			p.Description, p.Examples = "", nil
		}
		if p.Items != nil {
			bareReferences(p.Items)
		}
		bareReferences(p)
	}
}

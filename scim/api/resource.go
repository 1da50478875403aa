package api

import (
	"net/http"

	"rollcall/scim"
	"rollcall/scim/patch"
	"rollcall/scim/projection"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// echoedMembers is how many members the answer to a PATCH shows unasked; a larger group is answered 204 (RFC 7644
// 3.5.2 allows either).
const echoedMembers = 200

// get answers GET and HEAD of a resource (RFC 7644 3.4.1).
func (x *exchange) get() error {
	t := x.route.typ
	if err := x.authorize(t, false); err != nil {
		return err
	}
	sel, err := x.selection(t)
	if err != nil {
		return err
	}
	r, err := x.api.service.Get(x.ctx, x.caller, t.ResourceType, x.route.id, load(t, sel))
	if err != nil {
		return err
	}
	if tags := x.req.Header.Get("If-None-Match"); tags != "" && scim.Matches(tags, r.Version) {
		x.describe(t, r)
		x.empty(http.StatusNotModified)
		return nil
	}
	return x.answer(http.StatusOK, t, sel, r)
}

// create answers POST to a collection (RFC 7644 3.3).
func (x *exchange) create() error {
	t := x.route.typ
	sel, body, err := x.write(t)
	if err != nil {
		return err
	}
	doc, err := x.decoder().Resource(t.ResourceType, body)
	if err != nil {
		return err
	}
	sel = withWritten(t, sel, names(body))
	r, err := x.api.service.Create(x.ctx, x.caller, t.ResourceType, doc, load(t, sel))
	if err != nil {
		return err
	}
	return x.answer(http.StatusCreated, t, sel, r)
}

// replace answers PUT (RFC 7644 3.5.1).
func (x *exchange) replace() error {
	t := x.route.typ
	sel, body, err := x.write(t)
	if err != nil {
		return err
	}
	doc, err := x.decoder().Resource(t.ResourceType, body)
	if err != nil {
		return err
	}
	sel = withWritten(t, sel, names(body))
	r, err := x.api.service.Replace(x.ctx, x.caller, t.ResourceType, x.route.id, x.precondition(), doc, load(t, sel))
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, t, sel, r)
}

// patch answers PATCH (RFC 7644 3.5.2). What the plan's compiler refuses never reaches the service.
func (x *exchange) patch() error {
	t := x.route.typ
	sel, body, err := x.write(t)
	if err != nil {
		return err
	}
	plan, err := patch.Compile(t.ResourceType, body, patch.Options{
		Session: x.caller.Compat, MaxOperations: x.api.limits.PatchOperations, MaxValues: x.api.limits.Values,
	})
	if err != nil {
		return err
	}
	sel = withWritten(t, sel, plan.Wrote())
	l := load(t, sel)
	if l.Members && sel.Default() {
		l.MemberLimit, l.FewMembers = echoedMembers+1, true
	}
	r, err := x.api.service.Patch(x.ctx, x.caller, t.ResourceType, x.route.id, x.precondition(), plan, l)
	if err != nil {
		return err
	}
	if l.MemberLimit > 0 && len(r.Members) > echoedMembers {
		x.describe(t, r)
		x.empty(http.StatusNoContent)
		return nil
	}
	return x.answer(http.StatusOK, t, sel, r)
}

// delete answers DELETE (RFC 7644 3.6).
func (x *exchange) delete() error {
	t := x.route.typ
	if err := x.authorize(t, true); err != nil {
		return err
	}
	if err := x.api.service.Delete(x.ctx, x.caller, t.ResourceType, x.route.id, x.precondition()); err != nil {
		return err
	}
	x.empty(http.StatusNoContent)
	return nil
}

// write does what every write with a body begins with: scope, projection, body.
func (x *exchange) write(t *endpointType) (*projection.Selection, scim.Object, error) {
	if err := x.authorize(t, true); err != nil {
		return nil, nil, err
	}
	sel, err := x.selection(t)
	if err != nil {
		return nil, nil, err
	}
	body, err := x.body(x.api.limits.Body, x.api.limits.Depth)
	if err != nil {
		return nil, nil, err
	}
	return sel, body, nil
}

// withWritten is the selection of an answer to a write: attributes with returned=request are part of it if the client
// wrote them (RFC 7643 2.2).
func withWritten(t *endpointType, sel *projection.Selection, written []string) *projection.Selection {
	if !t.asksRequest {
		return sel
	}
	if sel == t.selection {
		sel = projection.Default(t.ResourceType) // that one is shared
	}
	sel.Written(written)
	return sel
}

func names(o scim.Object) []string {
	out := make([]string, len(o))
	for i, f := range o {
		out[i] = f.Name
	}
	return out
}

func (x *exchange) decoder() schema.Decoder {
	return schema.Decoder{Session: x.caller.Compat, MaxValues: x.api.limits.Values}
}

func (x *exchange) precondition() scim.Precondition {
	return scim.Precondition{
		IfMatch: x.req.Header.Get("If-Match"), IfNoneMatch: x.req.Header.Get("If-None-Match"),
	}
}

// load is what an answer under sel needs beside the document.
func load(t *endpointType, sel *projection.Selection) query.Load {
	if sel == t.selection {
		return t.load
	}
	return loadOf(t, sel)
}

func loadOf(t *endpointType, sel *projection.Selection) query.Load {
	asked := sel.Computed()
	return query.Load{
		Members:  t.Members != "" && sel.Wants(t.Members),
		Groups:   t.Groups != "" && sel.Wants(t.Groups),
		Computed: len(asked) > 0, Asked: asked,
	}
}

// describe sets the headers that every answer about one resource has (RFC 7643 3.1, RFC 7644 3.14).
func (x *exchange) describe(t *endpointType, r *scim.Resource) {
	location := x.location(t, r.ID)
	x.header("Location", location)
	x.header("Content-Location", location)
	x.header("Etag", scim.ETag(r.Version))
}

// answer sends one resource.
func (x *exchange) answer(status int, t *endpointType, sel *projection.Selection, r *scim.Resource) error {
	buf := x.api.buffer()
	defer x.api.release(buf)
	out, err := x.appendResource(*buf, t, sel, r)
	if err != nil {
		return err
	}
	*buf = out
	x.describe(t, r)
	x.send(status, out)
	return nil
}

package api

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/edge"
	"rollcall/scim"
	"rollcall/scim/compat"
)

// bulkLevels is how deep the data of an operation lies in a Bulk message: object, array, object.
const bulkLevels = 3

// bulk answers POST /Bulk (RFC 7644 3.7). The edge reads the message; paths, data and references are the
// service's. An operation whose own form is wrong fails alone.
func (x *exchange) bulk() error {
	if !x.writesAnything() {
		return x.lacks(scim.ScopeSCIM)
	}
	buf, err := x.rawBody(x.api.limits.BulkBody)
	if err != nil {
		return err
	}
	ops, results, err := x.runBulk(buf)
	if err != nil {
		return err
	}
	x.sendBulk(ops, results)
	return nil
}

// runBulk does what a Bulk request asks for.
func (x *exchange) runBulk(body *bytes.Buffer) ([]scim.BulkOperation, []scim.BulkResult, error) {
	// What a body is parsed into takes several times its bytes, and more Bulk requests than keep the processors and
	// the store busy are not done sooner for being taken apart at once: they wait as bytes.
	select {
	case x.api.bulks <- struct{}{}:
		defer func() { <-x.api.bulks }()
	case <-x.ctx.Done():
		return nil, nil, x.ctx.Err()
	}
	message, err := x.parse(body, x.api.limits.Depth+bulkLevels)
	if err != nil {
		return nil, nil, err
	}
	ops, failOnErrors, err := x.bulkRequest(message)
	if err != nil {
		return nil, nil, err
	}
	if reason, wait := x.api.rates.Operations(x.client, x.api.now(), len(ops)); wait > 0 {
		return nil, nil, x.limited(reason, wait)
	}
	results, err := x.api.service.Bulk(x.ctx, x.caller, ops, failOnErrors)
	return ops, results, err
}

func (x *exchange) writesAnything() bool {
	for _, t := range x.api.types {
		if t.Allows(x.client.Scopes, true) {
			return true
		}
	}
	return false
}

// bulkRequest reads the message itself: what is wrong here fails the whole request.
func (x *exchange) bulkRequest(body scim.Object) ([]scim.BulkOperation, int, error) {
	if err := message(body, scim.MessageBulkRequest); err != nil {
		return nil, 0, err
	}
	failOnErrors := 0
	if v, ok := body.Get("failOnErrors"); ok && v != nil {
		n, isNumber := v.(scim.Number)
		i, isInt := n.Int()
		if !isNumber || !isInt || i < 0 {
			return nil, 0, scim.InvalidValue("failOnErrors", "must be a positive integer")
		}
		failOnErrors = clampInt(i)
	}
	v, _ := body.Get("Operations")
	list, ok := v.([]any)
	if !ok {
		return nil, 0, scim.InvalidSyntax("Operations: an array of operations is required")
	}
	if limit := x.api.limits.BulkOperations; len(list) > limit {
		return nil, 0, scim.TooLarge("Operations: more than %d operations (maxOperations)", limit)
	}
	ops := make([]scim.BulkOperation, len(list))
	for i, e := range list {
		ops[i] = x.bulkOperation(e)
	}
	return ops, failOnErrors, nil
}

func (x *exchange) bulkOperation(v any) scim.BulkOperation {
	var op scim.BulkOperation
	o, ok := v.(scim.Object)
	if !ok {
		op.Err = scim.InvalidSyntax("the operation is not a JSON object")
		return op
	}
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"method", &op.Method}, {"bulkId", &op.BulkID}, {"version", &op.Version}, {"path", &op.Path},
	} {
		v, ok := o.Get(f.name)
		if !ok || v == nil {
			continue
		}
		s, isString := v.(string)
		if !isString {
			op.Err = scim.InvalidSyntax("%s: must be a string", f.name)
			continue
		}
		*f.to = s
	}
	op.Data, _ = o.Get("data")
	if upper := strings.ToUpper(op.Method); upper != op.Method && x.caller.Compat.Allow(compat.OpCase) {
		op.Method = upper
	}
	if op.Err == nil {
		op.Err = x.bulkForm(&op)
	}
	return op
}

// bulkForm checks what an operation must have (RFC 7644 3.7.2) and the scope that it needs.
func (x *exchange) bulkForm(op *scim.BulkOperation) error {
	switch op.Method {
	case http.MethodPost:
		if op.BulkID == "" {
			return scim.InvalidSyntax("bulkId: is required of a POST")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return scim.InvalidSyntax("method: must be POST, PUT, PATCH or DELETE")
	}
	if op.Path == "" {
		return scim.InvalidSyntax("path: is required")
	}
	if op.Data == nil && op.Method != http.MethodDelete {
		return scim.InvalidSyntax("data: is required of a %s", op.Method)
	}
	segment, _, _ := strings.Cut(strings.TrimLeft(op.Path, "/"), "/")
	for _, t := range x.api.types {
		if strings.EqualFold(segment, strings.TrimPrefix(t.Endpoint, "/")) && !t.Allows(x.client.Scopes, true) {
			return scim.Forbidden("the token lacks the scope %s", scim.TypeScope(t.Endpoint, true))
		}
	}
	return nil
}

// sendBulk sends the BulkResponse: one result an operation, in the order of the request (RFC 7644 3.7.3).
// Operations that failOnErrors kept from running have none.
func (x *exchange) sendBulk(ops []scim.BulkOperation, results []scim.BulkResult) {
	buf := x.api.buffer()
	defer x.api.release(buf)
	out := append(*buf, `{"schemas":["`+scim.MessageBulkResponse+`"],"Operations":[`...)
	each := x.api.now().Sub(x.start)
	if len(ops) > 0 {
		each /= time.Duration(len(ops))
	}
	n := 0
	for i := range results {
		r := &results[i]
		if r.NotRun {
			continue
		}
		if n > 0 {
			out = append(out, ',')
		}
		n++
		var status int
		out, status = x.appendBulkResult(out, &ops[i], r)
		x.api.metrics.Request(x.client.OrgSlug, string(r.Type), "BULK "+edge.MethodLabel(ops[i].Method), status, each)
	}
	out = append(out, `]}`...)
	*buf = out
	x.send(http.StatusOK, out)
}

func (x *exchange) appendBulkResult(dst []byte, op *scim.BulkOperation, r *scim.BulkResult) ([]byte, int) {
	status := r.Status
	var failure *scim.Error
	if r.Err != nil {
		failure = x.public(r.Err)
		x.refused(op.Method, x.api.typeOf(r.Type), r.ID, failure)
		status = failure.Status
	}
	dst = scim.AppendString(append(dst, `{"method":`...), op.Method)
	if op.BulkID != "" {
		dst = scim.AppendString(append(dst, `,"bulkId":`...), op.BulkID)
	}
	// The location is there but for a POST that failed. One that names nothing is repeated as it was sent.
	t := x.api.typeOf(r.Type)
	switch {
	case failure != nil && op.Method == http.MethodPost:
	case t != nil && r.ID != "":
		dst = scim.AppendString(append(dst, `,"location":`...), x.location(t, r.ID))
	case op.Path != "":
		dst = scim.AppendString(append(dst, `,"location":`...), x.base()+"/"+strings.TrimLeft(op.Path, "/"))
	}
	if r.Version > 0 {
		dst = appendVersion(append(dst, `,"version":`...), r.Version)
	}
	dst = append(dst, `,"status":"`...)
	dst = append(strconv.AppendInt(dst, int64(status), 10), '"')
	if failure != nil {
		dst = failure.AppendJSON(append(dst, `,"response":`...))
	}
	return append(dst, '}'), status
}

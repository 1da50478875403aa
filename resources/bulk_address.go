package resources

import (
	"net/http"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
)

// bulkRef is what a reference to a resource of the same request starts with (RFC 7644 3.7.2).
const bulkRef = "bulkId:"

// address finds out what each operation is about, as far as its head says it: its type and its resource.
func (b *bulk) address() {
	for i := range b.ops {
		op := &b.ops[i]
		if op.Method != http.MethodPost || op.BulkID == "" {
			continue
		}
		if _, twice := b.created[op.BulkID]; twice {
			if op.Err == nil {
				op.Err = scim.InvalidValue("bulkId", "is the bulkId of an earlier operation")
			}
			continue
		}
		b.created[op.BulkID] = i
		op.id = b.newID()
	}
	for i := range b.ops {
		op := &b.ops[i]
		if op.err = op.Err; op.err == nil {
			op.err = b.head(op)
		}
	}
}

// head checks method, path, bulkId and the presence of data (RFC 7644 3.7).
func (b *bulk) head(op *bulkOp) error {
	endpoint, id, err := splitPath(op.Path)
	if err != nil {
		return err
	}
	if op.def = b.endpoint(endpoint); op.def == nil {
		return scim.InvalidValue("path", "does not start with the endpoint of a resource type")
	}
	switch op.Method {
	case http.MethodPost:
		switch {
		case id != "":
			return scim.InvalidValue("path", "a POST names the endpoint of a resource type and nothing else")
		case op.BulkID == "":
			return scim.InvalidValue("bulkId", "is required for a POST")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		if id == "" {
			return scim.InvalidValue("path", "%s needs the path of a resource", op.Method)
		}
		if err := b.target(op, id); err != nil {
			return err
		}
	default:
		return scim.InvalidValue("method", "must be POST, PUT, PATCH or DELETE")
	}
	if op.Data == nil && op.Method != http.MethodDelete {
		return scim.InvalidValue("data", "is required for %s", op.Method)
	}
	return nil
}

// target resolves the last segment of a path: an id, or a reference such as bulkId:ytrewq.
func (b *bulk) target(op *bulkOp, id string) error {
	ref, isRef := strings.CutPrefix(id, bulkRef)
	if !isRef {
		if !isID(id) {
			return scim.NotFound(op.def.Name)
		}
		op.id = id
		return nil
	}
	op.byID = ref
	i, ok := b.created[ref]
	if !ok {
		return unknownRef("path", ref)
	}
	op.id, op.needs = b.ops[i].id, append(op.needs, i)
	return nil
}

func unknownRef(path, ref string) error {
	return scim.InvalidValue(path, "no operation of the request has the bulkId %q", clip(ref))
}

// endpoint finds a type by the first segment of a path.
func (b *bulk) endpoint(name string) *Definition {
	for _, t := range b.registry.Types() {
		if t.Endpoint == name || strings.EqualFold(t.Endpoint, name) && b.caller.Compat.Allow(compat.LowerCaseEndpoint) {
			return b.registry.definitions[t.Name]
		}
	}
	return nil
}

// splitPath cuts "/Users/{id}" in "/Users" and the id, which is empty in "/Users". Everything else, such as queries
// and absolute URIs, names no resource of a Bulk request: it is relative to the protocol's root.
func splitPath(path string) (endpoint, id string, err error) {
	rest, ok := strings.CutPrefix(path, "/")
	name, id, hasID := strings.Cut(rest, "/")
	if !ok || name == "" || hasID && id == "" || strings.ContainsAny(id, "/?#") {
		return "", "", scim.InvalidValue("path", `must be like "/Users" or "/Users/{id}"`)
	}
	return path[:len(name)+1], id, nil
}

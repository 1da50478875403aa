package api

import (
	"fmt"
	"strconv"

	"rollcall/scim"
	"rollcall/scim/projection"
)

// appendResource appends a resource in wire form. A stored document that passes whole is not decoded: id, the
// relations and meta are put around its bytes.
func (x *exchange) appendResource(dst []byte, t *endpointType, sel *projection.Selection, r *scim.Resource) ([]byte, error) {
	if !sel.Whole() {
		return x.appendProjected(dst, t, sel, r)
	}
	dst = append(dst, `{"id":`...)
	dst = scim.AppendString(dst, r.ID)
	if len(r.Doc) > len(`{}`) {
		dst = append(dst, ',')
		dst = append(dst, r.Doc[1:len(r.Doc)-1]...)
	}
	dst = x.appendRelations(dst, t, sel, r)
	if sel.Default() || sel.Wants("meta") {
		dst = x.appendMeta(append(dst, `,"meta":`...), t, r)
	}
	return append(dst, '}'), nil
}

// parts says which sub-attributes the elements of a relation are written with.
type parts struct{ value, ref, typ, display bool }

func relationParts(t *endpointType, sel *projection.Selection, name string) parts {
	switch {
	case sel == t.selection: // the load for it is known already
		all := name == t.Members && t.load.Members || name == t.Groups && t.load.Groups
		return parts{all, all, all, all}
	case sel.Whole():
		all := sel.Wants(name)
		return parts{all, all, all, all}
	}
	return parts{
		sel.WantsSub(name, "value"), sel.WantsSub(name, "$ref"), sel.WantsSub(name, "type"), sel.WantsSub(name, "display"),
	}
}

// appendRelations writes the members and the groups of a resource, each with a comma before it. They go straight
// from rows to bytes: a group may have 100,000 members.
func (x *exchange) appendRelations(dst []byte, t *endpointType, sel *projection.Selection, r *scim.Resource) []byte {
	if len(r.Members) > 0 {
		p := relationParts(t, sel, t.Members)
		dst = appendList(dst, t.Members, len(r.Members), func(dst []byte, i int) []byte {
			return x.appendMember(dst, &r.Members[i], p)
		})
	}
	if len(r.Groups) > 0 {
		p, group := relationParts(t, sel, t.Groups), x.api.groups
		dst = appendList(dst, t.Groups, len(r.Groups), func(dst []byte, i int) []byte {
			return x.appendMembership(dst, group, &r.Groups[i], p)
		})
	}
	return dst
}

// appendList writes `,"name":[...]` of those of n elements that are not empty; nothing if all are.
func appendList(dst []byte, name string, n int, element func(dst []byte, i int) []byte) []byte {
	before := len(dst)
	dst = append(scim.AppendString(append(dst, ','), name), `:[`...)
	start := len(dst)
	for i := range n {
		at := len(dst)
		if at > start {
			dst = append(dst, ',')
		}
		open := len(dst)
		if dst = element(dst, i); len(dst) == open+len(`{}`) {
			dst = dst[:at]
		}
	}
	if len(dst) == start {
		return dst[:before]
	}
	return append(dst, ']')
}

// appendMember writes a member; one that is pending has nothing but its id.
func (x *exchange) appendMember(dst []byte, m *scim.Member, p parts) []byte {
	dst = append(dst, '{')
	if p.value {
		dst = scim.AppendString(append(dst, `"value":`...), m.ID)
	}
	if t := x.api.typeOf(m.Type); t != nil {
		if p.ref {
			dst = append(x.appendLocation(append(comma(dst), `"$ref":"`...), t, m.ID), '"')
		}
		if p.typ {
			dst = scim.AppendString(append(comma(dst), `"type":`...), string(m.Type))
		}
		if p.display && m.Display != "" {
			dst = scim.AppendString(append(comma(dst), `"display":`...), m.Display)
		}
	}
	return append(dst, '}')
}

func (x *exchange) appendMembership(dst []byte, group *endpointType, g *scim.Membership, p parts) []byte {
	dst = append(dst, '{')
	if p.value {
		dst = scim.AppendString(append(dst, `"value":`...), g.ID)
	}
	if p.ref && group != nil {
		dst = append(x.appendLocation(append(comma(dst), `"$ref":"`...), group, g.ID), '"')
	}
	if p.display && g.Display != "" {
		dst = scim.AppendString(append(comma(dst), `"display":`...), g.Display)
	}
	if p.typ {
		dst = scim.AppendString(append(comma(dst), `"type":`...), membershipType(g))
	}
	return append(dst, '}')
}

// comma separates a member of an object from the one before it, if there is one.
func comma(dst []byte) []byte {
	if dst[len(dst)-1] != '{' {
		return append(dst, ',')
	}
	return dst
}

func membershipType(g *scim.Membership) string {
	if g.Direct {
		return "direct"
	}
	return "indirect"
}

func (x *exchange) appendMeta(dst []byte, t *endpointType, r *scim.Resource) []byte {
	dst = scim.AppendString(append(dst, `{"resourceType":`...), string(t.Name))
	dst = append(dst, `,"created":"`...)
	from := len(dst)
	dst = scim.AppendTime(dst, r.Created)
	to := len(dst)
	dst = append(dst, `","lastModified":"`...)
	if r.Modified.Equal(r.Created) {
		dst = append(dst, dst[from:to]...)
	} else {
		dst = scim.AppendTime(dst, r.Modified)
	}
	dst = append(dst, `","location":"`...)
	dst = append(x.appendLocation(dst, t, r.ID), `","version":`...)
	return append(appendVersion(dst, r.Version), '}')
}

// appendVersion writes scim.ETag as a JSON string.
func appendVersion(dst []byte, version int64) []byte {
	dst = strconv.AppendInt(append(dst, `"W/\"`...), version, 10)
	return append(dst, `\""`...)
}

// appendLocation writes a resource's URL. Neither the base nor the id of a stored resource, a UUID, needs escaping.
func (x *exchange) appendLocation(dst []byte, t *endpointType, id string) []byte {
	dst = append(dst, x.base()...)
	dst = append(dst, t.Endpoint...)
	return append(append(dst, '/'), id...)
}

func (x *exchange) location(t *endpointType, id string) string {
	return x.base() + t.Endpoint + "/" + id
}

// appendProjected decodes the document, puts in id and meta and applies the selection; the relations follow.
func (x *exchange) appendProjected(dst []byte, t *endpointType, sel *projection.Selection, r *scim.Resource) ([]byte, error) {
	doc, err := scim.DecodeAttributes(r.Doc)
	if err != nil {
		return nil, fmt.Errorf("stored document of %s %s: %w", r.Type, r.ID, err)
	}
	doc["id"] = r.ID
	doc["meta"] = scim.Attributes{
		"resourceType": string(t.Name),
		"created":      scim.FormatTime(r.Created), "lastModified": scim.FormatTime(r.Modified),
		"location": x.location(t, r.ID), "version": scim.ETag(r.Version),
	}
	dst = scim.AppendJSON(dst, sel.Apply(doc))
	dst = dst[:len(dst)-1] // id is always there, so a comma may follow
	return append(x.appendRelations(dst, t, sel, r), '}'), nil
}

func (a *api) typeOf(name scim.TypeName) *endpointType {
	for _, t := range a.types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

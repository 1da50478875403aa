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
	if len(r.Members) > 0 && sel.Wants(t.Members) {
		dst = append(scim.AppendString(append(dst, ','), t.Members), `:[`...)
		for i := range r.Members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = x.appendMember(dst, &r.Members[i])
		}
		dst = append(dst, ']')
	}
	if len(r.Groups) > 0 && sel.Wants(t.Groups) {
		dst = append(scim.AppendString(append(dst, ','), t.Groups), `:[`...)
		for i := range r.Groups {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = x.appendMembership(dst, &r.Groups[i])
		}
		dst = append(dst, ']')
	}
	if sel.Default() || sel.Wants("meta") {
		dst = x.appendMeta(append(dst, `,"meta":`...), t, r)
	}
	return append(dst, '}'), nil
}

// appendMember writes a member; one that is pending has nothing but its id.
func (x *exchange) appendMember(dst []byte, m *scim.Member) []byte {
	dst = scim.AppendString(append(dst, `{"value":`...), m.ID)
	if t := x.api.typeOf(m.Type); t != nil {
		dst = append(dst, `,"$ref":"`...)
		dst = append(x.appendLocation(dst, t, m.ID), `","type":`...)
		dst = scim.AppendString(dst, string(m.Type))
		if m.Display != "" {
			dst = scim.AppendString(append(dst, `,"display":`...), m.Display)
		}
	}
	return append(dst, '}')
}

func (x *exchange) appendMembership(dst []byte, g *scim.Membership) []byte {
	dst = scim.AppendString(append(dst, `{"value":`...), g.ID)
	if t := x.api.groupType(); t != nil {
		dst = append(x.appendLocation(append(dst, `,"$ref":"`...), t, g.ID), '"')
	}
	if g.Display != "" {
		dst = scim.AppendString(append(dst, `,"display":`...), g.Display)
	}
	dst = append(append(dst, `,"type":"`...), membershipType(g)...)
	return append(dst, `"}`...)
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
	dst = r.Created.UTC().AppendFormat(dst, scim.TimeFormat)
	dst = append(dst, `","lastModified":"`...)
	dst = r.Modified.UTC().AppendFormat(dst, scim.TimeFormat)
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

// appendProjected decodes the document, puts in what lies beside it and applies the selection.
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
	if len(r.Members) > 0 {
		doc[t.Members] = x.members(r.Members)
	}
	if len(r.Groups) > 0 {
		doc[t.Groups] = x.memberships(r.Groups)
	}
	return scim.AppendJSON(dst, sel.Apply(doc)), nil
}

func (x *exchange) members(list []scim.Member) []any {
	out := make([]any, len(list))
	for i, m := range list {
		el := scim.Attributes{"value": m.ID}
		if t := x.api.typeOf(m.Type); t != nil {
			el["$ref"], el["type"] = x.location(t, m.ID), string(m.Type)
			if m.Display != "" {
				el["display"] = m.Display
			}
		}
		out[i] = el
	}
	return out
}

func (x *exchange) memberships(list []scim.Membership) []any {
	out := make([]any, len(list))
	for i, g := range list {
		el := scim.Attributes{"value": g.ID, "type": membershipType(&g)}
		if t := x.api.groupType(); t != nil {
			el["$ref"] = x.location(t, g.ID)
		}
		if g.Display != "" {
			el["display"] = g.Display
		}
		out[i] = el
	}
	return out
}

func (a *api) typeOf(name scim.TypeName) *endpointType {
	for _, t := range a.types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// groupType is the type whose resources have members: what a membership refers to.
func (a *api) groupType() *endpointType {
	for _, t := range a.types {
		if t.Members != "" {
			return t
		}
	}
	return nil
}

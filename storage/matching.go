package storage

import (
	"rollcall/scim"
	"rollcall/scim/query"
)

// Relation names the relation that a field asks about: Members or Groups; "" for a field of the document.
func (t *Type) Relation(f *query.Field) string {
	switch f.Steps[0] {
	case "":
	case t.Members, t.Groups:
		return f.Steps[0]
	}
	return ""
}

// Complete puts into a decoded document of r what query.Match has to find there beside it (see Resources.Query): the id,
// the relations as far as r has them, and, if it is asked for, meta.
func (t *Type) Complete(doc scim.Attributes, r *Record, meta bool) {
	doc["id"] = r.ID
	if meta {
		doc["meta"] = scim.Attributes{
			"resourceType": string(t.Name), "created": scim.FormatTime(r.Created),
			"lastModified": scim.FormatTime(r.Modified), "version": scim.ETag(r.Version),
		}
	}
	if len(r.Members) > 0 {
		list := make([]any, len(r.Members))
		for i, m := range r.Members {
			list[i] = element(m.ID, string(m.Type), m.Display)
		}
		doc[t.Members] = list
	}
	if len(r.Groups) > 0 {
		list := make([]any, len(r.Groups))
		for i, g := range r.Groups {
			kind := "indirect"
			if g.Direct {
				kind = "direct"
			}
			list[i] = element(g.ID, kind, g.Display)
		}
		doc[t.Groups] = list
	}
}

func element(id, kind, display string) scim.Attributes {
	el := scim.Attributes{"value": id}
	if kind != "" {
		el["type"] = kind
	}
	if display != "" {
		el["display"] = display
	}
	return el
}

// SecretsAfter are the secrets of a record after the edit; old are those that it has, nil for a new one. It changes
// neither.
func (e *Edit) SecretsAfter(old scim.Attributes) scim.Attributes {
	if len(old) == 0 && len(e.Secret) == 0 {
		return nil
	}
	merged := scim.CloneAttributes(old)
	if merged == nil {
		merged = make(scim.Attributes, len(e.Secret))
	}
	for name, v := range e.Secret {
		if v == nil {
			delete(merged, name)
		} else {
			merged[name] = v
		}
	}
	return merged
}

// Copy shares no bytes and no attributes with r, as far as a write has to do with them: an update's callback may change
// what it is given.
func (r *Record) Copy() *Record {
	c := *r
	c.Doc = append([]byte(nil), r.Doc...)
	c.Secret = scim.CloneAttributes(r.Secret)
	return &c
}

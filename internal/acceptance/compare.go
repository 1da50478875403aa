package acceptance

import (
	"encoding/json"
	"maps"
	"slices"
)

// defaults returns the attributes that the server gave the resource on its own at creation (active) and that the
// change left alone: the corpus does not know them.
func defaults(created, sent, after any) map[string]bool {
	object, _ := created.(map[string]any)
	own := map[string]bool{}
	for name, value := range object {
		if kind(member(sent, name)) == "missing" && equal(member(after, name), value) {
			own[name] = true
		}
	}
	return own
}

// forComparison returns a resource in the form in which the corpus compares: without what the server makes, and with
// every list in one order. own are the attributes that the server made at creation; they are kept where want has them.
func forComparison(resource, want any, own map[string]bool) any {
	object, ok := resource.(map[string]any)
	if !ok {
		return resource
	}
	out := map[string]any{}
	for name, value := range object {
		switch name {
		case "id", "meta", "groups", "password":
			continue
		case "schemas":
			value = usedSchemas(value, object)
		case "members":
			value = withoutMade(value)
		}
		if own[name] && kind(member(want, name)) == "missing" {
			continue
		}
		if extension, ok := value.(map[string]any); ok {
			extension = copyOf(extension)
			if manager, ok := extension["manager"]; ok {
				extension["manager"] = withoutMade(manager)
			}
			value = extension
		}
		out[name] = ordered(value)
	}
	return out
}

// usedSchemas leaves out the URN of an extension of which the resource has no attribute: a server may keep it.
func usedSchemas(v any, resource map[string]any) any {
	list, _ := v.([]any)
	return slices.DeleteFunc(slices.Clone(list), func(e any) bool {
		urn, _ := e.(string)
		_, used := resource[urn]
		return !used && urn != "urn:ietf:params:scim:schemas:core:2.0:User" &&
			urn != "urn:ietf:params:scim:schemas:core:2.0:Group"
	})
}

// withoutMade drops what a server adds to a reference: who it is and where.
func withoutMade(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutMade(e)
		}
		return out
	case map[string]any:
		out := copyOf(v)
		for _, name := range []string{"$ref", "display", "displayName", "type"} {
			delete(out, name)
		}
		return out
	default:
		return v
	}
}

func copyOf(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	maps.Copy(out, m)
	return out
}

// ordered sorts lists by their elements' text, at every depth: the order of values carries no meaning (RFC 7643 2.4).
func ordered(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = ordered(e)
		}
		slices.SortFunc(out, func(a, b any) int {
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			return slices.Compare(x, y)
		})
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = ordered(e)
		}
		return out
	default:
		return v
	}
}

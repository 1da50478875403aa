package acceptance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
)

// path returns the path of an operation below the SCIM root, as a request and as a Bulk operation name it.
func (op *modelOp) path() string {
	if op.id == "" {
		return "/" + op.typ + "s"
	}
	return "/" + op.typ + "s/" + op.id
}

// body returns what an operation sends, in one of the ways that mean the same; nil if it sends nothing.
func (op *modelOp) body(random *rand.Rand) any {
	switch op.method {
	case http.MethodDelete:
		return nil
	case http.MethodPatch:
		return op.patch(random)
	}
	body := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:" + op.typ}}
	for name, value := range op.text {
		body[name] = value
	}
	if op.active != nil {
		body["active"] = *op.active
	}
	for _, s := range op.members {
		body["members"] = memberList(s.ids)
		if len(s.ids) == 0 && random.IntN(2) == 0 {
			body["members"] = nil
		}
	}
	return body
}

func (op *modelOp) patch(random *rand.Rand) any {
	var list []any
	add := func(op, path string, value any) {
		o := map[string]any{"op": op, "path": path}
		if value != nil {
			o["value"] = value
		}
		list = append(list, o)
	}
	whole := map[string]any{}
	set := func(name string, value any) {
		switch random.IntN(3) {
		case 0:
			whole[name] = value
		case 1:
			add("add", name, value)
		default:
			add("replace", name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(op.text)) {
		if value := op.text[name]; value != "" {
			set(name, value)
		} else {
			add("remove", name, nil)
		}
	}
	if op.active != nil {
		set("active", *op.active)
	}
	for _, s := range op.members {
		if s.op != "remove" {
			add(s.op, "members", memberList(s.ids))
			continue
		}
		for _, id := range s.ids {
			add("remove", fmt.Sprintf("members[value eq %q]", id), nil)
		}
	}
	if len(whole) > 0 {
		list = append(list, map[string]any{"op": "replace", "value": whole})
	}
	if op.fails {
		add("replace", "meta.version", "W/\"1\"")
	}
	return map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": list}
}

func memberList(ids []string) []any {
	list := []any{}
	for _, id := range ids {
		list = append(list, map[string]any{"value": id})
	}
	return list
}

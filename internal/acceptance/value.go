package acceptance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// missing is what lookup returns where nothing is; null is nil, which is something else.
type missing struct{}

// lookup follows a path as the corpora write it: "$" for the whole, "a.b[0].c", or a list of names where a name holds
// dots (an extension's URN).
func lookup(v any, path any) any {
	switch p := path.(type) {
	case []any:
		for _, name := range p {
			v = member(v, fmt.Sprint(name))
		}
		return v
	case string:
		if p == "$" {
			return v
		}
		for part := range strings.SplitSeq(p, ".") {
			name, index, indexed := strings.Cut(part, "[")
			v = member(v, name)
			if indexed {
				v = element(v, strings.TrimSuffix(index, "]"))
			}
		}
		return v
	default:
		return missing{}
	}
}

func member(v any, name string) any {
	object, ok := v.(map[string]any)
	if !ok {
		return missing{}
	}
	got, ok := object[name]
	if !ok {
		return missing{}
	}
	return got
}

func element(v any, index string) any {
	list, ok := v.([]any)
	i, err := strconv.Atoi(index)
	if !ok || err != nil || i >= len(list) {
		return missing{}
	}
	return list[i]
}

// check reports how what is at the path of a body differs from one expectation of a flow.
func check(body, path any, op string, want any) error {
	got := lookup(body, path)
	ok := false
	switch op {
	case "eq":
		ok = equal(got, want)
	case "ne":
		ok = !equal(got, want)
	case "contains":
		ok = holds(got, want)
	case "any":
		list, _ := got.([]any)
		for _, e := range list {
			ok = ok || includes(e, want)
		}
	case "in":
		choices, _ := want.([]any)
		for _, c := range choices {
			ok = ok || equal(got, c)
		}
	case "len":
		list, isList := got.([]any)
		ok = isList && equal(json.Number(strconv.Itoa(len(list))), want)
	case "type":
		ok = kind(got) == want
	case "matches":
		pattern, err := regexp.Compile(fmt.Sprint(want))
		if err != nil {
			return err
		}
		s, isString := got.(string)
		ok = isString && pattern.MatchString(s)
	case "exists":
		ok = kind(got) != "missing"
	case "absent":
		ok = kind(got) == "missing"
	case "nonempty":
		ok = !empty(got)
	case "empty_or_absent":
		ok = empty(got)
	default:
		return fmt.Errorf("unknown operation %q", op)
	}
	if ok {
		return nil
	}
	return fmt.Errorf("%v: want %s %s, got %s", path, op, show(want), show(got))
}

func kind(v any) string {
	switch v := v.(type) {
	case missing:
		return "missing"
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "decimal"
		}
		return "integer"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// empty follows RFC 7643 2.5: absent, null and [] say the same.
func empty(v any) bool {
	switch v := v.(type) {
	case missing, nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// holds reports whether v is a list with the element e.
func holds(v, e any) bool {
	list, _ := v.([]any)
	for _, got := range list {
		if equal(got, e) {
			return true
		}
	}
	return false
}

// includes reports whether v is an object that has all members of want with their values.
func includes(v, want any) bool {
	object, ok := want.(map[string]any)
	if !ok {
		return equal(v, want)
	}
	for name, value := range object {
		if !equal(member(v, name), value) {
			return false
		}
	}
	return true
}

// show writes v for a message.
func show(v any) string {
	if _, ok := v.(missing); ok {
		return "nothing"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// replaceStrings returns v with f applied to every string in it, names included.
func replaceStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = replaceStrings(e, f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[f(name)] = replaceStrings(e, f)
		}
		return out
	default:
		return v
	}
}

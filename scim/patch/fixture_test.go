package patch_test

import (
	"errors"
	"testing"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

const gadgetURN = "urn:example:gadget:2.0:User"

// gadget has what the core schemas lack: immutable and required attributes, numbers, simple multi-valued ones.
func gadget() *schema.Schema {
	return &schema.Schema{URN: gadgetURN, Name: "Gadget", Attributes: []*schema.Attribute{
		{Name: "badge", Mutability: schema.Immutable},
		{Name: "level", Kind: query.Integer},
		{Name: "serial", Mutability: schema.ReadOnly},
		{Name: "tags", Multi: true},
		{Name: "rooms", Kind: query.Complex, Multi: true, Sub: []*schema.Attribute{
			{Name: "value"},
			{Name: "key", Mutability: schema.Immutable},
			{Name: "seen", Mutability: schema.ReadOnly},
			{Name: "primary", Kind: query.Boolean},
			{Name: "labels", Multi: true},
		}},
		{Name: "home", Kind: query.Complex, Sub: []*schema.Attribute{
			{Name: "city"}, {Name: "plot", Mutability: schema.Immutable}, {Name: "area", Mutability: schema.ReadOnly},
		}},
	}}
}

const strictURN = "urn:example:strict:2.0:User"

// demanding has required attributes at every level.
func demanding() *schema.Schema {
	return &schema.Schema{URN: strictURN, Name: "Demanding", Attributes: []*schema.Attribute{
		{Name: "code", Required: true},
		{Name: "desk", Kind: query.Complex, Required: true, Sub: []*schema.Attribute{{Name: "value"}, {Name: "floor"}}},
		{Name: "keys", Kind: query.Complex, Multi: true, Required: true, Sub: []*schema.Attribute{
			{Name: "value", Required: true}, {Name: "type"},
		}},
	}}
}

func types(tb testing.TB) (user, group *schema.ResourceType) {
	tb.Helper()
	r, err := schema.NewRegistry(
		&schema.ResourceType{
			Name: "User", Endpoint: "/Users", Schema: schema.CoreUser(), Groups: "groups",
			Extensions: []schema.Extension{{Schema: schema.EnterpriseUser()}, {Schema: gadget()}, {Schema: demanding()}},
		},
		&schema.ResourceType{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroup(), Members: "members"},
	)
	if err != nil {
		tb.Fatal(err)
	}
	return r.Types()[0], r.Types()[1]
}

// session returns a session of the profile; strict ones are nil, as below the edge.
func session(tb testing.TB, name string) *compat.Session {
	tb.Helper()
	if name == "strict" {
		return nil
	}
	p, err := compat.Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	return compat.NewSession(p)
}

func tree(tb testing.TB, text string) any {
	tb.Helper()
	v, err := scim.ParseJSON([]byte(text), 32)
	if err != nil {
		tb.Fatalf("%v: %s", err, text)
	}
	return v
}

// canonical makes a document of test JSON, which must be canonical already.
func canonical(tb testing.TB, text string) scim.Attributes {
	tb.Helper()
	doc, err := scim.DecodeAttributes([]byte(text))
	if err != nil {
		tb.Fatalf("%v: %s", err, text)
	}
	return doc
}

// message wraps operations.
func message(ops string) string {
	return `{"schemas":["` + scim.MessagePatchOp + `"],"Operations":` + ops + `}`
}

// errorType returns the scimType of err, "" for none.
func errorType(err error) scim.ErrorType {
	if e, ok := errors.AsType[*scim.Error](err); ok {
		return e.Type
	}
	return ""
}

// source serves the ids as the members of a group; display is "name of " + id.
func source(ids ...string) patch.MemberSource {
	return func() ([]scim.Attributes, error) {
		list := make([]scim.Attributes, len(ids))
		for i, id := range ids {
			list[i] = scim.Attributes{"value": id, "type": "User", "display": "name of " + id}
		}
		return list, nil
	}
}

// join applies a member change to a list of ids.
func join(m patch.MemberChange, ids []string) map[string]bool {
	now := map[string]bool{}
	if !m.Replace {
		for _, id := range ids {
			now[id] = true
		}
	}
	for _, id := range m.Remove {
		delete(now, id)
	}
	for _, id := range m.Add {
		now[id] = true
	}
	return now
}

package patch_test

import (
	"testing"

	"rollcall/scim"
	"rollcall/scim/compat"
)

// TestValuePath is about targets with a value filter (scim-protocol 2.10, second half of the table).
func TestValuePath(t *testing.T) {
	const twoHomes = `{"emails":[{"type":"home","value":"a"},{"type":"home","value":"b"},{"type":"work","value":"c","primary":true}]}`
	create := []compat.Rule{compat.CreateOnReplace}
	g := func(s string) string { return `{"` + gadgetURN + `":` + s + `}` }
	runTable(t, []test{
		{
			name: "add sub on every match", before: twoHomes, ops: `[{"op":"add","path":"emails[type eq \"HOME\"].display","value":"D"}]`,
			after: `{"emails":[{"type":"home","value":"a","display":"D"},{"type":"home","value":"b","display":"D"},{"type":"work","value":"c","primary":true}]}`,
		},
		{
			name: "add merges into the match", before: mails, ops: `[{"op":"add","path":"emails[type eq \"home\"]","value":{"display":"D","value":null}}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":true},{"type":"home","display":"D"}]}`,
		},
		{name: "add without a match creates", before: none, ops: `[{"op":"add","path":"emails[type eq \"work\" and primary eq true].value","value":"n"}]`, after: `{"emails":[{"type":"work","primary":true,"value":"n"}]}`},
		{name: "add of an element without a match", before: none, ops: `[{"op":"add","path":"emails[type eq \"work\"]","value":{"value":"n"}}]`, after: `{"emails":[{"type":"work","value":"n"}]}`},
		{name: "add with a filter that describes nothing", before: none, ops: `[{"op":"add","path":"emails[type sw \"w\"].value","value":"n"}]`, err: scim.TypeNoTarget},
		{name: "add with or", before: none, ops: `[{"op":"add","path":"emails[type eq \"a\" or type eq \"b\"].value","value":"n"}]`, err: scim.TypeNoTarget},
		{name: "add with a contradiction", before: none, ops: `[{"op":"add","path":"emails[type eq \"a\" and type eq \"b\"].value","value":"n"}]`, err: scim.TypeNoTarget},
		{
			name: "replace the match whole", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"n"}}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":true},{"value":"n"}]}`,
		},
		{
			name: "replace every match", before: twoHomes, ops: `[{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"n","type":"home"}}]`,
			after: `{"emails":[{"type":"home","value":"n"},{"type":"work","value":"c","primary":true}]}`,
		},
		{
			name: "replace sub", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"n"}]`,
			after: `{"emails":[{"type":"work","value":"n","primary":true},{"type":"home","value":"h@x.example"}]}`,
		},
		{
			name: "replace sub with null", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"].primary","value":null}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example"},{"type":"home","value":"h@x.example"}]}`,
		},
		{name: "replace match with null", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"]","value":null}]`, after: `{"emails":[{"type":"home","value":"h@x.example"}]}`},
		{name: "replace without a match", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"other\"].value","value":"n"}]`, err: scim.TypeNoTarget},
		{
			name: "replace without a match, relaxed", profile: "entra", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"other\"].value","value":"n"}]`, used: create,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":true},{"type":"home","value":"h@x.example"},{"type":"other","value":"n"}]}`,
		},
		{
			name: "replace without a match, primary as text", profile: "entra", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"other\" and primary eq \"True\"].value","value":"n"}]`,
			used:  []compat.Rule{compat.StringBoolean, compat.CreateOnReplace},
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":false},{"type":"home","value":"h@x.example"},{"type":"other","primary":true,"value":"n"}]}`,
		},
		{
			name: "replace with a match uses no relaxation", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"n"}]`,
			after: `{"emails":[{"type":"work","value":"n","primary":true},{"type":"home","value":"h@x.example"}]}`,
		},
		{name: "replace without a match that describes nothing", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[not (type pr)].value","value":"n"}]`, err: scim.TypeNoTarget},
		{name: "replace without a match by a value that the filter excludes", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[value eq \"a\"].value","value":"n"}]`, err: scim.TypeNoTarget},
		{
			name: "what is created may be there but for primary", profile: "entra", before: `{"emails":[{"type":"work","value":"n"}]}`, ops: `[{"op":"replace","path":"emails[type eq \"work\" and primary eq true].value","value":"n"}]`, used: create,
			after: `{"emails":[{"type":"work","value":"n","primary":true}]}`,
		},
		{name: "replace with null without a match", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"x\"].value","value":null}]`, err: scim.TypeNoTarget},
		{
			name: "created once", profile: "auto", before: none, ops: `[{"op":"add","path":"addresses[type eq \"work\"].locality","value":"l"},{"op":"replace","path":"addresses[type eq \"work\"].region","value":"r"}]`,
			after: `{"addresses":[{"type":"work","locality":"l","region":"r"}]}`,
		},
		{name: "remove matches", before: twoHomes, ops: `[{"op":"remove","path":"emails[type eq \"home\"]"}]`, after: `{"emails":[{"type":"work","value":"c","primary":true}]}`},
		{name: "remove the last", before: twoHomes, ops: `[{"op":"remove","path":"emails[value pr]"}]`, after: none},
		{name: "remove without a match", before: mails, ops: `[{"op":"remove","path":"emails[type eq \"x\"]"}]`},
		{name: "remove from absent", before: none, ops: `[{"op":"remove","path":"emails[type eq \"x\"]"}]`},
		{name: "remove sub of matches", before: mails, ops: `[{"op":"remove","path":"emails[type eq \"work\"].primary"}]`, after: `{"emails":[{"type":"work","value":"w@x.example"},{"type":"home","value":"h@x.example"}]}`},
		{name: "remove all of an element", before: `{"emails":[{"value":"a"}]}`, ops: `[{"op":"remove","path":"emails[value eq \"a\"].value"}]`, after: none},
		{name: "no shift of indexes", before: twoHomes, ops: `[{"op":"remove","path":"emails[value eq \"a\"]"},{"op":"remove","path":"emails[value eq \"b\"]"}]`, after: `{"emails":[{"type":"work","value":"c","primary":true}]}`},
		{name: "primary is not promoted", before: mails, ops: `[{"op":"remove","path":"emails[primary eq true]"}]`, after: `{"emails":[{"type":"home","value":"h@x.example"}]}`},
		{name: "spaces of the RFC", before: twoHomes, ops: `[{"op":"remove","path":" emails[value eq\"a\"] "}]`, after: `{"emails":[{"type":"home","value":"b"},{"type":"work","value":"c","primary":true}]}`},
		{name: "core URN", before: twoHomes, ops: `[{"op":"remove","path":"` + scim.SchemaUser + `:emails[type eq \"home\"]"}]`, after: `{"emails":[{"type":"work","value":"c","primary":true}]}`},
		{name: "simple values removed", before: g(`{"tags":["a","b"]}`), ops: `[{"op":"remove","path":"` + gadgetURN + `:tags[value eq \"A\"]"}]`, after: g(`{"tags":["b"]}`)},
		{name: "simple values replaced", before: g(`{"tags":["a","b"]}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:tags[value eq \"a\"]","value":"c"}]`, after: g(`{"tags":["c","b"]}`)},
		{name: "simple value without a match", profile: "auto", before: g(`{"tags":["a"]}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:tags[value eq \"x\"]","value":"c"}]`, err: scim.TypeNoTarget},

		{name: "on a single-valued attribute", profile: "auto", before: none, ops: `[{"op":"add","path":"userName[value eq \"x\"]","value":"y"}]`, err: scim.TypeInvalidPath},
		{name: "on a single complex attribute", profile: "auto", before: named, ops: `[{"op":"add","path":"name[givenName eq \"x\"]","value":{}}]`, err: scim.TypeInvalidPath},
		{name: "on a sub-attribute", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails.value[value eq \"x\"]","value":"y"}]`, err: scim.TypeInvalidPath},
		{name: "unknown attribute", profile: "auto", before: mails, ops: `[{"op":"add","path":"nope[value eq \"x\"]","value":"y"}]`, err: scim.TypeInvalidPath},
		{name: "unknown sub-attribute", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails[type eq \"work\"].nope","value":"y"}]`, err: scim.TypeInvalidPath},
		{name: "unknown in the filter", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails[nope eq \"work\"].value","value":"y"}]`, err: scim.TypeInvalidFilter},
		{name: "malformed filter", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails[type eq 'work'].value","value":"y"}]`, err: scim.TypeInvalidFilter},
		{name: "array index", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails[0].value","value":"y"}]`, err: scim.TypeInvalidFilter},
		{name: "nothing after the bracket", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails[type eq \"work\"].","value":"y"}]`, err: scim.TypeInvalidPath},
		{name: "wrong type", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails[type eq \"work\"].value","value":5}]`, err: scim.TypeInvalidValue},
		{name: "array for one element", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"]","value":[{"value":"n"}]}]`, err: scim.TypeInvalidValue},
		{
			name: "array for one element, relaxed", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"]","value":[{"value":"n"}]}]`, used: []compat.Rule{compat.UnwrapSingleElement},
			after: `{"emails":[{"value":"n"},{"type":"home","value":"h@x.example"}]}`,
		},
		{name: "an element replaced by nothing that is understood", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"]","value":{"nope":"n"}}]`, err: scim.TypeInvalidValue, used: []compat.Rule{compat.IgnoreUnknownAttributes}},
		{name: "two for one element", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"]","value":[{"value":"n"},{"value":"m"}]}]`, err: scim.TypeInvalidValue},
	})
}

// TestPrimary: at most one element is primary, and a new one takes it over (RFC 7644 3.5.2).
func TestPrimary(t *testing.T) {
	demoted := func(rest string) string {
		return `{"emails":[{"type":"work","value":"w@x.example","primary":false},{"type":"home","value":"h@x.example"` + rest + `}`
	}
	runTable(t, []test{
		{name: "add an element", before: mails, ops: `[{"op":"add","path":"emails","value":[{"value":"n","primary":true}]}]`, after: demoted(`},{"value":"n","primary":true`) + `]}`},
		{name: "add to what is there", before: mails, ops: `[{"op":"add","path":"emails","value":[{"value":"h@x.example","type":"home","primary":true}]}]`, after: demoted(`,"primary":true`) + `]}`},
		{name: "set", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}]`, after: demoted(`,"primary":true`) + `]}`},
		{name: "merge", before: mails, ops: `[{"op":"add","path":"emails[type eq \"home\"]","value":{"primary":true}}]`, after: demoted(`,"primary":true`) + `]}`},
		{
			name: "replace element", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"n","primary":true}}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":false},{"value":"n","primary":true}]}`,
		},
		{name: "again", before: mails, ops: `[{"op":"replace","path":"emails[type eq \"work\"].primary","value":true}]`},
		{name: "two in one value", profile: "auto", before: mails, ops: `[{"op":"add","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}]`, err: scim.TypeInvalidValue},
		{
			name: "two in one value, first wins", profile: "ping", before: none, ops: `[{"op":"add","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}]`,
			used: []compat.Rule{compat.FirstPrimaryWins}, after: `{"emails":[{"value":"a","primary":true},{"value":"b","primary":false}]}`,
		},
		{name: "on all matches", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails[value pr].primary","value":true}]`, err: scim.TypeInvalidValue},
		{name: "on every element", profile: "auto", before: mails, ops: `[{"op":"replace","path":"emails.primary","value":true}]`, err: scim.TypeInvalidValue},
		{
			name: "false on every element", before: mails, ops: `[{"op":"replace","path":"emails.primary","value":false}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":false},{"type":"home","value":"h@x.example","primary":false}]}`,
		},
	})
}

// TestPathless is about operations without a path.
func TestPathless(t *testing.T) {
	dotted := []compat.Rule{compat.DottedKeys}
	runTable(t, []test{
		{name: "several attributes", before: named, ops: `[{"op":"replace","value":{"active":false,"title":"x","name":{"givenName":"B"}}}]`, after: `{"active":false,"title":"x","name":{"givenName":"B","familyName":"King"}}`},
		{
			name: "only those listed", before: mails, ops: `[{"op":"replace","value":{"active":false}}]`,
			after: `{"active":false,"emails":[{"type":"work","value":"w@x.example","primary":true},{"type":"home","value":"h@x.example"}]}`,
		},
		{
			name: "add appends, replace replaces", before: none, ops: `[{"op":"add","value":{"emails":[{"value":"a"}]}},{"op":"add","value":{"emails":{"value":"b"}}},{"op":"replace","value":{"roles":[{"value":"r"}]}}]`,
			after: `{"emails":[{"value":"a"},{"value":"b"}],"roles":[{"value":"r"}]}`,
		},
		{name: "null un-assigns", before: named, ops: `[{"op":"replace","value":{"name":null}}]`, after: none},
		{name: "extension object", before: dept, ops: `[{"op":"replace","value":{"` + enterprise + `":{"department":"S","manager":null}}}]`, after: `{"` + enterprise + `":{"department":"S"}}`},
		{name: "extension null", before: dept, ops: `[{"op":"replace","value":{"` + enterprise + `":null}}]`, after: none},
		{name: "no object", profile: "auto", before: none, ops: `[{"op":"add","value":"x"}]`, err: scim.TypeInvalidValue},
		{name: "array", profile: "auto", before: none, ops: `[{"op":"add","value":[{"title":"x"}]}]`, err: scim.TypeInvalidValue},
		{name: "name twice", profile: "auto", before: none, ops: `[{"op":"add","value":{"title":"x","Title":"y"}}]`, err: scim.TypeInvalidSyntax},
		{name: "readOnly", before: none, ops: `[{"op":"replace","value":{"id":"x","title":"t"}}]`, err: scim.TypeMutability},
		{name: "readOnly, relaxed", profile: "auto", before: none, ops: `[{"op":"replace","value":{"id":"x","meta":{"version":"1"},"groups":[],"title":"t"}}]`, after: `{"title":"t"}`, used: []compat.Rule{compat.IgnoreReadOnlyInValue}},
		{name: "readOnly in an extension, relaxed", profile: "auto", before: none, ops: `[{"op":"replace","value":{"` + gadgetURN + `":{"serial":"x","level":1}}}]`, after: `{"` + gadgetURN + `":{"level":1}}`, used: []compat.Rule{compat.IgnoreReadOnlyInValue}},
		{name: "schemas", before: none, ops: `[{"op":"replace","value":{"schemas":["` + scim.SchemaUser + `"],"title":"t"}}]`, after: `{"title":"t"}`},
		{name: "unknown", before: none, ops: `[{"op":"replace","value":{"nope":"x"}}]`, err: scim.TypeInvalidPath},
		{name: "unknown, relaxed", profile: "auto", before: none, ops: `[{"op":"replace","value":{"nope":"x","title":"t"}}]`, after: `{"title":"t"}`, used: []compat.Rule{compat.IgnoreUnknownAttributes}},
		{name: "required null", profile: "auto", before: none, ops: `[{"op":"replace","value":{"userName":null}}]`, err: scim.TypeInvalidValue},
		{name: "dotted name", before: none, ops: `[{"op":"replace","value":{"name.givenName":"B"}}]`, err: scim.TypeInvalidPath},
		{name: "dotted name, relaxed", profile: "auto", before: named, ops: `[{"op":"replace","value":{"name.givenName":"B"}}]`, after: `{"name":{"givenName":"B","familyName":"King"}}`, used: dotted},
		{name: "URN and attribute", before: none, ops: `[{"op":"replace","value":{"` + enterprise + `:department":"S"}}]`, err: scim.TypeInvalidPath},
		{name: "URN and attribute, relaxed", profile: "auto", before: none, ops: `[{"op":"replace","value":{"` + enterprise + `:department":"S"}}]`, after: `{"` + enterprise + `":{"department":"S"}}`, used: dotted},
		{name: "core URN, relaxed", profile: "auto", before: none, ops: `[{"op":"replace","value":{"` + scim.SchemaUser + `":{"title":"t"}}}]`, after: `{"title":"t"}`, used: dotted},
		{name: "value path", before: none, ops: `[{"op":"add","value":{"emails[type eq \"work\"].value":"n"}}]`, err: scim.TypeInvalidPath},
		{name: "value path, relaxed", profile: "entra", before: none, ops: `[{"op":"replace","value":{"emails[type eq \"work\"].value":"n"}}]`, after: `{"emails":[{"type":"work","value":"n"}]}`, used: []compat.Rule{compat.DottedKeys, compat.CreateOnReplace}},
		{name: "core URN as path", before: none, ops: `[{"op":"add","path":"` + scim.SchemaUser + `","value":{"title":"t"}}]`, after: `{"title":"t"}`},
	})
}

// TestQuirks holds each relaxation against the strict answer.
func TestQuirks(t *testing.T) {
	m := enterprise + ":manager"
	managed := `{"` + enterprise + `":{"manager":{"value":"m2"}}}`
	runTable(t, []test{
		{name: "string boolean", before: none, ops: `[{"op":"replace","path":"active","value":"False"}]`, err: scim.TypeInvalidValue},
		{name: "string boolean, relaxed", profile: "auto", before: `{"active":true}`, ops: `[{"op":"replace","path":"active","value":"False"}]`, after: `{"active":false}`, used: []compat.Rule{compat.StringBoolean}},
		{name: "no boolean at all", profile: "auto", before: none, ops: `[{"op":"replace","path":"active","value":"no"}]`, err: scim.TypeInvalidValue},
		{name: "manager as string", before: none, ops: `[{"op":"add","path":"` + m + `","value":"m2"}]`, err: scim.TypeInvalidValue},
		{name: "manager as string, relaxed", profile: "auto", before: none, ops: `[{"op":"add","path":"` + m + `","value":"m2"}]`, after: managed, used: []compat.Rule{compat.BareComplexValue}},
		{name: "manager as array", before: none, ops: `[{"op":"add","path":"` + m + `","value":[{"value":"m2"}]}]`, err: scim.TypeInvalidValue},
		{name: "manager as array, relaxed", profile: "auto", before: none, ops: `[{"op":"add","path":"` + m + `","value":[{"$ref":null,"value":"m2"}]}]`, after: managed, used: []compat.Rule{compat.UnwrapSingleElement}},
		{name: "manager emptied", before: managed, ops: `[{"op":"replace","path":"` + m + `","value":{"value":""}}]`, err: scim.TypeInvalidValue},
		{name: "manager emptied, relaxed", profile: "auto", before: managed, ops: `[{"op":"replace","path":"` + m + `","value":{"value":""}}]`, after: none, used: []compat.Rule{compat.NullReference}},
		{name: "manager without URN", before: none, ops: `[{"op":"add","path":"manager","value":{"value":"m2"}}]`, err: scim.TypeInvalidPath},
		{name: "manager without URN, relaxed", profile: "auto", before: none, ops: `[{"op":"add","path":"manager","value":{"value":"m2"}}]`, after: managed, used: []compat.Rule{compat.UnprefixedExtension}},
		{name: "dot after the URN", before: none, ops: `[{"op":"add","path":"` + enterprise + `.manager","value":{"value":"m2"}}]`, err: scim.TypeInvalidPath},
		{name: "dot after the URN, relaxed", profile: "entra", before: none, ops: `[{"op":"add","path":"` + enterprise + `.manager","value":{"value":"m2"}}]`, after: managed, used: []compat.Rule{compat.URNDotPath}},
		{name: "object for many", before: none, ops: `[{"op":"replace","path":"emails","value":{"value":"n"}}]`, err: scim.TypeInvalidValue},
		{name: "object for many, relaxed", profile: "auto", before: none, ops: `[{"op":"replace","path":"emails","value":{"value":"n"}}]`, after: `{"emails":[{"value":"n"}]}`, used: []compat.Rule{compat.WrapSingleValue}},
		{name: "string number", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `:level","value":"5"}]`, err: scim.TypeInvalidValue},
		{name: "string number, relaxed", profile: "auto", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `:level","value":"5"}]`, after: `{"` + gadgetURN + `":{"level":5}}`, used: []compat.Rule{compat.StringNumber}},
		{name: "remove with value", before: mails, ops: `[{"op":"remove","path":"emails","value":[{"type":"home"}]}]`, err: scim.TypeInvalidValue},
		{name: "remove with value, relaxed", profile: "auto", before: mails, ops: `[{"op":"remove","path":"emails","value":[{"type":"HOME"}]}]`, after: `{"emails":[{"type":"work","value":"w@x.example","primary":true}]}`, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove with another value", profile: "auto", before: mails, ops: `[{"op":"remove","path":"emails","value":{"value":"nobody"}}]`, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove with no values", profile: "auto", before: mails, ops: `[{"op":"remove","path":"emails","value":[]}]`, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove with an empty element", profile: "auto", before: mails, ops: `[{"op":"remove","path":"emails","value":[{}]}]`, err: scim.TypeInvalidValue, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove simple with value", profile: "auto", before: `{"` + gadgetURN + `":{"tags":["a","b"]}}`, ops: `[{"op":"remove","path":"` + gadgetURN + `:tags","value":["A"]}]`, after: `{"` + gadgetURN + `":{"tags":["b"]}}`, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove single with value never writes it", profile: "auto", before: `{"title":"x"}`, ops: `[{"op":"remove","path":"title","value":"y"}]`, after: none, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove by filter with value", before: mails, ops: `[{"op":"remove","path":"emails[type eq \"home\"]","value":"x"}]`, err: scim.TypeInvalidValue},
		{name: "remove by filter with value, relaxed", profile: "auto", before: mails, ops: `[{"op":"remove","path":"emails[type eq \"home\"]","value":"x"}]`, after: `{"emails":[{"type":"work","value":"w@x.example","primary":true}]}`, used: []compat.Rule{compat.RemoveWithValue}},
		{name: "remove extension with value", before: dept, ops: `[{"op":"remove","path":"` + enterprise + `","value":{}}]`, err: scim.TypeInvalidValue},
		{name: "roles as JSON text are kept", profile: "auto", before: none, ops: `[{"op":"add","path":"roles","value":[{"value":"{\"id\":\"1\"}"}]}]`, after: `{"roles":[{"value":"{\"id\":\"1\"}"}]}`},
	})
}

package acceptance

import "testing"

// The replay is worth what its comparisons are worth: each operation is shown to hold and to fail.
func TestCheck(t *testing.T) {
	body, err := decode([]byte(`{"s":"text","n":2,"d":1.5,"b":false,"z":null,"none":[],"blank":"",
		"list":[{"type":"work","value":"a"},{"type":"home","value":"b"}],"names":["x","y"],
		"urn:x:2.0:User":{"manager":{"value":"m"}},"o":{"p":{"q":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path any
		op   string
		want string
		ok   bool
	}{
		{"s", "eq", `"text"`, true},
		{"s", "eq", `"Text"`, false},
		{"n", "eq", `2`, true},
		{"n", "eq", `"2"`, false},
		{"none", "eq", `null`, false},
		{"z", "eq", `null`, true},
		{"o.p.q", "eq", `true`, true},
		{"o.p.nothing", "eq", `true`, false},
		{"list[1].value", "eq", `"b"`, true},
		{"list[2].value", "eq", `"b"`, false},
		{[]any{"urn:x:2.0:User", "manager", "value"}, "eq", `"m"`, true},
		{[]any{"urn:x:2.0:User", "manager", "value"}, "eq", `"n"`, false},
		{"$", "contains", `"x"`, false},
		{"s", "ne", `"other"`, true},
		{"s", "ne", `"text"`, false},
		{"names", "contains", `"x"`, true},
		{"names", "contains", `"z"`, false},
		{"list", "any", `{"type":"home"}`, true},
		{"list", "any", `{"type":"home","value":"a"}`, false},
		{"s", "in", `["text"]`, true},
		{"s", "in", `["other"]`, false},
		{"list", "len", `2`, true},
		{"list", "len", `3`, false},
		{"gone", "len", `0`, false},
		{"n", "type", `"integer"`, true},
		{"d", "type", `"integer"`, false},
		{"b", "type", `"boolean"`, true},
		{"s", "matches", `"^te"`, true},
		{"s", "matches", `"^x"`, false},
		{"b", "exists", `true`, true},
		{"gone", "exists", `true`, false},
		{"gone", "absent", `true`, true},
		{"z", "absent", `true`, false},
		{"s", "nonempty", `true`, true},
		{"blank", "nonempty", `true`, false},
		{"gone", "nonempty", `true`, false},
		{"none", "empty_or_absent", `true`, true},
		{"gone", "empty_or_absent", `true`, true},
		{"list", "empty_or_absent", `true`, false},
		{"s", "bogus", `true`, false},
	}
	for _, tt := range tests {
		want, err := decode([]byte(tt.want))
		if err != nil {
			t.Fatal(err)
		}
		if err := check(body, tt.path, tt.op, want); (err == nil) != tt.ok {
			t.Errorf("%v %s %s: %v, want it to hold: %t", tt.path, tt.op, tt.want, err, tt.ok)
		}
	}
}

func TestForComparison(t *testing.T) {
	tests := []struct {
		name, created, sent, after, want string
		same                             bool
	}{
		{"order of values", `{}`, `{}`, `{"emails":[{"value":"a"},{"value":"b"}]}`, `{"emails":[{"value":"b"},{"value":"a"}]}`, true},
		{"a value more", `{}`, `{}`, `{"emails":[{"value":"a"},{"value":"b"}]}`, `{"emails":[{"value":"b"}]}`, false},
		{
			"made by the server", `{}`, `{}`,
			`{"id":"1","meta":{},"groups":[],"members":[{"value":"u","display":"U","type":"User","$ref":"r"}]}`,
			`{"members":[{"value":"u"}]}`, true,
		},
		{"type of an address is the client's", `{}`, `{}`, `{"emails":[{"value":"a","type":"work"}]}`, `{"emails":[{"value":"a"}]}`, false},
		{"given at creation and left alone", `{"active":true}`, `{}`, `{"active":true}`, `{}`, true},
		{"given at creation and changed", `{"active":true}`, `{}`, `{"active":false}`, `{}`, false},
		{"lost", `{"title":"x"}`, `{"title":"x"}`, `{}`, `{"title":"x"}`, false},
		{"manager", `{}`, `{}`, `{"urn:e":{"manager":{"value":"m","$ref":"r"}}}`, `{"urn:e":{"manager":{"value":"m"}}}`, true},
		{"URN of an extension without attributes", `{}`, `{}`, `{"schemas":["urn:e"]}`, `{"schemas":[]}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v [4]any
			for i, text := range []string{tt.created, tt.sent, tt.after, tt.want} {
				var err error
				if v[i], err = decode([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			got := show(forComparison(v[2], v[3], defaults(v[0], v[1], v[2])))
			want := show(forComparison(v[3], v[3], nil))
			if (got == want) != tt.same {
				t.Errorf("got %s, want %s: same %t, want %t", got, want, got == want, tt.same)
			}
		})
	}
}

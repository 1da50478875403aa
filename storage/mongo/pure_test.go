package mongo

import (
	"context"
	"errors"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"userName", "userName"},
		{"$ref", "ref"},
		{"a.b", "a_b"},
		{scim.SchemaEnterpriseUser, "enterprise"},
		{scim.SchemaRollcallUser, "rollcall"},
		{"urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User", "CustomExtensionName"},
		{"urn:example:badges", "badges"},
		{"urn:example:badges:1.0", "badges"},
		{"urn:1:2", "urn"},
		{"::", "extension"},
	} {
		if got := fieldName(c.in); got != c.want {
			t.Errorf("fieldName(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	for in, want := range map[scim.TypeName]string{"User": "users", "Group": "groups", "Token": "type_tokens", "Key": "type_keys", "Settings": "type_settings", "MailAddress": "mailaddress"} {
		if got := collectionName(in); got != want {
			t.Errorf("collectionName(%s) = %q, want %q", in, got, want)
		}
	}
}

// TestPrefixEnd: what begins with p is p <= s < end, in the order of bytes.
func TestPrefixEnd(t *testing.T) {
	for _, p := range []string{"a", "az", "\u007f", "é", "\ud7ff", "\uffff", "a\U0010ffff", "日本"} {
		end, ok := prefixEnd(p)
		if !ok || end <= p || !storable(end) {
			t.Fatalf("prefixEnd(%q) = %q, %v", p, end, ok)
		}
		for _, s := range []string{p, p + "a", p + "\U0010ffff\U0010ffff"} {
			if s >= end {
				t.Errorf("%q is not below the end %q of its prefix", s, end)
			}
		}
		for _, s := range []string{end, end + "a"} {
			if strings.HasPrefix(s, p) {
				t.Errorf("the end %q has the prefix %q", s, p)
			}
		}
	}
	for _, p := range []string{"", "\U0010ffff"} {
		if end, ok := prefixEnd(p); ok {
			t.Errorf("prefixEnd(%q) = %q, want none", p, end)
		}
	}
}

// testType has an index of every kind.
func testType(t *testing.T) *resourceType {
	t.Helper()
	r, err := newResourceType(storage.Type{Name: "User", Members: "members", Groups: "groups", Indexes: []query.Index{
		{Field: query.Field{Path: "userName", Steps: []string{"userName"}}, Unique: true},
		{Field: query.Field{Path: "emails.value", Steps: []string{"emails", "value"}, Multi: true}},
		{Field: query.Field{Path: "active", Steps: []string{"active"}, Kind: query.Boolean}},
		{Field: query.Field{Path: "enterprise", Steps: []string{scim.SchemaEnterpriseUser, "since"}, Kind: query.DateTime}},
		{Field: query.Field{Path: "meta.lastModified", Steps: []string{"meta", "lastModified"}, Kind: query.DateTime}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestShadow(t *testing.T) {
	r := testType(t)
	values, sorts, odd := r.shadow(scim.Attributes{
		"userName": "BJensen", "active": false,
		"emails": []any{
			scim.Attributes{"value": "B@x.org"},
			scim.Attributes{"value": "a@x.org", "primary": true},
			scim.Attributes{"value": "b@X.org"},
			scim.Attributes{"type": "work"},
		},
		scim.SchemaEnterpriseUser: scim.Attributes{"since": "2020-01-01T01:00:00.0000001+01:00"},
	})
	wantValues := bson.D{
		{Key: "userName", Value: "bjensen"},
		{Key: "emails_value", Value: bson.A{"b@x.org", "a@x.org"}},
		{Key: "active", Value: false},
		{Key: "enterprise_since", Value: "2020-01-01T00:00:00.000000100Z"},
	}
	if d := cmp.Diff(wantValues, values); d != "" {
		t.Errorf("values: %s", d)
	}
	if d := cmp.Diff(bson.D{{Key: "emails_value", Value: "a@x.org"}}, sorts); d != "" {
		t.Errorf("sorts: %s", d)
	}
	if odd != nil {
		t.Errorf("odd: %v", odd)
	}
	values, sorts, odd = r.shadow(scim.Attributes{"userName": "", "active": "yes", "emails": []any{scim.Attributes{"value": int64(1)}}})
	wantValues = bson.D{
		{Key: "userName", Value: absent}, {Key: "emails_value", Value: absent}, {Key: "active", Value: absent}, {Key: "enterprise_since", Value: absent},
	}
	if d := cmp.Diff(wantValues, values); d != "" {
		t.Errorf("values of none: %s", d)
	}
	if d := cmp.Diff(bson.D{{Key: "emails_value", Value: absent}}, sorts); d != "" {
		t.Errorf("sorts of none: %s", d)
	}
	if d := cmp.Diff(bson.A{"emails_value", "active"}, odd); d != "" {
		t.Errorf("odd: %s", d)
	}
}

// TestSparse: a sparse index has nothing of a document without a value.
func TestSparse(t *testing.T) {
	r, err := newResourceType(storage.Type{Name: "User", Indexes: []query.Index{
		{Field: query.Field{Path: "title", Steps: []string{"title"}}, Sparse: true},
		{Field: query.Field{Path: "roles.value", Steps: []string{"roles", "value"}, Multi: true}, Sparse: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		doc    scim.Attributes
		values bson.D
		odd    bson.A
	}{
		{scim.Attributes{"userName": "x"}, nil, nil},
		{scim.Attributes{"title": "Dr"}, bson.D{{Key: "title", Value: "dr"}}, nil},
		{scim.Attributes{"title": int64(1)}, bson.D{{Key: "title", Value: oddOnly}}, bson.A{"title"}},
		{scim.Attributes{"roles": []any{scim.Attributes{"value": "A"}, scim.Attributes{"value": true}}}, bson.D{{Key: "roles_value", Value: bson.A{"a"}}}, bson.A{"roles_value"}},
	} {
		values, sorts, odd := r.shadow(c.doc)
		if d := cmp.Diff(c.values, values) + cmp.Diff(c.odd, odd); d != "" || sorts != nil {
			t.Errorf("%v: %s, sorts %v", c.doc, d, sorts)
		}
	}
}

func TestNatural(t *testing.T) {
	got := testType(t).natural(scim.Attributes{
		"userName": "b", "_id": "x", "org": "mine", "a.b": int64(1), "a_b": int64(2),
		"manager":                 scim.Attributes{"$ref": "../Users/1", "ref": "2", "value": "1"},
		scim.SchemaEnterpriseUser: scim.Attributes{"since": "2020-01-01T00:00:00Z", "department": "Tours"},
		"enterprise":              true,
	})
	want := bson.D{
		{Key: "x_id", Value: "x"},
		{Key: "a_b", Value: int64(1)},
		{Key: "a_b_2", Value: int64(2)},
		{Key: "enterprise", Value: true},
		{Key: "manager", Value: bson.D{{Key: "ref", Value: "../Users/1"}, {Key: "ref_2", Value: "2"}, {Key: "value", Value: "1"}}},
		{Key: "org_2", Value: "mine"},
		{Key: "enterprise_2", Value: bson.D{{Key: "department", Value: "Tours"}, {Key: "since", Value: bson.DateTime(1577836800000)}}},
		{Key: "userName", Value: "b"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestChangeValues: what a change says comes back as it was.
func TestChangeValues(t *testing.T) {
	for _, v := range []any{
		nil, "", "x", true, false, int64(0), int64(math.MaxInt64), 1.0, 0.1,
		[]any{},
		[]any{"a", nil, int64(1)},
		scim.Attributes{},
		scim.Attributes{"$ref": "x", "a.b": scim.Attributes{"%24": []any{scim.Attributes{"": 1.5}}}, "_id": "y", "%2E": "."},
	} {
		data, err := bson.Marshal(bson.D{{Key: "v", Value: encode(v)}})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(v, decode(bson.Raw(data).Lookup("v"))); d != "" {
			t.Errorf("%v: %s", v, d)
		}
	}
}

func TestCompile(t *testing.T) {
	r := testType(t)
	k := &compiler{s: &reader{catalog: &catalog{}}, ctx: t.Context(), org: "o", t: r}
	name, mail, active := r.attrs[0].index.Field, r.attrs[1].index.Field, r.attrs[2].index.Field
	other := query.Field{Path: "title", Steps: []string{"title"}}
	created := query.Field{Path: "meta.created", Steps: []string{"meta", "created"}, Kind: query.DateTime}
	is := func(f query.Field, op query.Op, v any) query.Expr {
		value, ok := query.ValueOf(f, v)
		if !ok {
			t.Fatalf("%v is no value of %s", v, f.Path)
		}
		return query.Compare{Field: f, Op: op, Value: value}
	}
	for _, c := range []struct {
		name  string
		expr  query.Expr
		want  string // extended JSON; empty: no condition
		exact bool
	}{
		{"nothing", nil, ``, true},
		{"eq folds", is(name, query.Eq, "ADA"), `{"_f.userName":"ada"}`, true},
		{"sw is a range", is(name, query.Sw, "aZ"), `{"_f.userName":{"$gte":"az","$lt":"a{"}}`, true},
		{"sw of several is about one value", is(mail, query.Sw, "a"), `{"_f.emails_value":{"$elemMatch":{"$gte":"a","$lt":"b"}}}`, true},
		{"ew quotes and ends at the very end", is(name, query.Ew, "a.c$"), `{"_f.userName":{"$regularExpression":{"pattern":"a\\.c\\$\\z","options":""}}}`, true},
		{"boolean", is(active, query.Eq, true), `{"_f.active":true}`, true},
		{"no index, no condition", is(other, query.Eq, "x"), ``, false},
		{"the exact half of an and", query.And{is(name, query.Eq, "a"), is(other, query.Eq, "x")}, `{"_f.userName":"a"}`, false},
		{"an or with an unknown half says nothing", query.Or{is(name, query.Eq, "a"), is(other, query.Eq, "x")}, ``, false},
		{"not of the exact", query.Not{Expr: is(name, query.Gt, "a")}, `{"$nor":[{"_f.userName":{"$gt":"a"}}]}`, true},
		{"not of a superset says nothing", query.Not{Expr: query.And{is(name, query.Eq, "a"), is(other, query.Eq, "x")}}, ``, false},
		{"not of nothing", query.Not{Expr: query.And(nil)}, `{"id":{"$in":[]}}`, true},
		{"pr", query.Present{Field: name}, `{"$or":[{"_f.userName":{"$ne":{"$maxKey":1}}},{"_odd":"userName"}]}`, true},
		{"value path", query.Any{Field: query.Field{Steps: []string{"emails"}, Multi: true}, Where: query.And{
			query.Compare{Field: query.Field{Steps: []string{"value"}}, Value: query.Value{Str: "a"}},
			query.Compare{Field: query.Field{Steps: []string{"type"}}, Value: query.Value{Str: "work"}},
		}}, `{"_f.emails_value":"a"}`, false},
		{"instants are cut to the stored millisecond", is(created, query.Ge, "2020-01-01T00:00:00.0001Z"), `{"meta.created":{"$gt":{"$date":{"$numberLong":"1577836800000"}}}}`, true},
		{"an instant between two milliseconds", is(created, query.Eq, "2020-01-01T00:00:00.0001Z"), `{"id":{"$in":[]}}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := k.compile(c.expr)
			text := ""
			if got.filter != nil {
				b, err := bson.MarshalExtJSON(got.filter, true, false)
				if err != nil {
					t.Fatal(err)
				}
				text = string(b)
			}
			if text != c.want || got.exact != c.exact {
				t.Errorf("%s, exact %v\nwant %s, exact %v", text, got.exact, c.want, c.exact)
			}
		})
	}
}

// TestQueue: one at a time, and nothing is kept of keys that nobody waits for.
func TestQueue(t *testing.T) {
	var q queue
	k := storage.Key{ID: "1"}
	leave, err := q.enter(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.enter(ctx, k); !errors.Is(err, context.Canceled) {
		t.Errorf("a second turn while the first lasts: %v", err)
	}
	got := make(chan struct{})
	go func() {
		leave, err := q.enter(t.Context(), k)
		if err != nil {
			t.Errorf("enter: %v", err)
		}
		leave()
		close(got)
	}()
	leave()
	<-got
	if len(q.turns) != 0 {
		t.Errorf("%d turns are kept", len(q.turns))
	}
}

func TestCircuit(t *testing.T) {
	var c circuit
	if _, err := c.allow(); err != nil {
		t.Fatalf("a new circuit refuses: %v", err)
	}
	c.report(false, storage.ErrUnavailable)
	probe, err := c.allow()
	if err != nil || !probe {
		t.Fatalf("the first call after a failure: probe %v, %v", probe, err)
	}
	if _, err := c.allow(); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a second call while one tries: %v", err)
	}
	c.report(true, context.Canceled)
	if probe, err = c.allow(); err != nil || !probe {
		t.Errorf("after a probe that says nothing: probe %v, %v", probe, err)
	}
	c.report(true, storage.ErrNotFound)
	if probe, err = c.allow(); err != nil || probe {
		t.Errorf("after an answer: probe %v, %v", probe, err)
	}
}

// TestErrorsSayNoSecret: neither the connection string nor what a server says reaches an error's text.
func TestErrorsSayNoSecret(t *testing.T) {
	for _, uri := range []string{"mongodb://admin:hunter2@", "mongodb://admin:hunter2@host/?replicaSet=", "hunter2", "mongodb://u:hunter2@h:99999999/"} {
		_, err := Open(t.Context(), Options{URI: uri, ServerSelection: time.Millisecond})
		if err == nil {
			t.Fatalf("a broken connection string is accepted")
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the connection string")
		}
	}
}

// A server as it was before 5.0 cannot be had here: what it says of itself is all that decides.
func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		name  string
		hello hello
		want  error
	}{
		{"4.4, a replica set", hello{SetName: "rs0", MaxWire: 9}, ErrTooOld},
		{"4.4, standalone", hello{MaxWire: 9}, ErrTooOld},
		{"5.0, standalone", hello{MaxWire: 13}, ErrStandalone},
		{"5.0, a replica set", hello{SetName: "rs0", MaxWire: 13}, nil},
		{"5.0, a mongos", hello{Msg: "isdbgrid", MaxWire: 13}, nil},
		{"8.0, a replica set", hello{SetName: "rs0", MaxWire: 25}, nil},
	} {
		if err := c.hello.refusal(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestUniqueIndexesAllowSharding: on a sharded collection an index can only be unique if it begins with the shard key, as
// docs/mongodb.md gives it.
func TestUniqueIndexesAllowSharding(t *testing.T) {
	text, err := os.ReadFile("../../docs/mongodb.md")
	if err != nil {
		t.Fatal(err)
	}
	// {name: {a: 1, b: 1}, ...}
	line := regexp.MustCompile(`(?m)^ +own = \{(.*)\}$`).FindSubmatch(text)
	whole := regexp.MustCompile(`(?m)^ +whole = \[(.*)\]$`).FindSubmatch(text)
	if line == nil || whole == nil {
		t.Fatal("docs/mongodb.md does not say how to shard as this test knows it")
	}
	keys := make(map[string][]string)
	for _, m := range regexp.MustCompile(`(\w+): \{([^}]*)\}`).FindAllSubmatch(line[1], -1) {
		for _, f := range regexp.MustCompile(`(\w+):`).FindAllSubmatch(m[2], -1) {
			keys[string(m[1])] = append(keys[string(m[1])], string(f[1]))
		}
	}
	if len(keys) != 4 || len(keys[collMemberships]) != 3 {
		t.Fatalf("docs/mongodb.md gives the shard keys %v", keys)
	}
	c, err := newCatalog([]storage.Type{{Name: "User", Indexes: []query.Index{{Field: query.Field{Path: "userName", Steps: []string{"userName"}}, Unique: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range c.indexes() {
		if !i.unique || strings.Contains(string(whole[1]), strconv.Quote(i.coll)) {
			continue
		}
		key := keys[i.coll]
		if key == nil {
			key = []string{"org", "id"}
		}
		for n, field := range key {
			if len(i.keys) <= n || i.keys[n].Key != field {
				t.Errorf("%s is unique by %v and sharded by %v", i.coll, i.keys, key)
			}
		}
	}
}

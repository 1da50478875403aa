package conformance

import (
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The resource types of the suite.
const (
	typeUser  scim.TypeName = "User"
	typeGroup scim.TypeName = "Group"
	typeThing scim.TypeName = "Thing"
)

// extension is the URN of the suite's extension; its dots and colons are part of one step.
const extension = "urn:ietf:params:scim:schemas:extension:suite:2.0:User"

// Types returns the resource types that the store under test is opened with.
func Types() []storage.Type {
	return []storage.Type{
		{Name: typeUser, Indexes: indexes(userFields()), Groups: "groups"},
		{Name: typeGroup, Indexes: indexes(groupFields()), Members: "members", Groups: "groups"},
		{Name: typeThing, Indexes: indexes(thingFields())},
	}
}

// attr is a field of the suite's types and whether the store keeps an index of it.
type attr struct {
	query.Field
	indexed, unique, sparse bool
}

func indexes(attrs []attr) []query.Index {
	var list []query.Index
	for _, a := range attrs {
		if a.indexed {
			list = append(list, query.Index{Field: a.Field, Unique: a.unique, Sparse: a.sparse})
		}
	}
	return list
}

// option changes an attribute while it is being defined.
type option func(*attr)

func exact(a *attr)   { a.CaseExact = true }
func multi(a *attr)   { a.Multi = true }
func indexed(a *attr) { a.indexed = true }
func unique(a *attr)  { a.indexed, a.unique = true, true }
func sparse(a *attr)  { a.indexed, a.sparse = true, true }

// inExtension moves the attribute under the extension's URN.
func inExtension(a *attr) {
	a.Path = extension + ":" + a.Path
	a.Steps = append([]string{extension}, a.Steps...)
}

func define(path string, kind query.Kind, options ...option) attr {
	a := attr{Field: query.Field{Path: path, Steps: strings.Split(path, "."), Kind: kind}}
	for _, o := range options {
		o(&a)
	}
	return a
}

// commonFields are the attributes that every resource has beside its document (RFC 7643 3.1).
func commonFields() []attr {
	return []attr{
		define("id", query.String, exact),
		define("schemas", query.Reference, exact, multi),
		define("meta", query.Complex),
		define("meta.resourceType", query.String, exact),
		define("meta.created", query.DateTime),
		define("meta.version", query.String, exact),
	}
}

// userFields are the attributes of a User-like type: of every kind, single and multi-valued, in the core and in an
// extension, most with and without an index.
func userFields() []attr {
	return append(commonFields(),
		define("meta.lastModified", query.DateTime, indexed),
		define("userName", query.String, unique),
		define("externalId", query.String, exact, indexed),
		define("displayName", query.String, indexed),
		define("nickName", query.String),
		define("profileUrl", query.Reference, exact),
		define("active", query.Boolean, indexed),
		define("hidden", query.Boolean),
		define("name", query.Complex),
		define("name.familyName", query.String, indexed),
		define("name.givenName", query.String),
		define("emails", query.Complex, multi),
		define("emails.value", query.String, multi, indexed),
		define("emails.type", query.String, multi),
		define("emails.primary", query.Boolean, multi),
		define("certificates", query.Complex, multi),
		define("certificates.value", query.Binary, exact, multi),
		define("certificates.type", query.String, multi),
		define("tags", query.String, multi, sparse),
		define("lucky", query.Integer, multi),
		define("born", query.DateTime),
		define("age", query.Integer),
		define("score", query.Decimal),
		define("grade", query.Integer, inExtension, indexed),
		define("ratio", query.Decimal, inExtension, sparse),
		define("since", query.DateTime, inExtension),
		define("costCenter", query.String, exact, inExtension),
		define("manager", query.Complex, inExtension),
		define("manager.value", query.String, exact, inExtension),
		define("manager.displayName", query.String, inExtension),
		define("codes", query.String, exact, multi, inExtension),
		define("groups", query.Complex, multi),
		define("groups.value", query.String, multi),
		define("groups.type", query.String, multi),
		define("groups.display", query.String, multi),
	)
}

func groupFields() []attr {
	return append(commonFields(),
		define("meta.lastModified", query.DateTime, indexed),
		define("displayName", query.String, indexed),
		define("externalId", query.String, exact, indexed),
		define("note", query.String),
		define("members", query.Complex, multi),
		define("members.value", query.String, multi),
		define("members.type", query.String, multi),
		define("members.display", query.String, multi),
		define("groups", query.Complex, multi),
		define("groups.value", query.String, multi),
		define("groups.type", query.String, multi),
		define("groups.display", query.String, multi),
	)
}

// thingFields are those of a type without relations, whose displayName and meta.lastModified have no index.
func thingFields() []attr {
	return append(commonFields(),
		define("meta.lastModified", query.DateTime),
		define("displayName", query.String),
		define("serial", query.String, exact, unique),
		define("weight", query.Decimal, indexed),
	)
}

// fieldsOf returns the attributes of a type.
func fieldsOf(t scim.TypeName) []attr {
	switch t {
	case typeUser:
		return userFields()
	case typeGroup:
		return groupFields()
	}
	return thingFields()
}

// field returns the attribute of the type at path.
func field(t scim.TypeName, path string) query.Field {
	for _, a := range fieldsOf(t) {
		if a.Path == path || a.Path == extension+":"+path {
			return a.Field
		}
	}
	panic("conformance: type " + string(t) + " has no attribute " + path)
}

// relation reports whether the field asks about members or groups.
func relation(f query.Field) bool { return f.Steps[0] == "members" || f.Steps[0] == "groups" }

// eq is the expression `f eq s`.
func eq(f query.Field, s string) query.Expr { return compare(f, query.Eq, s) }

// compare is the expression `f op s` with the right side normalized as the filter compiler does it.
func compare(f query.Field, op query.Op, v any) query.Expr {
	value, ok := query.ValueOf(f, v)
	if !ok {
		panic("conformance: value of another kind than " + f.Path)
	}
	return query.Compare{Field: f, Op: op, Value: value}
}

package resources_test

import (
	"slices"
	"testing"

	"rollcall/resources"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

func TestStorageTypes(t *testing.T) {
	reg, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	types := reg.StorageTypes()
	paths := func(t storage.Type) (indexed, unique []string) {
		for _, x := range t.Indexes {
			if indexed = append(indexed, x.Field.Path); x.Unique {
				unique = append(unique, x.Field.Path)
			}
		}
		return indexed, unique
	}
	indexed, unique := paths(types[0])
	if u := types[0]; u.Name != "User" || u.Groups != "groups" || u.Members != "" || !slices.Equal(unique, []string{"userName"}) {
		t.Errorf("User: %+v", u)
	}
	for _, p := range []string{"userName", "externalId", "emails.value", "displayName", "active", "meta.lastModified", "name.familyName"} {
		if !slices.Contains(indexed, p) {
			t.Errorf("no index of users by %s", p)
		}
	}
	indexed, unique = paths(types[1])
	if g := types[1]; g.Name != "Group" || g.Members != "members" || len(unique) != 0 || !slices.Contains(indexed, "displayName") {
		t.Errorf("Group: %+v", g)
	}
	if got := reg.Endpoints(); !slices.Equal(got, []string{"/Users", "/Groups", "/Roles", "/Entitlements", "/Occupations", "/Invites", "/JoinRequests"}) {
		t.Errorf("endpoints %v", got)
	}
}

func TestNewRegistryRefuses(t *testing.T) {
	for name, change := range map[string]func(*resources.Definition){
		"no endpoint": func(d *resources.Definition) { d.Endpoint = "" },
		"list of secrets": func(d *resources.Definition) {
			d.Schema.Attributes = append(d.Schema.Attributes, &schema.Attribute{Name: "pins", Multi: true, Returned: schema.ReturnedNever})
		},
		"secret number": func(d *resources.Definition) {
			d.Schema.Attributes = append(d.Schema.Attributes, &schema.Attribute{Name: "code", Kind: query.Integer, Returned: schema.ReturnedNever})
		},
		"unknown unique": func(d *resources.Definition) { d.Unique = []resources.UniqueRule{{Path: "nope"}} },
		"unique number":  func(d *resources.Definition) { d.Unique = []resources.UniqueRule{{Path: "ports"}} },
		"unique object":  func(d *resources.Definition) { d.Unique = []resources.UniqueRule{{Path: "owner"}} },
		"unknown index":  func(d *resources.Definition) { d.Indexed = []string{"nope"} },
	} {
		d := device()
		change(d)
		if _, err := resources.NewRegistry(d); err == nil {
			t.Errorf("%s: the definition was accepted", name)
		}
	}
	if _, err := resources.NewRegistry(device(), device()); err == nil {
		t.Error("a type was registered twice")
	}
}

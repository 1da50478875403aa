package resources_test

import (
	"slices"
	"testing"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

const locationURN = "urn:example:2.0:Location"

// device is all that a new resource type takes.
func device() *resources.Definition {
	return &resources.Definition{ResourceType: &schema.ResourceType{
		Name: "Device", Endpoint: "/Devices", Description: "A thing with a serial number",
		Schema: &schema.Schema{URN: "urn:example:2.0:Device", Name: "Device", Attributes: []*schema.Attribute{
			{Name: "serial", Required: true, CaseExact: true, Uniqueness: schema.UniqueServer},
			{Name: "owner", Kind: query.Complex, Sub: []*schema.Attribute{{Name: "value", CaseExact: true}}},
			{Name: "ports", Kind: query.Integer, Multi: true},
			{Name: "pin", Mutability: schema.WriteOnly, Returned: schema.ReturnedNever},
		}},
		Extensions: []schema.Extension{{Schema: &schema.Schema{URN: locationURN, Name: "Location", Attributes: []*schema.Attribute{
			{Name: "room"},
		}}}},
		Indexed: []string{"owner.value", locationURN + ":room"},
	}}
}

func TestCustomType(t *testing.T) {
	f := newFixture(t, append(resources.Default(), device())...)
	d := f.create("Device", `"serial":"A1","pin":"1234","ports":[80,443],"`+locationURN+`":{"room":"N12"}`)
	_, err := f.tryCreate(f.caller("strict"), "Device", `"serial":"A1"`)
	wantError(t, "taken", err, 409, scim.TypeUniqueness)
	f.create("Device", `"serial":"a1"`) // caseExact
	if got := f.find("Device", locationURN+":room", "n12"); !slices.Equal(got, []string{d.ID}) {
		t.Errorf("found %v by room, want %s", got, d.ID)
	}
	f.patch("Device", d.ID, `{"op":"add","path":"owner.value","value":"x"},{"op":"remove","path":"`+locationURN+`"}`)
	if got := f.find("Device", "owner.value", "x"); !slices.Equal(got, []string{d.ID}) || len(f.find("Device", locationURN+":room", "n12")) != 0 {
		t.Errorf("found %v by owner after PATCH, want %s", got, d.ID)
	}
	if got := f.replace("Device", d.ID, `"serial":"B2"`); got.Version != 3 || len(f.attrs(got)) != 2 {
		t.Errorf("after PUT: version %d of %s", got.Version, got.Doc)
	}
	if g := f.group("g", d.ID); g.Members[0].Type != "Device" || g.Members[0].Display != "B2" {
		t.Errorf("as a member it is %+v", g.Members[0])
	}
	res := f.bulk(0,
		scim.BulkOperation{Method: "POST", Path: "/Devices", BulkID: "d", Data: f.body("Device", `"serial":"C3","owner":{"value":"bulkId:u"}`)},
		scim.BulkOperation{Method: "POST", Path: "/Users", BulkID: "u", Data: f.body("User", `"userName":"ann"`)},
		scim.BulkOperation{Method: "DELETE", Path: "/Devices/" + d.ID},
	)
	if res[0].Status != 201 || res[0].Type != "Device" || !slices.Equal(f.find("Device", "owner.value", res[1].ID), []string{res[0].ID}) {
		t.Errorf("bulk: %+v", res)
	}
	wantError(t, "deleted", f.tryDelete("Device", d.ID, ""), 404, "")
}

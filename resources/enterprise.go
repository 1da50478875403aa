package resources

import "rollcall/scim/schema"

// enterprise is the extension of RFC 7643 4.3. Its manager.value is a reference that Rollcall keeps as the client
// sent it: when the manager is deleted it dangles, as the person did not stop having been managed by them, and the
// client that deleted one writes the other in the same cycle.
func enterprise() *schema.Schema { return schema.EnterpriseUser() }

package resources

import (
	"rollcall/scim"
	"rollcall/scim/query"
)

const (
	// TypeClient is the type of the customers that people look after, as applications know them.
	TypeClient = "Client"
	// TypeClientHandover is the type of what is left to do for the clients of somebody who was removed.
	TypeClientHandover = "ClientHandover"
)

// Client is the type of the customers that people look after: a thin entry, whose owners are the relation. One person may
// have any number of clients, one client has few owners, so the relation is kept with the client and indexed by owner.
func Client() *Definition {
	d := internalType(TypeClient,
		text("display", "Name of the client, for people."),
		identifier("externalRef", "What the application knows the client by."),
		text("app", "Key of the application."),
		text("subAccount", "Key of the sub-account that the client belongs to."),
		boolean("unowned", "Whether nobody looks after the client."),
	)
	d.Schema.Attributes = append(d.Schema.Attributes, group("owners", "Who looks after the client.", subs(
		identifier("value", "Id of the user."),
		identifier("transfer", "Id of the transfer that has lent the client to the user."),
	), multi))
	d.Indexed = []string{"display", "externalRef", "app", "subAccount", "owners.value"}
	d.Sparse = []string{"unowned", "owners.transfer"}
	d.Keys = func(doc scim.Attributes) []query.UniqueKey {
		ref, _ := doc["externalRef"].(string)
		if ref == "" {
			return nil
		}
		app, _ := doc["app"].(string)
		return []query.UniqueKey{{Attr: "externalRef", Value: query.Fold(app) + " " + ref}}
	}
	return d
}

// ClientHandover is the type of what is left to do for the clients of somebody who was removed.
func ClientHandover() *Definition {
	return internalType(TypeClientHandover, instant("dueAt", "When it is looked at next."))
}

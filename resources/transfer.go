package resources

import "rollcall/scim/schema"

// The types of handing over the work of somebody who leaves or is away.
const (
	TypeTransfer     = "Transfer"
	TypeTransferItem = "TransferItem" // a thing that is handed over, or a kind of things
	TypeTransferStep = "TransferStep" // what an application is asked to do
)

// Transfer is the type of handing over the work of one person.
func Transfer() *Definition {
	d := internalType(TypeTransfer,
		text("state", "draft, collecting, ready, approved, running, done, doneWithErrors, failed, cancelling or cancelled."),
		&schema.Attribute{Name: "openFor", Description: "Id of the person, while it is open.", CaseExact: true, Uniqueness: schema.UniqueServer},
		identifier("person", "Id of the person."),
		instant("dueAt", "When the server goes on with it by itself."),
	)
	d.Indexed = []string{"state", "person"}
	d.Sparse = []string{"dueAt"}
	return d
}

// TransferItem is the type of what is handed over.
func TransferItem() *Definition {
	d := internalType(TypeTransferItem,
		identifier("transfer", "Id of the transfer."),
		text("state", "What has become of it."),
		identifier("queue", "Id of the step whose application has to answer for it."),
	)
	d.Indexed, d.Sparse = []string{"transfer"}, []string{"queue"}
	return d
}

// TransferStep is the type of what an application is asked to do for a transfer.
func TransferStep() *Definition {
	d := internalType(TypeTransferStep,
		identifier("transfer", "Id of the transfer."),
		identifier("queue", "Key of the application, while it has to answer."),
	)
	d.Indexed, d.Sparse = []string{"transfer"}, []string{"queue"}
	return d
}

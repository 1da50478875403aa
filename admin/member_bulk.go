package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) memberBulkEndpoint() {
	handle(a, operation{
		id: "bulk-members", method: http.MethodPost, path: "/members/actions/bulk", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "Do one thing to many members", status: http.StatusAccepted, body: 4 << 20,
		detail: "A job with one outcome for each member. What is refused for one is done for the others. With `dryRun` nothing is done, and " +
			"the outcomes are what would become of each.",
	}, a.bulkMembers)
}

// BulkFilter says which members are meant.
type BulkFilter struct {
	Status     string `json:"status,omitempty" enum:"active,deactivated"`
	Role       string `json:"role,omitempty" maxLength:"100" doc:"Key of a role that they have."`
	Occupation string `json:"occupation,omitempty" maxLength:"200" doc:"Key, name or alias of the occupation that they have."`
	Q          string `json:"q,omitempty" maxLength:"200" doc:"Part of a name or an address."`
}

// BulkArgs are what an action needs to know; what belongs to another one is not looked at.
type BulkArgs struct {
	Reason         string     `json:"reason,omitempty" enum:"leave,terminated,expired,other" doc:"Of deactivate."`
	Until          *time.Time `json:"until,omitempty" doc:"Of deactivate: when access comes back by itself."`
	Note           string     `json:"note,omitempty" maxLength:"1000" doc:"Of deactivate: for administrators."`
	Acknowledge    []string   `json:"acknowledge,omitempty" maxItems:"5000" nullable:"false" doc:"Of remove: ids of all statements of the removal effects."`
	EffectsVersion string     `json:"effectsVersion,omitempty" maxLength:"64" doc:"Of remove: their version."`
	Roles          []string   `json:"roles,omitempty" maxItems:"100" nullable:"false" doc:"Of change-role: keys of all roles that they are to have."`
	Primary        string     `json:"primary,omitempty" maxLength:"100" doc:"Of change-role: key of the main one; the highest if empty."`
	Occupation     string     `json:"occupation,omitempty" maxLength:"200" doc:"Of change-occupation: key, name or alias; empty: none."`
	AckLosses      []string   `json:"ackLosses,omitempty" maxItems:"1000" nullable:"false" doc:"Of change-role and change-occupation: what is known to be lost. Whoever would lose more is left as they are."`
}

type bulkMembersInput struct {
	Body struct {
		IDs    []string    `json:"ids,omitempty" maxItems:"50000" nullable:"false" doc:"Ids of users; or filter."`
		Filter *BulkFilter `json:"filter,omitempty"`
		Action string      `json:"action" enum:"deactivate,activate,remove,change-role,change-occupation"`
		Args   *BulkArgs   `json:"args,omitempty"`
		DryRun bool        `json:"dryRun,omitempty"`
	}
}

func (a *API) bulkMembers(ctx context.Context, c *Call, in *bulkMembersInput) (*startedJobOutput, error) {
	b := lifecycle.MemberBulk{IDs: in.Body.IDs, Action: in.Body.Action, DryRun: in.Body.DryRun}
	if f := in.Body.Filter; f != nil {
		b.Filter = &lifecycle.MemberQuery{View: f.Status, Role: f.Role, Occupation: f.Occupation, Text: f.Q}
	}
	if x := in.Body.Args; x != nil {
		b.BulkArguments = lifecycle.BulkArguments{
			Deactivation: lifecycle.Deactivation{Reason: x.Reason, Until: or(x.Until, time.Time{}), Note: x.Note},
			Removal:      lifecycle.Removal{Acknowledge: x.Acknowledge, EffectsVersion: x.EffectsVersion},
			Roles:        x.Roles, Primary: x.Primary, Occupation: x.Occupation, AckLosses: x.AckLosses,
		}
	}
	return startedJob(a.Lifecycle.StartMemberBulk(ctx, c.Subject, b))
}

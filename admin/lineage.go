package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/scim"
)

func (a *API) lineageEndpoint() {
	handle(a, operation{
		id: "get-member-lineage", method: http.MethodGet, path: "/members/{id}/lineage", tag: membersTag, scope: scim.ScopeAdminRead,
		summary: "Where each value of a member comes from",
		detail:  "Who has written it, and the connection that has the say over it: with that one, an edit answers 409 `attribute_managed`.",
	}, a.memberLineage)
}

// ValueOrigin is where a value comes from.
type ValueOrigin struct {
	Path      string     `json:"path" doc:"Of the attribute; that of an extension begins with its URN."`
	Value     string     `json:"value,omitempty" doc:"Of roles and entitlements, each of which has an origin of its own."`
	By        *Reference `json:"by,omitempty" doc:"Who has written it last; absent if that is not known any more."`
	At        *time.Time `json:"at,omitempty"`
	ManagedBy *Managed   `json:"managedBy,omitempty" doc:"The connection that has the say."`
}

type lineageOutput struct {
	Body struct {
		Items []ValueOrigin `json:"items" nullable:"false"`
	}
}

func (a *API) memberLineage(ctx context.Context, c *Call, in *MemberPath) (*lineageOutput, error) {
	list, err := a.Lifecycle.Lineage(ctx, c.Subject, in.ID)
	if err != nil {
		return nil, err
	}
	out := &lineageOutput{}
	out.Body.Items = make([]ValueOrigin, len(list))
	for i, o := range list {
		item := ValueOrigin{Path: o.Path, Value: o.Value, By: showRef(o.By), At: present(o.At)}
		if o.Locked != nil {
			item.ManagedBy = &Managed{o.Locked.Connection, o.Locked.Name, o.Locked.Since}
		}
		out.Body.Items[i] = item
	}
	return out, nil
}

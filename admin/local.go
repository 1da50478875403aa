package admin

import (
	"cmp"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/resources"
	"rollcall/scim"
)

// localName is what the history calls whoever used [API.Local].
const localName = "command line"

// Local is the API for who may open the database itself, which is behind whatever the handler is put behind: a socket that
// file permissions protect, or the same process. Requests need no credentials. They are an owner's of the organization
// that X-Rollcall-Organization names, of "default" without it, and an operator's.
func (a *API) Local() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, true) })
}

// console is who asks through [API.Local].
func (x *exchange) console() error {
	org, err := x.api.Resources.Organization(x.ctx, cmp.Or(x.req.Header.Get(organizationHeader), resources.DefaultOrganization))
	if err != nil {
		return err
	}
	c := scim.Caller{Org: org.ID, RequestID: x.id, Actor: scim.Actor{Kind: "operator", ID: localName, Name: localName}}
	x.who = Identity{Kind: Token, OrgSlug: org.Slug, Subject: lifecycle.Subject{
		Caller: c, Kind: lifecycle.KindOwner, Label: localName, Rank: lifecycle.RankOwner, Scopes: []string{scim.ScopeAdmin},
	}}
	return nil
}

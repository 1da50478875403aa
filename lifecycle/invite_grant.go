package lifecycle

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// Bounds of what an invite says.
const (
	maxInviteMessage = 1000 // characters
	maxInviteGrants  = 100  // values of roles, of entitlements, of groups
	maxInviteClients = 1000
	maxLinkUses      = 10_000
	minInviteTTL     = time.Hour
	maxInviteTTL     = 30 * day * time.Second
	openLinkUses     = 25             // of a link that nobody proves an address for
	openLinkTTL      = 72 * time.Hour // of the same
)

// invitePolicy is what an organization's decisions and catalogue say about invites, read once for a request.
type invitePolicy struct {
	settings  Settings
	catalogue *Catalogue
	domains   *ownDomains
}

func (s *Service) invitePolicy(ctx context.Context, org scim.OrgID) (*invitePolicy, error) {
	snap, err := s.fresh(ctx, org)
	if err != nil {
		return nil, err
	}
	return &invitePolicy{snap.settings, snap.Catalogue, snap.domains}, nil
}

// mayInvite says whether the subject may invite at all, and whether somebody else must agree first.
func (p *invitePolicy) mayInvite(sub Subject, bySCIM bool) (approval bool, err error) {
	set := p.settings
	t := Target{
		Type: typeInvite, SCIM: bySCIM,
		Setting: sub.Kind == KindManager && set.Invite.ByManagers || sub.Kind == KindMember && set.Invite.ByMembers,
	}
	if !bySCIM { // whose scope the edge has asked for
		if err := Allowed(sub, ActInvite, t); err != nil {
			return false, err
		}
	}
	return set.Invite.Approval == "belowAdmin" && sub.Rank < RankAdmin, nil
}

// opening says whether the organization lets anybody in at all.
func (p *invitePolicy) opening() error {
	switch set := p.settings; {
	case set.Status != "active":
		return conflict("organization_"+set.Status, "the organization is %s: nobody can be invited", set.Status)
	case !set.Plan.Has(featureMultiUser):
		return planRequired()
	}
	return nil
}

func planRequired() *scim.Error {
	return forbidden("plan_required", "the plan of the organization is for one person: more people need another plan")
}

// grantError is a refusal of a grant with the word that a batch has for it.
type grantError struct {
	outcome string
	err     *scim.Error
}

// Error returns the refusal's text.
func (g *grantError) Error() string { return g.err.Error() }

// Unwrap returns the refusal.
func (g *grantError) Unwrap() error { return g.err }

// complete checks what an invite gives and says, against the rank of who invites, and fills in what is left out. rank is
// the highest rank that it gives.
func (p *invitePolicy) complete(v *Invite, sub Subject, now time.Time) (rank int, warnings []string, err error) {
	set := p.settings
	if err := p.form(v, now); err != nil {
		return 0, nil, err
	}
	if len(v.Roles) == 0 && set.Invite.DefaultRole != "" {
		v.Roles = []Ref{{Value: set.Invite.DefaultRole}}
	}
	admin := false
	for i := range v.Roles {
		r := p.catalogue.Role(v.Roles[i].Value)
		if r == nil || !r.Supported {
			return 0, nil, invalid("roles", "unknown_role", "there is no such role, or it can no longer be given")
		}
		if r.Rank > sub.Rank || len(r.AssignableBy) > 0 && sub.User != "" && !slices.ContainsFunc(sub.Roles, func(mine string) bool {
			return slices.ContainsFunc(r.AssignableBy, func(by string) bool { return query.Fold(by) == query.Fold(mine) })
		}) {
			return 0, nil, &grantError{OutcomeRoleAboveYours, forbidden(OutcomeRoleAboveYours, "you can give roles up to the rank of your own")}
		}
		v.Roles[i] = Ref{Value: r.Key, Display: r.Display, Primary: v.Roles[i].Primary}
		rank, admin = max(rank, r.Rank), admin || r.OrgAdmin
	}
	if err := p.entitle(v, admin); err != nil {
		return 0, nil, err
	}
	if v.Occupation == "" {
		warnings = append(warnings, "occupation_missing")
	} else if o := p.catalogue.Occupation(v.Occupation); o != nil && !o.Active {
		return 0, nil, invalid("occupation", "occupation_retired", "the occupation can no longer be given")
	} else if o != nil {
		v.Occupation = o.Key
	} else if set.Occupation.Unknown != "keepAsText" {
		return 0, nil, invalid("occupation", "unknown_occupation", "there is no such occupation")
	}
	if !admin && !p.modules(v) {
		warnings = append(warnings, "no_modules")
	}
	return rank, warnings, nil
}

// modules reports whether the invite opens any module at all.
func (p *invitePolicy) modules(v *Invite) bool {
	for _, e := range v.Entitlements {
		if e.Type == resources.EntitlementModule {
			return true
		}
	}
	for _, r := range v.Roles {
		if role := p.catalogue.Role(r.Value); role != nil && len(role.Modules) > 0 {
			return true
		}
	}
	o := p.catalogue.Occupation(v.Occupation)
	return o != nil && len(o.Modules) > 0
}

// entitle checks the modules and sub-accounts of an invite.
func (p *invitePolicy) entitle(v *Invite, admin bool) error {
	for i := range v.Entitlements {
		key, level, _ := strings.Cut(v.Entitlements[i].Value, ":")
		e := p.catalogue.Entitlement(key)
		switch {
		case e == nil || !e.Supported || v.Entitlements[i].Type != "" && v.Entitlements[i].Type != e.Kind:
			return invalid("entitlements", "unknown_entitlement", "there is no such module or sub-account")
		case e.AdminOnly && !admin:
			return &grantError{OutcomeAdminOnlyModule, invalid("entitlements", "module_admin_only", "only administrators can have the module %q", e.Display)}
		case e.Feature != "" && !p.settings.Plan.Has(e.Feature):
			return &grantError{OutcomePlanRequired, forbidden("plan_required", "the plan does not include the module %q", e.Display)}
		}
		value := e.Key
		if level != "" {
			value += ":" + level
		}
		v.Entitlements[i] = Ref{Value: value, Type: e.Kind, Display: e.Display}
	}
	return nil
}

// form checks what needs no catalogue.
func (p *invitePolicy) form(v *Invite, now time.Time) error {
	set := p.settings.Invite
	switch {
	case v.Kind == "":
		v.Kind = kindPerson
	case v.Kind != kindPerson && v.Kind != kindLink:
		return invalid("kind", "not_a_choice", "must be person or link")
	}
	switch {
	case v.Delivery == "" && v.Kind == kindPerson:
		v.Delivery = deliverEmail
	case v.Delivery == "":
		v.Delivery = deliverLink
	case !slices.Contains([]string{deliverEmail, deliverLink, deliverNone}, v.Delivery):
		return invalid("delivery", "not_a_choice", "must be email, link or none")
	}
	if v.Delivery == deliverLink && set.LinkSharing == "off" {
		return forbidden("link_sharing_off", "the organization does not share links: invites are mailed")
	}
	if v.ExpiresAt.IsZero() {
		v.ExpiresAt = at(now.Add(seconds(set.TTL)))
	}
	if ttl := v.ExpiresAt.Sub(now); ttl < minInviteTTL-time.Second || ttl > maxInviteTTL {
		return invalid("expiresAt", "out_of_range", "must be an hour to 30 days ahead")
	}
	if !v.MembershipExpiresAt.IsZero() && !v.MembershipExpiresAt.After(now) {
		return invalid("membershipExpiresAt", "out_of_range", "is over already")
	}
	if utf8.RuneCountInString(v.Message) > maxInviteMessage {
		return invalid("message", "too_long", "must have %d characters at most", maxInviteMessage)
	}
	for _, l := range []struct {
		path string
		n    int
		most int
	}{
		{"roles", len(v.Roles), maxInviteGrants},
		{"entitlements", len(v.Entitlements), maxInviteGrants},
		{"groups", len(v.Groups), maxInviteGrants},
		{"clients", len(v.Clients), maxInviteClients},
	} {
		if l.n > l.most {
			return invalid(l.path, "too_many", "must have %d values at most", l.most)
		}
	}
	if v.Kind == kindLink {
		return p.linkForm(v, now)
	}
	if v.MaxUses != 0 {
		return invalid("maxUses", "not_allowed_here", "is for links that several people may use")
	}
	if set.RequireName && (v.Name == nil || v.Name.GivenName == "" || v.Name.FamilyName == "") {
		return invalid("name", "name_required", "given and family name are required")
	}
	return nil
}

// linkForm checks an invite that is a link for several people.
func (p *invitePolicy) linkForm(v *Invite, now time.Time) error {
	if v.Email != "" {
		return invalid("email", "not_allowed_here", "a link for several people has no address")
	}
	if v.Delivery == deliverEmail {
		return invalid("delivery", "not_allowed_here", "a link for several people is not mailed")
	}
	most := maxLinkUses
	if p.settings.Invite.LinkSharing == "open" {
		most = openLinkUses
		if v.ExpiresAt.Sub(now) > openLinkTTL {
			v.ExpiresAt = at(now.Add(openLinkTTL))
		}
		for _, r := range v.Roles {
			if role := p.catalogue.Role(r.Value); role != nil && role.Rank > RankMember {
				return &grantError{OutcomeRoleAboveYours, forbidden(OutcomeRoleAboveYours, "a link that nobody proves an address for gives no role above member")}
			}
		}
	}
	if v.MaxUses == 0 {
		v.MaxUses = min(openLinkUses, most)
	}
	if v.MaxUses < 1 || v.MaxUses > most {
		return invalid("maxUses", "out_of_range", "must be 1 to %d", most)
	}
	return nil
}

// checkGroups says whether the groups are there, and gives them their names.
func (s *Service) checkGroups(ctx context.Context, org scim.OrgID, groups []Ref) error {
	if len(groups) == 0 {
		return nil
	}
	var or query.Or
	for i := range groups {
		or = append(or, s.eq(typeGroup, "id", groups[i].Value))
	}
	type group struct {
		DisplayName string `json:"displayName"`
	}
	have, err := find[group](ctx, s, org, typeGroup, or, len(groups))
	if err != nil {
		return fail(typeGroup, err)
	}
	names := map[string]string{}
	for _, g := range have {
		names[g.Key.ID] = g.Value.DisplayName
	}
	for i := range groups {
		name, ok := names[groups[i].Value]
		if !ok {
			return invalid("groups", "unknown_group", "there is no such group")
		}
		groups[i] = Ref{Value: groups[i].Value, Display: name}
	}
	return nil
}

// subjectOf is who writes an invite by SCIM: a client, whose scope the edge has asked for. It gives any role but the
// owner's.
func subjectOf(c scim.Caller) Subject {
	return Subject{Caller: c, Kind: KindIdP, Label: c.Actor.Name, Rank: RankAdmin}
}

// inviterOf is how an invite names who made it.
func inviterOf(sub Subject) *Ref {
	r := &Ref{Value: sub.Actor.ID, Display: sub.Label, Type: "app"}
	switch {
	case sub.User != "":
		r.Value, r.Type = sub.User, "user"
	case sub.Kind == KindIdP:
		r.Type = "connection"
	case sub.Kind == KindOperator:
		r.Type = "operator"
	}
	return r
}

// tooMany says: later.
func tooMany(code string, most int, after time.Duration, format string, args ...any) *scim.Error {
	e := refuse(http.StatusTooManyRequests, code, "%s", fmt.Sprintf(format, args...))
	e.RetryAfter, e.Quota = after, &scim.Quota{Limit: most, Reset: after}
	return e
}

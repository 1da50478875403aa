package lifecycle

import (
	"context"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// newUser is the document of the user that an invite leads to.
func (a *accepting) newUser(grant *Invite) scim.Attributes {
	doc := scim.Attributes{
		"userName": a.address, "active": true, "displayName": a.label(),
		"emails": []any{scim.Attributes{"value": a.address, "type": "work", "primary": true}},
	}
	name := a.in.Name
	if name == nil {
		name = grant.Name
	}
	if name != nil {
		n := scim.Attributes{}
		put(n, "formatted", name.Formatted)
		put(n, "givenName", name.GivenName)
		put(n, "familyName", name.FamilyName)
		if len(n) > 0 {
			doc["name"] = n
		}
	}
	profile := grant.Profile
	pick(&profile.Title, a.in.Profile.Title)
	pick(&profile.PhoneNumber, a.in.Profile.PhoneNumber)
	pick(&profile.Locale, a.in.Profile.Locale)
	pick(&profile.Timezone, a.in.Profile.Timezone)
	put(doc, "title", profile.Title)
	put(doc, "locale", profile.Locale)
	put(doc, "timezone", profile.Timezone)
	if profile.PhoneNumber != "" {
		doc["phoneNumbers"] = []any{scim.Attributes{"value": profile.PhoneNumber, "type": "work"}}
	}
	addGrant(doc, grant)
	origin := a.origin
	switch {
	case origin != "":
	case grant.JoinRequest != "":
		origin = "joinRequest"
	default:
		origin = "invite"
	}
	own := ownAttributes(doc)
	own["origin"], own["emailVerified"] = origin, a.class == classMailed || a.code != nil || a.who.Login.proves(a.address)
	put(own, "occupation", grant.Occupation)
	if !grant.MembershipExpiresAt.IsZero() {
		own["expiresAt"] = scim.FormatTime(grant.MembershipExpiresAt.Time)
	}
	doc[scim.SchemaRollcallUser] = own
	return doc
}

func put(doc scim.Attributes, name, value string) {
	if value != "" {
		doc[name] = value
	}
}

// ownAttributes is a copy of what a user's document has of Rollcall's own.
func ownAttributes(doc scim.Attributes) scim.Attributes {
	own, _ := doc[scim.SchemaRollcallUser].(scim.Attributes)
	if own = scim.CloneAttributes(own); own == nil {
		own = scim.Attributes{}
	}
	return own
}

// addGrant adds roles and entitlements to a user's document, beside those that are there.
func addGrant(doc scim.Attributes, grant *Invite) {
	had := list(doc["roles"])
	roles := had
	for _, r := range grant.Roles {
		if !holds(had, r.Value) {
			v := scim.Attributes{"value": r.Value, "type": roleType}
			put(v, "display", r.Display)
			if len(roles) == 0 || r.Primary && len(had) == 0 && !anyPrimary(roles) {
				v["primary"] = true
			}
			roles = append(slices.Clip(roles), v)
		}
	}
	had = list(doc["entitlements"])
	entitlements := had
	for _, e := range grant.Entitlements {
		if !holds(had, e.Value) {
			v := scim.Attributes{"value": e.Value, "type": e.Type}
			put(v, "display", e.Display)
			entitlements = append(slices.Clip(entitlements), v)
		}
	}
	if len(roles) > 0 {
		doc["roles"] = roles
	}
	if len(entitlements) > 0 {
		doc["entitlements"] = entitlements
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func holds(values []any, value string) bool {
	for _, v := range values {
		a, _ := v.(scim.Attributes)
		if s, _ := a["value"].(string); query.Fold(s) == query.Fold(value) {
			return true
		}
	}
	return false
}

func anyPrimary(values []any) bool {
	for _, v := range values {
		if a, _ := v.(scim.Attributes); a["primary"] == true {
			return true
		}
	}
	return false
}

// withhold takes out of the grant what the policy of the person's connection keeps from local actors: all of it where it is
// strict, else the occupation if the client has written it.
func (p *entrant) withhold(ctx context.Context) error {
	m, err := p.claims(ctx, p.facts.user.Key)
	if err != nil {
		return err
	}
	if p.kept = m.on(pathOccupation) != nil; p.kept && p.grant.Occupation != "" {
		p.out.Dropped = append(p.out.Dropped, "occupation:"+p.grant.Occupation)
	}
	if p.strict = m.strict() != nil; !p.strict {
		return nil
	}
	for _, r := range p.grant.Roles {
		p.out.Dropped = append(p.out.Dropped, "role:"+r.Value)
	}
	for _, e := range p.grant.Entitlements {
		p.out.Dropped = append(p.out.Dropped, e.Type+":"+e.Value)
	}
	for _, g := range p.groups {
		p.out.Dropped = append(p.out.Dropped, "group:"+g)
	}
	p.groups = nil
	return nil
}

// add gives a user who is there already what local actors may give.
func (p *entrant) add(ctx context.Context, tx storage.Tx) error {
	d := p.registry.Definition(typeUser)
	k := storage.Key{Org: p.org.ID, Type: typeUser, ID: p.id}
	_, _, err := tx.Update(ctx, k, p.now, func(cur storage.Current) (*storage.Edit, error) {
		old, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		if old["active"] == false {
			return nil, errMoved
		}
		next := scim.CloneAttributes(old)
		own := ownAttributes(next)
		own["emailVerified"] = true
		if !p.strict {
			addGrant(next, p.grant)
			if _, has := own["occupation"]; !has && !p.kept {
				put(own, "occupation", p.grant.Occupation)
			}
		}
		next[scim.SchemaRollcallUser] = own
		d.SetSchemas(next)
		if err := d.Validate(next); err != nil {
			return nil, err
		}
		return d.NewEdit(p.caller, storage.OpPatch, old, next, noteLocal(cur.Record().Secret, old, next)), nil
	})
	return moved(err)
}

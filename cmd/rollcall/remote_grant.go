package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/admin"
	"rollcall/lifecycle"
)

// grantFlags are what an invite gives and says.
type grantFlags struct {
	cmd *cobra.Command

	name, given, family, occupation, message, locale, title, phone, externalID, ends string
	roles, modules, subAccounts, groups, clients                                     []string
}

func bindGrant(cmd *cobra.Command) *grantFlags {
	g := &grantFlags{cmd: cmd}
	f := cmd.Flags()
	f.StringSliceVar(&g.roles, "role", nil, "key of a role; may be repeated")
	f.StringVar(&g.occupation, "occupation", "", "occupation: key, name or alias")
	f.StringSliceVar(&g.modules, "module", nil, "key of a module, with :read to look at only; may be repeated")
	f.StringSliceVar(&g.subAccounts, "sub-account", nil, "key of a sub-account; may be repeated")
	f.StringSliceVar(&g.groups, "group", nil, "id of a group to join; may be repeated")
	f.StringSliceVar(&g.clients, "client", nil, "id of a client to be assigned; may be repeated")
	f.StringVar(&g.name, "name", "", "full name")
	f.StringVar(&g.given, "given-name", "", "first name")
	f.StringVar(&g.family, "family-name", "", "last name")
	f.StringVar(&g.title, "title", "", "job title")
	f.StringVar(&g.phone, "phone", "", "phone number")
	f.StringVar(&g.locale, "locale", "", "language of the mail, such as de")
	f.StringVar(&g.message, "message", "", "what the mail says beside its own text")
	f.StringVar(&g.externalID, "external-id", "", "id in a system of yours")
	f.StringVar(&g.ends, "membership-ends", "", "when the membership ends by itself: 90d, 2027-01-31 or an RFC 3339 instant")
	return g
}

// read is the grant of the flags that were given.
func (g *grantFlags) read() (admin.InviteGrant, error) {
	var out admin.InviteGrant
	given := g.cmd.Flags().Changed
	texts := func(flag string, to **[]string, list []string) {
		if given(flag) {
			*to = &list
		}
	}
	text := func(flag string, to **string, value string) {
		if given(flag) {
			*to = &value
		}
	}
	texts("role", &out.Roles, g.roles)
	texts("group", &out.Groups, g.groups)
	texts("client", &out.Clients, g.clients)
	text("occupation", &out.Occupation, g.occupation)
	text("message", &out.Message, g.message)
	text("locale", &out.Locale, g.locale)
	text("external-id", &out.ExternalID, g.externalID)
	if given("name") || given("given-name") || given("family-name") {
		out.Name = &admin.PersonName{Formatted: g.name, GivenName: g.given, FamilyName: g.family}
	}
	if given("title") || given("phone") {
		out.Profile = &admin.ProfileFields{Title: g.title, PhoneNumber: g.phone}
	}
	if given("module") || given("sub-account") {
		list := []admin.GivenReference{}
		for _, key := range g.modules {
			list = append(list, admin.GivenReference{Value: key, Type: "module"})
		}
		for _, key := range g.subAccounts {
			list = append(list, admin.GivenReference{Value: key, Type: "subAccount"})
		}
		out.Entitlements = &list
	}
	at, err := parseInstant("--membership-ends", g.ends, time.Now())
	if err != nil {
		return out, usageError{err}
	}
	out.MembershipExpiresAt = at
	return out, nil
}

// givenFlags are what an approval gives.
type givenFlags struct {
	cmd *cobra.Command
	lifecycle.Given
	modules, subAccounts []string
}

func bindGiven(cmd *cobra.Command) *givenFlags {
	g := &givenFlags{cmd: cmd}
	f := cmd.Flags()
	f.StringSliceVar(&g.Roles, "role", nil, "key of a role; may be repeated")
	f.StringVar(&g.Occupation, "occupation", "", "occupation: key, name or alias")
	f.StringSliceVar(&g.modules, "module", nil, "key of a module; may be repeated")
	f.StringSliceVar(&g.subAccounts, "sub-account", nil, "key of a sub-account; may be repeated")
	f.StringSliceVar(&g.Groups, "group", nil, "id of a group to join; may be repeated")
	f.StringSliceVar(&g.Clients, "client", nil, "id of a client to be assigned; may be repeated")
	return g
}

// read is what the flags give; nil if none was given.
func (g *givenFlags) read() *lifecycle.Given {
	given := false
	for _, flag := range []string{"role", "occupation", "module", "sub-account", "group", "client"} {
		given = given || g.cmd.Flags().Changed(flag)
	}
	if !given {
		return nil
	}
	out := g.Given
	for _, key := range g.modules {
		out.Entitlements = append(out.Entitlements, "module:"+key)
	}
	for _, key := range g.subAccounts {
		out.Entitlements = append(out.Entitlements, "subAccount:"+key)
	}
	return &out
}

var errNoAddress = errors.New("name an address, or make a link for several people by --link")

// values are the values of references, for people.
func values(refs []admin.Reference) string {
	list := make([]string, len(refs))
	for i, r := range refs {
		list[i] = r.Value
	}
	return strings.Join(list, ",")
}

// nameOf is a person's name in one piece.
func nameOf(n *admin.PersonName) string {
	switch {
	case n == nil:
		return ""
	case n.Formatted != "":
		return n.Formatted
	}
	return strings.TrimSpace(n.GivenName + " " + n.FamilyName)
}

package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/admin"
)

func roles() *entryKind[admin.Role] {
	return &entryKind[admin.Role]{
		path: "/roles", what: "role",
		head: []string{"KEY", "NAME", "RANK", "ADMIN", "BUILT IN", "GIVEN", "ID"},
		row: func(r *admin.Role) []string {
			return []string{r.Key, r.Display, strconv.Itoa(r.Rank), yesNo(r.OrgAdmin), yesNo(r.System), yesNo(r.Supported), r.ID}
		},
		pairs: func(r *admin.Role) []string {
			most := ""
			if r.MaxAssignments > 0 {
				most = strconv.Itoa(r.MaxAssignments)
			}
			return []string{
				"Key", r.Key, "ID", r.ID, "Name", r.Display, "Description", r.Description, "Page", r.HelpURL, "Rank", strconv.Itoa(r.Rank),
				"Administrator", yesNo(r.OrgAdmin), "Built in", yesNo(r.System), "Can be given", yesNo(r.Supported), "Most people", most,
				"Permissions", strings.Join(r.Permissions, ", "), "Suppresses", strings.Join(r.Suppresses, ", "),
				"Modules", strings.Join(r.Modules, ", "), "Given by", strings.Join(r.AssignableBy, ", "),
			}
		},
		key: func(r *admin.Role) string { return r.Key },
		id:  func(r *admin.Role) string { return r.ID },
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (a *app) role() *cobra.Command {
	k := roles()
	return group("role", "Look after the organization's roles",
		"A role says what people may do, and whom they may give what.",
		k.listCommand(a), k.showCommand(a), a.roleWrite(k, true), a.roleWrite(k, false), k.deleteCommand(a))
}

func (a *app) roleWrite(k *entryKind[admin.Role], create bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "create KEY", Short: "Make a role",
		Example: "  rollcall role create auditor --name Auditor --rank 30 --permission reports.read",
	}
	if !create {
		cmd = &cobra.Command{
			Use: "update KEY|ID", Short: "Change a role: what is not named stays",
			Example: "  rollcall role update auditor --permission reports.read --permission audit.read",
		}
	}
	f := newFields(cmd)
	f.text("name", "display", "name for people")
	f.text("description", "description", "what it is for")
	f.text("help-url", "helpUrl", "page that explains it")
	f.number("rank", "rank", "0 to 100: people give roles up to their own rank, and edit people below it")
	f.yes("admin", "orgAdmin", "it makes the account an administrator's")
	f.texts("permission", "permissions", "permission that it gives; a trailing .* stands for all that begins so; may be repeated")
	f.texts("suppresses", "suppresses", "permission that people lose by it; may be repeated")
	f.texts("module", "modules", "key of a module that comes with it; may be repeated")
	f.texts("assignable-by", "assignableBy", "key of a role whose holders may give it; may be repeated")
	f.number("max", "maxAssignments", "how many people can have it; 0: any number")
	f.yes("supported", "supported", "it can be given")
	return k.writeCommand(a, cmd, create, f.body)
}

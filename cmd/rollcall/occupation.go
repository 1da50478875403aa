package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/admin"
)

func occupations() *entryKind[admin.Occupation] {
	return &entryKind[admin.Occupation]{
		path: "/occupations", what: "occupation",
		head: []string{"KEY", "NAME", "CHOSEN BY PEOPLE", "APPROVAL", "GIVEN", "ID"},
		row: func(o *admin.Occupation) []string {
			return []string{o.Key, o.Display, yesNo(o.SelfAssignable), yesNo(o.ApprovalNeeded), yesNo(o.Active), o.ID}
		},
		pairs: func(o *admin.Occupation) []string {
			return []string{
				"Key", o.Key, "ID", o.ID, "Name", o.Display, "Description", o.Description, "Page", o.HelpURL,
				"Also called", strings.Join(o.Aliases, ", "), "Chosen by people", yesNo(o.SelfAssignable), "Approval", yesNo(o.ApprovalNeeded),
				"Can be given", yesNo(o.Active), "Place in lists", strconv.Itoa(o.Order), "Permissions", strings.Join(o.Permissions, ", "),
				"Sees", strings.Join(o.Visibility, ", "), "Modules", strings.Join(o.Modules, ", "),
			}
		},
		key: func(o *admin.Occupation) string { return o.Key },
		id:  func(o *admin.Occupation) string { return o.ID },
	}
}

func (a *app) occupation() *cobra.Command {
	k := occupations()
	return group("occupation", "Look after the organization's occupations",
		"An occupation is what people do in the organization; it can bring permissions and modules.",
		k.listCommand(a), k.showCommand(a), a.occupationWrite(k, true), a.occupationWrite(k, false), k.deleteCommand(a), a.occupationReplace(k))
}

func (a *app) occupationWrite(k *entryKind[admin.Occupation], create bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "create KEY", Short: "Make an occupation",
		Example: "  rollcall occupation create loan-officer --name \"Loan Officer\" --alias loan_officer --self-assignable",
	}
	if !create {
		cmd = &cobra.Command{
			Use: "update KEY|ID", Short: "Change an occupation: what is not named stays",
			Example: "  rollcall occupation update loan-officer --active=false",
		}
	}
	f := newFields(cmd)
	f.text("name", "display", "name for people")
	f.text("description", "description", "what it is")
	f.text("help-url", "helpUrl", "page that explains it")
	f.texts("alias", "aliases", "another spelling that means it; may be repeated")
	f.texts("permission", "permissions", "permission that it brings; may be repeated")
	f.texts("sees", "visibility", "kind of records or field of the directory that its people see; may be repeated")
	f.texts("module", "modules", "key of a module that comes with it; may be repeated")
	f.yes("self-assignable", "selfAssignable", "people may choose it themselves")
	f.yes("approval", "approvalNeeded", "an administrator must approve that, if it brings permissions")
	f.yes("active", "active", "it can be given; a retired one keeps its people")
	f.number("order", "order", "place in lists, lowest first")
	return k.writeCommand(a, cmd, create, f.body)
}

func (a *app) occupationReplace(k *entryKind[admin.Occupation]) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "replace KEY|ID BY", Short: "Retire an occupation and give its people another", Args: cobra.ExactArgs(2),
		Example: "  rollcall occupation replace loan_officer loan-officer --yes",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		id, _, err := k.find(cmd.Context(), r, args[0])
		if err != nil {
			return nil, err
		}
		if !yes {
			fmt.Fprintf(a.stderr, "This retires the occupation %s and gives everybody who has it %s.\n", printable(args[0]), printable(args[1]))
		}
		in := map[string]any{"by": args[1], "dryRun": !yes}
		return a.startBulk(cmd.Context(), r, k.path+"/"+url.PathEscape(id)+"/actions/replace", in, yes)
	})
}

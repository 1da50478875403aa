package main

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/admin"
)

func (a *app) memberList() *cobra.Command {
	var status, q, role, occupation, sort string
	var invites, desc bool
	cmd := &cobra.Command{
		Use: "list", Short: "List members, and who is invited", Args: cobra.NoArgs,
		Example: "  rollcall member list --status deactivated\n  rollcall member list --invites --role admin --sort name",
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "a view: active or deactivated members, pending or expired invites")
	f.BoolVar(&invites, "invites", false, "with the invites that can be accepted")
	f.StringVar(&q, "query", "", "only those with this in a name or an address")
	f.StringVar(&role, "role", "", "only those with this role")
	f.StringVar(&occupation, "occupation", "", "only those with this occupation")
	f.StringVar(&sort, "sort", "", "name, userName, occupation or modified")
	f.BoolVar(&desc, "desc", false, "the other way round")
	query := func() url.Values {
		v := url.Values{}
		for name, value := range map[string]string{"status": status, "q": q, "role": role, "occupation": occupation, "sort": sort} {
			setQuery(v, name, value)
		}
		if invites {
			v.Set("include", "invites")
		}
		if desc {
			v.Set("desc", "true")
		}
		return v
	}
	return listing(a, cmd, always(membersPath), query, []string{"ID", "EMAIL", "NAME", "STATUS", "ROLES", "OCCUPATION"},
		func(m *admin.Listed) []string {
			return []string{m.ID, cmp.Or(m.Email, m.UserName), m.Name, m.Status, strings.Join(m.Roles, ","), m.Occupation}
		})
}

func (a *app) memberShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show a member", Args: cobra.ExactArgs(1)}
	return showing(a, cmd, one(membersPath+"/", ""), func(m *admin.MemberInfo) []string {
		pairs := []string{
			"ID", m.ID, "User name", m.UserName, "Name", m.Name, "Active", yesNo(m.Active), "Roles", strings.Join(m.Roles, ", "),
			"Occupation", m.Occupation,
		}
		if d := m.Deactivation; d != nil {
			until := ""
			if !d.Until.IsZero() {
				until = formatTime(&d.Until.Time)
			}
			pairs = append(pairs, "Reason", d.Reason, "Until", until, "Note", d.Note)
		}
		return pairs
	})
}

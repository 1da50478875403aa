package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/admin"
	"rollcall/lifecycle"
)

const membersPath = "/members"

func (a *app) member() *cobra.Command {
	return group("member", "Look after the people of an organization",
		"Members are the people of an organization. They are named by their ids.",
		a.memberList(), a.memberShow(), a.memberBulk(), a.memberDeactivate(), a.memberActivate(), a.memberDetach(), a.memberRemove(), a.memberRestore(), a.memberErase(), a.memberRemoved(),
		a.memberRole(), a.memberOccupation(), a.memberEntitle("modules", "module"), a.memberEntitle("sub-accounts", "sub-account"),
		a.memberGrant(), a.memberExplain(), a.memberHistory(), a.memberAccess())
}

func (a *app) memberDeactivate() *cobra.Command {
	var reason, until, note string
	cmd := &cobra.Command{
		Use: "deactivate ID...", Short: "Cut people's access at once and keep everything else", Args: cobra.MinimumNArgs(1),
		Example: "  rollcall member deactivate 0198c0de-0000-7000-8000-000000000000 --reason leave --until 2027-01-31",
	}
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "leave, terminated, expired or other; other if empty")
	f.StringVar(&until, "until", "", "when access comes back by itself: 30d, 2027-01-31 or an RFC 3339 instant")
	f.StringVar(&note, "note", "", "for administrators")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		at, err := parseInstant("--until", until, time.Now())
		if err != nil {
			return nil, usageError{err}
		}
		in := map[string]any{}
		if at != nil {
			in["until"] = *at
		}
		if reason != "" {
			in["reason"] = reason
		}
		if note != "" {
			in["note"] = note
		}
		return each(args, "deactivated", func(id string) (json.RawMessage, error) {
			var raw json.RawMessage
			err := r.do(cmd.Context(), http.MethodPost, one(membersPath+"/", "/actions/deactivate")([]string{id}), nil, in, &raw)
			return raw, err
		})
	})
}

func (a *app) memberActivate() *cobra.Command {
	return a.many(&cobra.Command{Use: "activate ID...", Short: "Give deactivated people access again"},
		"activated", one(membersPath+"/", "/actions/activate"), nil)
}

func (a *app) memberDetach() *cobra.Command {
	return a.many(&cobra.Command{Use: "detach ID...", Short: "Take people over from the client that provisions them"},
		"detached", one(membersPath+"/", "/actions/detach-from-idp"), nil)
}

func (a *app) memberRestore() *cobra.Command {
	return a.many(&cobra.Command{Use: "restore ID...", Short: "Bring removed people back, as long as their profiles are kept"},
		"restored", one(membersPath+"/", "/actions/restore"), nil)
}

func (a *app) memberRemove() *cobra.Command {
	var yes bool
	var confirmed string
	cmd := &cobra.Command{
		Use: "remove ID", Short: "Take somebody out of the organization", Args: cobra.ExactArgs(1),
		Long: `Take somebody out of the organization: access ends at once. What else happens is printed first; --yes
acknowledges it. Somebody whom a client provisions is removed with --confirm USERNAME only.`,
		Example: "  rollcall member remove 0198c0de-0000-7000-8000-000000000000 --yes",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "acknowledge what is printed, and do it")
	cmd.Flags().StringVar(&confirmed, "confirm", "", "the person's user name, for somebody whom a client provisions")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		var st lifecycle.Statements
		if err := r.do(cmd.Context(), http.MethodGet, "/removal-effects", nil, nil, &st); err != nil {
			return nil, err
		}
		ids, texts := make([]string, len(st.Statements)), make([]string, len(st.Statements))
		for i, s := range st.Statements {
			ids[i], texts[i] = s.ID, s.Text
		}
		if err := a.confirm(yes, "Removing "+args[0]+" means:", texts...); err != nil {
			return nil, err
		}
		in := map[string]any{"acknowledge": ids, "effectsVersion": st.Version}
		if confirmed != "" {
			in["confirm"] = confirmed
		}
		if err := r.do(cmd.Context(), http.MethodPost, one(membersPath+"/", "/actions/remove")(args), nil, in, nil); err != nil {
			return nil, err
		}
		return said(map[string]string{"removed": args[0]}, "Removed %s.", args[0]), nil
	})
}

func (a *app) memberErase() *cobra.Command {
	var yes bool
	var confirmed string
	cmd := &cobra.Command{
		Use: "erase ID", Short: "Destroy what is kept of somebody, for good", Args: cobra.ExactArgs(1),
		Example: "  rollcall member erase 0198c0de-0000-7000-8000-000000000000 --confirm ada@example.com --yes",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().StringVar(&confirmed, "confirm", "", "the person's user name, unless they were removed before")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		if err := a.confirm(yes, "Erasing "+args[0]+" means:",
			"Profile and history are destroyed; nobody can bring them back.",
			"What the person did stays where it is, without a name.",
		); err != nil {
			return nil, err
		}
		in := map[string]any{}
		if confirmed != "" {
			in["confirm"] = confirmed
		}
		if err := r.do(cmd.Context(), http.MethodPost, one(membersPath+"/", "/actions/erase")(args), nil, in, nil); err != nil {
			return nil, err
		}
		return said(map[string]string{"erased": args[0]}, "Erased %s.", args[0]), nil
	})
}

func (a *app) memberRemoved() *cobra.Command {
	cmd := &cobra.Command{Use: "removed", Short: "List who was removed", Args: cobra.NoArgs}
	return listing(a, cmd, always("/removed-members"), nil, []string{"ID", "NAME", "REMOVED", "RESTORE UNTIL", "ERASED"},
		func(m *admin.RemovedMember) []string {
			return []string{m.ID, m.Name, formatTime(&m.RemovedAt), formatTime(m.RestoreUntil), yesNo(m.Erased)}
		})
}

// changing is a change of what somebody may do: first its consequences are shown, which --yes acknowledges.
func (a *app) changing(ctx context.Context, r *remote, id, action string, yes, dry bool, in map[string]any) (*result, error) {
	var seen lifecycle.Consequences
	if err := r.do(ctx, http.MethodPost, one(membersPath+"/", "/role-preview")([]string{id}), nil, in, &seen); err != nil {
		return nil, err
	}
	if dry {
		return consequences(&seen, "would lose", "would gain"), nil
	}
	if len(seen.Lost) > 0 {
		statements := append([]string{}, seen.Lost...)
		for _, o := range seen.Orphans {
			statements = append(statements, o.Kind+": "+o.Text)
		}
		if err := a.confirm(yes, "The person loses:", statements...); err != nil {
			return nil, err
		}
	}
	in["ackLosses"] = append([]string{}, seen.Lost...)
	var out lifecycle.Consequences
	if err := r.do(ctx, http.MethodPost, one(membersPath+"/", "/actions/"+action)([]string{id}), nil, in, &out); err != nil {
		return nil, err
	}
	return consequences(&out, "lost", "gained"), nil
}

func consequences(c *lifecycle.Consequences, lost, gained string) *result {
	list := func(l []string) string {
		if len(l) == 0 {
			return "nothing"
		}
		return strings.Join(l, ", ")
	}
	return said(c, "The person %s %s and %s %s.", lost, list(c.Lost), gained, list(c.Gained))
}

func (a *app) memberRole() *cobra.Command {
	var yes, dry bool
	var primary string
	cmd := &cobra.Command{
		Use: "change-role ID ROLE...", Short: "Give somebody roles: all that they have of their own from then on", Args: cobra.MinimumNArgs(2),
		Example: "  rollcall member change-role 0198c0de-0000-7000-8000-000000000000 admin --dry-run",
	}
	f := cmd.Flags()
	f.StringVar(&primary, "primary", "", "key of the main role; the highest if empty")
	f.BoolVar(&yes, "yes", false, "acknowledge what the person loses")
	f.BoolVar(&dry, "dry-run", false, "say what the person would lose and gain, and do nothing")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		in := map[string]any{"roles": args[1:]}
		if primary != "" && !dry {
			in["primary"] = primary
		}
		return a.changing(cmd.Context(), r, args[0], "change-role", yes, dry, in)
	})
}

func (a *app) memberOccupation() *cobra.Command {
	var yes, dry bool
	cmd := &cobra.Command{
		Use: "change-occupation ID OCCUPATION", Short: "Give somebody an occupation; none if it is empty", Args: cobra.ExactArgs(2),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "acknowledge what the person loses")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what the person would lose and gain, and do nothing")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		return a.changing(cmd.Context(), r, args[0], "change-occupation", yes, dry, map[string]any{"occupation": args[1]})
	})
}

func (a *app) memberEntitle(path, what string) *cobra.Command {
	var acks []string
	cmd := &cobra.Command{
		Use: "set-" + path + " ID [KEY...]", Short: "Give somebody " + path + ": all that they have of their own from then on", Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringSliceVar(&acks, "ack-loss", nil, "what the person is known to lose, such as "+what+":KEY; may be repeated")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		var out lifecycle.Consequences
		in := map[string]any{"keys": append([]string{}, args[1:]...), "ackLosses": append([]string{}, acks...)}
		if err := r.do(cmd.Context(), http.MethodPut, one(membersPath+"/", "/"+path)(args), nil, in, &out); err != nil {
			return nil, err
		}
		return consequences(&out, "lost", "gained"), nil
	})
}

func (a *app) memberGrant() *cobra.Command {
	cmd := &cobra.Command{Use: "grant ID", Short: "Show what somebody may do, and what gives it", Args: cobra.ExactArgs(1)}
	return showing(a, cmd, one(membersPath+"/", "/grant"), func(g *admin.Access) []string {
		parts := func(list []admin.AccessPart) string {
			texts := make([]string, len(list))
			for i, p := range list {
				sources := make([]string, len(p.Sources))
				for j, s := range p.Sources {
					sources[j] = strings.TrimSpace(s.Via + " " + cmp.Or(s.Display, s.Key))
				}
				texts[i] = p.Value + " (" + strings.Join(sources, ", ") + ")"
				if !p.Effective {
					texts[i] += " not effective: " + p.Because
				}
			}
			return strings.Join(texts, "; ")
		}
		return []string{
			"Account", g.AccountType, "Active", yesNo(g.Active), "Roles", parts(g.Roles), "Occupation", g.Occupation,
			"Permissions", parts(g.Permissions), "Modules", parts(g.Modules), "Sub-accounts", parts(g.SubAccounts),
		}
	})
}

func (a *app) memberExplain() *cobra.Command {
	var permission, module string
	cmd := &cobra.Command{
		Use: "explain ID", Short: "Say why somebody may do something, or may not", Args: cobra.ExactArgs(1),
		Example: "  rollcall member explain 0198c0de-0000-7000-8000-000000000000 --permission reports.read",
	}
	cmd.Flags().StringVar(&permission, "permission", "", "ask about a permission")
	cmd.Flags().StringVar(&module, "module", "", "ask about a module")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		if (permission == "") == (module == "") {
			return nil, usageError{errors.New("ask about a --permission or about a --module")}
		}
		q := url.Values{}
		setQuery(q, "permission", permission)
		setQuery(q, "module", module)
		var raw json.RawMessage
		if err := r.do(cmd.Context(), http.MethodGet, one(membersPath+"/", "/explain")(args), q, nil, &raw); err != nil {
			return nil, err
		}
		return shown(raw, func(e *struct {
			Allowed bool     `json:"allowed"`
			Steps   []string `json:"steps"`
		},
		) []string {
			pairs := []string{"Allowed", yesNo(e.Allowed)}
			for i, s := range e.Steps {
				pairs = append(pairs, strconv.Itoa(i+1), s)
			}
			return pairs
		})
	})
}

func (a *app) memberHistory() *cobra.Command {
	cmd := &cobra.Command{Use: "history ID", Short: "List what was changed of somebody, by whom, newest first", Args: cobra.ExactArgs(1)}
	return listing(a, cmd, one(membersPath+"/", "/history"), nil, []string{"AT", "BY", "WHAT", "VERSION", "ATTRIBUTES"},
		func(h *lifecycle.HistoryEntry) []string {
			paths := make([]string, len(h.Changes))
			for i, c := range h.Changes {
				paths[i] = c.Path
			}
			return []string{formatTime(&h.At.Time), by(&h.By), h.Op, fmt.Sprint(h.Version), strings.Join(paths, ", ")}
		})
}

func by(r *lifecycle.Ref) string {
	name := r.Display
	if name == "" {
		name = r.Value
	}
	return strings.TrimSpace(r.Type + " " + name)
}

func (a *app) memberAccess() *cobra.Command {
	cmd := &cobra.Command{Use: "access ID", Short: "Say whether somebody may come in", Args: cobra.ExactArgs(1)}
	return showing(a, cmd, one(membersPath+"/", "/access"), func(x *struct {
		Access string `json:"access"`
	},
	) []string {
		return []string{"Access", x.Access}
	})
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/control"
	"rollcall/scim"
	"rollcall/scim/compat"
)

// defaultOrg is the organization that a first start makes, and the one that is meant when none is named.
const defaultOrg = "default"

func (a *app) token() *cobra.Command {
	return group("token", "Create, list and revoke tokens",
		`A token is the credential of one client, such as an identity provider. Its text is shown once, when it is
created; only a hash is kept. An organization may have several tokens at once: to rotate one, create the
next, give it to the client, and revoke the old one.`,
		a.tokenCreate(), a.tokenList(), a.tokenRevoke())
}

func orgFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("org", defaultOrg, "organization, by slug or id")
}

func (a *app) tokenCreate() *cobra.Command {
	var t control.NewToken
	var expires string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create a token and show its text, this once",
		Example: `  rollcall token create --org acme --name okta --profile okta
  rollcall token create --org acme --name reporting --scope scim:read --expires 90d
  TOKEN=$(rollcall token create --name ci --json | jq -r .token)`,
		Args: cobra.NoArgs,
	}
	org := orgFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&t.Name, "name", "", "what the token is for (required)")
	f.StringSliceVar(&t.Scopes, "scope", []string{scim.ScopeSCIM}, "what it may do: scim, scim:read, scim:users, scim:groups:read, ..., admin; may be repeated")
	f.StringVar(&expires, "expires", "", "when it ends: 90d, 12h, 2027-01-31 or an RFC 3339 instant; never if empty")
	f.StringVar(&t.Profile, "profile", "auto", "compatibility profile of the client: "+strings.Join(profileNames(), ", "))
	// Before the database is opened, or even made.
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if strings.TrimSpace(t.Name) == "" {
			return usageError{errors.New("--name is required: it tells tokens apart")}
		}
		if t.Expires, err = parseExpiry(expires, time.Now()); err != nil {
			return usageError{err}
		}
		return nil
	}
	a.operate(cmd, mayCreate, func(cmd *cobra.Command, op control.Operator, _ []string) (*result, error) {
		t.Organization = *org
		token, err := op.CreateToken(cmd.Context(), t)
		if err != nil {
			return nil, err
		}
		return &result{token, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Created token %s (%s) of organization %s. Its text is shown only now:\n\n  %s\n\n",
				token.Name, token.ID, token.Organization, token.Text)
			return err
		}}, nil
	})
	return cmd
}

func profileNames() []string {
	var names []string
	for _, p := range compat.Profiles() {
		names = append(names, p.Name)
	}
	return names
}

func (a *app) tokenList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List an organization's tokens", Args: cobra.NoArgs}
	org := orgFlag(cmd)
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, _ []string) (*result, error) {
		list, err := op.Tokens(cmd.Context(), *org)
		if err != nil {
			return nil, err
		}
		return &result{list, func(w io.Writer) error {
			now := time.Now()
			t := newTable(w, "ID", "NAME", "STATE", "SCOPES", "PROFILE", "CREATED", "EXPIRES", "LAST USED")
			for _, x := range list {
				t.row(x.ID, x.Name, tokenState(x, now), strings.Join(x.Scopes, ","), x.Profile, formatTime(&x.Created),
					formatTime(x.Expires), formatTime(x.LastUsed))
			}
			return t.flush()
		}}, nil
	})
	return cmd
}

func tokenState(t control.Token, now time.Time) string {
	switch {
	case t.Revoked != nil:
		return "revoked"
	case t.Expires != nil && !now.Before(*t.Expires):
		return "expired"
	}
	return "active"
}

func (a *app) tokenRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Revoke a token; it is refused from the next request on",
		Example: "  rollcall token revoke --org acme 0198c0de-0000-7000-8000-000000000000",
		Args:    cobra.ExactArgs(1),
	}
	org := orgFlag(cmd)
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, args []string) (*result, error) {
		if err := op.RevokeToken(cmd.Context(), *org, args[0]); err != nil {
			return nil, err
		}
		return &result{map[string]string{"revoked": args[0]}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Revoked token %s.\n", args[0])
			return err
		}}, nil
	})
	return cmd
}

// parseExpiry reads a point in the future; nil is never.
func parseExpiry(text string, now time.Time) (*time.Time, error) {
	return parseInstant("--expires", text, now)
}

// parseInstant reads the value of a flag that is a point in the future; nil is never.
func parseInstant(flag, text string, now time.Time) (*time.Time, error) {
	if text == "" || text == "never" {
		return nil, nil //nolint:nilnil // never is the absence of an instant
	}
	var at time.Time
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil {
			at = now.AddDate(0, 0, int(days))
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		at = now.Add(d)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			at = t
		}
	}
	switch {
	case at.IsZero():
		return nil, fmt.Errorf("%s: write 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z", flag)
	case !at.After(now):
		return nil, fmt.Errorf("%s: lies in the past", flag)
	}
	at = at.UTC()
	return &at, nil
}

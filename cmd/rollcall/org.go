package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"rollcall/internal/control"
)

func (a *app) org() *cobra.Command {
	return group("org", "Create and list organizations",
		"An organization is a tenant: its users, groups and tokens are apart from those of all others.",
		a.orgCreate(), a.orgList(), a.orgShow())
}

func (a *app) orgCreate() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "create SLUG",
		Short:   "Create an organization",
		Long:    "Create an organization. SLUG is its short name on command lines and in metrics: lower case letters, digits and dashes.",
		Example: `  rollcall org create acme --name "Acme Corporation"`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&name, "name", "", "name for people; the slug if empty")
	a.operate(cmd, mayCreate, func(cmd *cobra.Command, op control.Operator, args []string) (*result, error) {
		o := control.NewOrganization{Slug: args[0], Name: name}
		if o.Name == "" {
			o.Name = o.Slug
		}
		org, err := op.CreateOrganization(cmd.Context(), o)
		if err != nil {
			return nil, err
		}
		return &result{org, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Created organization %s (%s).\n", org.Slug, org.ID)
			return err
		}}, nil
	})
	return cmd
}

func (a *app) orgList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the organizations", Args: cobra.NoArgs}
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, _ []string) (*result, error) {
		list, err := op.Organizations(cmd.Context())
		if err != nil {
			return nil, err
		}
		return &result{list, func(w io.Writer) error { return printOrganizations(w, list) }}, nil
	})
	return cmd
}

func (a *app) orgShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show SLUG|ID", Short: "Show one organization", Args: cobra.ExactArgs(1),
		Example: "  rollcall org show acme",
	}
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, args []string) (*result, error) {
		org, err := op.Organization(cmd.Context(), args[0])
		if err != nil {
			return nil, err
		}
		return &result{org, func(w io.Writer) error { return printOrganizations(w, []control.Organization{*org}) }}, nil
	})
	return cmd
}

func printOrganizations(w io.Writer, list []control.Organization) error {
	t := newTable(w, "SLUG", "ID", "NAME", "CREATED")
	for _, o := range list {
		t.row(o.Slug, o.ID, o.Name, formatTime(&o.Created))
	}
	return t.flush()
}

// table prints aligned columns; the first failure to write sticks.
type table struct {
	w   *tabwriter.Writer
	err error
}

func newTable(w io.Writer, head ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		c = printable(c)
		sep := "\t"
		if i == len(cells)-1 {
			sep = "\n"
		}
		if _, err := io.WriteString(t.w, c+sep); t.err == nil {
			t.err = err
		}
	}
}

// printable keeps text that others wrote from moving the cursor of a terminal, or the columns of a table.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, s)
}

func (t *table) flush() error {
	if err := t.w.Flush(); t.err == nil {
		t.err = err
	}
	return t.err
}

func formatTime(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

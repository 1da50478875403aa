package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"rollcall/internal/control"
	"rollcall/resources"
	"rollcall/storage"
)

func (a *app) backup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the database, while the server runs if it does",
		Long: `Write a consistent copy of the database to FILE, which must not exist yet. A running server goes on
answering meanwhile. To restore, put the file as rollcall.db into an empty directory and serve from it.
It is for the embedded store; a MongoDB is backed up with mongodump.`,
		Example: "  rollcall backup /var/backups/rollcall-$(date +%F).db",
		Args:    cobra.ExactArgs(1),
	}
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, args []string) (*result, error) {
		file, err := filepath.Abs(args[0])
		if err != nil {
			return nil, err
		}
		if err := op.Backup(cmd.Context(), file); err != nil {
			return nil, err
		}
		return &result{map[string]string{"backup": file}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Wrote %s.\n", file)
			return err
		}}, nil
	})
	return cmd
}

func (a *app) check() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole database and report what is wrong with it",
		Args:  cobra.NoArgs,
	}
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, _ []string) (*result, error) {
		problems, err := op.Check(cmd.Context())
		if err != nil {
			return nil, err
		}
		if len(problems) > 0 {
			err = fmt.Errorf("the database has %d problem(s)", len(problems))
		}
		return &result{map[string][]string{"problems": append([]string{}, problems...)}, func(w io.Writer) error {
			if len(problems) == 0 {
				_, err := fmt.Fprintln(w, "The database is sound.")
				return err
			}
			for _, p := range problems {
				if _, err := fmt.Fprintln(w, p); err != nil {
					return err
				}
			}
			return nil
		}}, err
	})
	return cmd
}

func (a *app) migrate() *cobra.Command {
	return group("migrate", "Show and apply changes of the database's layout",
		`Each version of Rollcall knows the layouts up to its own. "serve" brings an older database up to date by
itself and refuses one that a newer version wrote.`,
		a.migrateStatus(), a.migrateUp())
}

func (a *app) migrateStatus() *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "List the layout's versions and which are applied", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	load := bindFlags(cmd, a.env, databaseKeys()...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, types, err := chosen(load)
		if err != nil {
			return err
		}
		parts, err := b.layout(cmd.Context(), types)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(a.stdout, parts)
		}
		t := newTable(a.stdout, "VERSION", "NAME", "STATE")
		for _, m := range parts {
			state := "pending"
			if m.Applied {
				state = "applied"
			}
			t.row(fmt.Sprint(m.Version), m.Name, state)
		}
		return t.flush()
	}
	return cmd
}

func (a *app) migrateUp() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the database to the newest layout without serving it",
		Args:  cobra.NoArgs,
	}
	load := bindFlags(cmd, a.env, databaseKeys()...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, types, err := chosen(load)
		if err != nil {
			return err
		}
		if err := requireDatabase(cmd.Context(), b, types); err != nil {
			return err
		}
		if err := b.migrate(cmd.Context(), types); err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.stdout, "The database has the newest layout.")
		return err
	}
	return cmd
}

// chosen returns the database that the configuration names and what it has to keep.
func chosen(load func() (Config, error)) (backend, []storage.Type, error) {
	c, err := load()
	if err != nil {
		return nil, nil, err
	}
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		return nil, nil, err
	}
	b, err := c.backend()
	return b, registry.StorageTypes(), err
}

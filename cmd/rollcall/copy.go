package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage/transfer"
)

// sqlitePrefix begins the name of a data directory where a connection string could stand.
const sqlitePrefix = embeddedStore + ":"

func (a *app) copy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "copy --from DATABASE --to DATABASE",
		Short: "Copy a whole database into another, of the same or of the other kind",
		Long: `Copy everything that one database has into another: organizations, tokens, resources with their ids, versions and
passwords, memberships, logins, mails that wait, and the history with its positions, so that clients, tokens, cursors and followers of the
feed go on as if nothing had happened.

A DATABASE is sqlite:DIRECTORY or mongodb://...; left out, it is the one that the configuration names (ROLLCALL_STORE, or
--config), which keeps a password off the command line. No server may have either database open; all that is written
meanwhile would be missing. The target must be empty, or the rest of a copy that was interrupted: then the copy goes
on. At the end the target is read again and compared with the source, by counts and by a digest of everything.`,
		Example: `  rollcall copy --from sqlite:./rollcall-data --to mongodb://db1,db2,db3/rollcall?replicaSet=rs0
  rollcall copy --from mongodb://db1/rollcall?replicaSet=rs0 --to sqlite:/var/lib/rollcall`,
		Args: cobra.NoArgs,
	}
	from := cmd.Flags().String("from", "", "database to copy")
	to := cmd.Flags().String("to", "", "database to copy into")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	load := bindFlags(cmd, a.env, databaseKeys()...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		if *from == "" && *to == "" {
			return usageError{errors.New("--from or --to is needed")}
		}
		source, err := c.named("--from", *from)
		if err != nil {
			return err
		}
		target, err := c.named("--to", *to)
		if err != nil {
			return err
		}
		report, err := a.copyDatabase(cmd.Context(), source, target)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(a.stdout, report)
		}
		_, err = fmt.Fprintf(a.stdout, "Copied %d organizations, %d tokens, %d records, %d memberships and %d changes.\nThe target has the same, by its digest: %s\n",
			report.Organizations, report.Tokens, report.Records, report.Members, report.Changes, report.Digest)
		return err
	}
	return cmd
}

// named returns the database that a flag names, the configured one if it is empty.
func (c *Config) named(flag, text string) (backend, error) {
	dir, isDir := strings.CutPrefix(text, sqlitePrefix)
	switch {
	case text == "":
		return c.backend()
	case isDir && dir != "":
		return &embedded{dir: dir}, nil
	}
	var uri secret
	if err := (storeValue{&uri}).Set(text); err != nil || uri == "" {
		return nil, usageError{fmt.Errorf("%s: must be sqlite:DIRECTORY or a connection string such as mongodb://host1,host2/rollcall?replicaSet=rs0", flag)}
	}
	return &mongoDB{uri: string(uri)}, nil
}

func (a *app) copyDatabase(ctx context.Context, source, target backend) (_ *transfer.Report, err error) {
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		return nil, err
	}
	types := registry.StorageTypes()
	if err := requireDatabase(ctx, source, types); err != nil {
		return nil, err
	}
	from, err := source.openAlone(ctx, types, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := target.openAlone(ctx, types, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	names := make([]scim.TypeName, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	bar := newProgressBar(a.stderr, time.Now)
	defer bar.end()
	return transfer.Copy(ctx, from, to, transfer.Options{Types: names, Progress: func(p transfer.Progress) { bar.show(string(p.Phase), p.Done, p.Total) }})
}

// progressBar says how far something long is: on one line of a terminal, elsewhere by a line now and then.
type progressBar struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	last     time.Time
	shown    bool
}

func newProgressBar(w io.Writer, now func() time.Time) *progressBar {
	b := &progressBar{w: w, now: now}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

const (
	barWidth = 40
	barEvery = 100 * time.Millisecond // on a terminal
	logEvery = 10 * time.Second       // elsewhere
)

func (b *progressBar) show(phase string, done, total int64) {
	now, every := b.now(), logEvery
	if b.terminal {
		every = barEvery
	}
	if now.Sub(b.last) < every && done < total {
		return
	}
	b.last = now
	share := 1.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	if !b.terminal {
		fmt.Fprintf(b.w, "%s: %d of %d (%.0f %%)\n", phase, done, total, 100*share)
		return
	}
	full := int(share * barWidth)
	fmt.Fprintf(b.w, "\r%-6s [%s%s] %3.0f %% %d of %d ", phase, strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), 100*share, done, total)
	b.shown = true
}

// end leaves the line of the bar.
func (b *progressBar) end() {
	if b.shown {
		fmt.Fprintln(b.w)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

// app is what commands are given of the process around them.
type app struct {
	env            []string
	stdout, stderr io.Writer
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run does what args say and returns the exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: env, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "rollcall: %v\n", err)
	var usage usageError
	var config *configError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "Run '%s --help' for how to use it.\n", cmd.CommandPath())
		return exitUsage
	case errors.As(err, &config):
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "A SCIM 2.0 provisioning server",
		Long: `Rollcall is a SCIM 2.0 provisioning server. Identity providers such as Entra ID and Okta create, change
and deactivate an organization's people and groups through /scim/v2.

"rollcall serve" runs the server. The other commands look after its database; while a server holds it
they talk to the server through a socket in the data directory, so they may be used at any time. With
--store they use the same MongoDB as the servers do. Those about people (invite, member, join-request,
role, occupation, job) also work from afar, with --server and a token.

Every setting can be given in a YAML file (--config FILE), in the environment (--ops-listen is
ROLLCALL_OPS_LISTEN) and as a flag. A flag wins over the environment, the environment over the file.`,
		Example: `  rollcall serve
  rollcall org create acme --name "Acme Corporation"
  rollcall token create --org acme --name okta --profile okta
  rollcall backup /var/backups/rollcall.db`,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(a.serve(), a.org(), a.token(), a.invite(), a.member(), a.joinRequest(), a.role(), a.occupation(), a.job(), a.backup(), a.check(), a.audit(), a.migrate(), a.copy(), a.mail(), a.config(), a.healthcheck(), a.version())
	checkArgs(root)
	return root
}

// noCommand refuses a command that does not exist, which cobra would else only do for one without a Run.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
}

// checkArgs makes a wrong number of arguments a usage error, in every command.
func checkArgs(cmd *cobra.Command) {
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		checkArgs(sub)
	}
}

// group is a command that only holds others.
func group(use, short, long string, sub ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sub...)
	return cmd
}

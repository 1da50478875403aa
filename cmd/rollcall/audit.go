package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"rollcall/internal/control"
)

func (a *app) audit() *cobra.Command {
	return group("audit", "Verify the audit trail",
		`What was done and what was refused is kept for each organization and sealed into a chain of hashes. It is read and
exported by the companion API.`,
		a.auditVerify())
}

func (a *app) auditVerify() *cobra.Command {
	var expect string
	cmd := &cobra.Command{
		Use:   "verify ORGANIZATION",
		Short: "Hold the audit trail of an organization against its chain of seals",
		Long: `Read the whole audit trail of an organization and hold it against its chain of seals. A change that was altered, left
out or slipped in behind the server's back shows. Whoever can write to the database can make the whole chain anew: keep a
checkpoint elsewhere (the log has one for each seal, the companion API at /api/v1/audit/checkpoint) and say it with
--expect. Values that were erased with a person are not there, and the chain holds without them.`,
		Example: "  rollcall audit verify acme --expect 12:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&expect, "expect", "", "a checkpoint that must be in the chain, as NUMBER:HASH")
	a.operate(cmd, mustExist, func(cmd *cobra.Command, op control.Operator, args []string) (*result, error) {
		v, err := op.VerifyAudit(cmd.Context(), args[0], expect)
		if err != nil {
			return nil, err
		}
		if len(v.Problems) > 0 {
			err = fmt.Errorf("the audit trail has %d problem(s)", len(v.Problems))
		}
		return &result{v, func(w io.Writer) error { return printVerification(w, v) }}, err
	})
	return cmd
}

func printVerification(w io.Writer, v *control.Verification) error {
	for _, p := range v.Problems {
		if _, err := fmt.Fprintln(w, p); err != nil {
			return err
		}
	}
	word := "The audit trail holds"
	if len(v.Problems) > 0 {
		word = "The audit trail was read"
	}
	_, err := fmt.Fprintf(w, "%s: %d changes under %d seals, %d of them erased; %d are not sealed yet.\n",
		word, v.Changes, v.Seals, v.Erased, v.Unsealed)
	if err == nil && v.Seals > 0 {
		_, err = fmt.Fprintf(w, "Checkpoint %d:%s\n", v.Seals, v.Hash)
	}
	return err
}

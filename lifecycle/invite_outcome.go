package lifecycle

import (
	"net/http"
	"time"

	"rollcall/scim"
)

// What became of one address of a request to invite.
const (
	OutcomeCreated         = "created"
	OutcomeNeedsApproval   = "created_needs_approval"
	OutcomeResent          = "resent"
	OutcomeReplaced        = "replaced"
	OutcomeConvertedJoin   = "converted_join_request"
	OutcomeMember          = "skipped_existing_member"
	OutcomeDeactivated     = "skipped_deactivated_member"
	OutcomePending         = "skipped_pending_invite"
	OutcomeDisposable      = "skipped_disposable"
	OutcomeDomain          = "skipped_domain_not_allowed"
	OutcomeManagedDomain   = "skipped_managed_domain"
	OutcomeSuppressed      = "skipped_suppressed"
	OutcomeDuplicate       = "skipped_duplicate_in_request"
	OutcomeInvalid         = "invalid_address"
	OutcomeInvalidValue    = "invalid_value" // of a row that is imported
	OutcomeRoleAboveYours  = "role_above_yours"
	OutcomeAdminOnlyModule = "admin_only_module"
	OutcomeOverSeats       = "over_seat_limit"
	OutcomeOverRate        = "over_rate_limit"
	OutcomePlanRequired    = "plan_required"
)

// InviteOutcomes are all outcomes, for the documentation of the API.
func InviteOutcomes() []string {
	return []string{
		OutcomeCreated, OutcomeNeedsApproval, OutcomeResent, OutcomeReplaced, OutcomeConvertedJoin,
		OutcomeMember, OutcomeDeactivated, OutcomePending, OutcomeDisposable, OutcomeDomain, OutcomeManagedDomain,
		OutcomeSuppressed, OutcomeDuplicate, OutcomeInvalid, OutcomeInvalidValue, OutcomeRoleAboveYours, OutcomeAdminOnlyModule, OutcomeOverSeats,
		OutcomeOverRate, OutcomePlanRequired,
	}
}

// InviteOutcome is what became of one address.
type InviteOutcome struct {
	Input       string   // what the request said
	Email       string   // the address in it
	Outcome     string   // one of the Outcome constants
	Detail      string   // a sentence for people, if nothing was made
	Warnings    []string // what to look at nevertheless, as typo_suspected:gmail.com
	Invite      string   // id of the invite that was made, sent again, or is there already
	JoinRequest string   // id of the request that waits for approval, or was closed
	User        string   // id of the user who is there already
	Token, Link string   // of an invite that is not mailed: shown this once
	ExpiresAt   time.Time

	err *scim.Error // what a request for this address alone is answered
}

// Made reports whether the address was invited.
func (o *InviteOutcome) Made() bool {
	switch o.Outcome {
	case OutcomeCreated, OutcomeNeedsApproval, OutcomeResent, OutcomeReplaced, OutcomeConvertedJoin:
		return true
	}
	return false
}

// refusal is the answer to a request for the address alone.
func (o *InviteOutcome) refusal() *scim.Error {
	if o.err != nil {
		return o.err
	}
	code := o.Outcome
	switch o.Outcome {
	case OutcomeMember, OutcomeDeactivated, OutcomePending, OutcomeDuplicate:
		e := scim.Uniqueness("email")
		e.Code, e.Detail = code, "email: "+o.Detail
		return e
	case OutcomeOverSeats, OutcomePlanRequired, OutcomeRoleAboveYours:
		return refuse(http.StatusForbidden, code, "%s", o.Detail)
	}
	return invalid("email", code, "%s", o.Detail)
}

// set makes the outcome what it is.
func (o *InviteOutcome) set(outcome, detail string) { o.Outcome, o.Detail = outcome, detail }

package lifecycle

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/mail"
	"rollcall/scim"
)

// Limits of invites. The plan of an organization may raise the first.
const (
	invitesPerDay      = 500 // of an organization
	invitesPerDayFirst = 50  // of one in its first days, on a plan with features of its own
	firstDays          = 30 * day * time.Second
	invitesPerHour     = 100 // by one inviter
	mailsPerDay        = 3   // to one address, by all organizations
	mailsPerMonth      = 10
	resendPause        = 60 * time.Second
)

// The names of limits.
const (
	limitInvites   = "invites"
	limitInviter   = "inviter"
	limitMailDay   = "mail-day"
	limitMailMonth = "mail-month"
)

// invitesADay is how many people an organization may invite in 24 hours.
func (x *inviting) invitesADay() int {
	p := x.policy.settings.Plan
	switch {
	case p.InvitesPerDay > 0:
		return p.InvitesPerDay
	case p.Key == "free" && x.now.Sub(x.org.Created) < firstDays:
		return invitesPerDayFirst
	}
	return invitesPerDay
}

// bound takes what the items come to from the limits; those that are beyond are refused, the last first. In an import
// what the organization may invite per day is no reason to refuse: the rest waits. What one inviter may per hour does not
// count there: somebody has looked at a preview.
func (x *inviting) bound(ctx context.Context, items []*inviteItem) error {
	open := undecided(items)
	if len(open) == 0 || x.dry && x.mass == nil {
		return nil
	}
	most, err := x.mayBePending(ctx)
	if err != nil {
		return err
	}
	open = refuseBeyond(open, most, x.policy.settings.Invite.MaxPending, time.Hour, "the organization has as many open invites as it may have")
	if x.dry || len(open) == 0 {
		return nil
	}
	n, after, err := x.take(ctx, x.sub.Org, limitInvites, "", len(open), x.invitesADay(), day*time.Second)
	if err != nil {
		return err
	}
	switch {
	case x.mass != nil:
		open = x.mass.hold(open, n, after)
	default:
		open = refuseBeyond(open, n, x.invitesADay(), after, "the organization has invited as many people as it may in 24 hours"+later(after))
	}
	if x.sub.User != "" && x.mass == nil {
		n, after, err = x.take(ctx, x.sub.Org, limitInviter, x.sub.User, len(open), invitesPerHour, time.Hour)
		if err != nil {
			return err
		}
		open = refuseBeyond(open, n, invitesPerHour, after, "you have invited as many people as you may in an hour"+later(after))
	}
	if x.approval {
		return nil
	}
	return x.boundMails(ctx, open)
}

// mayBePending is how many more open invites the organization may have.
func (x *inviting) mayBePending(ctx context.Context) (int, error) {
	most := x.policy.settings.Invite.MaxPending
	if x.mass != nil {
		return most - x.mass.pending, nil
	}
	pending, err := x.count(ctx, x.sub.Org, typeInvite, x.pending(x.now))
	return most - pending, fail(typeInvite, err)
}

// hold lets those beyond n wait.
func (m *mass) hold(items []*inviteItem, n int, after time.Duration) []*inviteItem {
	for _, item := range items[n:] {
		item.waits = true
		m.after = max(m.after, after, time.Second)
	}
	return items[:n]
}

// mailsAtOnce is how many addresses are asked about at once: the store writes down together what comes together.
const mailsAtOnce = 16

// boundMails refuses addresses that have got as many mails as they may.
func (x *inviting) boundMails(ctx context.Context, open []*inviteItem) error {
	var group errgroup.Group
	group.SetLimit(mailsAtOnce)
	for _, item := range open {
		if item.invite.Delivery != deliverEmail {
			continue
		}
		group.Go(func() error {
			ok, most, after, err := x.mayMail(ctx, item.address)
			if err == nil && !ok {
				item.set(OutcomeOverRate, "the address has got as many mails as it may"+later(after))
				item.err = tooMany(OutcomeOverRate, most, after, "%s", item.Detail)
			}
			return err
		})
	}
	return group.Wait()
}

// mayMail takes one mail from what an address may get. If it may get none, most and after are of the limit that says so.
func (s *Service) mayMail(ctx context.Context, a mail.Address) (ok bool, most int, after time.Duration, err error) {
	key := s.linkDigest(a.Key()) // the address itself is nobody's business there
	for _, l := range []struct {
		name string
		most int
		per  time.Duration
	}{{limitMailDay, mailsPerDay, day * time.Second}, {limitMailMonth, mailsPerMonth, 30 * day * time.Second}} {
		n, after, err := s.take(ctx, scim.SystemOrg, l.name, key, 1, l.most, l.per)
		if err != nil || n == 0 {
			return false, l.most, after, err
		}
	}
	return true, 0, 0, nil
}

// refuseBeyond refuses the items beyond n for a limit of most, which lets one more through after that time.
func refuseBeyond(items []*inviteItem, n, most int, after time.Duration, why string) []*inviteItem {
	n = max(0, min(n, len(items)))
	for _, item := range items[n:] {
		item.set(OutcomeOverRate, why)
		item.err = tooMany(OutcomeOverRate, most, max(after, time.Second), "%s", why)
	}
	return items[:n]
}

func later(after time.Duration) string {
	if after <= 0 {
		return ""
	}
	return fmt.Sprintf(": try again in %s", after.Round(time.Minute))
}

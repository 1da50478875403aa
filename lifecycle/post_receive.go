package lifecycle

import (
	"context"
	"strconv"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

func replyCode(code int) string { return strconv.Itoa(code) }

// Receive implements mail.Receiver: it writes down what came back, and counts it against the address. What names no
// letter of ours is dropped.
func (p *Post) Receive(ctx context.Context, rep mail.Report) error {
	if rep.Send == "" || rep.Kind == mail.ReportOther || rep.Kind == mail.ReportDelivered {
		return nil
	}
	way, err := load[routeDoc](ctx, p.s.store, routeKey(rep.Send))
	if err != nil || way == nil {
		return err
	}
	k := storage.Key{Org: way.Value.Org, Type: resources.TypeMail, ID: rep.Send}
	newest, err := p.newest(ctx, k)
	if err != nil {
		return err
	}
	sealed, err := p.seal(rep.Detail, k)
	if err != nil {
		return err
	}
	c, at := System(k.Org, "mail").Caller, p.s.now()
	var address string
	counts := false
	err = p.s.store.Within(ctx, k.Org, func(tx storage.Tx) error {
		var now mailDoc
		_, err := change(ctx, p.s, tx, c, k, at, func(r *record[mailDoc]) error {
			address, counts = r.Value.Address, r.Value.report(&rep)
			if rep.Detail != "" {
				r.Secret[secretReply] = sealed
			}
			now = r.Value
			return nil
		})
		if err != nil || !newest {
			return err
		}
		return p.tell(ctx, tx, c, at, &now, rep.Detail)
	})
	if err != nil {
		return fail(resources.TypeMail, err)
	}
	switch {
	case rep.Kind == mail.ReportComplaint:
		err = p.s.noteAddress(ctx, address, func(d *addressDoc, now time.Time) { d.setScore(d.score().Complaint(now)) })
	case counts:
		err = p.s.countBounce(ctx, address, rep.Hard, rep.BadAddress)
	}
	return fail(resources.TypeMailAddress, err)
}

// report takes over what a report says, and returns whether it is to be counted against the address: the first of a
// letter, and one that is worse.
func (m *mailDoc) report(rep *mail.Report) bool {
	switch rep.Kind {
	case mail.ReportAutoReply:
		m.AutoReply = true
		return false
	case mail.ReportComplaint:
		m.State = mailComplained
		return false
	case mail.ReportDelayed:
		if m.State == mailSent {
			m.State, m.Status = mailDeferred, rep.Status
		}
		return false
	case mail.ReportBounce:
		m.State, m.Status = mailBouncedSoft, rep.Status
		if rep.Hard {
			m.State = mailBouncedHard
		}
	default:
		return false
	}
	count := countOf(rep.BadAddress)
	if !countable(rep.Hard, rep.BadAddress, rep.Status) || m.Counted == countedHard || m.Counted == count {
		return false
	}
	m.Counted = count
	return true
}

// sweep looks at all organizations from time to time: which have letters to send, and what has been kept long enough.
func (p *Post) sweep(ctx context.Context, now time.Time) error {
	p.mu.Lock()
	wait := !p.queue.swept.IsZero() && now.Sub(p.queue.swept) < sweepEvery
	if !wait {
		p.queue.swept = now
	}
	p.mu.Unlock()
	if wait {
		return nil
	}
	orgs, err := p.s.store.ListOrganizations(ctx)
	if err != nil {
		return err
	}
	for _, org := range orgs {
		list, err := p.dueLetters(ctx, org.ID, 1)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			p.mu.Lock()
			p.watch(org.ID).next = instantOf(list[0].Value.Due)
			p.mu.Unlock()
		}
		if err := p.discard(ctx, org.ID, resources.TypeMail, "doneAt", now.Add(-keepMail), p.dropRoute); err != nil {
			return err
		}
	}
	return nil
}

// discard deletes records whose instant at path has passed a bound.
func (p *Post) discard(ctx context.Context, org scim.OrgID, t scim.TypeName, path string, bound time.Time, also func(context.Context, storage.Key, time.Time) error) error {
	list, err := find[struct{}](ctx, p.s, org, t, p.s.before(t, path, bound), sweepDeletes)
	if err != nil {
		return err
	}
	c, at := System(org, "mail").Caller, p.s.now()
	for _, r := range list {
		if also != nil {
			if err := also(ctx, r.Key, at); err != nil {
				return err
			}
		}
		if err := p.s.drop(ctx, r.Key, at, c); err != nil {
			return err
		}
	}
	return nil
}

func (p *Post) dropRoute(ctx context.Context, k storage.Key, at time.Time) error {
	return p.s.drop(ctx, routeKey(k.ID), at, System(scim.SystemOrg, "mail").Caller)
}

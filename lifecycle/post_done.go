package lifecycle

import (
	"context"
	"errors"
	"strings"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Done implements mail.Outbox.
func (p *Post) Done(ctx context.Context, item *mail.Item, o *mail.Outcome) error {
	l, ok := item.Handle.(leased)
	if !ok {
		return mail.ErrLeaseLost
	}
	var address string
	counts := false
	err := p.settle(ctx, l, o.At, func(m *mailDoc) {
		m.Code, m.Status, address = o.Result.Code, o.Result.Status, m.Address
		switch o.State {
		case mail.StateSent:
			m.State = mailSent
		case mail.StateDeferred:
			m.State, m.Due = mailDeferred, scim.FormatTime(o.Next)
		case mail.StateExpired:
			m.State = mailExpired
		case mail.StateFailed:
			m.State = mailFailed
			if o.Result.Class == mail.Hard {
				m.State = mailBouncedHard
			}
			if counts = countable(o.Result.Class == mail.Hard, o.Result.BadAddress, o.Result.Status) && o.Result.Err == nil; counts {
				m.Counted = countOf(o.Result.BadAddress)
			}
		}
	}, o.Result.Text)
	if err != nil {
		return err
	}
	if o.State == mail.StateDeferred {
		p.mu.Lock()
		w := p.watch(l.key.Org)
		if w.next.IsZero() || o.Next.Before(w.next) {
			w.next = o.Next
		}
		p.mu.Unlock()
		return nil
	}
	if counts {
		return p.s.countBounce(ctx, address, o.Result.Class == mail.Hard, o.Result.BadAddress)
	}
	return nil
}

// The weights that a letter was counted with against its address, so that a report that comes twice, or after the
// refusal that it is about, counts once.
const (
	countedSoft = "soft"
	countedHard = "hard"
)

// countable reports whether a refusal says anything about the address. One for a policy or of the content does not (RFC
// 3463 x.6 and x.7), and neither does a mail server that was in trouble for a day.
func countable(hard, badAddress bool, status string) bool {
	if !hard || badAddress {
		return true
	}
	return strings.HasPrefix(status, "5.2.") || strings.HasPrefix(status, "5.3.") || strings.HasPrefix(status, "5.4.")
}

func countOf(badAddress bool) string {
	if badAddress {
		return countedHard
	}
	return countedSoft
}

func (s *Service) countBounce(ctx context.Context, address string, hard, badAddress bool) error {
	return s.noteAddress(ctx, address, func(d *addressDoc, now time.Time) { d.setScore(d.score().Bounced(hard, badAddress, now)) })
}

// settle ends a lease: fn says what becomes of the letter, which is over unless fn names when it is due again. reply is
// what a server said. The resource that the letter is about is told in the same step.
func (p *Post) settle(ctx context.Context, l leased, at time.Time, fn func(*mailDoc), reply string) error {
	c := System(l.key.Org, "mail").Caller
	newest, err := p.newest(ctx, l.key)
	if err != nil {
		return err
	}
	sealed, err := p.seal(reply, l.key)
	if err != nil {
		return err
	}
	return p.s.store.Within(ctx, l.key.Org, func(tx storage.Tx) error {
		var now mailDoc
		_, err := change(ctx, p.s, tx, c, l.key, at, func(r *record[mailDoc]) error {
			if r.Value.Lease != l.lease {
				return mail.ErrLeaseLost
			}
			r.Value.Lease, r.Value.Due = "", ""
			fn(&r.Value)
			r.Secret[secretReply] = sealed
			if r.Value.Due == "" {
				r.Value.DoneAt = scim.FormatTime(at)
				delete(r.Secret, secretLetter)
			}
			now = r.Value
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			return mail.ErrLeaseLost
		}
		if err != nil || !newest {
			return err
		}
		return p.tell(ctx, tx, c, at, &now, reply)
	})
}

// newest reports whether no later letter is about the same resource: what becomes of an old letter is not what the
// resource shows.
func (p *Post) newest(ctx context.Context, k storage.Key) (bool, error) {
	r, err := load[mailDoc](ctx, p.s.store, k)
	if err != nil || r == nil || r.Value.About == "" {
		return false, err
	}
	page, err := p.s.store.Query(ctx, k.Org, query.Query{
		Sources: []query.Source{{Type: resources.TypeMail, Where: query.And{
			p.s.eq(resources.TypeMail, "about", r.Value.About),
		}}},
		After: &query.Position{ID: k.ID}, Limit: 1,
	})
	return err == nil && len(page.Records) == 0, err
}

// tell writes what became of a letter into the invite that it is about.
func (p *Post) tell(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time, m *mailDoc, reply string) error {
	if m.AboutType != typeOfInvites || m.About == "" {
		return nil
	}
	d := p.s.registry.Definition(m.AboutType)
	k := storage.Key{Org: c.Org, Type: m.AboutType, ID: m.About}
	_, _, err := tx.Update(ctx, k, at, func(cur storage.Current) (*storage.Edit, error) {
		old, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		next := scim.CloneAttributes(old)
		group := scim.Attributes{"state": m.shown(), "at": scim.FormatTime(at)}
		if before, ok := old["mail"].(scim.Attributes); ok && before["suggestion"] != nil {
			group["suggestion"] = before["suggestion"]
		}
		if m.Status != "" {
			group["code"] = m.Status
		} else if m.Code != 0 {
			group["code"] = replyCode(m.Code)
		}
		if reply != "" {
			group["detail"] = reply
		}
		if m.AutoReply {
			group["autoReplied"] = true
		}
		next["mail"] = group
		return d.NewEdit(c, storage.OpPatch, old, next, nil), nil
	})
	if errors.Is(err, storage.ErrNotFound) { // it is gone, and its letters with it
		return nil
	}
	return err
}

const typeOfInvites scim.TypeName = "Invite"

// shown is the state as the schema of invites names it.
func (m *mailDoc) shown() string {
	if m.State == mailExpired {
		return mailFailed
	}
	return m.State
}

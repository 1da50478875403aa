package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// queueWatch is what a process knows of where letters wait. It is a hint: an organization that it does not know of is
// found by the next sweep over all of them, at the start and every few minutes. So each process looks at a few
// organizations every second, however many there are, and what a process that died has queued is sent by another.
type queueWatch struct {
	orgs  map[scim.OrgID]*watched
	swept time.Time
	last  scim.OrgID // the one that was served last: they take turns
}

type watched struct {
	next  time.Time // when the next letter is due, or was
	until time.Time // looked at until then even if nothing is found: the step that queued may be on its way
}

const (
	sweepEvery   = 5 * time.Minute
	expectFor    = 2 * time.Minute // longer than any step takes
	keepMail     = 90 * 24 * time.Hour
	sweepDeletes = 200 // records of one organization that one sweep throws away
)

// expect notes that an organization may have letters.
func (p *Post) expect(org scim.OrgID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watch(org)
	w.next, w.until = now, now.Add(expectFor)
}

func (p *Post) watch(org scim.OrgID) *watched {
	if p.queue.orgs == nil {
		p.queue.orgs = map[scim.OrgID]*watched{}
	}
	w := p.queue.orgs[org]
	if w == nil {
		w = &watched{}
		p.queue.orgs[org] = w
	}
	return w
}

// turns returns the organizations that may have something due, those after the last one served first.
func (p *Post) turns(now time.Time) []scim.OrgID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []scim.OrgID
	for org, w := range p.queue.orgs {
		if !w.next.After(now) || w.until.After(now) {
			list = append(list, org)
		}
	}
	slices.Sort(list)
	at, found := slices.BinarySearch(list, p.queue.last)
	if found {
		at++
	}
	return append(list[at:], list[:at]...)
}

// Lease implements mail.Outbox.
func (p *Post) Lease(ctx context.Context, now time.Time, n int, d time.Duration) ([]mail.Item, error) {
	if err := p.sweep(ctx, now); err != nil {
		return nil, err
	}
	var items []mail.Item
	for _, org := range p.turns(now) {
		if len(items) >= n {
			break
		}
		got, err := p.leaseOf(ctx, org, now, n-len(items), d)
		items = append(items, got...)
		if err != nil {
			return items, err
		}
	}
	return items, nil
}

// leaseOf leases up to n letters of one organization.
func (p *Post) leaseOf(ctx context.Context, org scim.OrgID, now time.Time, n int, d time.Duration) ([]mail.Item, error) {
	var items []mail.Item
	for {
		// More than are wanted: others may be faster with some.
		list, err := p.dueLetters(ctx, org, 2*n)
		if err != nil {
			return items, err
		}
		i := 0
		for ; i < len(list) && len(items) < n && !instantOf(list[i].Value.Due).After(now); i++ {
			item, err := p.leaseOne(ctx, list[i], now, d)
			if err != nil {
				return items, err
			}
			if item != nil {
				items = append(items, *item)
			}
		}
		if i < len(list) || len(list) < 2*n { // all that was due was looked at, or there is enough
			p.seen(org, list[i:], now)
			return items, nil
		}
	}
}

// dueLetters reads the letters with something to do, those that are due first.
func (p *Post) dueLetters(ctx context.Context, org scim.OrgID, limit int) ([]*record[mailDoc], error) {
	due := p.s.field(resources.TypeMail, "due")
	page, err := p.s.store.Query(ctx, org, query.Query{
		Sources: []query.Source{{Type: resources.TypeMail, Where: query.Present{Field: due}, Sort: &due}}, Sorted: true,
		Limit: limit, Load: query.Load{Secret: true},
	})
	if err != nil {
		return nil, err
	}
	list := make([]*record[mailDoc], len(page.Records))
	for i := range page.Records {
		if list[i], err = decode[mailDoc](&page.Records[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// seen notes what a look at an organization left to do: rest are the letters that come next.
func (p *Post) seen(org scim.OrgID, rest []*record[mailDoc], now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watch(org)
	p.queue.last = org
	switch {
	case len(rest) > 0:
		w.next = instantOf(rest[0].Value.Due)
	case w.until.After(now):
		w.next = w.until
	default:
		delete(p.queue.orgs, org)
	}
}

var errTaken = errors.New("lifecycle: somebody else was faster")

// leaseOne takes a letter by compare-and-set; nil without an error if somebody else was faster, or if nothing is to be
// sent.
func (p *Post) leaseOne(ctx context.Context, r *record[mailDoc], now time.Time, d time.Duration) (*mail.Item, error) {
	c, lease := System(r.Key.Org, "mail").Caller, p.s.newID()
	_, err := change(ctx, p.s, p.s.store, c, r.Key, now, func(cur *record[mailDoc]) error {
		if cur.Value.Due == "" || instantOf(cur.Value.Due).After(now) {
			return errTaken
		}
		cur.Value.State, cur.Value.Lease, cur.Value.Due = mailSending, lease, scim.FormatTime(now.Add(d))
		cur.Value.Attempts++
		r.Value, r.Secret = cur.Value, cur.Secret
		return nil
	})
	if errors.Is(err, errTaken) || errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // no item is an answer here
	}
	if err != nil {
		return nil, err
	}
	item := mail.Item{ID: r.Key.ID, Attempt: r.Value.Attempts, NotAfter: instantOf(r.Value.NotAfter), Handle: leased{r.Key, lease}}
	stop, err := p.s.undeliverable(ctx, r.Value.Address)
	if err != nil {
		return nil, err
	}
	if stop {
		return nil, p.settle(ctx, leased{r.Key, lease}, now, func(m *mailDoc) { m.State = mailSuppressed }, "")
	}
	if item.Message, err = p.message(r); err != nil {
		return nil, p.settle(ctx, leased{r.Key, lease}, now, func(m *mailDoc) { m.State = mailFailed }, "the message cannot be written")
	}
	return &item, p.route(ctx, r.Key, now)
}

// leased is the handle of an item.
type leased struct {
	key   storage.Key
	lease string
}

// routeDoc says which organization a letter is of: what comes back names the letter only.
type routeDoc struct {
	Org scim.OrgID `json:"org"`
}

func routeKey(letter string) storage.Key {
	return storage.Key{Org: scim.SystemOrg, Type: resources.TypeMailRoute, ID: idOf("mail-route", letter)}
}

// route writes down the way back before the letter leaves.
func (p *Post) route(ctx context.Context, k storage.Key, now time.Time) error {
	_, err := p.s.insert(ctx, p.s.store, System(scim.SystemOrg, "mail").Caller, routeKey(k.ID), now, routeDoc{k.Org}, nil)
	if errors.Is(err, storage.ErrExists) { // an earlier attempt
		return nil
	}
	return err
}

// Waiting returns for how long the letter that is due longest has waited, as far as this process knows; 0 if none is.
func (p *Post) Waiting(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := time.Duration(0)
	for _, w := range p.queue.orgs {
		longest = max(longest, now.Sub(w.next))
	}
	return longest
}

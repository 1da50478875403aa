package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Reassignment says which clients go to whom: those that are named, or all of From's; with pairs each to the person that is
// named beside it, else shared out among To.
type Reassignment struct {
	Clients []string     // up to 1000; none: those of From, page by page
	From    string       // whose place the receiver takes; empty: that of all owners
	To      []Share      // up to 100
	ByLoad  bool         // to whom has fewest clients, instead of in turn
	Pairs   []ClientPair // instead of Clients and To
	DryRun  bool         // only say what would be done
	After   *Dealing     // how far the pages before have come
	Count   int          // clients of a page
}

// Share is a receiver and their part: somebody with a share of 2 gets twice as much as one with 1.
type Share struct {
	User  string `json:"user"`
	Share int    `json:"share,omitempty"`
}

// ClientPair says whom a client goes to.
type ClientPair struct{ Client, User string }

// Dealing is how far a distribution has come: it goes on as if it had never paused.
type Dealing struct {
	After string `json:"a"` // id of the last client
	Given []int  `json:"g"` // to each receiver
	Load  []int  `json:"l"` // of each receiver at the beginning
}

// Bounds of a reassignment.
const (
	maxReceivers   = 100
	maxShare       = 1000
	reassignAtOnce = 100 // clients of one step
)

// The outcomes of one client.
const (
	ReassignMoved    = "moved" // or would be
	ReassignAlready  = "already"
	ReassignNotOwner = "not_owner"
	ReassignUnknown  = "unknown_client"
	ReassignUnfit    = "sub_account_missing"
	ReassignFull     = "too_many_owners"
	ReassignChanged  = "changed"
)

// Reassigned is what became of one client.
type Reassigned struct {
	Client  string
	Display string
	To      string // id of the receiver; empty if there is none for it
	ToLabel string
	Outcome string

	seen *record[Client]
}

// ReassignReport is what became of a page of clients, in order.
type ReassignReport struct {
	Items     []Reassigned
	Moved     int
	Remaining int      // clients of From that are still to come
	Next      *Dealing // nil after the last page
}

// Reassign gives clients to other people, in steps of 100 that each happen whole or not at all. Who repeats it goes on where
// it stopped: what has been moved is not moved again.
func (s *Service) Reassign(ctx context.Context, sub Subject, r Reassignment) (*ReassignReport, error) {
	d, err := s.dealing(ctx, sub, &r)
	if err != nil {
		return nil, err
	}
	out := &ReassignReport{}
	if out.Items, err = d.plan(ctx, out); err != nil {
		return nil, err
	}
	if !r.DryRun {
		if err := d.run(ctx, out.Items); err != nil {
			return nil, fail(typeClient, err)
		}
	}
	for i := range out.Items {
		if out.Items[i].Outcome == ReassignMoved {
			out.Moved++
		}
	}
	return out, nil
}

// dealer shares clients out.
type dealer struct {
	*Service
	sub    Subject
	r      *Reassignment
	people []*Person // of r.To
	state  Dealing
}

func (s *Service) dealing(ctx context.Context, sub Subject, r *Reassignment) (*dealer, error) {
	if err := Allowed(sub, ActAssignClients, Target{Type: typeClient}); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	d := &dealer{Service: s, sub: sub, r: r}
	if r.From != "" {
		if err := s.mayTakeFrom(ctx, sub, r.From); err != nil {
			return nil, err
		}
	}
	for _, p := range r.Pairs {
		if !slices.ContainsFunc(r.To, func(t Share) bool { return t.User == p.User }) {
			r.To = append(r.To, Share{User: p.User, Share: 1})
		}
	}
	for i := range r.To {
		r.To[i].Share = cmp.Or(r.To[i].Share, 1)
		p, err := s.receiver(ctx, sub.Org, r.To[i].User, fmt.Sprintf("to[%d]", i), "")
		if err == nil {
			err = mayGive(sub, p)
		}
		if err != nil {
			return nil, err
		}
		d.people = append(d.people, p)
	}
	return d, d.begin(ctx)
}

func (r *Reassignment) check() error {
	switch {
	case len(r.Pairs) > 0 && (len(r.Clients) > 0 || len(r.To) > 0):
		return invalid("pairs", "contradiction", "says all: leave out clients and to")
	case len(r.Pairs) == 0 && len(r.To) == 0:
		return invalid("to", "required", "names nobody who gets the clients")
	case len(r.Pairs) == 0 && len(r.Clients) == 0 && r.From == "":
		return invalid("clients", "required", "name the clients, or whose they are")
	case len(r.Clients) > maxClientWrite || len(r.Pairs) > maxClientWrite:
		return invalid("clients", "too_many", "must be at most %d at once", maxClientWrite)
	case len(r.To) > maxReceivers:
		return invalid("to", "too_many", "must be at most %d people", maxReceivers)
	}
	for i, t := range r.To {
		path := fmt.Sprintf("to[%d]", i)
		switch {
		case t.Share < 0 || t.Share > maxShare:
			return invalid(path+".share", "out_of_range", "must be 1 to %d", maxShare)
		case t.User == r.From:
			return invalid(path, "contradiction", "is the person whose clients these are")
		case slices.ContainsFunc(r.To[:i], func(o Share) bool { return o.User == t.User }):
			return invalid(path, "twice", "names the same person twice")
		}
	}
	seen := map[string]bool{}
	for i, p := range r.Pairs {
		if p.User == r.From || seen[p.Client] {
			return invalid(fmt.Sprintf("pairs[%d]", i), "contradiction", "names a client twice, or the person whose clients these are")
		}
		seen[p.Client] = true
	}
	for i, c := range r.Clients {
		if seen[c] {
			return invalid(fmt.Sprintf("clients[%d]", i), "twice", "names the same client twice")
		}
		seen[c] = true
	}
	return nil
}

// mayTakeFrom says whether the subject may take clients of somebody, who may be gone.
func (s *Service) mayTakeFrom(ctx context.Context, sub Subject, user string) error {
	p, _, err := s.person(ctx, sub.Org, user)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == 404 {
		return nil
	}
	if err != nil {
		return err
	}
	return mayGive(sub, p)
}

// begin takes up the distribution where the page before has left it.
func (d *dealer) begin(ctx context.Context) error {
	n := len(d.people)
	if a := d.r.After; a != nil && len(a.Given) == n && len(a.Load) == n {
		d.state = Dealing{After: a.After, Given: slices.Clone(a.Given), Load: slices.Clone(a.Load)}
		return nil
	}
	d.state = Dealing{Given: make([]int, n), Load: make([]int, n)}
	for i, p := range d.people {
		if !d.r.ByLoad {
			break
		}
		var err error
		if d.state.Load[i], err = d.ClientCount(ctx, d.sub.Org, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// plan says for each client of the page whom it goes to.
func (d *dealer) plan(ctx context.Context, out *ReassignReport) ([]Reassigned, error) {
	ids := d.r.Clients
	for _, p := range d.r.Pairs {
		ids = append(ids, p.Client)
	}
	if len(ids) == 0 {
		return d.planFrom(ctx, out)
	}
	have, err := d.clientsByID(ctx, d.sub.Org, ids)
	if err != nil {
		return nil, err
	}
	items := make([]Reassigned, len(ids))
	for i, id := range ids {
		c := have[id]
		if c == nil || !ownClient(d.sub, &c.Value) {
			items[i] = Reassigned{Client: id, Outcome: ReassignUnknown}
			continue
		}
		var to *Person
		if len(d.r.Pairs) > 0 {
			to = d.people[slices.IndexFunc(d.r.To, func(t Share) bool { return t.User == d.r.Pairs[i].User })]
		}
		items[i] = d.assign(c, to)
	}
	return items, nil
}

// planFrom takes the next page of the clients of one person.
func (d *dealer) planFrom(ctx context.Context, out *ReassignReport) ([]Reassigned, error) {
	count := min(cmp.Or(d.r.Count, maxClientWrite), maxClientWrite)
	where := query.And{d.clientsWhere(d.sub, ClientQuery{Owner: d.r.From})}
	if d.state.After != "" {
		where = append(where, query.Compare{Field: d.field(typeClient, "id"), Op: query.Gt, Value: query.Value{Str: d.state.After}})
	}
	page, err := d.store.Query(ctx, d.sub.Org, query.Query{
		Sources: []query.Source{{Type: typeClient, Where: where}}, Limit: count, Total: true,
	})
	if err != nil {
		return nil, fail(typeClient, err)
	}
	items := make([]Reassigned, len(page.Records))
	for i := range page.Records {
		c, err := decode[Client](&page.Records[i])
		if err != nil {
			return nil, err
		}
		items[i] = d.assign(c, nil)
		d.state.After = c.Key.ID
	}
	out.Remaining = page.Total - len(items)
	if page.More {
		out.Next = &d.state
	}
	return items, nil
}

// assign says what is to become of one client; to is nil if the receiver is to be found.
func (d *dealer) assign(c *record[Client], to *Person) Reassigned {
	item := Reassigned{Client: c.Key.ID, Display: c.Value.Display, seen: c}
	if d.r.From != "" && !c.Value.owns(d.r.From) {
		item.Outcome = ReassignNotOwner
		if i := slices.IndexFunc(d.people, func(p *Person) bool { return c.Value.owns(p.ID) }); i >= 0 && (to == nil || to == d.people[i]) {
			item.Outcome, item.To, item.ToLabel = ReassignAlready, d.people[i].ID, d.people[i].Label
		}
		return item
	}
	if d.r.From == "" && to == nil && len(c.Value.Owners) == 1 {
		if i := slices.IndexFunc(d.people, func(p *Person) bool { return c.Value.owns(p.ID) }); i >= 0 {
			d.state.Given[i]++
			item.Outcome, item.To, item.ToLabel = ReassignAlready, d.people[i].ID, d.people[i].Label
			return item
		}
	}
	if to == nil {
		to = d.next(c.Value.SubAccount)
	}
	if to == nil || !to.belongs(c.Value.SubAccount) {
		item.Outcome = ReassignUnfit
		return item
	}
	item.To, item.ToLabel, item.Outcome = to.ID, to.Label, ReassignMoved
	return item
}

// next is the receiver whose turn it is: the one who has least for their share, the first of several; nil if nobody belongs
// to the sub-account.
func (d *dealer) next(subAccount string) *Person {
	best := -1
	for i, p := range d.people {
		if !p.belongs(subAccount) {
			continue
		}
		if best < 0 || (d.state.Load[i]+d.state.Given[i])*d.r.To[best].Share < (d.state.Load[best]+d.state.Given[best])*d.r.To[i].Share {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	d.state.Given[best]++
	return d.people[best]
}

// run moves what the plan says, in steps of reassignAtOnce clients.
func (d *dealer) run(ctx context.Context, items []Reassigned) error {
	for len(items) > 0 {
		n := min(reassignAtOnce, len(items))
		step, now := items[:n], d.now()
		var outcomes []string
		err := d.store.Within(ctx, d.sub.Org, func(tx storage.Tx) (err error) {
			outcomes, err = d.move(ctx, tx, step, now)
			return err
		})
		if err != nil {
			return err
		}
		for i := range step {
			step[i].Outcome = outcomes[i]
		}
		items = items[n:]
	}
	return nil
}

// move is one step.
func (d *dealer) move(ctx context.Context, tx storage.Tx, step []Reassigned, now time.Time) ([]string, error) {
	outcomes := make([]string, len(step))
	checked := map[string]bool{}
	for i := range step {
		item := &step[i]
		if outcomes[i] = item.Outcome; item.Outcome != ReassignMoved {
			continue
		}
		to := ClientOwner{Value: item.To, Relation: relationOwner}
		if !checked[item.To] {
			if err := d.stillActive(ctx, tx, d.sub.Org, []ClientOwner{to}); err != nil {
				return nil, err
			}
			checked[item.To] = true
		}
		_, err := change(ctx, d.Service, tx, d.sub.Caller, item.seen.Key, now, func(r *record[Client]) error {
			outcomes[i] = r.Value.handTo(d.r.From, to, &item.seen.Value)
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			outcomes[i], err = ReassignUnknown, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// handTo puts a receiver in the place of one owner, or of all, and says what came of it. seen is the client that the plan
// was made with: what somebody else has changed meanwhile is not overwritten.
func (c *Client) handTo(from string, to ClientOwner, seen *Client) string {
	switch {
	case c.SubAccount != seen.SubAccount:
		return ReassignChanged
	case from != "" && !c.owns(from):
		if c.owns(to.Value) {
			return ReassignAlready
		}
		return ReassignNotOwner
	case from != "":
		was := c.Owners
		c.take(from)
		if c.give(to); len(c.Owners) > maxClientOwners {
			c.Owners = was
			return ReassignFull
		}
		return ReassignMoved
	case len(c.Owners) == 1 && c.owns(to.Value):
		return ReassignAlready
	case !slices.Equal(c.Owners, seen.Owners):
		return ReassignChanged
	}
	c.Owners, c.Unowned = []ClientOwner{to}, false
	return ReassignMoved
}

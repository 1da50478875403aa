package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

const typeClient = scim.TypeName(resources.TypeClient)

// Client is a customer that people of the organization look after: what an application knows of it stays there.
type Client struct {
	Display     string        `json:"display"`
	ExternalRef string        `json:"externalRef,omitempty"`
	App         string        `json:"app,omitempty"`
	SubAccount  string        `json:"subAccount,omitempty"`
	Owners      []ClientOwner `json:"owners,omitempty"`
	Unowned     bool          `json:"unowned,omitempty"`
}

// ClientOwner is somebody who looks after a client.
type ClientOwner struct {
	Value    string `json:"value"`              // id of the user
	Relation string `json:"relation"`           // owner, or delegate while the owner is away
	For      string `json:"for,omitempty"`      // of a delegate: id of the owner
	Transfer string `json:"transfer,omitempty"` // of a delegate: id of the transfer that will take the client back
}

// The relations of owners.
const (
	relationOwner    = "owner"
	relationDelegate = "delegate"
)

// Bounds of clients.
const (
	maxClientText   = 200 // characters of a name or reference
	maxClientOwners = 20
	maxClientWrite  = 1000 // clients of one request
)

// ClientRecord is a client as the companion API shows it.
type ClientRecord struct {
	ID       string
	Version  int64
	Created  time.Time
	Modified time.Time
	Client
	People map[string]*Someone // of the owners, by id; somebody who is gone is not in it
}

// Someone is what is told of a person beside something else.
type Someone struct {
	Label  string
	Active bool
}

func clientKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: typeClient, ID: id}
}

func clientRecord(rec *storage.Record) (*ClientRecord, error) {
	r, err := decode[Client](rec)
	if err != nil {
		return nil, err
	}
	return &ClientRecord{ID: rec.ID, Version: rec.Version, Created: rec.Created, Modified: rec.Modified, Client: r.Value}, nil
}

// owns reports whether the user looks after the client.
func (c *Client) owns(user string) bool {
	return slices.ContainsFunc(c.Owners, func(o ClientOwner) bool { return o.Value == user })
}

// give makes the user an owner beside those that there are, and reports whether they were none.
func (c *Client) give(o ClientOwner) bool {
	i := slices.IndexFunc(c.Owners, func(x ClientOwner) bool { return x.Value == o.Value })
	if i >= 0 && (c.Owners[i].Relation == relationOwner || c.Owners[i] == o) {
		return false
	}
	c.Owners = slices.Clone(c.Owners)
	if i >= 0 {
		c.Owners[i] = o
	} else {
		c.Owners = append(c.Owners, o)
	}
	c.Unowned = false
	return true
}

// take ends what the user has to do with the client, and reports whether that was anything.
func (c *Client) take(user string) bool {
	n := len(c.Owners)
	c.Owners = slices.DeleteFunc(slices.Clone(c.Owners), func(o ClientOwner) bool { return o.Value == user })
	c.Unowned = len(c.Owners) == 0
	return len(c.Owners) < n
}

// check says whether a client can be stored so.
func (c *Client) check(cat *Catalogue) error {
	c.Display = strings.TrimSpace(c.Display)
	for _, t := range []struct {
		path, text string
		needed     bool
	}{{"display", c.Display, true}, {"externalRef", c.ExternalRef, false}} {
		switch {
		case t.needed && t.text == "":
			return invalid(t.path, "required", "is required")
		case utf8.RuneCountInString(t.text) > maxClientText:
			return invalid(t.path, "too_long", "must have at most %d characters", maxClientText)
		}
	}
	if c.App != "" && !slug(c.App) {
		return invalid("app", "malformed", "must be the key of an application")
	}
	if c.SubAccount != "" {
		e := cat.Entitlement(c.SubAccount)
		if e == nil || e.Kind != resources.EntitlementSubAccount {
			return invalid("subAccount", "unknown_sub_account", "there is no such sub-account")
		}
		c.SubAccount = e.Key
	}
	c.Unowned = len(c.Owners) == 0
	return c.checkOwners()
}

func (c *Client) checkOwners() error {
	if len(c.Owners) > maxClientOwners {
		return invalid("owners", "too_many", "must be at most %d", maxClientOwners)
	}
	for i, o := range c.Owners {
		if slices.ContainsFunc(c.Owners[:i], func(x ClientOwner) bool { return x.Value == o.Value }) {
			return invalid("owners", "twice", "names the same person twice")
		}
	}
	return nil
}

// ownClients reports whether the subject may see and change the client: applications have their own.
func ownClient(sub Subject, c *Client) bool { return sub.serves(c.App) }

// GetClient reads one client.
func (s *Service) GetClient(ctx context.Context, sub Subject, id string) (*ClientRecord, error) {
	rec, err := s.store.Get(ctx, clientKey(sub.Org, id), query.Load{})
	if err != nil {
		return nil, fail(typeClient, err)
	}
	r, err := clientRecord(rec)
	if err != nil {
		return nil, err
	}
	t := Target{Type: typeClient}
	if r.owns(sub.User) {
		t.User = sub.User
	}
	if err := Allowed(sub, ActReadClients, t); err != nil {
		return nil, err
	}
	if !ownClient(sub, &r.Client) {
		return nil, notFound(typeClient)
	}
	return r, s.introduce(ctx, sub.Org, []*ClientRecord{r})
}

// introduce fills in who the owners are.
func (s *Service) introduce(ctx context.Context, org scim.OrgID, list []*ClientRecord) error {
	var ids []string
	for _, r := range list {
		for _, o := range r.Owners {
			ids = append(ids, o.Value)
		}
	}
	people, err := s.someone(ctx, org, ids)
	for _, r := range list {
		r.People = people
	}
	return err
}

// idsAtOnce is how many ids one query asks for.
const idsAtOnce = 100

// someone is what is told of people, by id. Who is not there is not in it.
func (s *Service) someone(ctx context.Context, org scim.OrgID, ids []string) (map[string]*Someone, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	people := make(map[string]*Someone, len(ids))
	for some := range slices.Chunk(ids, idsAtOnce) {
		var or query.Or
		for _, id := range some {
			or = append(or, s.eq(typeUser, "id", id))
		}
		page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: typeUser, Where: or}}, Limit: len(some)})
		if err != nil {
			return nil, fail(typeUser, err)
		}
		for i := range page.Records {
			doc, err := scim.DecodeAttributes(page.Records[i].Doc)
			if err != nil {
				return nil, err
			}
			people[page.Records[i].ID] = &Someone{
				Label: s.registry.Definition(typeUser).Label(doc), Active: FactsOf(doc, nil, s.now()).Active,
			}
		}
	}
	return people, nil
}

// CreateClient enters a client in the registry.
func (s *Service) CreateClient(ctx context.Context, sub Subject, c Client) (*ClientRecord, error) {
	if err := Allowed(sub, ActAssignClients, Target{Type: typeClient}); err != nil {
		return nil, err
	}
	if err := s.checkClient(ctx, sub, &c); err != nil {
		return nil, err
	}
	var (
		rec *storage.Record
		k   = clientKey(sub.Org, s.newID())
		now = s.now()
	)
	err := s.store.Within(ctx, sub.Org, func(tx storage.Tx) (err error) {
		if err := s.stillActive(ctx, tx, sub.Org, c.Owners); err != nil {
			return err
		}
		rec, err = s.insert(ctx, tx, sub.Caller, k, now, c, nil)
		return err
	})
	if err != nil {
		return nil, fail(typeClient, err)
	}
	return s.shownClient(ctx, rec)
}

func (s *Service) shownClient(ctx context.Context, rec *storage.Record) (*ClientRecord, error) {
	r, err := clientRecord(rec)
	if err != nil {
		return nil, err
	}
	return r, s.introduce(ctx, rec.Org, []*ClientRecord{r})
}

// checkClient says whether the subject may store the client so: its form, whose application it is of, and who is to look
// after it.
func (s *Service) checkClient(ctx context.Context, sub Subject, c *Client) error {
	cat, err := s.Catalogue(ctx, sub.Org)
	if err != nil {
		return err
	}
	if err := c.check(cat); err != nil {
		return err
	}
	if !ownClient(sub, c) {
		return forbidden("other_app", "the token is for another application")
	}
	for i, o := range c.Owners {
		if o.Relation == relationDelegate {
			continue
		}
		c.Owners[i] = ClientOwner{Value: o.Value, Relation: relationOwner}
		p, err := s.receiver(ctx, sub.Org, o.Value, "owners", c.SubAccount)
		if err == nil {
			err = mayGive(sub, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receiver is a person who is to get clients or other work: a member who can sign in, and who belongs to the sub-account
// that it is of, unless they administer the organization.
func (s *Service) receiver(ctx context.Context, org scim.OrgID, id, path, subAccount string) (*Person, error) {
	p, _, err := s.person(ctx, org, id)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == 404 {
		return nil, invalid(path, "unknown_user", "there is no such member")
	}
	if err != nil {
		return nil, err
	}
	if code, detail := p.unfit(subAccount); code != "" {
		e := conflict(code, "%s: %s", path, detail)
		e.Path = path
		return nil, e
	}
	return p, nil
}

// mayGive says whether the subject may give clients to a person, or take them. Whoever assigns clients may do so with
// their own.
func mayGive(sub Subject, p *Person) error {
	t := Target{User: p.ID, Rank: p.Grant.Rank()}
	if sub.User == p.ID {
		t = Target{}
	}
	return Allowed(sub, ActAssignClients, t)
}

// unfit says why somebody cannot get work of a sub-account; an empty code if they can.
func (p *Person) unfit(subAccount string) (code, detail string) {
	switch {
	case !p.Facts.Active:
		return "receiver_inactive", "the person is deactivated"
	case !p.belongs(subAccount):
		return "sub_account_missing", "the person does not belong to the sub-account"
	}
	return "", ""
}

// belongs reports whether somebody has to do with the sub-account.
func (p *Person) belongs(subAccount string) bool {
	return subAccount == "" || p.Grant.OrgAdmin() || slices.ContainsFunc(p.Grant.SubAccounts, func(a GrantedSubAccount) bool {
		return query.Fold(a.Key) == query.Fold(subAccount)
	})
}

// stillActive refuses owners who have lost their access since they were looked at.
func (s *Service) stillActive(ctx context.Context, tx storage.Tx, org scim.OrgID, owners []ClientOwner) error {
	for _, o := range owners {
		rec, err := tx.Get(ctx, userKey(org, o.Value), query.Load{})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if err == nil {
			doc, err := scim.DecodeAttributes(rec.Doc)
			if err != nil {
				return err
			}
			if o.Relation == relationDelegate || FactsOf(doc, nil, s.now()).Active {
				continue
			}
		}
		return conflict("receiver_inactive", "the person who is to look after the client has lost access just now")
	}
	return nil
}

// ChangeClient stores what fn makes of a client.
func (s *Service) ChangeClient(ctx context.Context, sub Subject, id string, pre scim.Precondition, fn func(*Client)) (*ClientRecord, error) {
	if err := Allowed(sub, ActAssignClients, Target{Type: typeClient}); err != nil {
		return nil, err
	}
	k := clientKey(sub.Org, id)
	for range maxGuardRuns {
		was, err := load[Client](ctx, s.store, k)
		if err != nil {
			return nil, fail(typeClient, err)
		}
		if was == nil || !ownClient(sub, &was.Value) {
			return nil, notFound(typeClient)
		}
		if err := pre.Check(was.Version); err != nil {
			return nil, err
		}
		next := was.Value
		next.Owners = slices.Clone(next.Owners)
		fn(&next)
		if err := next.checkOwners(); err != nil {
			return nil, err
		}
		next.keepDelegates(&was.Value)
		added := slices.DeleteFunc(slices.Clone(next.Owners), func(o ClientOwner) bool { return was.Value.owns(o.Value) })
		asked := next
		asked.Owners = added
		if next.SubAccount != was.Value.SubAccount {
			asked.Owners = slices.Clone(next.Owners)
		}
		if err := s.checkClient(ctx, sub, &asked); err != nil {
			return nil, err
		}
		asked.Owners, asked.Unowned = next.Owners, len(next.Owners) == 0
		next = asked
		rec, err := s.storeClient(ctx, sub, was, next, added)
		if err == nil {
			return s.shownClient(ctx, rec)
		}
		if !errors.Is(err, errMoved) {
			return nil, fail(typeClient, err)
		}
	}
	return nil, lostRaces()
}

// keepDelegates keeps what is noted of owners who stay.
func (c *Client) keepDelegates(was *Client) {
	for i, o := range c.Owners {
		if k := slices.IndexFunc(was.Owners, func(x ClientOwner) bool { return x.Value == o.Value }); k >= 0 {
			c.Owners[i] = was.Owners[k]
		} else {
			c.Owners[i].Relation = relationOwner
		}
	}
}

func (s *Service) storeClient(ctx context.Context, sub Subject, was *record[Client], next Client, added []ClientOwner) (rec *storage.Record, err error) {
	now := s.now()
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) (err error) {
		if err := s.stillActive(ctx, tx, sub.Org, added); err != nil {
			return err
		}
		rec, err = change(ctx, s, tx, sub.Caller, was.Key, now, func(r *record[Client]) error {
			if r.Version != was.Version {
				return errMoved
			}
			r.Value = next
			return nil
		})
		return err
	})
	return rec, err
}

// DeleteClient takes a client out of the registry.
func (s *Service) DeleteClient(ctx context.Context, sub Subject, id string, pre scim.Precondition) error {
	if err := Allowed(sub, ActAssignClients, Target{Type: typeClient}); err != nil {
		return err
	}
	err := s.store.Delete(ctx, clientKey(sub.Org, id), s.now(), func(cur storage.Current) (storage.Change, error) {
		r, err := decode[Client](cur.Record())
		if err != nil {
			return storage.Change{}, err
		}
		if !ownClient(sub, &r.Value) {
			return storage.Change{}, notFound(typeClient)
		}
		return storage.Change{Op: storage.OpDelete, Actor: sub.Actor, Request: sub.RequestID}, pre.Check(r.Version)
	})
	return fail(typeClient, err)
}

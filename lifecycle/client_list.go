package lifecycle

import (
	"context"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
)

// ClientQuery asks for a page of clients. What is empty does not matter.
type ClientQuery struct {
	Owner       string // id of a user
	App         string
	SubAccount  string
	ExternalRef string
	Text        string // part of the name
	Unowned     bool   // only those that nobody looks after
	Sort        string // display; empty: the order of ids, which is that of making
	Desc        bool
	After       *query.Position
	Count       int
}

// PageClients returns a page of clients and where the next one begins, nil after the last.
func (s *Service) PageClients(ctx context.Context, sub Subject, q ClientQuery) ([]*ClientRecord, *query.Position, error) {
	if err := Allowed(sub, ActReadClients, Target{User: q.Owner}); err != nil {
		return nil, nil, err
	}
	src := query.Source{Type: typeClient, Where: s.clientsWhere(sub, q)}
	if q.Sort != "" {
		f := s.field(typeClient, q.Sort)
		src.Sort = &f
	}
	page, err := s.store.Query(ctx, sub.Org, query.Query{
		Sources: []query.Source{src}, Sorted: q.Sort != "", Desc: q.Desc, Limit: q.Count, After: q.After,
	})
	if err != nil {
		return nil, nil, fail(typeClient, err)
	}
	list := make([]*ClientRecord, len(page.Records))
	for i := range page.Records {
		if list[i], err = clientRecord(&page.Records[i]); err != nil {
			return nil, nil, err
		}
	}
	if err := s.introduce(ctx, sub.Org, list); err != nil {
		return nil, nil, err
	}
	if !page.More {
		return list, nil, nil
	}
	return list, &page.Sort[len(page.Sort)-1], nil
}

func (s *Service) clientsWhere(sub Subject, q ClientQuery) query.Expr {
	where := query.And{}
	for _, t := range []struct{ path, value string }{
		{"owners.value", q.Owner}, {"externalRef", q.ExternalRef}, {"app", q.App}, {"subAccount", q.SubAccount},
	} {
		if t.value != "" {
			where = append(where, s.eq(typeClient, t.path, t.value))
		}
	}
	if q.Unowned {
		where = append(where, s.is(typeClient, "unowned", true))
	}
	if text := strings.TrimSpace(q.Text); text != "" {
		f := s.field(typeClient, "display")
		where = append(where, query.Compare{Field: f, Op: query.Co, Value: query.Value{Kind: f.Kind, Str: query.Fold(text)}})
	}
	if sub.bound() {
		own := query.Or{}
		for _, scope := range sub.Scopes {
			if app := scim.AppOf(scope); app != "" {
				own = append(own, s.eq(typeClient, "app", app))
			}
		}
		where = append(where, own)
	}
	return where
}

// ClientCount is how many clients a person looks after.
func (s *Service) ClientCount(ctx context.Context, org scim.OrgID, user string) (int, error) {
	return s.count(ctx, org, typeClient, s.eq(typeClient, "owners.value", user))
}

// hasClients reports whether an organization keeps clients at all.
func (s *Service) hasClients(ctx context.Context, org scim.OrgID) (bool, error) {
	page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: typeClient}}, Limit: 1})
	if err != nil {
		return false, fail(typeClient, err)
	}
	return len(page.Records) > 0, nil
}

const (
	pathClients     = scim.SchemaRollcallUser + ":clients"
	pathClientCount = scim.SchemaRollcallUser + ":clientCount"
)

// Bounds of what an answer about users tells of their clients.
const (
	maxShownClients   = 1000    // of one person
	maxCountedClients = 100_000 // of an organization whose people are put in order by how many they have
	countOneByOne     = 200     // up to so many people are counted one by one
)

// Relate puts the clients in the documents of users, and how many they are.
func (v userView) Relate(ctx context.Context, c scim.Caller, list []scim.Resource, docs []scim.Attributes, wants func(string) bool) error {
	if wants(pathClientCount) {
		counts, err := v.s.clientCounts(ctx, c.Org, list)
		if err != nil {
			return err
		}
		for i := range list {
			setExtension(docs[i], "clientCount", int64(counts[list[i].ID]))
		}
	}
	if !wants(pathClients) {
		return nil
	}
	for i := range list {
		values, err := v.s.clientValues(ctx, c.Org, list[i].ID)
		if err != nil {
			return err
		}
		if len(values) > 0 {
			setExtension(docs[i], "clients", values)
		}
	}
	return nil
}

func (s *Service) clientValues(ctx context.Context, org scim.OrgID, user string) ([]any, error) {
	list, err := find[Client](ctx, s, org, typeClient, s.eq(typeClient, "owners.value", user), maxShownClients+1)
	if err != nil {
		return nil, fail(typeClient, err)
	}
	if len(list) > maxShownClients {
		return nil, scim.TooMany("a person has more than %d clients: ask the companion API for them page by page", maxShownClients)
	}
	values := make([]any, len(list))
	for i, r := range list {
		relation := relationOwner
		for _, o := range r.Value.Owners {
			if o.Value == user {
				relation = o.Relation
			}
		}
		values[i] = scim.Attributes{"value": r.Key.ID, "display": r.Value.Display, "relation": relation}
	}
	return values, nil
}

// clientCounts is how many clients each of the users has. Many users are counted by going through all clients once.
func (s *Service) clientCounts(ctx context.Context, org scim.OrgID, users []scim.Resource) (map[string]int, error) {
	counts := make(map[string]int, len(users))
	if len(users) <= countOneByOne {
		for i := range users {
			n, err := s.ClientCount(ctx, org, users[i].ID)
			if err != nil {
				return nil, err
			}
			counts[users[i].ID] = n
		}
		return counts, nil
	}
	seen := 0
	err := s.eachClient(ctx, org, nil, func(page []*record[Client]) error {
		if seen += len(page); seen > maxCountedClients {
			return scim.TooMany("there are more than %d clients to count: ask without clientCount", maxCountedClients)
		}
		for _, r := range page {
			for _, o := range r.Value.Owners {
				counts[o.Value]++
			}
		}
		return nil
	})
	return counts, err
}

// clientPage is how many clients are read at once by who goes through many.
const clientPage = 1000

// eachClient goes through the clients that match where, in id order, page by page.
func (s *Service) eachClient(ctx context.Context, org scim.OrgID, where query.Expr, fn func([]*record[Client]) error) error {
	var after *query.Position
	for {
		page, err := s.store.Query(ctx, org, query.Query{
			Sources: []query.Source{{Type: typeClient, Where: where}}, Limit: clientPage, After: after,
		})
		if err != nil {
			return fail(typeClient, err)
		}
		list := make([]*record[Client], len(page.Records))
		for i := range page.Records {
			if list[i], err = decode[Client](&page.Records[i]); err != nil {
				return err
			}
		}
		if err := fn(list); err != nil || !page.More {
			return err
		}
		after = &page.Sort[len(page.Sort)-1]
	}
}

package lifecycle

import (
	"context"
	"errors"
	"strconv"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

const typeSeal = scim.TypeName(resources.TypeSeal)

// A seal takes a page of the feed. The first pages are small, and those after changes with many members, each of which is
// an id of 36 bytes to hold.
const (
	sealFirst      = 64
	sealMost       = 512
	sealMembers    = 20_000
	sealCrowded    = 8
	sealAfter      = 10 * time.Minute // a page that is not full waits this long for more
	secretBlinds   = "blinds"
	sealAtOnce     = 200 // seals that one call makes at most, unless all is asked for
	maxOutOfTheWay = 100 // attempts to be the one that makes a seal
)

// seal is a link of the chain: a stretch of the feed and the link before it, under one hash.
type seal struct {
	Number  int64            `json:"number"`
	First   storage.Position `json:"first"`   // of the stretch
	Through storage.Position `json:"through"` // its last
	Count   int              `json:"count"`
	FirstAt Instant          `json:"firstAt"`
	LastAt  Instant          `json:"lastAt"`
	Prior   string           `json:"prior"` // hash of the link before; empty for the first
	Hash    string           `json:"hash"`
}

// Checkpoint is how far an organization's audit trail is sealed. Whoever keeps one elsewhere can show later that nothing
// before it was changed.
type Checkpoint struct {
	Number  int64   `json:"number" doc:"How many seals there are."`
	Through string  `json:"through" doc:"The last change that is sealed."`
	Hash    string  `json:"hash" doc:"Of the chain up to there: SHA-256, as hexadecimal digits. Empty if nothing is sealed yet."`
	At      Instant `json:"at,omitzero" doc:"When the last sealed change was made."`
}

func sealKey(org scim.OrgID, number int64) storage.Key {
	return storage.Key{Org: org, Type: typeSeal, ID: idOf("seal", string(org), strconv.FormatInt(number, 10))}
}

// head is the last link; nil if there is none yet.
func (s *Service) head(ctx context.Context, org scim.OrgID) (*seal, error) {
	f := s.field(typeSeal, "number")
	page, err := s.store.Query(ctx, org, query.Query{
		Sources: []query.Source{{Type: typeSeal, Sort: &f}}, Sorted: true, Desc: true, Limit: 1,
	})
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	r, err := decode[seal](&page.Records[0])
	if err != nil {
		return nil, err
	}
	return &r.Value, nil
}

// Seal seals what of the audit trail is not sealed yet: what fills a page or has waited for ten minutes, or with all
// everything. It returns how far the trail is sealed. Several processes may do it at once.
func (s *Service) Seal(ctx context.Context, org scim.OrgID, all bool) (Checkpoint, error) {
	head, err := s.head(ctx, org)
	if err != nil {
		return Checkpoint{}, fail(typeSeal, err)
	}
	if head == nil {
		head = &seal{}
	}
	lost := 0
	for page, made := sealFirst, 0; all || made < sealAtOnce; {
		list, err := s.store.Changes(ctx, org, head.Through, page)
		if err != nil {
			return Checkpoint{}, fail(typeSeal, err)
		}
		if !s.ripe(list, page, all) {
			break
		}
		next, err := s.link(ctx, org, head, list)
		switch {
		case errors.Is(err, storage.ErrExists): // another process was first
			if lost++; lost > maxOutOfTheWay {
				return Checkpoint{}, fail(typeSeal, storage.ErrContention)
			}
			if next, err = s.head(ctx, org); err != nil {
				return Checkpoint{}, fail(typeSeal, err)
			}
		case err != nil:
			return Checkpoint{}, fail(typeSeal, err)
		default:
			made++
		}
		head, page = next, nextPage(page, list)
	}
	return Checkpoint{Number: head.Number, Through: string(head.Through), Hash: head.Hash, At: head.LastAt}, nil
}

// SealDue is Seal of what is due; made says whether there was any.
func (s *Service) SealDue(ctx context.Context, org scim.OrgID) (c Checkpoint, made bool, err error) {
	head, err := s.head(ctx, org)
	if err != nil {
		return Checkpoint{}, false, fail(typeSeal, err)
	}
	c, err = s.Seal(ctx, org, false)
	return c, err == nil && (head == nil && c.Number > 0 || head != nil && c.Number > head.Number), err
}

// ripe reports whether a page is worth a seal. Seals are changes as well; by themselves they are not worth another.
func (s *Service) ripe(list []storage.Change, page int, all bool) bool {
	for i := range list {
		if list[i].Key.Type != typeSeal {
			return all || len(list) == page || !list[i].At.After(s.now().Add(-sealAfter))
		}
	}
	return false
}

func nextPage(page int, list []storage.Change) int {
	members := 0
	for i := range list {
		members += len(list[i].MembersAdded) + len(list[i].MembersRemoved)
	}
	if members > sealMembers {
		return sealCrowded
	}
	return min(2*page, sealMost)
}

// link stores the link after head.
func (s *Service) link(ctx context.Context, org scim.OrgID, head *seal, list []storage.Change) (*seal, error) {
	blinds, err := newBlinds(s.random, len(list))
	if err != nil {
		return nil, err
	}
	last := len(list) - 1
	next := &seal{
		Number: head.Number + 1, First: list[0].Position, Through: list[last].Position, Count: len(list),
		FirstAt: at(list[0].At), LastAt: at(list[last].At), Prior: head.Hash,
	}
	c := newChain(next.Number, next.Prior)
	for i := range list {
		c.add(leaf(&list[i], &blinds[i]))
	}
	next.Hash = c.sum()
	secret := scim.Attributes{secretBlinds: encodeBlinds(blinds)}
	_, err = s.insert(ctx, s.store, System(org, "audit").Caller, sealKey(org, next.Number), s.now(), next, secret)
	return next, err
}

// loadSeal reads a link by its number; nil if there is none.
func (s *Service) loadSeal(ctx context.Context, org scim.OrgID, number int64) (*record[seal], []blind, error) {
	r, err := load[seal](ctx, s.store, sealKey(org, number))
	if err != nil || r == nil {
		return nil, nil, err
	}
	text, _ := r.Secret[secretBlinds].(string)
	blinds, err := decodeBlinds(text)
	return r, blinds, err
}

// sealOf finds the number of the link that holds a position: all changes up to that of head are sealed.
func (s *Service) sealOf(ctx context.Context, org scim.OrgID, head int64, p storage.Position) (int64, error) {
	low, high := int64(1), head
	for low < high {
		middle := (low + high) / 2
		r, err := load[seal](ctx, s.store, sealKey(org, middle))
		if err != nil {
			return 0, err
		}
		if r == nil || r.Value.Through.Compare(p) >= 0 {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, nil
}

package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// maxAuditProblems is how many problems one verification reports.
const maxAuditProblems = 100

// Verification is what came of verifying an organization's audit trail.
type Verification struct {
	Checkpoint Checkpoint `json:"checkpoint"`
	Changes    int        `json:"changes"`  // that are sealed
	Unsealed   int        `json:"unsealed"` // that are not sealed yet: nothing is said of them
	Erased     int        `json:"erased"`   // sealed ones whose values were erased
	Problems   []string   `json:"problems"` // none: nothing that is sealed was changed
}

// verifying is a verification under way.
type verifying struct {
	out    Verification
	claims map[storage.Key]int64 // records with erased values, and the last link with one
	gone   map[storage.Key]bool  // erased tombstones
}

// VerifyAudit reads the whole audit trail of an organization and holds it against the chain of seals. expect, if it is not
// empty, is a checkpoint that was kept elsewhere, "number:hash": the chain must have it. It changes nothing.
func (s *Service) VerifyAudit(ctx context.Context, org scim.OrgID, expect string) (*Verification, error) {
	wantNumber, wantHash, err := readCheckpoint(expect)
	if err != nil {
		return nil, err
	}
	v := &verifying{out: Verification{Problems: []string{}}, claims: map[storage.Key]int64{}, gone: map[storage.Key]bool{}}
	prior := &seal{}
	for n := int64(1); ; n++ {
		r, blinds, err := s.loadSeal(ctx, org, n)
		if err != nil {
			return nil, fail(typeSeal, err)
		}
		if r == nil {
			break
		}
		list, err := s.store.Changes(ctx, org, prior.Through, r.Value.Count)
		if err != nil {
			return nil, fail(typeSeal, err)
		}
		v.link(&r.Value, prior, blinds, list)
		if n == wantNumber && r.Value.Hash != wantHash {
			v.problem("seal %d is not the one that was expected: the chain was made anew", n)
		}
		prior = &r.Value
	}
	v.out.Checkpoint = Checkpoint{Number: prior.Number, Through: string(prior.Through), Hash: prior.Hash, At: prior.LastAt}
	if wantNumber > prior.Number {
		v.problem("the chain ends at seal %d: the one that was expected is missing", prior.Number)
	}
	if head, err := s.head(ctx, org); err != nil {
		return nil, fail(typeSeal, err)
	} else if head != nil && head.Number > prior.Number {
		v.problem("seal %d is missing", prior.Number+1)
	}
	for k, n := range v.claims {
		if !v.gone[k] {
			v.problem("seal %d: values of %s %s are gone, which was not erased", n, k.Type, k.ID)
		}
	}
	slices.Sort(v.out.Problems)
	return &v.out, s.countUnsealed(ctx, org, prior.Through, &v.out.Unsealed)
}

func readCheckpoint(text string) (number int64, hash string, err error) {
	if text == "" {
		return 0, "", nil
	}
	left, hash, ok := strings.Cut(text, ":")
	if _, err := fmt.Sscanf(left, "%d", &number); err != nil || !ok || number < 1 || len(hash) != 64 {
		return 0, "", invalid("expect", "not_a_checkpoint", "must be the number and the hash of a checkpoint, such as 12:9f86...")
	}
	return number, hash, nil
}

func (v *verifying) problem(format string, args ...any) {
	if len(v.out.Problems) < maxAuditProblems {
		v.out.Problems = append(v.out.Problems, fmt.Sprintf(format, args...))
	}
}

// link verifies one link and its stretch.
func (v *verifying) link(x, prior *seal, blinds []blind, list []storage.Change) {
	v.out.Changes += len(list)
	switch {
	case x.Prior != prior.Hash:
		v.problem("seal %d does not follow seal %d", x.Number, prior.Number)
	case len(list) != x.Count || len(blinds) != x.Count:
		v.problem("seal %d has %d changes, and %d are there", x.Number, x.Count, len(list))
		return
	case list[0].Position != x.First || list[len(list)-1].Position != x.Through:
		v.problem("seal %d: changes are missing or were added", x.Number)
	}
	c := newChain(x.Number, x.Prior)
	for i := range list {
		ch := &list[i]
		c.add(leaf(ch, &blinds[i]))
		v.erased(x.Number, ch, blinds[i].salt == nil)
	}
	if c.sum() != x.Hash {
		v.problem("seal %d: what is sealed was changed", x.Number)
	}
}

// erased notes what speaks of erasure: only what is gone may have no values.
func (v *verifying) erased(number int64, ch *storage.Change, without bool) {
	if without {
		v.out.Erased++
		if slices.ContainsFunc(ch.Values, func(x storage.ValueChange) bool { return x.Old != nil || x.New != nil }) {
			v.problem("seal %d: %s %s was erased, and values are there", number, ch.Key.Type, ch.Key.ID)
		}
		v.claims[ch.Key] = number
	}
	switch {
	case ch.Op == storage.OpDelete:
		delete(v.claims, ch.Key)
	case ch.Key.Type == resources.TypeTombstone && slices.ContainsFunc(ch.Values, func(x storage.ValueChange) bool { return x.Path == "erased" }):
		v.gone[ch.Key] = true
	}
}

// countUnsealed counts what comes after a place in the feed.
func (s *Service) countUnsealed(ctx context.Context, org scim.OrgID, after storage.Position, n *int) error {
	for {
		list, err := s.store.Changes(ctx, org, after, sealFirst)
		if err != nil {
			return fail(typeSeal, err)
		}
		if *n += len(list); len(list) < sealFirst {
			return nil
		}
		after = list[len(list)-1].Position
	}
}

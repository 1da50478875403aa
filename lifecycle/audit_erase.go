package lifecycle

import (
	"context"
	"slices"

	"rollcall/scim"
	"rollcall/storage"
)

// redact destroys the values in the history of records that are gone, for good: first the salts by which the chain
// commits to them, so that what stays in it tells nothing, then the values. The chain verifies as before.
func (s *Service) redact(ctx context.Context, org scim.OrgID, keys ...storage.Key) error {
	// What is not sealed could be sealed by another process with a salt while its values go.
	head, err := s.Seal(ctx, org, true)
	if err != nil {
		return err
	}
	var numbers []int64
	for _, k := range keys {
		for skip := 0; ; skip += historyPage {
			list, err := s.store.History(ctx, k, skip, historyPage)
			if err != nil {
				return fail(k.Type, err)
			}
			for i := range list {
				n, err := s.sealOf(ctx, org, head.Number, list[i].Position)
				if err != nil {
					return fail(typeSeal, err)
				}
				numbers = append(numbers, n)
			}
			if len(list) < historyPage {
				break
			}
		}
	}
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		if err := s.unsalt(ctx, org, n, keys); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := s.store.Redact(ctx, k); err != nil {
			return fail(k.Type, err)
		}
	}
	return nil
}

// unsalt replaces the salts of the changes of some records in one link by what they made of the values.
func (s *Service) unsalt(ctx context.Context, org scim.OrgID, number int64, keys []storage.Key) error {
	r, _, err := s.loadSeal(ctx, org, number)
	if err != nil || r == nil {
		return fail(typeSeal, err)
	}
	list, err := s.stretch(ctx, org, &r.Value)
	if err != nil {
		return fail(typeSeal, err)
	}
	_, err = change(ctx, s, s.store, System(org, "audit").Caller, r.Key, s.now(), func(r *record[seal]) error {
		text, _ := r.Secret[secretBlinds].(string)
		blinds, err := decodeBlinds(text)
		if err != nil {
			return err
		}
		for i := range list {
			if i < len(blinds) && blinds[i].salt != nil && slices.Contains(keys, list[i].Key) {
				blinds[i] = blind{values: blinds[i].of(&list[i])}
			}
		}
		r.Secret[secretBlinds] = encodeBlinds(blinds)
		return nil
	})
	return fail(typeSeal, err)
}

// stretch reads the changes of a link.
func (s *Service) stretch(ctx context.Context, org scim.OrgID, v *seal) ([]storage.Change, error) {
	after := storage.Position("")
	if v.Number > 1 {
		prior, err := load[seal](ctx, s.store, sealKey(org, v.Number-1))
		if err != nil {
			return nil, err
		}
		if prior != nil {
			after = prior.Value.Through
		}
	}
	return s.store.Changes(ctx, org, after, v.Count)
}

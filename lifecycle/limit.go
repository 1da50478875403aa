package lifecycle

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// limitDoc is what was used of one limit. The uses themselves are a secret, so that the history of the record does not
// list them again with each use.
type limitDoc struct {
	Until string `json:"until"` // when the last use is out of the window
}

const (
	secretUses = "uses"
	// maxUses bounds a record: with more, those within a 32nd of the window are counted together as if they were the
	// newest of them, which frees them that much later and never earlier.
	maxUses = 64
)

// use is that n of something were used at an instant.
type use struct {
	at int64 // milliseconds of Unix time
	n  int
}

// take is use for who need not know what is left: it returns how many it could take, and, if that is less than n, after
// how long one more will be free.
func (s *Service) take(ctx context.Context, org scim.OrgID, name, key string, n, most int, per time.Duration) (granted int, after time.Duration, err error) {
	granted, left, err := s.use(ctx, org, name, key, n, most, per)
	if granted < n {
		after = left.Reset
	}
	return granted, after, err
}

// use uses up to n of what a limit allows: most within any window of length per, for each key. It returns how many it
// could take, and what is left then. The state is in the store, so all processes share it.
func (s *Service) use(ctx context.Context, org scim.OrgID, name, key string, n, most int, per time.Duration) (granted int, left scim.Quota, err error) {
	k := storage.Key{Org: org, Type: resources.TypeLimit, ID: idOf("limit", string(org), name, key)}
	c, now := System(org, "limits").Caller, s.now()
	count := func(secret scim.Attributes) (limitDoc, scim.Attributes) {
		uses := readUses(secret, now.Add(-per))
		used := 0
		for _, u := range uses {
			used += u.n
		}
		granted = max(0, min(n, most-used))
		left = scim.Quota{Limit: most, Remaining: max(0, most-used-granted)}
		switch {
		case len(uses) > 0:
			left.Reset = time.UnixMilli(uses[0].at).Add(per).Sub(now)
		case granted > 0:
			left.Reset = per
		}
		uses = append(uses, use{now.UnixMilli(), granted})
		return limitDoc{Until: scim.FormatTime(now.Add(per))}, scim.Attributes{secretUses: writeUses(uses, per)}
	}
	errNone := errors.New("lifecycle: nothing is left of a limit")
	for {
		_, err = change(ctx, s, s.store, c, k, now, func(r *record[limitDoc]) error {
			doc, secret := count(r.Secret)
			if granted == 0 {
				return errNone // whoever is beyond the limit costs no write
			}
			r.Value, r.Secret = doc, secret
			return nil
		})
		if errors.Is(err, errNone) {
			return 0, left, nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			break
		}
		doc, secret := count(nil)
		if granted == 0 {
			return 0, left, nil
		}
		if _, err = s.insert(ctx, s.store, c, k, now, doc, secret); !errors.Is(err, storage.ErrExists) {
			break
		}
	}
	if err != nil {
		return 0, scim.Quota{}, fail(resources.TypeLimit, err)
	}
	return granted, left, nil
}

// readUses returns the uses after an instant, oldest first.
func readUses(secret scim.Attributes, after time.Time) []use {
	text, _ := secret[secretUses].(string)
	var uses []use
	for word := range strings.FieldsSeq(text) {
		when, count, _ := strings.Cut(word, "*")
		at, err := strconv.ParseInt(when, 10, 64)
		n, err2 := strconv.Atoi(count)
		if err == nil && err2 == nil && n > 0 && at > after.UnixMilli() {
			uses = append(uses, use{at, n})
		}
	}
	return uses
}

// writeUses writes uses down; per is the window that they are counted in.
func writeUses(uses []use, per time.Duration) string {
	if len(uses) > maxUses {
		span := max(per.Milliseconds()/(maxUses/2), 1)
		kept := uses[:1]
		for _, u := range uses[1:] {
			if last := &kept[len(kept)-1]; last.at/span == u.at/span {
				last.at, last.n = u.at, last.n+u.n
			} else {
				kept = append(kept, u)
			}
		}
		uses = kept
	}
	words := make([]string, len(uses))
	for i, u := range uses {
		words[i] = strconv.FormatInt(u.at, 10) + "*" + strconv.Itoa(u.n)
	}
	return strings.Join(words, " ")
}

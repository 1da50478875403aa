package mongo

import (
	"errors"
	"testing"
	"time"

	"rollcall/internal/mongotest"
	"rollcall/scim"
	"rollcall/storage"
)

// TestDeletionOfWhatIsGone: while the callback looks at a record, that is deleted and another comes under its id, with the
// same version and at the same time. What the callback said of the first must not delete the second.
func TestDeletionOfWhatIsGone(t *testing.T) {
	uri, name := mongotest.Database(t)
	s := nestedStore(t, uri, name)
	k := nestedKey("Group", 1)
	nestedInsert(t, s, k)
	calls, refused := 0, errors.New("this one is to stay")
	err := s.Delete(t.Context(), k, time.Unix(2, 0), func(cur storage.Current) (storage.Change, error) {
		doc, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return storage.Change{}, err
		}
		if calls++; calls == 1 {
			return storage.Change{Op: storage.OpDelete}, s.Within(t.Context(), k.Org, func(tx storage.Tx) error {
				allow := func(storage.Current) (storage.Change, error) { return storage.Change{Op: storage.OpDelete}, nil }
				if err := tx.Delete(t.Context(), k, time.Unix(1, 0), allow); err != nil {
					return err
				}
				_, err := tx.Insert(t.Context(), k, time.Unix(1, 0), &storage.Edit{Doc: scim.Attributes{"displayName": "to stay"}})
				return err
			})
		}
		if doc["displayName"] != "to stay" {
			t.Errorf("call %d sees %v", calls, doc)
		}
		return storage.Change{}, refused
	})
	if !errors.Is(err, refused) || calls != 2 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

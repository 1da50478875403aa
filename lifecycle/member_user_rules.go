package lifecycle

import (
	"context"
	"sync"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// adminBlock refuses that a client gives access back to somebody whom an administrator has deactivated: cutting access is
// the administrator's last word, and an answer of 200 would be a lie.
func adminBlock(w *resources.Write) error {
	if w.Old == nil || w.Old["active"] != false || w.Doc["active"] == false {
		return nil
	}
	why, _ := extension(w.Old, "deactivation").(scim.Attributes)
	if why["by"] == nil {
		return nil // a client did it
	}
	e := conflict("admin_block", "active: an administrator has deactivated this person; only an administrator can activate them")
	e.Path = "active"
	return e
}

// userDeletion is what a DELETE of a user means beside the user: the remains are kept as the organization has decided,
// and what is open for the person ends. A client is never refused to protect the organization from having no owner: it
// would try for ever, and access would stay.
type userDeletion struct{ s *Service }

type deletionState struct {
	set Settings
	l   *leave
}

func (r userDeletion) Before(ctx context.Context, w *resources.Write) error {
	set, _, err := r.s.Settings(ctx, w.Key.Org)
	if err != nil {
		return err
	}
	p, _, err := r.s.person(ctx, w.Key.Org, w.Key.ID)
	if err != nil {
		return err
	}
	l, err := r.s.leaver(ctx, w.Key.Org, p, true)
	if err != nil {
		return fail(typeUser, err)
	}
	w.State = &deletionState{set, l}
	return nil
}

func (r userDeletion) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	st, _ := w.State.(*deletionState)
	if err := r.s.revokeInvitesOf(ctx, tx, w.Caller, st.l.invites, string(ActRemove), at(w.At)); err != nil {
		return err
	}
	st.l.at = w.At
	r.s.burials.note(w.Key.Org, w.At)
	return r.s.bury(ctx, tx, w.Caller, st.l, seconds(st.set.Members.RemoveRetention))
}

// userCreation gives somebody whom the same client deleted, and makes again with the same externalId, their id back: a
// mistake in the client's scope must not make new people of all.
type userCreation struct{ s *Service }

func (r userCreation) Before(ctx context.Context, w *resources.Write) error {
	w.Alone = true
	id, _ := w.Doc["externalId"].(string)
	if id == "" || w.Fixed || w.Caller.Actor.Kind != actorToken {
		return nil
	}
	snap, err := r.s.snapshot(ctx, w.Key.Org)
	if err != nil {
		return err
	}
	if snap.settings.Provision.DeletedReturn != "restore" || !snap.buried && !r.s.burials.recent(w.Key.Org, w.At) {
		return nil
	}
	where := r.s.eq(typeTombstone, "externalId", r.s.linkDigest("externalId "+id))
	list, err := find[tombstone](ctx, r.s, w.Key.Org, typeTombstone, where, 10)
	if err != nil {
		return err
	}
	for _, t := range list {
		if t.Value.Client == w.Caller.Actor.ID && !t.Value.Erased && t.Value.PurgeAt.After(w.At) {
			w.Alone, w.State, w.Key.ID = false, t, t.Value.User
			return nil
		}
	}
	return nil
}

func (r userCreation) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	t, _ := w.State.(*record[tombstone])
	return r.s.dropTombstone(ctx, tx, w.Caller, t, w.At)
}

// burials remembers when this process last removed somebody from each organization, so that a client which makes the
// person again at once meets the tombstone, however old the snapshot is.
type burials struct {
	mu   sync.Mutex
	last map[scim.OrgID]time.Time
}

func (b *burials) note(org scim.OrgID, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil || len(b.last) >= maxSnapshots {
		b.last = map[scim.OrgID]time.Time{}
	}
	b.last[org] = at
}

func (b *burials) recent(org scim.OrgID, at time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, ok := b.last[org]
	return ok && at.Sub(last) < time.Minute
}

// hasTombstones reports whether an organization has tombstones at all.
func (s *Service) hasTombstones(ctx context.Context, org scim.OrgID) (bool, error) {
	page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: typeTombstone}}, Limit: 1})
	if err != nil {
		return false, fail(typeTombstone, err)
	}
	return len(page.Records) > 0, nil
}

package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// blocked reports whether an administrator has cut the access of the person with the document.
func blocked(doc scim.Attributes) bool {
	why, _ := extension(doc, "deactivation").(scim.Attributes)
	return doc["active"] == false && why["by"] != nil // else a client did it
}

// adminBlock refuses that a client gives access back to somebody whom an administrator has deactivated, be it by the way of
// what is noted of the deactivation: cutting access is the administrator's last word, and an answer of 200 would be a lie.
func adminBlock(old, next scim.Attributes) error {
	if !blocked(old) {
		return nil
	}
	if next["active"] != false {
		e := conflict("admin_block", "active: an administrator has deactivated this person; only an administrator can activate them")
		e.Path = "active"
		return e
	}
	if !scim.Equal(extension(old, "deactivation"), extension(next, "deactivation")) {
		return scim.Mutability(scim.SchemaRollcallUser+":deactivation", "an administrator wrote it, and only an administrator changes it")
	}
	return nil
}

// userDeletion is what a DELETE of a user means beside the user: the remains are kept as the organization has decided,
// and what is open for the person ends. A client is never refused to protect the organization from having no owner: it
// would try for ever, and access would stay.
type userDeletion struct{ s *Service }

type deletionState struct {
	snap *snapshot
	l    *leave
}

func (r userDeletion) Before(ctx context.Context, w *resources.Write) error {
	l := &leave{key: w.Key, at: w.At, invites: &departure{}}
	p, snap, err := r.s.person(ctx, w.Key.Org, w.Key.ID)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == http.StatusNotFound {
		// The step says so, unless another operation of the same Bulk request makes the user before.
		snap, err = r.s.fresh(ctx, w.Key.Org)
		w.State = &deletionState{snap, l}
		return err
	}
	if err != nil {
		return err
	}
	if l, err = r.s.leaver(ctx, w.Key.Org, p, true); err != nil {
		return fail(typeUser, err)
	}
	w.State = &deletionState{snap, l}
	return nil
}

func (r userDeletion) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	st, _ := w.State.(*deletionState)
	if err := st.snap.admitClient(w); err != nil {
		return err
	}
	if err := r.s.revokeInvitesOf(ctx, tx, w.Caller, st.l.invites, string(ActRemove), at(w.At)); err != nil {
		return err
	}
	st.l.at = w.At
	r.s.burials.note(w.Key.Org, w.At)
	return r.s.bury(ctx, tx, w.Caller, st.l, seconds(st.snap.settings.Members.RemoveRetention))
}

// userCreation gives somebody whom the same client deleted, and makes again with the same externalId, their id back: a
// mistake in the client's scope must not make new people of all.
type userCreation struct{ s *Service }

func (r userCreation) Before(ctx context.Context, w *resources.Write) error {
	if w.Caller.Actor.Kind != actorToken { // Within notes what they write
		return nil
	}
	w.Alone = true
	snap, _ := w.Prepared.(*snapshot)
	if err := r.addressTaken(ctx, snap, w.Key.Org, w.Doc); err != nil {
		return err
	}
	if pendingConsent(w.Doc) {
		c, err := r.s.consent(ctx, w)
		if err != nil {
			return err
		}
		if c != nil {
			w.Alone, w.State = false, c
		}
	}
	id, _ := w.Doc["externalId"].(string)
	if id == "" || w.Fixed {
		return nil
	}
	if snap.settings.Provision.DeletedReturn != "restore" || !snap.buried && !r.s.burials.recent(w.Key.Org, w.At) {
		return nil
	}
	where := r.s.eq(typeTombstone, "externalId", r.s.linkDigest("externalId "+id))
	list, err := find[tombstone](ctx, r.s, w.Key.Org, typeTombstone, where, 10)
	if err != nil {
		return err
	}
	mine, _ := snap.connections.of(w.Caller.Actor.ID)
	for _, t := range list {
		if by, _ := snap.connections.of(t.Value.Client); by == mine && !t.Value.Erased && t.Value.PurgeAt.After(w.At) {
			_, old, _, err := r.s.exhume(&t.Value)
			if err != nil {
				return err
			}
			if pendingConsent(old) { // who never agreed is asked again, as somebody new
				continue
			}
			if pendingConsent(w.Doc) { // they have been in
				setExtension(w.Doc, "origin", nil)
				setExtension(w.Doc, "emailVerified", nil)
			}
			w.Alone, w.State, w.Key.ID = false, t, t.Value.User
			return stillBlocked(old, w.Doc)
		}
	}
	return nil
}

// stillBlocked keeps an administrator's word over a deletion: who was deactivated when the client deleted them comes back so.
func stillBlocked(old, doc scim.Attributes) error {
	if !blocked(old) {
		return nil
	}
	setExtension(doc, "deactivation", extension(old, "deactivation"))
	return adminBlock(old, doc)
}

func (r userCreation) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	switch state := w.State.(type) {
	case *record[tombstone]:
		return r.s.dropTombstone(ctx, tx, w.Caller, state, w.At)
	case *consent:
		return r.s.askByMail(ctx, tx, w, state)
	}
	if marks := noteLocal(nil, nil, w.Doc); marks != nil {
		if w.Secret == nil {
			w.Secret = scim.Attributes{}
		}
		maps.Copy(w.Secret, marks)
	}
	return nil
}

// addressTaken refuses that a client makes somebody under another name whose address a person has who came another way:
// it would be the same person twice. The userName needs no look, since it is unique.
func (r userCreation) addressTaken(ctx context.Context, snap *snapshot, org scim.OrgID, doc scim.Attributes) error {
	if !snap.locals {
		return nil
	}
	name, where := mail.Fold(text(doc["userName"])), query.Or{}
	for _, e := range list(doc["emails"]) {
		el, _ := e.(scim.Attributes)
		if a := text(el["value"]); a != "" && mail.Fold(a) != name && len(where) < 2*maxSameAddress {
			where = append(where, r.s.eq(typeUser, "userName", a), r.s.eq(typeUser, "emails.value", a))
		}
	}
	if len(where) == 0 {
		return nil
	}
	page, err := r.s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: typeUser, Where: where}}, Limit: maxSameAddress})
	if err != nil {
		return fail(typeUser, err)
	}
	for i := range page.Records {
		if other, err := scim.DecodeAttributes(page.Records[i].Doc); err != nil || local(other) {
			return cmp.Or(err, error(scim.Uniqueness("emails.value")))
		}
	}
	return nil
}

// burials remembers when this process last removed somebody from each organization, so that a client which makes the
// person again at once meets the tombstone, however old the snapshot is.
type burials struct{ last remembered[time.Time] }

func (b *burials) note(org scim.OrgID, at time.Time) { b.last.put(org, &at) }

func (b *burials) recent(org scim.OrgID, at time.Time) bool {
	last := b.last.get(org)
	return last != nil && at.Sub(*last) < time.Minute
}

// hasTombstones reports whether an organization has tombstones at all.
func (s *Service) hasTombstones(ctx context.Context, org scim.OrgID) (bool, error) {
	page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: typeTombstone}}, Limit: 1})
	if err != nil {
		return false, fail(typeTombstone, err)
	}
	return len(page.Records) > 0, nil
}

package lifecycle

import (
	"context"
	"maps"
	"slices"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The reasons of a deactivation.
const (
	ReasonLeave      = "leave"
	ReasonTerminated = "terminated"
	ReasonExpired    = "expired"
	ReasonOther      = "other"
)

// Deactivation says why and until when somebody is to lose access.
type Deactivation struct {
	Reason string    // one of the reasons above; empty: other
	Until  time.Time // when access comes back by itself; zero: not
	Note   string    // for administrators
}

const maxDeactivationNote = 1000 // characters

// Deactivate cuts a person's access at once and keeps everything else. It is reversible: Activate, or Until. Open invites
// to the person are revoked. With a version that is not 0 it is refused, 412, if the person has another.
func (s *Service) Deactivate(ctx context.Context, sub Subject, id string, version int64, d Deactivation) (*scim.Resource, error) {
	why, err := s.reasonOf(sub, &d)
	if err != nil {
		return nil, err
	}
	return s.leaving(ctx, sub, ActSetActive, id, version, func(tx storage.Tx, l *leave) (*storage.Record, error) {
		return s.changeUser(ctx, tx, sub.Caller, l.key, l.at, version, func(doc scim.Attributes) error {
			doc["active"] = false
			setExtension(doc, "deactivation", why)
			return nil
		})
	})
}

// reasonOf checks a deactivation and is what the person's document says of it.
func (s *Service) reasonOf(sub Subject, d *Deactivation) (scim.Attributes, error) {
	now := s.now()
	switch {
	case d.Reason == "":
		d.Reason = ReasonOther
	case !slices.Contains([]string{ReasonLeave, ReasonTerminated, ReasonExpired, ReasonOther}, d.Reason):
		return nil, invalid("reason", "not_a_choice", "must be leave, terminated, expired or other")
	}
	if !d.Until.IsZero() && !d.Until.After(now) {
		return nil, invalid("until", "out_of_range", "must lie in the future")
	}
	if len([]rune(d.Note)) > maxDeactivationNote {
		return nil, invalid("note", "too_long", "must have at most %d characters", maxDeactivationNote)
	}
	why := scim.Attributes{"at": scim.FormatTime(now), "by": sub.actorID(), "reason": d.Reason}
	if sub.Label != "" {
		why["display"] = sub.Label
	}
	if !d.Until.IsZero() {
		why["until"] = scim.FormatTime(d.Until)
	}
	if d.Note != "" {
		why["note"] = d.Note
	}
	return why, nil
}

// Activate gives a deactivated person access again, whoever took it.
func (s *Service) Activate(ctx context.Context, sub Subject, id string, version int64) (*scim.Resource, error) {
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActSetActive, Target{User: id, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	if !blocked(p.Doc) { // else an administrator cut the access, and gives it back
		m, err := s.claims(ctx, userKey(sub.Org, id))
		if err != nil {
			return nil, err
		}
		if c := m.cut(); c != nil {
			return nil, managed(pathActive, c)
		}
	}
	rec, err := s.activate(ctx, sub.Caller, id, version)
	if err != nil {
		return nil, fail(typeUser, err)
	}
	return resourceOf(rec), nil
}

func (s *Service) activate(ctx context.Context, c scim.Caller, id string, version int64) (rec *storage.Record, err error) {
	k, now := userKey(c.Org, id), s.now()
	activate := func(tx storage.Tx) error {
		rec, err = s.changeUser(ctx, tx, c, k, now, version, func(doc scim.Attributes) error {
			doc["active"] = true
			setExtension(doc, "deactivation", nil)
			return nil
		})
		return err
	}
	err = s.guarded(ctx, c, guardSeats, func() error { return s.needSeat(ctx, c.Org) }, activate)
	return rec, err
}

// needSeat refuses one more person if the plan has no seat for them.
func (s *Service) needSeat(ctx context.Context, org scim.OrgID) error {
	set, _, err := s.Settings(ctx, org)
	if err != nil || set.Plan.Seats.Limit == 0 { // without a limit nobody is counted
		return err
	}
	room, err := s.room(ctx, org, set, s.now())
	if err != nil {
		return fail(typeUser, err)
	}
	if room.Free() == 0 {
		return noSeat()
	}
	return nil
}

// leave is a person on the way out: what the step that cuts their access needs to know.
type leave struct {
	key     storage.Key
	at      time.Time
	person  *Person
	groups  []string   // ids of the groups that list the person themselves
	invites *departure // what is open for the person
	clients bool       // the organization keeps clients, of whom the person may have some
}

// leaving runs a step that cuts somebody's access, with the rules that all such steps share: who may, somebody remains
// owner, what is open for the person ends.
func (s *Service) leaving(ctx context.Context, sub Subject, act Action, id string, version int64, step func(storage.Tx, *leave) (*storage.Record, error)) (*scim.Resource, error) {
	var (
		l   *leave
		rec *storage.Record
	)
	look := func() (err error) {
		l, err = s.lookAtLeaver(ctx, sub, act, id, version)
		return err
	}
	run := func(tx storage.Tx) (err error) {
		if err := s.revokeInvitesOf(ctx, tx, sub.Caller, l.invites, string(act), at(l.at)); err != nil {
			return err
		}
		rec, err = step(tx, l)
		return err
	}
	if err := look(); err != nil {
		return nil, err
	}
	var err error
	if l.person.isOwner() {
		err = s.guarded(ctx, sub.Caller, guardOwners, look, run)
	} else {
		err = s.store.Within(ctx, sub.Org, run)
	}
	if err != nil {
		return nil, fail(typeUser, err)
	}
	if rec == nil {
		return nil, nil //nolint:nilnil // a removal leaves nothing to show
	}
	return resourceOf(rec), nil
}

func (s *Service) lookAtLeaver(ctx context.Context, sub Subject, act Action, id string, version int64) (*leave, error) {
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, act, Target{User: id, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	if version != 0 && version != p.Version {
		return nil, scim.PreconditionFailed()
	}
	if p.isOwner() && p.Facts.Active {
		if err := s.anotherOwner(ctx, sub.Org, id); err != nil {
			return nil, err
		}
	}
	return s.leaver(ctx, sub.Org, p, act != ActSetActive)
}

// leaver collects what ends with a person's access.
func (s *Service) leaver(ctx context.Context, org scim.OrgID, p *Person, gone bool) (*leave, error) {
	l := &leave{key: userKey(org, p.ID), at: s.now(), person: p}
	for _, g := range p.Groups {
		if g.Direct {
			l.groups = append(l.groups, g.ID)
		}
	}
	var err error
	if gone {
		if l.clients, err = s.hasClients(ctx, org); err != nil {
			return nil, err
		}
	}
	l.invites, err = s.invitesOf(ctx, org, p.ID, addresses(p.Doc), gone)
	return l, err
}

// isOwner reports whether somebody has the role of an owner, effective or not.
func (p *Person) isOwner() bool { return slices.Contains(p.Facts.Roles, RoleOwner) }

// anotherOwner refuses if nobody but the user called id owns the organization.
func (s *Service) anotherOwner(ctx context.Context, org scim.OrgID, id string) error {
	where := query.And{
		s.eq(typeUser, "roles.value", RoleOwner),
		query.Not{Expr: s.is(typeUser, "active", false)},
		query.Not{Expr: s.eq(typeUser, "id", id)},
	}
	n, err := s.count(ctx, org, typeUser, where)
	if err != nil {
		return fail(typeUser, err)
	}
	if n == 0 {
		return conflict("last_owner", "this is the last active owner: make somebody else an owner first")
	}
	return nil
}

// changeUser stores what fn makes of a user's document.
func (s *Service) changeUser(ctx context.Context, tx storage.Writer, c scim.Caller, k storage.Key, at time.Time, version int64, fn func(doc scim.Attributes) error) (*storage.Record, error) {
	d := s.registry.Definition(typeUser)
	rec, _, err := tx.Update(ctx, k, at, func(cur storage.Current) (*storage.Edit, error) {
		if version != 0 && version != cur.Record().Version {
			return nil, scim.PreconditionFailed()
		}
		old, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		next := maps.Clone(old)
		if err := fn(next); err != nil {
			return nil, err
		}
		if err := d.Validate(next); err != nil {
			return nil, err
		}
		return d.NewEdit(c, storage.OpPatch, old, next, noteLocal(cur.Record().Secret, old, next)), nil
	})
	return rec, err
}

// setExtension sets an attribute of Rollcall's user extension; nil removes it. The document is changed, values that others
// may share are not.
func setExtension(doc scim.Attributes, name string, v any) {
	old, _ := doc[scim.SchemaRollcallUser].(scim.Attributes)
	ext := maps.Clone(old)
	if ext == nil {
		ext = scim.Attributes{}
	}
	if v == nil {
		delete(ext, name)
	} else {
		ext[name] = v
	}
	urns, _ := doc["schemas"].([]any)
	if len(ext) == 0 {
		delete(doc, scim.SchemaRollcallUser)
		doc["schemas"] = slices.DeleteFunc(slices.Clone(urns), func(u any) bool { return u == scim.SchemaRollcallUser })
		return
	}
	doc[scim.SchemaRollcallUser] = ext
	if !slices.Contains(urns, any(scim.SchemaRollcallUser)) {
		doc["schemas"] = append(slices.Clone(urns), scim.SchemaRollcallUser)
	}
}

// extension reads an attribute of Rollcall's user extension.
func extension(doc scim.Attributes, name string) any {
	ext, _ := doc[scim.SchemaRollcallUser].(scim.Attributes)
	return ext[name]
}

// addresses are the mail addresses of a user, folded as addresses are compared; a userName that is one counts.
func addresses(doc scim.Attributes) []string {
	var list []string
	add := func(v any) {
		text, _ := v.(string)
		if key := mail.Fold(text); key != "" && !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	add(doc["userName"])
	emails, _ := doc["emails"].([]any)
	for _, e := range emails {
		el, _ := e.(scim.Attributes)
		add(el["value"])
	}
	return list
}

func userKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: typeUser, ID: id}
}

// actorID is the id by which a subject is remembered: of the person, or of the token.
func (s Subject) actorID() string {
	if s.User != "" {
		return s.User
	}
	return s.Actor.ID
}

func resourceOf(r *storage.Record) *scim.Resource {
	return &scim.Resource{
		Type: r.Type, ID: r.ID, Version: r.Version, Created: r.Created, Modified: r.Modified, Doc: r.Doc, Groups: r.Groups,
	}
}
